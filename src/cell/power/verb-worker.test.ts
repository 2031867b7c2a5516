/** Power verbs over a real database and real HTTP to a Redfish BMC: what was sent is in the BMC's own log. */
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, expect, test } from 'vitest';
import { machineCell, type MachineCell, type TestMachine } from '../../../test/machine-cell.ts';
import { PlainChassis } from '../../sim/chassis.ts';
import { RedfishBmc } from '../../sim/redfish-bmc.ts';
import { claimVerbs, intendVerb, setPower, type NewVerb } from '../db/power-store.ts';
import { powerDoors } from '../power-door.ts';
import { workOnVerbs, type PowerWorkerOptions } from './verb-worker.ts';

let cell: MachineCell;
const open: RedfishBmc[] = [];
afterEach(async () => {
  for (const bmc of open.splice(0)) await bmc.stop();
  await cell.close();
});

/** A machine with a BMC of its own, and a worker. */
async function powered(killPoint: (name: string) => void = () => undefined) {
  cell = await machineCell();
  const machine = await cell.addMachine();
  const chassis = new PlainChassis();
  const bmc = new RedfishBmc({ address: '127.0.0.1', port: 0, user: 'root', password: 'secret', systemId: '1' }, chassis);
  const address = await bmc.start();
  open.push(bmc);
  await attach(machine, address);
  const signal = new AbortController().signal;
  const door = powerDoors(cell.database.db, cell.secretKey, signal);
  const worker: PowerWorkerOptions = {
    database: cell.database,
    door: { targetOf: (id) => door.targetOf(id), killPoint: (name) => killPoint(name) },
    bootSlots: 8,
    signal,
  };
  return { machine, chassis, bmc, address, worker };
}

const attach = (machine: TestMachine, address: string, node = '1') =>
  cell.database.transaction((tx) =>
    setPower(tx, {
      systemId: machine.systemId,
      driver: 'redfish',
      address,
      sealed: cell.secretKey.seal(Buffer.from(JSON.stringify({ power_address: address, power_user: 'root', power_pass: 'secret' }))),
      node: { node_id: node },
    }),
  );

const intend = (machine: TestMachine, verb: NewVerb['verb'], more: Partial<NewVerb> = {}) =>
  cell.database.transaction((tx) => intendVerb(tx, { systemId: machine.systemId, verb, requestedBy: 'ann', ...more }));
const verbOf = (id: number) => cell.database.db.selectFrom('power_verb').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
/** Make whatever waits due now, as if the time had passed; the pause after a question to the BMC is waited out in its health. */
const pass = () =>
  sql`with calm as (update bmc set health = '{"failuresInRow":0,"hardInRow":0,"score":100}') update power_verb set due_at = now() where state in ('live', 'hands')`.execute(
    cell.database.db,
  );
async function until(id: number, worker: PowerWorkerOptions, states: readonly string[] = ['done', 'failed', 'closed']): Promise<string> {
  for (let round = 0; round < 25; round += 1) {
    await pass();
    await workOnVerbs(worker);
    const { state } = await verbOf(id);
    if (states.includes(state)) return state;
  }
  throw new Error(`the verb does not end: ${JSON.stringify(await verbOf(id))}`);
}
const commands = (bmc: RedfishBmc): string[] => bmc.log.map((entry) => entry.command);

test('on is sent once, from a confirmed off, with the next boot ordered before', async () => {
  const { machine, chassis, bmc, worker } = await powered();
  const id = await intend(machine, 'on', { nextBoot: 'network' });
  expect(await until(id, worker)).toBe('done');
  expect(commands(bmc)).toEqual(['boot', 'on']);
  expect(chassis.starts).toEqual(['network']);
  const row = await cell.database.db
    .selectFrom('machine')
    .select(['power_state', 'power_evidence'])
    .where('system_id', '=', machine.systemId)
    .executeTakeFirstOrThrow();
  expect(row.power_state).toBe('on');
  // Asked for again it is on already: nothing is sent.
  expect(await until(await intend(machine, 'on', { nextBoot: 'network' }), worker)).toBe('done');
  expect(commands(bmc)).toEqual(['boot', 'on']);
});

test('unknown is never off: nothing is sent while the BMC does not say', async () => {
  const { machine, bmc, worker } = await powered();
  bmc.faults.lie = 'PoweringOn';
  const id = await intend(machine, 'on');
  for (let round = 0; round < 8; round += 1) {
    await pass();
    await workOnVerbs(worker);
  }
  expect([(await verbOf(id)).state, commands(bmc)]).toEqual(['live', []]);
});

test('a crash between commit and send is observed, not repeated', async () => {
  let isArmed = true;
  const { machine, chassis, bmc, worker } = await powered((name) => {
    if (isArmed && name === 'power_send:committed') throw new Error('killed');
  });
  await chassis.on();
  const id = await intend(machine, 'cycle');
  for (let round = 0; round < 6; round += 1) {
    await pass();
    await workOnVerbs(worker).catch(() => undefined);
    if ((await verbOf(id)).sent_outcome === 'open') break;
  }
  expect((await verbOf(id)).sent_outcome).toBe('open');
  isArmed = false;
  // Its lease still runs: nobody else touches it.
  await pass();
  expect(await workOnVerbs(worker)).toBe(0);
  await sql`with free as (update bmc set lease_until = null) update power_verb set lease_until = null`.execute(cell.database.db);
  for (let round = 0; round < 6; round += 1) {
    await pass();
    await workOnVerbs(worker);
  }
  expect([(await verbOf(id)).state, commands(bmc)]).toEqual(['live', []]);
  // The slowest BMC had its time: now, and only now, it is sent again.
  await sql`update power_verb set sent = now() - interval '201 seconds', first_sent = now() - interval '201 seconds'`.execute(
    cell.database.db,
  );
  expect(await until(id, worker)).toBe('done');
  expect(commands(bmc).filter((one) => one !== 'boot')).toHaveLength(1);
});

