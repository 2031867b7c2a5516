/** Operations as rows over a real database: resumed after a lost lease, never carried out twice, ended in every way there is. */
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { bootIdOf, image, keyOf, machineCell, type MachineCell, type TestMachine } from '../../../test/machine-cell.ts';
import { LostRace } from '../db/cell-db.ts';
import { askAbort, claimDue, finishOperation, hasten, keepLease, nextDue, readFacts, stepTaken } from '../db/operation-store.ts';
import { issueTicket } from '../db/ticket-store.ts';
import { carryOut } from './carry-out.ts';
import { plan } from './plan.ts';
import { completeFacts, reconcile } from './reconcile.ts';

let cell: MachineCell;
beforeAll(async () => {
  cell = await machineCell();
});
afterAll(() => cell.close());
afterEach(async () => {
  Object.assign(cell.door, { imageReady: true, dhcpNames: true, fetches: [], killPoint: () => undefined });
  // Every test leaves only what has ended.
  await sql`update operation set outcome = 'failed' where outcome = 'live'`.execute(cell.database.db);
});

const db = () => cell.database.db;
const operation = (id: number) => db().selectFrom('operation').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const tickets = (id: number) => db().selectFrom('ticket').selectAll().where('operation_id', '=', id).orderBy('issued').execute();
const verbs = (id: number) => db().selectFrom('power_verb').selectAll().where('operation_id', '=', id).orderBy('id').execute();
const stepsOf = async (id: number) =>
  (await db().selectFrom('operation_step').select('step').where('operation_id', '=', id).orderBy('id').execute()).map((row) => row.step);
const due = (id: number) => sql`update operation set due_at = now() where id = ${id}`.execute(db());
const spent = (id: number, outcome: 'done' | 'failed') =>
  sql`update ticket set checked_in = now(), spent = now(), outcome = ${outcome} where operation_id = ${id} and voided is null`.execute(
    db(),
  );

async function checkedIn(machine: TestMachine) {
  const boot = bootIdOf();
  const answer = await cell.form('/MAAS/metadata/agent/check-in', [
    ['nonce', await cell.nonceOf(machine)],
    ['boot_id', boot],
    ['mac', machine.mac],
  ]);
  return { boot, key: keyOf(answer.text) };
}

async function deploying() {
  const machine = await cell.addMachine({ status: 10, owner: 'ann', disks: [{ name: 'vda', serial: 'd', size: 8 * 1024 ** 3 }], image });
  return { machine, id: await cell.start(machine, 'deploy') };
}

