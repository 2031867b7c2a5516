/** What can be asked of one machine: by whom, in which state, and what it changes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sql } from 'kysely';
import { Compile } from 'typebox/compile';
import { cellApi, image, type CellApi, type Fields, type Person } from '../../../test/cell-api.ts';
import { Machine } from '../../contract/resources/machine.ts';
import { routes } from '../../contract/routes.ts';
import { machineApi } from '../machine-api.ts';
import { lifecycle, type MachineState } from '../../contract/lifecycle.ts';

let cell: CellApi;
beforeAll(async () => {
  cell = await cellApi({ bmc: () => ({ state: 'off', evidence: 'Chassis Power is off' }) });
});
afterAll(() => cell.close());

const checkMachine = Compile(Machine);
let mac = 0;
const nextMac = () => `52:54:00:00:${String(Math.floor((mac += 1) / 100)).padStart(2, '0')}:${String(mac % 100).padStart(2, '0')}`;

async function add(fields: Fields = {}): Promise<string> {
  const reply = await cell.ask('admin', 'POST', 'machines/', {
    mac_addresses: nextMac(),
    power_type: 'manual',
    commission: 'false',
    ...fields,
  });
  expect(reply.status, reply.text).toBe(200);
  return reply.json<{ system_id: string }>().system_id;
}

/** A machine that is in this state by its row alone. */
async function addIn(state: MachineState, owner: Person | null = null): Promise<string> {
  const id = await add();
  await cell.database.db.updateTable('machine').set({ status: lifecycle[state].number, owner }).where('system_id', '=', id).execute();
  return id;
}

const ask = (who: Person | undefined, id: string, op: string, fields: Fields = {}, headers: Record<string, string> = {}) =>
  cell.ask(who, 'POST', `machines/${id}/?op=${op}`, fields, headers);

async function liveOperation(id: string) {
  return cell.database.db.selectFrom('operation').selectAll().where('system_id', '=', id).where('outcome', '=', 'live').executeTakeFirst();
}

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
    const reply = await cell.ask('admin', 'POST', 'machines/', { mac_addresses: nextMac(), ...fields } as Fields);
    expect(reply.status, reply.text).toBe(400);
    expect(Object.keys(reply.json())).toContain(field);
    expect((await cell.ask('admin', 'GET', 'machines/')).json<unknown[]>()).toHaveLength(before);
  });

  test('a name or MAC address that is taken', async () => {
    const taken = nextMac();
    await add({ mac_addresses: taken, hostname: 'taken' });
    expect((await cell.ask('admin', 'POST', 'machines/', { mac_addresses: nextMac(), hostname: 'TAKEN' })).json()).toHaveProperty(
      'hostname',
    );
    expect((await cell.ask('admin', 'POST', 'machines/', { mac_addresses: taken })).json()).toHaveProperty('mac_addresses');
    expect((await cell.ask('ann', 'GET', 'machines/?op=is_registered', { mac_address: taken.toUpperCase() })).json()).toBe(true);
    expect((await cell.ask('ann', 'GET', 'machines/?op=is_registered', { mac_address: nextMac() })).json()).toBe(false);
  });

  test('NUL and broken ids are errors of the caller', async () => {
    expect((await cell.ask('admin', 'POST', 'machines/', { mac_addresses: nextMac(), description: 'a\0b' })).status).toBe(400);
    expect((await cell.ask('admin', 'GET', 'machines/%00/')).status).toBe(400);
    for (const path of ['machines/x/', 'machines/9999999/', "machines/'--/"])
      expect((await cell.ask('admin', 'GET', path)).status, path).toBe(404);
  });

  test('only admins add, and nobody anonymous', async () => {
    expect((await cell.ask('ann', 'POST', 'machines/', { mac_addresses: nextMac() })).status).toBe(403);
    expect((await cell.ask(undefined, 'GET', 'machines/')).status).toBe(401);
  });

  test('what runs already is added as Deployed', async () => {
    const id = await add({ deployed: 'true', mac_addresses: '' });
    expect((await cell.ask('ann', 'GET', `machines/${id}/`)).json()).toMatchObject({
      status_name: 'Deployed',
      owner: 'admin',
      operation: null,
    });
  });
});

