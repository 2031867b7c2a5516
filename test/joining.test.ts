// Joining, leaving, joining again: numbers that are never reused; cells that are drained, out, retired; fronts that are retired.
import { rm } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cell } from '../src/cell/cell.ts';
import type { Front } from '../src/front/front.ts';
import { join, type JoinRequest } from '../src/global/join.ts';
import { keyFileIn } from '../src/global/membership.ts';
import { loadSigningKey } from '../src/global/signing-key.ts';
import type { Client } from '../src/http/client.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import { createHub } from '../src/hub/hub.ts';
import { log, makeMachines, SmallFleet, type CellPlace } from './small-fleet.ts';

let fleet: SmallFleet;
let north: { readonly place: CellPlace; readonly cell: Cell };
let south: { readonly place: CellPlace; readonly cell: Cell };
let front: Front;
let client: Client;
let southIds: string[];

beforeAll(async () => {
  fleet = await SmallFleet.open();
  north = await fleet.openCell('north');
  south = await fleet.openCell('south');
  await makeMachines(north.cell, 3, 8192);
  southIds = await makeMachines(south.cell, 3, 4096);
  front = await fleet.openFront('f1');
  client = fleet.client(front.url);
});
afterAll(() => fleet[Symbol.asyncDispose]());

async function get(path: string, url = front.url): Promise<Response> {
  return fetch(`${url}${path.startsWith('/') ? '' : '/MAAS/api/2.0/'}${path}`, {
    headers: { authorization: oauthHeader(fleet.admin.apiKey) },
  });
}

let folders = 0;
async function asked(role: 'cell' | 'front', name: string, given: Partial<JoinRequest> = {}): Promise<JoinRequest> {
  const { token, fingerprint } = await fleet.hub.invite(role, name);
  return { url: fleet.hub.url, token, fingerprint, role, folder: joinPath(fleet.folder, `joiner-${(folders += 1)}`), ...given };
}

test('a front that has just joined is no stranger to any cell: its first call is answered by all of them', async () => {
  for (let n = 0; n < 5; n += 1) {
    await fleet.join(`early-${n}`, 'front');
    const knowing = [north, south].filter(({ cell }) => cell.global.reader.named('front', `early-${n}`) !== undefined);
    expect(knowing).toHaveLength(2);
    const fresh = await fleet.openFront(`fresh-${n}`);
    const reply = await get('machines/?fields=system_id', fresh.url);
    expect([reply.status, reply.headers.get('muster-cells')]).toEqual([200, 'asked=2 answered=2']);
    await fresh.close(0);
  }
});