describe('leases', () => {
  test('a worker that died is followed by another at its step, when its lease is over', async () => {
    const { id } = await deploying();
    const [first] = await claimDue(db(), 'dead', 10, 60);
    expect(first?.id).toBe(id);
    expect(await reconcile(cell.executor, 'second')).toBe(0);
    await sql`update operation set lease_until = now() - interval '1 second' where id = ${id}`.execute(db());
    expect(await reconcile(cell.executor, 'second')).toBe(1);
    expect(await tickets(id)).toHaveLength(1);
    // The dead one comes back to life: nothing of its is written.
    const row = await operation(id);
    await expect(stepTaken(db(), first!, { step: 'zombie', note: '', dueIn: 0, waitsForHands: false })).rejects.toBeInstanceOf(LostRace);
    await expect(keepLease(db(), first!, 60)).rejects.toBeInstanceOf(LostRace);
    await expect(
      cell.database.transaction((tx) =>
        finishOperation(
          tx,
          first!,
          { system_id: row.system_id, kind: 'deploy', status: 9 },
          { outcome: 'done', error: '', to: 'deployed' },
        ),
      ),
    ).rejects.toBeInstanceOf(LostRace);
    expect(await operation(id)).toEqual(row);
  });

  test('an abort between the facts and the step gives the lease back at once', async () => {
    const { machine, id } = await deploying();
    const door = {
      ...cell.executor.door,
      dhcpNames: async () => {
        await cell.database.transaction((tx) => askAbort(tx, machine.systemId));
        return true;
      },
    };
    expect(await reconcile({ ...cell.executor, door }, 'worker')).toBe(1);
    expect(await tickets(id)).toEqual([]);
    expect(await operation(id)).toMatchObject({ outcome: 'live', lease_until: null, lease_owner: null, abort_asked: true });
    expect(await reconcile(cell.executor, 'worker')).toBe(1);
    expect(await operation(id)).toMatchObject({ outcome: 'aborted' });
  });

  test('two workers that planned the same step: one carries it out, the other writes nothing', async () => {
    const { id } = await deploying();
    const claims = [];
    for (const owner of ['a', 'b']) {
      const [claimed] = await claimDue(db(), owner, 10, 60);
      const [row] = await readFacts(db(), [id]);
      claims.push({ claimed: claimed!, row: row! });
      await sql`update operation set lease_until = now() - interval '1 second' where id = ${id}`.execute(db());
    }
    const results = await Promise.allSettled(
      claims.map(async ({ claimed, row }) => {
        const facts = await completeFacts(cell.executor, row);
        await carryOut(cell.executor, claimed, row, facts, plan(facts));
      }),
    );
    expect(results.map((one) => one.status)).toEqual(['rejected', 'fulfilled']);
    expect((results[0] as PromiseRejectedResult).reason).toBeInstanceOf(LostRace);
    expect(await tickets(id)).toHaveLength(1);
    expect(await stepsOf(id)).toEqual(['issue_ticket']);
  });

  test('eight reconcilers at once take every operation once', async () => {
    const ids = await Promise.all(Array.from({ length: 12 }, async () => (await deploying()).id));
    const taken = await Promise.all(Array.from({ length: 8 }, (_, n) => reconcile(cell.executor, `w${n}`)));
    expect(taken.reduce((sum, one) => sum + one, 0)).toBe(12);
    for (const id of ids) expect(await tickets(id)).toHaveLength(1);
    await Promise.all(
      Array.from({ length: 4 }, async (_, n) => {
        while ((await reconcile(cell.executor, `w${n}`)) > 0);
      }),
    );
    for (const id of ids) expect([(await tickets(id)).length, (await verbs(id)).length]).toEqual([1, 1]);
  });

  test('an operation of a later plan version is left to those who know it', async () => {
    const { id } = await deploying();
    await sql`update operation set plan_version = 99 where id = ${id}`.execute(db());
    expect(await reconcile(cell.executor, 'old')).toBe(0);
  });

  test('killed between a step’s effect and its commit: the step is done once', async () => {
    const { id } = await deploying();
    for (const point of ['issue_ticket:after-effect', 'power:after-effect']) {
      cell.door.killPoint = (name) => {
        if (name === point) throw new LostRace('killed here');
      };
      await cell.settle();
      cell.door.killPoint = () => undefined;
      await sql`update operation set lease_until = null, due_at = now() where id = ${id}`.execute(db());
      expect(await reconcile(cell.executor, 'next')).toBe(1);
    }
    expect([(await tickets(id)).length, (await verbs(id)).length]).toEqual([1, 1]);
    expect(await stepsOf(id)).toEqual(['issue_ticket', 'power_on']);
  });
});

test('something that happens while a worker decides is looked at now, not when the step says', async () => {
  const { machine, id } = await deploying();
  const [claimed] = await claimDue(db(), 'w', 10, 60);
  await hasten(db(), machine.systemId);
  await stepTaken(db(), claimed!, { step: 'wait_for_agent', note: '', dueIn: 3_600_000, waitsForHands: false });
  expect(await nextDue(db())).toBeLessThan(100);
  const [again] = await claimDue(db(), 'w', 10, 60);
  await stepTaken(db(), again!, { step: 'wait_for_agent', note: '', dueIn: 3_600_000, waitsForHands: false });
  expect((await operation(id)).due_at.getTime()).toBeGreaterThan(Date.now() + 3_000_000);
  expect(await stepsOf(id)).toEqual(['wait_for_agent']);
});