describe('policies', () => {
  const own = Object.keys(machineApi({} as Parameters<typeof machineApi>[0])) as (keyof ReturnType<typeof machineApi>)[];
  test.each(own)('%s lets through whom its policy names', async (id) => {
    const route = routes[id];
    const path = `${route.path.replace('{system_id}', '3333333').replace('{id}', '1')}${route.op === null ? '' : `?op=${route.op}`}`;
    expect((await cell.ask(undefined, route.method, path)).status).toBe(401);
    if (route.policy === 'admin') expect((await cell.ask('ann', route.method, path)).status).toBe(403);
    if (route.path.includes('{')) expect([400, 404]).toContain((await cell.ask('admin', route.method, path)).status);
  });
});

describe('commissioning', () => {
  test('accept and accept_all commission what is New', async () => {
    const [one, two] = [await add(), await add()];
    const accepted = await cell.ask('admin', 'POST', 'machines/?op=accept', { machines: one });
    expect(accepted.json<{ status_name: string }[]>()).toMatchObject([{ system_id: one, status_name: 'Commissioning' }]);
    expect((await cell.ask('admin', 'POST', 'machines/?op=accept', { machines: one })).status).toBe(409);
    expect((await cell.ask('admin', 'POST', 'machines/?op=accept', { machines: '3333333' })).status).toBe(400);
    const all = (await cell.ask('admin', 'POST', 'machines/?op=accept_all')).json<{ system_id: string }[]>();
    expect(all.map((machine) => machine.system_id)).toContain(two);
  });

  test('a second one finds the machine busy; abort asks the first to stop', async () => {
    const id = await add();
    expect((await ask('admin', id, 'commission', { testing_scripts: 'none' })).json()).toMatchObject({ status_name: 'Commissioning' });
    expect(await cell.database.db.selectFrom('script_result').select('name').where('system_id', '=', id).execute()).toEqual([
      { name: '50-muster-inventory' },
    ]);
    expect((await ask('admin', id, 'commission')).status).toBe(409);
    expect((await ask('ann', id, 'abort')).status).toBe(403);
    expect((await ask('admin', id, 'abort', { comment: 'wrong one' })).status).toBe(200);
    expect(await liveOperation(id)).toMatchObject({ kind: 'commission', abort_asked: true });
  });

  test('an unknown script, and SSH, are refused', async () => {
    const id = await add();
    expect((await ask('admin', id, 'commission', { testing_scripts: 'nothing-like-it' })).json()).toHaveProperty('testing_scripts');
    expect((await ask('admin', id, 'commission', { enable_ssh: 'true' })).status).toBe(400);
  });

  test('testing remembers where it came from', async () => {
    const id = await addIn('deployed', 'ann');
    expect((await ask('admin', id, 'test')).json()).toMatchObject({ status_name: 'Testing', owner: 'ann' });
    expect((await liveOperation(id))?.memory).toEqual({ origin: lifecycle.deployed.number });
  });
});

describe('deploying', () => {
  test('a Ready machine becomes the caller’s, with its image pinned', async () => {
    const id = await addIn('ready');
    const reply = await ask('ann', id, 'deploy', {
      distro_series: 'debian/12',
      user_data: Buffer.from('#cloud-config').toString('base64'),
      overwrite: 'true',
    });
    expect(reply.json()).toMatchObject({
      status_name: 'Deploying',
      owner: 'ann',
      osystem: 'debian',
      distro_series: '12',
      operation: { kind: 'deploy' },
    });
    const row = await cell.database.db
      .selectFrom('machine')
      .select(['image', 'user_data'])
      .where('system_id', '=', id)
      .executeTakeFirstOrThrow();
    expect(row.image).toEqual(image);
    expect(String(row.user_data)).toBe('#cloud-config');
    expect((await liveOperation(id))?.parameters).toEqual({ overwrite: true });
  });

  test('wrong state, other owner, unknown release, bad user_data', async () => {
    const fresh = await add();
    const wrong = await ask('admin', fresh, 'deploy');
    expect([wrong.status, wrong.text]).toEqual([409, "Can't deploy a machine that is in the 'New' state"]);
    expect(wrong.headers['retry-after']).toBeUndefined();
    const bobs = await addIn('allocated', 'bob');
    expect((await ask('ann', bobs, 'deploy')).status).toBe(403);
    expect((await ask('bob', bobs, 'deploy', { distro_series: 'plan9' })).json()).toHaveProperty('distro_series');
    expect((await ask('bob', bobs, 'deploy', { user_data: '***' })).json()).toHaveProperty('user_data');
    expect((await ask('bob', bobs, 'deploy', { install_kvm: 'true' })).status).toBe(400);
    expect(await liveOperation(bobs)).toBeUndefined();
  });

  test('the same key twice starts one deployment; for another request it is refused', async () => {
    const id = await addIn('allocated', 'ann');
    const key = { 'idempotency-key': 'k-1' };
    const both = await Promise.all([ask('ann', id, 'deploy', {}, key), ask('ann', id, 'deploy', {}, key)]);
    expect(both.map((reply) => reply.status)).toEqual([200, 200]);
    expect((await ask('ann', id, 'deploy', {}, key)).status).toBe(200);
    expect((await ask('ann', id, 'deploy', { overwrite: 'true' }, key)).status).toBe(409);
    const { rows } = await sql<{ n: number }>`select count(*) as n from operation where system_id = ${id}`.execute(cell.database.db);
    expect(rows[0]?.n).toBe(1);
  });

  test('two who want the same Ready machine: one gets it', async () => {
    const id = await addIn('ready');
    const replies = await Promise.all([ask('ann', id, 'deploy'), ask('bob', id, 'deploy')]);
    expect(replies.map((reply) => reply.status).toSorted()[0]).toBe(200);
    expect(replies.filter((reply) => reply.status === 200)).toHaveLength(1);
    expect([403, 409]).toContain(replies.find((reply) => reply.status !== 200)?.status);
  });
});