describe('numbers', () => {
  test('of invitations that race, at two processes of the hub: each its own', async () => {
    const config = {
      folder: joinPath(fleet.folder, 'hub'),
      database_url: fleet.hubDatabase.url,
      address: '127.0.0.1',
      port: 0,
      plain_address: '127.0.0.1',
      allow_plain: false,
    };
    const second = await createHub({ config, version: '1.2.3', log });
    const invitations = await Promise.all(
      Array.from({ length: 24 }, (_, n) => (n % 2 === 0 ? fleet.hub : second).invite('cell', `raced-${n}`)),
    );
    await second.close(0);
    expect(new Set(invitations.map(({ number }) => number)).size).toBe(24);
    const again = await Promise.all(Array.from({ length: 24 }, (_, n) => fleet.hub.invite('cell', `raced-${n}`)));
    expect(again.map(({ number }) => number)).toEqual(invitations.map(({ number }) => number));
  });

  test('of joiners that race for one: one gets it, the other is told who has it', async () => {
    for (let round = 0; round < 5; round += 1) {
      const number = 9_000 + round;
      const joiners = await Promise.all(['a', 'b'].map((which) => asked('cell', `rival-${which}${round}`, { number })));
      const results = await Promise.allSettled(joiners.map((one) => join(one)));
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      const [lost] = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []));
      expect(lost?.message).toMatch(new RegExp(`^Number ${number} is in use: it was given to cell rival-.${round}\\.$`));
    }
  });

  test('that were promised, used, or brought are given to nobody else, however long ago', async () => {
    const promised = await fleet.hub.invite('cell', 'promised');
    await expect(join(await asked('cell', 'thief', { number: promised.number }))).rejects.toMatchObject({
      code: 'in_use',
      message: `Number ${promised.number} is in use: it was given to cell promised.`,
    });
    const used = await join(await asked('cell', 'used'));
    await fleet.hubDatabase.db
      .updateTable('join_token' as never)
      .set({ expires_at: new Date(0) } as never)
      .execute();
    const next = await fleet.hub.invite('cell', 'after-a-while');
    expect(next.number).toBeGreaterThan(used.number);
    await fleet.atHub.call('Cell.update', { name: 'used' }, { state: 'out' });
    await fleet.atHub.call('Cell.update', { name: 'used' }, { state: 'retired' });
    await expect(join(await asked('cell', 'heir', { number: used.number }))).rejects.toMatchObject({
      message: `Number ${used.number} is in use: it was given to cell used, which was retired.`,
    });
    expect((await fleet.hub.invite('cell', 'later')).number).toBeGreaterThan(next.number);
    await expect(fleet.hub.invite('cell', 'used')).rejects.toMatchObject({ code: 'retired' });
  });

  test('of time that a restore of the hub has lost are skipped, and whoever has one may come back with it', async () => {
    const before = await fleet.hub.invite('cell', 'before-the-restore');
    await fleet.hub.authority.write('config', 'test', (draft) => draft.put('zone', 77, { id: 77, name: 'z77', description: '' }));
    const { db } = fleet.hubDatabase;
    await db
      .updateTable('given_number' as never)
      .set({ epoch: 0 } as never)
      .execute();
    const after = await fleet.hub.invite('cell', 'after-the-restore');
    expect(after.number).toBe(before.number + 101);
    expect((await fleet.hub.invite('cell', 'after-that')).number).toBe(after.number + 1);
    expect(await join(await asked('cell', 'lost-and-found', { number: before.number + 1 }))).toMatchObject({ number: before.number + 1 });
  });
});

test('a token for the other kind is refused, and stays good', async () => {
  const request = await asked('front', 'f-kind');
  await expect(join({ ...request, role: 'cell' })).rejects.toThrow('This token lets a front join, not a cell.');
  expect(await join(request)).toMatchObject({ role: 'front', name: 'f-kind' });
});

describe('joining again', () => {
  test('with its membership lost, at another address: the same cell, number and machines', async () => {
    await south.cell.close();
    await rm(joinPath(fleet.folder, 'south', 'membership.json'));
    // The database keeps a copy, which is enough to start.
    south = { ...south, cell: await fleet.start(south.place) };
    expect(south.cell.global.state()).toBe('in');
    await south.cell.close();
    await rm(joinPath(fleet.folder, 'south', 'membership.json'));
    await sql`delete from cell_shared_file where name = 'membership.json'`.execute(south.place.database.db);
    const place = { ...south.place, config: { ...south.place.config, port: (await fleet.place('elsewhere')).config.port } };
    await expect(fleet.start(place)).rejects.toThrow('Join that hub again');
    const ownUrl = `http://127.0.0.1:${place.config.port}`;
    const again = await fleet.join('south', 'cell', { ownUrl });
    expect(again.number).toBe(south.cell.number);
    south = { place, cell: await fleet.start(place) };
    expect(fleet.hub.authority.memory.named('cell', 'south')).toMatchObject({ url: ownUrl, number: again.number });
    const reply = await get('machines/?fields=system_id&hostname=south-0');
    expect(await reply.json()).toMatchObject([{ system_id: southIds[0] }]);
  });

  test('another folder is another cell, unless an admin says that the first is lost', async () => {
    const stranger = await asked('cell', 'rival-x');
    await join(stranger);
    const impostor = await asked('cell', 'rival-x');
    await expect(join(impostor)).rejects.toThrow('has joined with another key');
    await expect(join({ ...impostor, folder: stranger.folder, number: 4_711 })).rejects.toThrow('this one has number 4711');
    const { token } = await fleet.atHub.call('Cells.create', {}, { name: 'rival-x', replace: true });
    const replaced = await join({ ...impostor, token });
    expect(replaced.number).toBe(fleet.hub.authority.memory.named('cell', 'rival-x')!.number);
    await expect(join(stranger)).rejects.toThrow('has joined with another key');
    await expect(join({ ...stranger, token })).rejects.toMatchObject({ code: 'unauthorized' });
    const { text } = await loadSigningKey(keyFileIn(impostor.folder));
    expect(fleet.hub.authority.memory.named('cell', 'rival-x')?.key).toBe(text);
  });
});