test('a boot that is seen closes the operation’s verb, also while it is being carried out', async () => {
  const { machine, chassis, bmc, worker } = await powered();
  await chassis.on();
  await cell.start(machine, 'commission');
  await cell.settle();
  const verb = await cell.database.db
    .selectFrom('power_verb')
    .selectAll()
    .where('system_id', '=', machine.systemId)
    .executeTakeFirstOrThrow();
  expect(verb.verb).toBe('cycle');
  const [due] = await cell.database.transaction((tx) => claimVerbs(tx, 1, 30_000));
  expect(due?.id).toBe(verb.id);
  const boot = randomBytes(16).toString('hex');
  const answer = await cell.form('/MAAS/metadata/agent/check-in', [
    ['nonce', await cell.nonceOf(machine)],
    ['boot_id', boot],
    ['mac', machine.mac],
  ]);
  expect(answer.status).toBe(200);
  expect(await verbOf(verb.id)).toMatchObject({ state: 'closed', evidence: 'a boot was seen' });
  await sql`with free as (update bmc set lease_until = null) update power_verb set lease_until = null`.execute(cell.database.db);
  await pass();
  expect(await workOnVerbs(worker)).toBe(0);
  expect(commands(bmc)).toEqual([]);
});

test('a verb that replaces another one inherits what was sent, and waits its late effect out', async () => {
  const { machine, chassis, bmc, worker } = await powered();
  const first = await intend(machine, 'on');
  bmc.faults.dropAfterActing = 1;
  for (let round = 0; round < 8 && (await verbOf(first)).sent_outcome === null; round += 1) {
    await pass();
    await workOnVerbs(worker);
  }
  expect([(await verbOf(first)).sent_outcome, chassis.power()]).toEqual(['unknown', 'on']);
  const second = await intend(machine, 'off');
  expect(await verbOf(first)).toMatchObject({ state: 'closed', error: 'replaced by a newer order' });
  expect(await verbOf(second)).toMatchObject({ state: 'live', sent_call: 'on', sent_outcome: 'unknown', sends: 0 });
  for (let round = 0; round < 6; round += 1) {
    await pass();
    await workOnVerbs(worker);
  }
  expect([(await verbOf(second)).state, commands(bmc)]).toEqual(['live', ['on']]);
  await sql`update power_verb set sent = now() - interval '201 seconds', first_sent = now() - interval '201 seconds' where id = ${second}`.execute(
    cell.database.db,
  );
  expect(await until(second, worker)).toBe('done');
  expect([commands(bmc), chassis.power()]).toEqual([['on', 'off'], 'off']);
});

test('two workers and four machines behind one BMC: one call at a time', async () => {
  const { machine, bmc, address, worker } = await powered();
  const others = [await cell.addMachine(), await cell.addMachine(), await cell.addMachine()];
  for (const other of others) await attach(other, address);
  bmc.faults.delayMs = 60;
  let most = 0;
  let now = 0;
  const counted: PowerWorkerOptions = {
    ...worker,
    door: {
      killPoint: () => undefined,
      targetOf: async (id) => {
        now += 1;
        most = Math.max(most, now);
        return worker.door.targetOf(id);
      },
    },
  };
  for (const one of [machine, ...others]) await intend(one, 'on');
  const took = await Promise.all([workOnVerbs(counted), workOnVerbs(counted), workOnVerbs(counted)]);
  expect([took.reduce((sum, one) => sum + one, 0), most]).toEqual([1, 1]);
  expect(bmc.requests.filter(({ what }) => what.startsWith('POST'))).toEqual([]);
});

test('a BMC that is gone: the verb waits with growing pauses and fails nothing by itself', async () => {
  const { machine, bmc, worker } = await powered();
  await bmc.stop();
  const id = await intend(machine, 'off');
  await workOnVerbs(worker);
  const row = await cell.database.db
    .selectFrom('machine')
    .select(['power_state', 'power_evidence'])
    .where('system_id', '=', machine.systemId)
    .executeTakeFirstOrThrow();
  expect(row.power_state).toBe('error');
  await sql`update power_verb set due_at = now()`.execute(cell.database.db);
  await workOnVerbs(worker);
  const verb = await verbOf(id);
  expect(verb.state).toBe('live');
  expect(verb.due_at.getTime()).toBeGreaterThan(Date.now() + 500);
});

test('a machine without power settings is told so', async () => {
  const { worker } = await powered();
  const bare = await cell.addMachine();
  await sql`update machine set power_type = '' where system_id = ${bare.systemId}`.execute(cell.database.db);
  const id = await intend(bare, 'on');
  expect(await until(id, worker)).toBe('failed');
  expect((await verbOf(id)).error).toBe('the machine has no power settings');
});

test('hands are asked, and the boot that they make closes the verb', async () => {
  const { worker } = await powered();
  const machine = await cell.addMachine();
  await cell.database.transaction((tx) =>
    setPower(tx, { systemId: machine.systemId, driver: 'manual', address: '', sealed: cell.secretKey.seal(Buffer.from('{}')), node: {} }),
  );
  const id = await intend(machine, 'on');
  expect(await until(id, worker, ['hands'])).toBe('hands');
  expect((await verbOf(id)).evidence).toBe('please switch the machine on by hand');
  await sql`insert into boot (boot_id, system_id, purpose, address, started) values (${randomBytes(16).toString('hex')}, ${machine.systemId}, 'commission', '10.99.0.50', clock_timestamp())`.execute(
    cell.database.db,
  );
  expect(await until(id, worker)).toBe('done');
});