describe('releasing', () => {
  test('by its owner; again is nothing; a stranger may not', async () => {
    const id = await addIn('deployed', 'ann');
    expect((await ask('bob', id, 'release')).status).toBe(403);
    expect((await ask('ann', id, 'release', { comment: 'done' })).json()).toMatchObject({
      status_name: 'Releasing',
      operation: { kind: 'release' },
    });
    expect((await ask('ann', id, 'release')).json()).toMatchObject({ status_name: 'Releasing' });
    const ready = await addIn('ready');
    expect((await ask('bob', ready, 'release')).json()).toMatchObject({ status_name: 'Ready' });
  });

  test('erasing is an operation of its own', async () => {
    const id = await addIn('allocated', 'ann');
    expect((await ask('ann', id, 'release', { erase: 'true', quick_erase: 'true' })).json()).toMatchObject({ status_name: 'Disk erasing' });
    expect(await liveOperation(id)).toMatchObject({ kind: 'erase', parameters: { quick: true } });
  });

  test('a deployment that is under way ends at once: its ticket is void', async () => {
    const id = await addIn('ready');
    await ask('ann', id, 'deploy');
    const deploy = await liveOperation(id);
    await cell.database.db
      .insertInto('ticket')
      .values({
        nonce: 'ab'.repeat(16),
        system_id: id,
        operation_id: deploy?.id ?? 0,
        purpose: 'deploy',
        expires: new Date(Date.now() + 60_000),
        boots_allowed: 5,
      })
      .execute();
    expect((await cell.ask('ann', 'GET', `machines/${id}/`)).json()).toMatchObject({ netboot: true });
    expect((await ask('ann', id, 'release')).json()).toMatchObject({
      status_name: 'Releasing',
      netboot: false,
      operation: { kind: 'release' },
    });
    const old = await cell.database.db
      .selectFrom('operation')
      .selectAll()
      .where('id', '=', deploy?.id ?? 0)
      .executeTakeFirstOrThrow();
    expect([old.outcome, old.fence]).toEqual(['aborted', (deploy?.fence ?? 0) + 1]);
  });

  test('many at once: all are judged first', async () => {
    const [one, two, fresh] = [await addIn('allocated', 'ann'), await addIn('deployed', 'ann'), await add()];
    const mixed = await cell.ask('ann', 'POST', 'machines/?op=release', { machines: [one, fresh] });
    expect(mixed.status).toBe(403);
    expect((await cell.ask('ann', 'GET', `machines/${one}/`)).json()).toMatchObject({ status_name: 'Allocated' });
    const wrong = await cell.ask('admin', 'POST', 'machines/?op=release', { machines: [one, fresh] });
    expect([wrong.status, wrong.text]).toEqual([409, `Machine(s) cannot be released in their current state: ${fresh} ('New').`]);
    expect((await cell.ask('ann', 'POST', 'machines/?op=release', { machines: [one, '3333333'] })).status).toBe(400);
    expect((await cell.ask('ann', 'POST', 'machines/?op=release', { machines: [one, two] })).json<string[]>().toSorted()).toEqual(
      [one, two].toSorted(),
    );
    expect((await cell.ask('ann', 'POST', 'machines/?op=release')).status).toBe(400);
  });
});

