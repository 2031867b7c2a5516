/** Rows of docs/compatibility.md that no other test holds: ids, signing, what is refused and what is accepted without effect. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isSystemId, lastCell, machinesPerCell, systemIdOf } from '../src/contract/ids.ts';
import type { Route } from '../src/contract/route.ts';
import { routes } from '../src/contract/routes.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import { cellApi, type CellApi, type Fields } from './cell-api.ts';
import { globalApi } from './global-api.ts';

let cell: CellApi;
beforeAll(async () => {
  cell = await cellApi();
});
afterAll(() => cell.close());

test('a system_id is seven characters without vowels but a, the first three of them the cell', () => {
  for (const [number, n] of [
    [1, 12],
    [17, 300],
    [lastCell, machinesPerCell - 1],
  ] as const) {
    const id = systemIdOf(number, n) ?? '';
    expect(id).toMatch(/^[abcdfghkmnpqrtwxyz346789]{7}$/);
    expect([isSystemId(id), id.slice(0, 3)]).toEqual([true, systemIdOf(number, n + 1 < machinesPerCell ? n + 1 : n - 1)?.slice(0, 3)]);
  }
});

test('integer ids carry their cell, and are safe in JavaScript', async () => {
  const id = await cell.add();
  const { interface_set: cards } = (await cell.ask('ann', 'GET', `machines/${id}/`)).json<{ interface_set: { id: number }[] }>();
  expect(cards.map((card) => [Math.floor(card.id / 1e11), Number.isSafeInteger(card.id)])).toEqual([[17, true]]);
  expect(Number.isSafeInteger(lastCell * 1e11 + 1e11 - 1)).toBe(true);
});

describe('what is not done is refused when it is asked for, and only then', () => {
  const cases: readonly (readonly [op: string, fields: Fields])[] = [
    ...[
      'ephemeral_deploy',
      'install_kvm',
      'install_rackd',
      'register_vmhost',
      'vcenter_registration',
      'enable_hw_sync',
      'enable_kernel_crash_dump',
    ].map((name) => ['deploy', { [name]: 'true' }] as const),
    ['release', { secure_erase: 'true' }],
    ['commission', { enable_ssh: 'true' }],
    ['commission', { parameters_disk: '/dev/sda' }],
    ['test', { enable_ssh: 'true' }],
    ['test', { parameters_runtime: '5' }],
  ];
  test.each(cases)('%s %j', async (op, fields) => {
    const id = await cell.addIn(op === 'release' ? 'allocated' : 'ready', 'admin');
    const before = (await cell.ask('admin', 'GET', `machines/${id}/`)).json();
    expect((await cell.ask('admin', 'POST', `machines/${id}/?op=${op}`, fields)).status).toBe(400);
    expect((await cell.ask('admin', 'GET', `machines/${id}/`)).json()['status_name']).toBe(before['status_name']);
  });

  test('a machine that is a DPU', async () => {
    const given = { architecture: 'amd64/generic', power_type: 'manual' };
    const add = (is_dpu: string) => cell.ask('admin', 'POST', 'machines/', { ...given, mac_addresses: cell.nextMac(), is_dpu });
    expect([(await add('true')).status, (await add('false')).status]).toEqual([400, 200]);
  });
});

test('what there is nothing for is accepted', async () => {
  const [ready, taken] = [await cell.addIn('ready'), await cell.addIn('allocated', 'ann')];
  const changed = await cell.ask('admin', 'PUT', `machines/${ready}/`, { disable_ipv4: 'true' });
  expect([changed.status, changed.json()['disable_ipv4']]).toEqual([200, false]);
  expect((await cell.ask('admin', 'POST', `machines/${ready}/?op=commission`, { skip_bmc_config: 'true' })).status).toBe(200);
  expect((await cell.ask('ann', 'POST', `machines/${taken}/?op=release`, { force: 'true' })).status).toBe(200);
});

test('of OAuth, timestamps that are years old and nonces that were used are good', async () => {
  await using api = await globalApi();
  const authorization = oauthHeader(api.adminKey, 'once', 5_000);
  for (let n = 0; n < 2; n += 1) {
    const answer = await api.server.inject({ url: '/MAAS/api/2.0/users/?op=whoami', headers: { authorization } });
    expect([answer.statusCode, answer.json()]).toMatchObject([200, { username: 'admin' }]);
  }
});

test('only what can be deployed may be uploaded', () => {
  const { filetype } = routes['BootResources.create'].params;
  expect(JSON.stringify(filetype.schema)).toContain('tar.zst');
  expect(JSON.stringify(filetype.schema)).not.toMatch(/tgz|squashfs|ddgz/);
});

test('what every user may read', () => {
  const table: Readonly<Record<string, Route>> = routes;
  const read = [
    'BootSources.read',
    'BootSource.read',
    'BootSourceSelections.read',
    'BootSourceSelection.read',
    'RackControllers.describe_power_types',
    'RackController.list_boot_images',
  ];
  expect(read.map((id) => table[id]?.policy)).toEqual(read.map(() => 'user'));
});

test('endpoints of MAAS’s own processes are none', async () => {
  const id = await cell.add();
  for (const path of [`agents/${id}/services/x/config/`, 'images-sync-progress/', `images-sync-progress/1/${id}/`])
    expect((await cell.ask('admin', 'GET', path)).status, path).toBe(404);
});