describe('a drained cell', () => {
  test('answers everything and gets nothing new; what it gave stays', async () => {
    const cheapest = await client.call('Machines.allocate', {}, {}, { idempotencyKey: 'before' });
    expect(southIds).toContain(cheapest.system_id);
    await client.call('Cell.update', { name: 'south' }, { state: 'drained' });
    const answer = await client.open('Machines.allocate', {}, {});
    expect(((await answer.json()) as { hostname: string }).hostname).toMatch(/^north-/);
    expect(answer.headers.get('muster-cells')).toBe('asked=1 answered=1 drained=south');
    expect((await client.call('Machines.allocate', {}, {}, { idempotencyKey: 'before' })).system_id).toBe(cheapest.system_id);
    const direct = fleet.client(south.cell.url);
    await expect(direct.call('Machines.allocate', {}, {})).rejects.toMatchObject({
      code: 'drained',
      text: 'Cell south is drained: it takes no new machines and allocates none.',
    });
    const machine = { architecture: 'amd64/generic', mac_addresses: ['52:54:00:0a:0b:0c'], power_type: 'manual', commission: false };
    await expect(client.call('Machines.create', {}, { ...machine, cell: 'south' })).rejects.toMatchObject({ code: 'drained' });
    await expect(direct.call('Machines.create', {}, machine)).rejects.toMatchObject({ code: 'drained' });
    // The only cell that takes machines needs no name.
    expect((await client.call('Machines.create', {}, { ...machine, hostname: 'placed' })).system_id.slice(0, 3)).not.toBe(
      southIds[0]!.slice(0, 3),
    );
    expect((await get('machines/')).headers.get('muster-cells')).toBe('asked=2 answered=2');
    expect(await client.call('Machine.update', { system_id: cheapest.system_id }, { description: 'still mine' })).toMatchObject({
      description: 'still mine',
    });
    await client.call('Machine.release', { system_id: cheapest.system_id }, {});
    const listed = await client.call('Cells.read', {}, {});
    expect(listed.find((cell) => cell.name === 'south')).toMatchObject({ state: 'drained', answering: true });
    expect(await (await get('/metrics', south.cell.url)).text()).toMatch(/^muster_cell_state\{state="drained"\} 1$/m);
  });

  test('comes back', async () => {
    await client.call('Cell.update', { name: 'south' }, { state: 'in' });
    expect(southIds).toContain((await client.call('Machines.allocate', {}, {})).system_id);
  });
});

describe('how cells are', () => {
  test('the list says it: machines, load, lag, version, findings; also at one cell', async () => {
    for (const at of [client, fleet.client(south.cell.url)]) {
      const listed = await at.call('Cells.read', {}, {});
      const cell = listed.find(({ name }) => name === 'south')!;
      expect(cell).toMatchObject({ state: 'in', answering: true, version: '1.2.3', machines: { ready: 2, allocated: 1 }, findings: {} });
      expect(cell.lag).toBeLessThan(30);
      expect(cell.load).toMatchObject({ operations: 0 });
      expect(cell.load!.cpu).toBeGreaterThanOrEqual(0);
    }
    expect(await (await get('/metrics', south.cell.url)).text()).toMatch(/^muster_cell_hub_lag_seconds [\d.e-]+$/m);
    expect(await (await get('/metrics')).text()).toMatch(/^muster_front_hub_lag_seconds [\d.e-]+$/m);
  });
});