describe('marks', () => {
  test('a locked machine can only be unlocked and switched', async () => {
    const id = await addIn('deployed', 'ann');
    expect((await ask('ann', id, 'lock')).json()).toMatchObject({ locked: true });
    expect((await ask('ann', id, 'lock')).status).toBe(409);
    expect((await ask('ann', id, 'release')).status).toBe(409);
    expect((await cell.ask('admin', 'PUT', `machines/${id}/`, { description: 'x' })).status).toBe(409);
    expect((await cell.ask('admin', 'DELETE', `machines/${id}/`)).status).toBe(409);
    expect((await ask('ann', id, 'power_on')).status).toBe(200);
    expect((await ask('ann', id, 'unlock')).json()).toMatchObject({ locked: false });
    expect((await ask('ann', id, 'unlock')).status).toBe(409);
  });

  test('broken stops what is being done; fixed goes back to what its owner had', async () => {
    const id = await addIn('ready');
    await ask('ann', id, 'deploy');
    expect((await ask('ann', id, 'mark_broken', { comment: 'smoke' })).json()).toMatchObject({
      status_name: 'Broken',
      error_description: 'smoke',
      operation: null,
      owner: 'ann',
    });
    expect((await ask('ann', id, 'mark_fixed')).status).toBe(403);
    expect((await ask('admin', id, 'mark_fixed')).json()).toMatchObject({
      status_name: 'Failed deployment',
      owner: 'ann',
      error_description: '',
    });
    const fresh = await add();
    await ask('admin', fresh, 'mark_broken');
    expect((await ask('admin', fresh, 'mark_fixed')).json()).toMatchObject({ status_name: 'New' });
  });

  test('a failed test can be overridden', async () => {
    expect((await ask('admin', await addIn('failed_testing'), 'override_failed_testing')).json()).toMatchObject({ status_name: 'Ready' });
    expect((await ask('admin', await addIn('ready'), 'override_failed_testing')).status).toBe(409);
  });

  test('rescue remembers where it came from', async () => {
    const id = await addIn('deployed', 'ann');
    expect((await ask('admin', id, 'rescue_mode')).json()).toMatchObject({ status_name: 'Entering rescue mode' });
    expect((await liveOperation(id))?.memory).toEqual({ origin: lifecycle.deployed.number });
    await sql`update operation set outcome = 'done' where system_id = ${id}`.execute(cell.database.db);
    await cell.database.db.updateTable('machine').set({ status: lifecycle.rescue_mode.number }).where('system_id', '=', id).execute();
    expect((await ask('admin', id, 'exit_rescue_mode')).json()).toMatchObject({ status_name: 'Exiting rescue mode' });
    expect(await liveOperation(id)).toMatchObject({ kind: 'exit_rescue', memory: { origin: lifecycle.deployed.number } });
  });

  test('owners write things down; an empty value removes', async () => {
    const id = await addIn('allocated', 'ann');
    expect((await ask('ann', id, 'set_owner_data', { a: '1', b: '2' })).json()).toMatchObject({ owner_data: { a: '1', b: '2' } });
    expect((await ask('ann', id, 'set_owner_data', { a: '' })).json()).toMatchObject({ owner_data: { b: '2' } });
    expect((await ask('ann', id, 'set_workload_annotations', { app: 'db' })).json()).toMatchObject({ workload_annotations: { app: 'db' } });
    expect((await ask('bob', id, 'set_owner_data', { a: '1' })).status).toBe(403);
    expect((await ask('admin', await addIn('ready'), 'set_owner_data', { a: '1' })).status).toBe(409);
  });
});

describe('power and changes', () => {
  test('a verb is a row, meant once; a busy machine refuses it', async () => {
    const id = await addIn('allocated', 'ann');
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
        mac_addresses: nextMac(),
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
      const given = { mac_addresses: nextMac(), commission: 'false', power_type: 'ipmi', power_parameters_power_address: '10.9.9.8' };
      const refused = await own.ask('admin', 'POST', 'machines/', given);
      expect([refused.status, refused.headers['muster-error']]).toEqual([400, 'power_refused']);
      expect((await own.ask('admin', 'GET', 'machines/')).json()).toEqual([]);
      expect((await own.ask('admin', 'POST', 'machines/', { ...given, power_parameters_skip_check: 'true' })).status).toBe(200);
    } finally {
      await own.close();
    }
  });

  test('zone, pool, domain and numbers change; users may not', async () => {
    const id = await add();
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
    const id = await add();
    await ask('admin', id, 'commission');
    expect((await cell.ask('admin', 'DELETE', `machines/${id}/`)).status).toBe(409);
    expect((await cell.ask('ann', 'DELETE', `machines/${id}/`)).status).toBe(403);
  });
});