describe('the way of an operation', () => {
  test('an image that is not here is fetched first; DHCP is waited for before anything is switched on', async () => {
    Object.assign(cell.door, { imageReady: false, dhcpNames: false });
    const { id } = await deploying();
    await cell.settle();
    expect(cell.door.fetches).toEqual([image.sha256]);
    expect([(await operation(id)).step, (await verbs(id)).length]).toEqual(['apply_dhcp', 0]);
    cell.door.dhcpNames = true;
    await due(id);
    await cell.settle();
    expect(await stepsOf(id)).toEqual(['fetch_image', 'issue_ticket', 'apply_dhcp', 'power_on']);
    expect(await verbs(id)).toMatchObject([{ verb: 'on', next_boot: 'network', nonce: (await tickets(id))[0]!.nonce }]);
  });

  test('it waits for hands without a clock, and has the whole time from first contact', async () => {
    const { machine, id } = await deploying();
    await cell.settle();
    await sql`update power_verb set state = 'hands' where operation_id = ${id}`.execute(db());
    // It was asked for two days ago; the ticket was renewed since.
    await sql`update operation set started = now() - interval '2 days', deadline = now() - interval '47 hours', due_at = now() where id = ${id}`.execute(
      db(),
    );
    await cell.settle();
    const row = await operation(id);
    expect([row.outcome, row.waits_for_hands, row.step]).toEqual(['live', true, 'wait_for_hands']);
    expect(row.deadline.getTime()).toBeGreaterThan(Date.now());
    await checkedIn(machine);
    await cell.settle();
    expect((await operation(id)).step).toBe('wait_for_agent');
  });

  test('a machine that does not netboot gets three tickets, then the deployment fails', async () => {
    const { machine, id } = await deploying();
    for (let n = 1; n <= 3; n += 1) {
      await cell.settle();
      expect(await tickets(id)).toHaveLength(n);
      await sql`update ticket set expires = now() - interval '1 second' where operation_id = ${id} and voided is null`.execute(db());
      await due(id);
    }
    await cell.settle();
    expect(await cell.statusOf(machine)).toBe('failed_deployment');
    expect((await operation(id)).error).toBe('gave up after 3 boots: did not netboot');
  });

  test('an agent that falls silent loses its ticket and its credential; the next boot goes on where it was', async () => {
    const { machine, id } = await deploying();
    await cell.settle();
    const { boot, key } = await checkedIn(machine);
    const line = 'name=vda&serial=d&size=8589934592&signatures=&marker=';
    expect(
      (
        await cell.form(
          '/MAAS/metadata/agent/claim',
          [
            ['boot_id', boot],
            ['disk', line],
          ],
          { key },
        )
      ).status,
    ).toBe(200);
    await sql`update ticket set checked_in = now() - interval '11 minutes', claimed = now() - interval '11 minutes', heartbeat = now() - interval '11 minutes' where operation_id = ${id}`.execute(
      db(),
    );
    await due(id);
    await cell.settle();
    expect((await tickets(id)).map((ticket) => ticket.void_reason)).toEqual(['the agent fell silent', null]);
    expect((await cell.form('/MAAS/metadata/agent/heartbeat', [['boot_id', boot]], { key })).status).toBe(401);
    const second = await checkedIn(machine);
    // Half-written by the boot that died: the same operation may go on.
    const halfway = 'name=vda&serial=d&size=8589934592&signatures=gpt,ext4&marker=';
    expect(
      (
        await cell.form(
          '/MAAS/metadata/agent/claim',
          [
            ['boot_id', second.boot],
            ['disk', halfway],
          ],
          { key: second.key },
        )
      ).status,
    ).toBe(200);
  });

  test('the deadline ends it as failed, and closes tickets, credentials and verbs', async () => {
    const { machine, id } = await deploying();
    await cell.settle();
    const { key } = await checkedIn(machine);
    await sql`insert into power_verb (system_id, operation_id, verb, requested_by) values (${machine.systemId}, ${id}, 'off', 'x')`.execute(
      db(),
    );
    await sql`update operation set deadline = now() - interval '1 second', due_at = now() where id = ${id}`.execute(db());
    await cell.settle();
    const row = await operation(id);
    expect([row.outcome, row.error, row.step, row.lease_until, row.ended !== null]).toEqual([
      'failed',
      'timed out: the agent did not finish',
      'finish',
      null,
      true,
    ]);
    expect(await cell.statusOf(machine)).toBe('failed_deployment');
    expect((await tickets(id)).every((ticket) => ticket.voided !== null)).toBe(true);
    expect((await verbs(id)).every((verb) => verb.state === 'closed')).toBe(true);
    expect((await cell.get('/MAAS/metadata/latest/meta-data/', { key })).status).toBe(401);
    expect(await reconcile(cell.executor, 'w')).toBe(0);
  });

  test('aborting: the ticket is void, nothing is issued any more, and the machine is where it came from', async () => {
    for (const [kind, status, end] of [
      ['commission', 0, 'new'],
      ['commission', 4, 'ready'],
      ['deploy', 10, 'allocated'],
      ['test', 6, 'deployed'],
    ] as const) {
      const machine = await cell.addMachine({ status, owner: 'ann', image });
      const id = await cell.start(machine, kind);
      await cell.settle();
      const [claimed] = await cell.database.transaction((tx) => claimDue(tx, 'late', 1, 0));
      expect(await cell.database.transaction((tx) => askAbort(tx, machine.systemId))).toBe(kind);
      if (claimed !== undefined) {
        const ticket = {
          nonce: 'e'.repeat(32),
          systemId: machine.systemId,
          operationId: id,
          purpose: 'deploy',
          within: 9,
          bootsAllowed: 1,
        } as const;
        await expect(cell.database.transaction((tx) => issueTicket(tx, ticket, claimed.fence))).rejects.toBeInstanceOf(LostRace);
      }
      await cell.settle();
      expect([kind, await cell.statusOf(machine), (await operation(id)).outcome]).toEqual([kind, end, 'aborted']);
      expect((await tickets(id)).map((ticket) => ticket.void_reason)).toEqual(['aborted']);
      expect(await cell.database.transaction((tx) => askAbort(tx, machine.systemId))).toBeUndefined();
    }
  });

  test('a release leaves nothing of the owner', async () => {
    const machine = await cell.addMachine({ status: 6, owner: 'ann', image });
    await sql`update machine set agent_name = 'juju', osystem = 'debian', distro_series = '12', user_data = 'secret', allocated_at = now(),
              owner_data = '{"a":"b"}', workload_annotations = '{"c":"d"}' where system_id = ${machine.systemId}`.execute(db());
    await cell.start(machine, 'release');
    await cell.settle();
    const row = await db().selectFrom('machine').selectAll().where('system_id', '=', machine.systemId).executeTakeFirstOrThrow();
    expect(row).toMatchObject({
      status: 4,
      owner: null,
      agent_name: '',
      osystem: '',
      distro_series: '',
      user_data: null,
      image: null,
      allocated_at: null,
      owner_data: {},
      workload_annotations: {},
    });
  });

  test('an erase releases when it is done, and keeps the owner when it failed', async () => {
    for (const [outcome, status, owner] of [
      ['done', 'ready', null],
      ['failed', 'failed_disk_erasing', 'ann'],
    ] as const) {
      const machine = await cell.addMachine({ status: 6, owner: 'ann', image });
      const id = await cell.start(machine, 'erase');
      await cell.settle();
      await spent(id, outcome);
      await due(id);
      await cell.settle();
      expect(await cell.statusOf(machine)).toBe(status);
      expect(
        (await db().selectFrom('machine').select('owner').where('system_id', '=', machine.systemId).executeTakeFirstOrThrow()).owner,
      ).toBe(owner);
    }
  });

  test('failed scripts fail the commissioning that was otherwise done', async () => {
    const machine = await cell.addMachine();
    const id = await cell.start(machine, 'commission');
    await cell.settle();
    await sql`update script_result set status = 3 where operation_id = ${id}`.execute(db());
    await spent(id, 'done');
    await due(id);
    await cell.settle();
    expect([await cell.statusOf(machine), (await operation(id)).error]).toEqual(['failed_commissioning', '1 script(s) failed']);
  });

  test('scripts that never ran do not make a machine Ready', async () => {
    const machine = await cell.addMachine();
    const id = await cell.start(machine, 'commission');
    await cell.settle();
    await spent(id, 'done');
    await due(id);
    await cell.settle();
    expect(await cell.statusOf(machine)).toBe('failed_commissioning');
  });
});
