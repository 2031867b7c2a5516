/** Adding machines by hand, and who may call what. */
import { sql } from 'kysely';
import { Compile } from 'typebox/compile';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cellApi, type CellApi, type Fields } from '../../../test/cell-api.ts';
import { through } from '../../../test/through-front.ts';
import { Machine } from '../../contract/resources/machine.ts';
import { routes } from '../../contract/routes.ts';
import { machineApi } from '../machine-api.ts';

const checkMachine = Compile(Machine);
let cell: CellApi;
beforeAll(async () => {
  cell = await cellApi({ bmc: () => ({ state: 'off', evidence: 'Chassis Power is off' }) });
});
afterAll(() => cell.close());

describe('adding', () => {
  test('a machine is commissioned at once, with everything the API shows of it', async () => {
    const reply = await cell.ask('admin', 'POST', 'machines/', {
      mac_addresses: ['52:54:00:AA:00:01', '52-54-00-aa-00-02'],
      architecture: 'amd64',
      hostname: 'first',
      power_type: 'ipmi',
      power_parameters_power_address: '10.0.0.1',
      power_parameters_power_pass: 'secret',
      zone: 'east',
      pool: 'lab',
      description: 'for tests',
    });
    expect(reply.status, reply.text).toBe(200);
    const body = reply.json();
    expect(checkMachine.Errors(body)).toEqual([]);
    expect(body).toMatchObject({
      fqdn: 'first.c17.example',
      status_name: 'Commissioning',
      architecture: 'amd64/generic',
      power_type: 'ipmi',
      power_state: 'off',
      power_evidence: 'Chassis Power is off',
      zone: { name: 'east' },
      pool: { name: 'lab' },
      operation: { kind: 'commission', step: 'start' },
      cell: 'c17',
    });
    const id = String(body['system_id']);
    expect(
      await cell.database.db.selectFrom('script_result').select(['name', 'type']).where('system_id', '=', id).orderBy('id').execute(),
    ).toEqual([
      { name: '50-muster-inventory', type: 0 },
      { name: '10-muster-disk-read', type: 2 },
    ]);
    const shown = await cell.ask('admin', 'GET', `machines/${id}/?op=power_parameters`);
    expect(shown.json()).toMatchObject({ power_address: '10.0.0.1', power_pass: 'secret' });
    const { rows } = await sql<{
      n: number;
    }>`select count(*) as n from event where system_id = ${id} and type = 'power_parameters_read'`.execute(cell.database.db);
    expect(rows[0]?.n).toBe(1);
    const stored = await cell.database.db.selectFrom('bmc').selectAll().where('address', '=', '10.0.0.1').executeTakeFirstOrThrow();
    expect(stored.sealed.includes('secret')).toBe(false);
    expect((await cell.ask('ann', 'GET', `machines/${id}/?op=power_parameters`)).status).toBe(403);
  });

  test.each([
    ['no MAC address', { mac_addresses: '' }, 'mac_addresses'],
    ['an unknown zone', { zone: 'nowhere' }, 'zone'],
    ['an unknown pool', { pool: 'nowhere' }, 'pool'],
    ['an unknown domain', { domain: 'nowhere' }, 'domain'],
    ['an unknown architecture', { architecture: 'z80' }, 'architecture'],
    ['an unknown power driver', { power_type: 'lever' }, 'power_type'],
    ['a bad host name', { hostname: '-x' }, 'hostname'],
    ['a misspelt setting', { power_type: 'ipmi', power_parameters_power_adress: '1' }, 'power_adress'],
  ])('%s is refused and adds nothing', async (_, fields, field) => {
    const before = (await cell.ask('admin', 'GET', 'machines/')).json<unknown[]>().length;
    const reply = await cell.ask('admin', 'POST', 'machines/', { mac_addresses: cell.nextMac(), ...fields } as Fields);
    expect(reply.status, reply.text).toBe(400);
    expect(Object.keys(reply.json())).toContain(field);
    expect((await cell.ask('admin', 'GET', 'machines/')).json<unknown[]>()).toHaveLength(before);
  });

  test('a name or MAC address that is taken', async () => {
    const taken = cell.nextMac();
    await cell.add({ mac_addresses: taken, hostname: 'taken' });
    expect((await cell.ask('admin', 'POST', 'machines/', { mac_addresses: cell.nextMac(), hostname: 'TAKEN' })).json()).toHaveProperty(
      'hostname',
    );
    expect((await cell.ask('admin', 'POST', 'machines/', { mac_addresses: taken })).json()).toHaveProperty('mac_addresses');
    expect((await cell.ask('ann', 'GET', 'machines/?op=is_registered', { mac_address: taken.toUpperCase() })).json()).toBe(true);
    expect((await cell.ask('ann', 'GET', 'machines/?op=is_registered', { mac_address: cell.nextMac() })).json()).toBe(false);
  });

  test('NUL and broken ids are errors of the caller', async () => {
    expect((await cell.ask('admin', 'POST', 'machines/', { mac_addresses: cell.nextMac(), description: 'a\0b' })).status).toBe(400);
    expect((await cell.ask('admin', 'GET', 'machines/%00/')).status).toBe(400);
    for (const path of ['machines/x/', 'machines/9999999/', "machines/'--/"])
      expect((await cell.ask('admin', 'GET', path)).status, path).toBe(404);
  });

  test('only admins add, and nobody anonymous', async () => {
    expect((await cell.ask('ann', 'POST', 'machines/', { mac_addresses: cell.nextMac() })).status).toBe(403);
    expect((await cell.ask(undefined, 'GET', 'machines/')).status).toBe(401);
  });

  test('what runs already is added as Deployed', async () => {
    const id = await cell.add({ deployed: 'true', mac_addresses: '' });
    expect((await cell.ask('ann', 'GET', `machines/${id}/`)).json()).toMatchObject({
      status_name: 'Deployed',
      owner: 'admin',
      operation: null,
    });
  });
});

describe('policies', () => {
  const all = Object.keys(machineApi({} as Parameters<typeof machineApi>[0])) as (keyof ReturnType<typeof machineApi>)[];
  const own = all.filter((id) => through === 'cell' || routes[id].reach !== 'own');
  test.each(own)('%s lets through whom its policy names', async (id) => {
    const route = routes[id];
    const path = `${route.path.replace('{system_id}', '3333333').replace('{id}', '1')}${route.op === null ? '' : `?op=${route.op}`}`;
    expect((await cell.ask(undefined, route.method, path)).status).toBe(401);
    if (route.policy === 'admin') expect((await cell.ask('ann', route.method, path)).status).toBe(403);
    // Nobody has what nobody of that name could have: users are the hub's.
    if (/\{(system_id|id)\}/.test(route.path)) expect([400, 404]).toContain((await cell.ask('admin', route.method, path)).status);
  });
});