describe('a retired cell', () => {
  test('goes out of use first', async () => {
    await expect(client.call('Cell.update', { name: 'south' }, { state: 'retired' })).rejects.toMatchObject({
      code: 'wrong_state',
      text: expect.stringContaining('Drain it, or mark it out') as string,
    });
  });

  test('is gone: nobody asks it, its ids say so, its name and number stay its own', async () => {
    await client.call('Cell.update', { name: 'south' }, { state: 'drained' });
    expect(await client.call('Cell.update', { name: 'south' }, { state: 'retired' })).toMatchObject({ state: 'retired' });
    for (const path of [`machines/${southIds[0]}/`, '/cell/south/MAAS/api/2.0/machines/']) {
      const reply = await get(path);
      expect([reply.status, await reply.text()]).toEqual([404, 'Cell south was retired; what it held is not part of this fleet any more.']);
    }
    expect((await get('machines/?hostname=nowhere')).headers.get('muster-cells')).not.toContain('south');
    const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);
    expect(names(await client.call('Cells.read', {}, {}))).not.toContain('south');
    expect(await client.call('Cells.read', {}, { retired: true })).toContainEqual(
      expect.objectContaining({ name: 'south', state: 'retired', number: south.cell.number, answering: null }),
    );
    expect(await client.call('Cell.read', { name: 'south' }, {})).toMatchObject({ state: 'retired' });
    await expect(client.call('Cell.update', { name: 'south' }, { state: 'in' })).rejects.toMatchObject({ code: 'retired' });
    await expect(client.call('Cells.create', {}, { name: 'south' })).rejects.toMatchObject({ code: 'retired' });
    await expect(join(await asked('cell', 'successor', { number: south.cell.number }))).rejects.toMatchObject({ code: 'in_use' });
  });

  test('knows it, serves on with what it knows, and changes nothing for people', async () => {
    const direct = fleet.client(south.cell.url);
    expect((await direct.call('Machine.read', { system_id: southIds[0]! }, {})).hostname).toBe('south-0');
    await expect(direct.call('Machine.update', { system_id: southIds[0]! }, { description: 'x' })).rejects.toMatchObject({
      status: 410,
      text: 'Cell south was retired and does not come back; its name and number are not used again.',
    });
    expect(await direct.call('Findings.read', {}, {})).toMatchObject([{ kind: 'cell_retired', subject: 'south', severity: 'critical' }]);
    // Also after a restart, when only the hub can tell it.
    await south.cell.close();
    const again = await fleet.start(south.place);
    expect(again.global.state()).toBe('retired');
    expect((await fetch(`${again.url}/readyz`)).status).toBe(200);
    await again.close();
  });

  test('hears of it from the hub when it was away, and says so in its list of findings', async () => {
    const { place, cell } = await fleet.openCell('away');
    await cell.close();
    await fleet.atHub.call('Cell.update', { name: 'away' }, { state: 'out' });
    await fleet.atHub.call('Cell.update', { name: 'away' }, { state: 'retired' });
    const back = await fleet.start(place);
    for (let tries = 0; tries < 200 && back.global.state() !== 'retired'; tries += 1) await sleep(50);
    expect([back.global.state(), back.global.reader.isRetired('cell', back.number)]).toEqual(['retired', false]);
    const direct = fleet.client(back.url);
    await expect(direct.call('Tags.create', {}, { name: 'x' })).rejects.toMatchObject({ code: 'retired' });
    let found: unknown[] = [];
    for (let tries = 0; tries < 200 && found.length === 0; tries += 1) {
      found = await direct.call('Findings.read', {}, {});
      await sleep(50);
    }
    expect(found).toMatchObject([{ kind: 'cell_retired', subject: 'away' }]);
    await back.close();
  });

  test('is not waited for: the next write of the hub answers at once', async () => {
    const began = performance.now();
    const reply = await client.open('Zones.create', {}, { name: 'after-retiring' });
    expect(reply.headers.get('muster-lagging')).toBeNull();
    expect(performance.now() - began).toBeLessThan(1_900);
  });
});

test('a retired front is believed by no cell from then on, and says so itself', async () => {
  const second = await fleet.openFront('f2');
  expect((await get('machines/', second.url)).status).toBe(200);
  expect(await client.call('Front.update', { name: 'f2' }, { state: 'retired' })).toMatchObject({ name: 'f2', state: 'retired' });
  expect(north.cell.global.reader.named('front', 'f2')).toBeUndefined();
  const reply = await get('machines/', second.url);
  expect([reply.status, await reply.text()]).toEqual([
    410,
    'Front f2 was retired and does not come back; its name and number are not used again.',
  ]);
  expect((await client.call('Fronts.read', {}, {})).map((one) => one.name)).not.toContain('f2');
  expect((await client.call('Fronts.read', {}, { retired: true })).find((one) => one.name === 'f2')).toMatchObject({ state: 'retired' });
  await second.close(0);
  await expect(fleet.openFront('f2')).rejects.toMatchObject({ code: 'retired' });
});
