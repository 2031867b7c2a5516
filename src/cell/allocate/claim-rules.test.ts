/** The SQL of claims against its model: the same random commands to both, over HTTP and real PostgreSQL, and the same answers and machines. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cellApi, type CellApi, type Fields } from '../../../test/cell-api.ts';
import { ClaimModel, type ClaimAnswer } from '../../../test/claim-model.ts';
import { freeUnconfirmed, readClaim } from '../db/claim-store.ts';

let cell: CellApi;
beforeAll(async () => {
  cell = await cellApi();
});
afterAll(() => cell.close());

type Person = 'ann' | 'bob';
type Command =
  | { readonly do: 'claim' | 'confirm' | 'free_claim'; readonly claim: number; readonly who: Person }
  /** The time of this claim runs out, and the cell's loop comes by. */
  | { readonly do: 'lapse'; readonly claim: number }
  | { readonly do: 'give_back'; readonly machine: number }
  | {
      readonly do: 'settle_key';
      readonly claim: number;
      readonly insteadOf: number | undefined;
      readonly request: string;
      readonly key: string;
    };

const claims = 4;
const machines = 2;
const claim = fc.integer({ min: 0, max: claims - 1 });
// Most calls are made by whom the claim belongs to.
const who = fc.oneof({ weight: 9, arbitrary: fc.constant<Person>('ann') }, { weight: 1, arbitrary: fc.constant<Person>('bob') });
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('claim' as const), claim, who }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('confirm' as const, 'free_claim' as const), claim, who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lapse' as const), claim }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('give_back' as const), machine: fc.integer({ min: 0, max: machines - 1 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('settle_key' as const),
      claim,
      insteadOf: fc.option(claim, { nil: undefined }),
      request: fc.oneof({ weight: 5, arbitrary: fc.constant('r') }, { weight: 1, arbitrary: fc.constant('other') }),
      key: fc.constantFrom('k', 'l'),
    }),
  },
);

const ann = (name: 'claim' | 'confirm' | 'free_claim', n: number): Command => ({ do: name, claim: n, who: 'ann' });
/** Every command at every standing, so that none depends on luck. */
const everything: Command[] = [
  ann('claim', 0),
  ann('claim', 0),
  ann('confirm', 0),
  ann('confirm', 0),
  ann('claim', 0),
  ann('free_claim', 0),
  { do: 'give_back', machine: 0 },
  ann('claim', 0),
  ann('confirm', 0),
  ann('free_claim', 0),
  ann('confirm', 1),
  ann('claim', 1),
  ann('confirm', 1),
  ann('free_claim', 1),
  ann('free_claim', 2),
  ann('claim', 3),
  ann('free_claim', 3),
  { do: 'lapse', claim: 3 },
];
/** A machine that is given back before its claim was confirmed. */
const givenBack: Command[] = [ann('claim', 0), { do: 'give_back', machine: 0 }, ann('confirm', 0), ann('claim', 0), ann('free_claim', 0)];

const post = (who: Person, op: string, fields: Fields, headers: Record<string, string> = {}) =>
  cell.askCell(who, 'POST', `machines/?op=${op}`, fields, headers);

function answerOf(reply: Awaited<ReturnType<typeof post>>): ClaimAnswer {
  if (reply.status === 409) return { is: reply.text.includes('somebody else') ? 'stranger' : 'refused' };
  expect(reply.status).toBe(200);
  const body = reply.json<{ system_id?: string; state?: 'over' | 'kept' }>();
  return body.system_id === undefined ? { is: body.state ?? 'over' } : { is: 'machine', machine: body.system_id };
}

