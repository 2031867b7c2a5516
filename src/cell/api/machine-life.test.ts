/** What can be asked of one machine: by whom, in which state, and what it changes. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cellApi, image, type CellApi, type Fields, type Person } from '../../../test/cell-api.ts';
import { lifecycle } from '../../contract/lifecycle.ts';

let cell: CellApi;
beforeAll(async () => {
  cell = await cellApi({ bmc: () => ({ state: 'off', evidence: 'Chassis Power is off' }) });
});
afterAll(() => cell.close());

const ask = (who: Person | undefined, id: string, op: string, fields: Fields = {}, headers: Record<string, string> = {}) =>
  cell.ask(who, 'POST', `machines/${id}/?op=${op}`, fields, headers);

async function liveOperation(id: string) {
  return cell.database.db.selectFrom('operation').selectAll().where('system_id', '=', id).where('outcome', '=', 'live').executeTakeFirst();
}

describe('commissioning', () => {
  test('accept and accept_all commission what is New', async () => {
    const [one, two] = [await cell.add(), await cell.add()];
    const accepted = await cell.ask('admin', 'POST', 'machines/?op=accept', { machines: one });
    expect(accepted.json<{ status_name: string }[]>()).toMatchObject([{ system_id: one, status_name: 'Commissioning' }]);
    expect((await cell.ask('admin', 'POST', 'machines/?op=accept', { machines: one })).status).toBe(409);
    expect((await cell.ask('admin', 'POST', 'machines/?op=accept', { machines: '3333333' })).status).toBe(400);
    const all = (await cell.ask('admin', 'POST', 'machines/?op=accept_all')).json<{ system_id: string }[]>();
    expect(all.map((machine) => machine.system_id)).toContain(two);
  });

  test('a second one finds the machine busy; abort asks the first to stop', async () => {
    const id = await cell.add();
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
    const id = await cell.add();
    expect((await ask('admin', id, 'commission', { testing_scripts: 'nothing-like-it' })).json()).toHaveProperty('testing_scripts');
    expect((await ask('admin', id, 'commission', { enable_ssh: 'true' })).status).toBe(400);
  });

  test('testing remembers where it came from', async () => {
    const id = await cell.addIn('deployed', 'ann');
    expect((await ask('admin', id, 'test')).json()).toMatchObject({ status_name: 'Testing', owner: 'ann' });
    expect((await liveOperation(id))?.memory).toEqual({ origin: lifecycle.deployed.number });
  });
});

describe('deploying', () => {
  test('a Ready machine becomes the caller’s, with its image pinned', async () => {
    const id = await cell.addIn('ready');
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
    const fresh = await cell.add();
    const wrong = await ask('admin', fresh, 'deploy');
    expect([wrong.status, wrong.text]).toEqual([409, "Can't deploy a machine that is in the 'New' state"]);
    expect(wrong.headers['retry-after']).toBeUndefined();
    const bobs = await cell.addIn('allocated', 'bob');
    expect((await ask('ann', bobs, 'deploy')).status).toBe(403);
    expect((await ask('bob', bobs, 'deploy', { distro_series: 'plan9' })).json()).toHaveProperty('distro_series');
    expect((await ask('bob', bobs, 'deploy', { user_data: '***' })).json()).toHaveProperty('user_data');
    expect((await ask('bob', bobs, 'deploy', { install_kvm: 'true' })).status).toBe(400);
    expect(await liveOperation(bobs)).toBeUndefined();
  });

  test('the same key twice starts one deployment; for another request it is refused', async () => {
    const id = await cell.addIn('allocated', 'ann');
    const key = { 'idempotency-key': 'k-1' };
    const both = await Promise.all([ask('ann', id, 'deploy', {}, key), ask('ann', id, 'deploy', {}, key)]);
    expect(both.map((reply) => reply.status)).toEqual([200, 200]);
    expect((await ask('ann', id, 'deploy', {}, key)).status).toBe(200);
    expect((await ask('ann', id, 'deploy', { overwrite: 'true' }, key)).status).toBe(409);
    const { rows } = await sql<{ n: number }>`select count(*) as n from operation where system_id = ${id}`.execute(cell.database.db);
    expect(rows[0]?.n).toBe(1);
  });

  test('two who want the same Ready machine: one gets it', async () => {
    const id = await cell.addIn('ready');
    const replies = await Promise.all([ask('ann', id, 'deploy'), ask('bob', id, 'deploy')]);
    expect(replies.map((reply) => reply.status).toSorted()[0]).toBe(200);
    expect(replies.filter((reply) => reply.status === 200)).toHaveLength(1);
    expect([403, 409]).toContain(replies.find((reply) => reply.status !== 200)?.status);
  });
});

describe('releasing', () => {
  test('by its owner; again is nothing; a stranger may not', async () => {
    const id = await cell.addIn('deployed', 'ann');
    expect((await ask('bob', id, 'release')).status).toBe(403);
    expect((await ask('ann', id, 'release', { comment: 'done' })).json()).toMatchObject({
      status_name: 'Releasing',
      operation: { kind: 'release' },
    });
    expect((await ask('ann', id, 'release')).json()).toMatchObject({ status_name: 'Releasing' });
    const ready = await cell.addIn('ready');
    expect((await ask('bob', ready, 'release')).json()).toMatchObject({ status_name: 'Ready' });
  });

  test('erasing is an operation of its own', async () => {
    const id = await cell.addIn('allocated', 'ann');
    expect((await ask('ann', id, 'release', { erase: 'true', quick_erase: 'true' })).json()).toMatchObject({ status_name: 'Disk erasing' });
    expect(await liveOperation(id)).toMatchObject({ kind: 'erase', parameters: { quick: true } });
  });

  test('a deployment that is under way ends at once: its ticket is void', async () => {
    const id = await cell.addIn('ready');
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
    const [one, two, fresh] = [await cell.addIn('allocated', 'ann'), await cell.addIn('deployed', 'ann'), await cell.add()];
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
    const id = await cell.addIn('deployed', 'ann');
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
    const id = await cell.addIn('ready');
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
    const fresh = await cell.add();
    await ask('admin', fresh, 'mark_broken');
    expect((await ask('admin', fresh, 'mark_fixed')).json()).toMatchObject({ status_name: 'New' });
  });

  test('a failed test can be overridden', async () => {
    expect((await ask('admin', await cell.addIn('failed_testing'), 'override_failed_testing')).json()).toMatchObject({
      status_name: 'Ready',
    });
    expect((await ask('admin', await cell.addIn('ready'), 'override_failed_testing')).status).toBe(409);
  });

  test('rescue remembers where it came from', async () => {
    const id = await cell.addIn('deployed', 'ann');
    expect((await ask('admin', id, 'rescue_mode')).json()).toMatchObject({ status_name: 'Entering rescue mode' });
    expect((await liveOperation(id))?.memory).toEqual({ origin: lifecycle.deployed.number });
    await sql`update operation set outcome = 'done' where system_id = ${id}`.execute(cell.database.db);
    await cell.database.db.updateTable('machine').set({ status: lifecycle.rescue_mode.number }).where('system_id', '=', id).execute();
    expect((await ask('admin', id, 'exit_rescue_mode')).json()).toMatchObject({ status_name: 'Exiting rescue mode' });
    expect(await liveOperation(id)).toMatchObject({ kind: 'exit_rescue', memory: { origin: lifecycle.deployed.number } });
  });

  test('owners write things down; an empty value removes', async () => {
    const id = await cell.addIn('allocated', 'ann');
    expect((await ask('ann', id, 'set_owner_data', { a: '1', b: '2' })).json()).toMatchObject({ owner_data: { a: '1', b: '2' } });
    expect((await ask('ann', id, 'set_owner_data', { a: '' })).json()).toMatchObject({ owner_data: { b: '2' } });
    expect((await ask('ann', id, 'set_workload_annotations', { app: 'db' })).json()).toMatchObject({ workload_annotations: { app: 'db' } });
    expect((await ask('bob', id, 'set_owner_data', { a: '1' })).status).toBe(403);
    expect((await ask('admin', await cell.addIn('ready'), 'set_owner_data', { a: '1' })).status).toBe(409);
  });
});

test('the power settings of many machines cost as many statements as those of one', async () => {
  const settings = { power_type: 'ipmi', power_parameters_power_user: 'root', power_parameters_power_pass: 'calvin' };
  const ids: string[] = [];
  for (let n = 0; n < 6; n += 1) ids.push(await cell.add({ ...settings, power_parameters_power_address: `10.1.0.${n}` }));
  const plain = await cell.add();
  const asked = (id: readonly string[]) =>
    cell.database.countStatements(() => cell.askCell('admin', 'GET', 'machines/?op=power_parameters', { id }));
  const one = await asked(ids.slice(0, 1));
  const all = await asked([...ids, plain]);
  expect(all.statements.length).toBe(one.statements.length);
  const shown = all.value.json<Record<string, Record<string, string>>>();
  expect(ids.map((id) => shown[id]?.['power_address'])).toEqual(ids.map((_, n) => `10.1.0.${n}`));
  expect(shown[ids[0]!]).toMatchObject({ power_pass: 'calvin' });
  expect(shown[plain]).toEqual({});
});
