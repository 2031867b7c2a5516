/** Switching machines and changing what is known of them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cellApi, type CellApi, type Fields, type Person } from '../../../test/cell-api.ts';

let cell: CellApi;
beforeAll(async () => {
  cell = await cellApi({ bmc: () => ({ state: 'off', evidence: 'Chassis Power is off' }) });
});
afterAll(() => cell.close());

const ask = (who: Person | undefined, id: string, op: string, fields: Fields = {}, headers: Record<string, string> = {}) =>
  cell.ask(who, 'POST', `machines/${id}/?op=${op}`, fields, headers);

describe('power and changes', () => {
  test('a verb is a row, meant once; a busy machine refuses it', async () => {
    const id = await cell.addIn('allocated', 'ann');
    expect((await ask('bob', id, 'power_on')).status).toBe(403);
    expect((await ask('ann', id, 'power_off', { stop_mode: 'soft' })).status).toBe(200);
    const verb = await cell.database.db.selectFrom('power_verb').selectAll().where('system_id', '=', id).executeTakeFirstOrThrow();
    expect(verb).toMatchObject({ verb: 'off', soft: true, requested_by: 'ann', state: 'live' });
    await ask('ann', id, 'deploy');
    expect((await ask('ann', id, 'power_on')).status).toBe(409);
    expect((await cell.ask('ann', 'GET', `machines/${id}/?op=query_power_state`)).json()).toEqual({ state: 'off' });
  });

  test('one setting changes and the others stay; nothing changed asks no BMC', async () => {
    let tries = 0;
    const own = await cellApi({ bmc: () => ((tries += 1), { state: 'on', evidence: 'on' }) });
    try {
      const made = await own.ask('admin', 'POST', 'machines/', {
        mac_addresses: cell.nextMac(),
        commission: 'false',
        power_type: 'ipmi',
        power_parameters: JSON.stringify({
          power_address: '10.9.9.9',
          power_user: 'root',
          power_pass: 'old',
          workaround_flags: ['opensesspriv'],
        }),
      });
      const { system_id } = made.json<{ system_id: string }>();
      expect([made.status, tries]).toEqual([200, 1]);
      const changed = await own.ask('admin', 'PUT', `machines/${system_id}/`, { power_parameters_power_pass: 'new', hostname: 'renamed' });
      expect([changed.status, tries, changed.json()['hostname']]).toEqual([200, 2, 'renamed']);
      expect((await own.ask('admin', 'GET', `machines/?op=power_parameters`, { id: system_id })).json()).toMatchObject({
        [system_id]: { power_user: 'root', power_pass: 'new' },
      });
      expect(
        (await own.ask('admin', 'PUT', `machines/${system_id}/`, { power_type: 'ipmi', power_parameters_power_pass: 'new' })).status,
      ).toBe(200);
      expect(tries).toBe(2);
      expect(
        (await own.ask('admin', 'PUT', `machines/${system_id}/`, { power_type: 'manual', zone: '', domain: '' })).json(),
      ).toMatchObject({ power_type: 'manual' });
      expect(await own.database.db.selectFrom('bmc').select('driver').execute()).toEqual([{ driver: 'manual' }]);
      expect((await own.ask('admin', 'DELETE', `machines/${system_id}/`)).status).toBe(204);
      expect((await own.ask('admin', 'GET', `machines/${system_id}/`)).status).toBe(404);
      expect(await own.database.db.selectFrom('bmc').select('id').execute()).toEqual([]);
    } finally {
      await own.close();
    }
  });

  test('settings that the BMC does not answer to are not stored, unless asked to', async () => {
    const own = await cellApi({ bmc: () => undefined });
    try {
      const given = { mac_addresses: cell.nextMac(), commission: 'false', power_type: 'ipmi', power_parameters_power_address: '10.9.9.8' };
      const refused = await own.ask('admin', 'POST', 'machines/', given);
      expect([refused.status, refused.headers['muster-error']]).toEqual([400, 'power_refused']);
      expect((await own.ask('admin', 'GET', 'machines/')).json()).toEqual([]);
      expect((await own.ask('admin', 'POST', 'machines/', { ...given, power_parameters_skip_check: 'true' })).status).toBe(200);
    } finally {
      await own.close();
    }
  });

  test('zone, pool, domain and numbers change; users may not', async () => {
    const id = await cell.add();
    const reply = await cell.ask('admin', 'PUT', `machines/${id}/`, {
      zone: 'east',
      pool: 'lab',
      memory: '2048',
      cpu_count: '2',
      architecture: 'arm64',
    });
    expect(reply.json()).toMatchObject({
      zone: { name: 'east' },
      pool: { id: 7 },
      memory: 2048,
      cpu_count: 2,
      architecture: 'arm64/generic',
    });
    expect((await cell.ask('admin', 'PUT', `machines/${id}/`, { zone: 'x' })).json()).toEqual({ zone: ["No such zone: 'x'."] });
    expect((await cell.ask('ann', 'PUT', `machines/${id}/`, { zone: 'east' })).status).toBe(403);
    expect((await cell.ask('admin', 'POST', 'machines/?op=set_zone', { zone: 'default', nodes: id })).json()).toBeNull();
    expect((await cell.ask('ann', 'GET', `machines/${id}/`)).json()).toMatchObject({ zone: { name: 'default' } });
  });

  test('a machine that is worked on is not deleted', async () => {
    const id = await cell.add();
    await ask('admin', id, 'commission');
    expect((await cell.ask('admin', 'DELETE', `machines/${id}/`)).status).toBe(409);
    expect((await cell.ask('ann', 'DELETE', `machines/${id}/`)).status).toBe(403);
  });
});