test('whatever comes in whatever order, the cell does with claims and keys what its rules say', async () => {
  const seen = new Set<string>();
  const property = fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 40, size: 'max' }), async (commands) => {
    await sql`delete from machine`.execute(cell.database.db);
    await sql`delete from claim`.execute(cell.database.db);
    await sql`delete from idempotency`.execute(cell.database.db);
    const ids = await cell.fleet(machines);
    const model = new ClaimModel(ids);
    const uuids = Array.from({ length: claims }, () => randomUUID());
    const idOf = (n: number): string => uuids[n] ?? '';
    for (const one of commands) {
      if (one.do === 'lapse') {
        await sql`update machine set confirm_by = now() - interval '1 second' where claim_id = ${idOf(one.claim)}::uuid and confirm_by is not null`.execute(
          cell.database.db,
        );
        await freeUnconfirmed(cell.database);
        model.lapse(idOf(one.claim));
      } else if (one.do === 'give_back') {
        const machine = ids[one.machine] ?? '';
        await cell.askCell('admin', 'POST', `machines/${machine}/?op=release`);
        // Releasing switches the machine off first; what is about claims happened when it was asked.
        await sql`update operation set outcome = 'done' where system_id = ${machine}`.execute(cell.database.db);
        await sql`update machine set status = 4, owner = null where system_id = ${machine}`.execute(cell.database.db);
        model.giveBack(machine);
      } else if (one.do === 'settle_key') {
        const wanted = { cell: '17', claim: idOf(one.claim), machine: 'abc3467', request: one.request };
        const reply = await post(
          'ann',
          'settle_key',
          {
            cell: '17',
            claim: idOf(one.claim),
            system_id: 'abc3467',
            request: one.request,
            ...(one.insteadOf === undefined ? {} : { instead_of: idOf(one.insteadOf) }),
          },
          { 'idempotency-key': one.key },
        );
        const expected = model.settle(one.key, wanted, one.insteadOf === undefined ? undefined : idOf(one.insteadOf));
        if (expected === undefined) expect([reply.status, reply.headers['muster-error']]).toEqual([409, 'idempotency_mismatch']);
        else expect(reply.json()).toMatchObject({ claim: expected.claim, request: expected.request });
      } else {
        const said = answerOf(await post(one.who, one.do, { claim: idOf(one.claim) }));
        const name = one.do === 'free_claim' ? 'free' : one.do;
        const before = model.standing(idOf(one.claim));
        expect([one.do, before, said]).toEqual([one.do, before, model[name](idOf(one.claim), one.who)]);
        seen.add(`${before} ${name}`);
      }
    }
    for (const id of uuids) expect((await readClaim(cell.database.db, id))?.standing ?? 'none').toBe(model.standing(id));
    const { rows } = await sql<{ system_id: string; claim_id: string }>`
      select system_id, claim_id from machine where claim_id is not null order by system_id`.execute(cell.database.db);
    expect(rows.map((row) => [row.system_id, row.claim_id])).toEqual([...model.holders].sort());
  });
  await fc.assert(property, { numRuns: 40, endOnFailure: true, examples: [[everything], [givenBack]] });
  // Every standing met every command that can come by the network.
  const standings = ['none', 'held', 'kept', 'over', 'spent'];
  expect([...seen].sort()).toEqual(standings.flatMap((one) => ['claim', 'confirm', 'free'].map((name) => `${one} ${name}`)).sort());
});

test('a machine that is being released is confirmed for nobody', async () => {
  await sql`delete from machine`.execute(cell.database.db);
  await cell.fleet(2);
  for (const [op, who] of [
    ['release', 'ann'],
    ['bulk_release', 'admin'],
  ] as const) {
    const id = randomUUID();
    const held = answerOf(await post('ann', 'claim', { claim: id }));
    const machine = held.is === 'machine' ? held.machine : '';
    expect((await cell.askCell(who, 'POST', `machines/?op=${op}`, { machines: [machine] })).status).toBe(200);
    const { rows } = await sql<{ status: number }>`select status from machine where system_id = ${machine}`.execute(cell.database.db);
    expect([op, rows]).toEqual([op, [{ status: 12 }]]);
    expect(answerOf(await post('ann', 'confirm', { claim: id }))).toEqual({ is: 'refused' });
    expect((await readClaim(cell.database.db, id))?.standing).toBe('over');
  }
});

test('the same claim, a confirm and a free at the same moment: one of the orders in which they could have come', async () => {
  for (let round = 0; round < 10; round += 1) {
    await sql`delete from machine`.execute(cell.database.db);
    const [machine] = await cell.fleet(1);
    const id = randomUUID();
    const [claimed, again, confirmed, freed] = await Promise.all(
      ['claim', 'claim', 'confirm', 'free_claim'].map(async (op) => answerOf(await post('ann', op, { claim: id }))),
    );
    const end = await readClaim(cell.database.db, id);
    const { rows } = await sql<{ claim_id: string | null }>`select claim_id from machine where system_id = ${machine ?? ''}`.execute(
      cell.database.db,
    );
    // Kept by whoever was told so, and by nobody else.
    expect(end?.standing).toBe(confirmed?.is === 'machine' ? 'kept' : 'over');
    expect(rows[0]?.claim_id).toBe(confirmed?.is === 'machine' ? id : null);
    expect(freed?.is).toBe(confirmed?.is === 'machine' ? 'kept' : 'over');
    expect([claimed?.is, again?.is]).not.toContain('stranger');
  }
});
