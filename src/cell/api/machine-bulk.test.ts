/** Bulk calls: an outcome for every machine, what they cost, and what happens when they are sent again or cut off. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cellApi, type CellApi, type Fields, type Person } from '../../../test/cell-api.ts';
import { lifecycle } from '../../contract/lifecycle.ts';
import { LostRace } from '../db/cell-db.ts';
import { chunkSize, inChunks } from './bulk-chunks.ts';

let cell: CellApi;
let killed = 0;
beforeAll(async () => {
  cell = await cellApi({
    killPoint: (name) => {
      if (name === 'api_bulk:after-chunk' && killed > 0) {
        killed -= 1;
        if (killed === 0) throw new Error('killed on purpose');
      }
    },
  });
});
afterAll(() => cell.close());

interface Outcome {
  readonly system_id: string;
  readonly outcome: string;
  readonly operation: number | null;
  readonly code: string | null;
  readonly error: string;
}
interface Reply {
  readonly bulk: string;
  readonly done: number;
  readonly refused: number;
  readonly unknown: number;
  readonly outcomes: readonly Outcome[];
}
const send = (who: Person, op: string, machines: readonly string[], more: Fields = {}, headers = {}) =>
  cell.ask(who, 'POST', `machines/?op=bulk_${op}`, { machines, ...more }, headers);
const bulk = async (...given: Parameters<typeof send>): Promise<Reply> => {
  const reply = await send(...given);
  expect(reply.status, reply.text.slice(0, 300)).toBe(200);
  return reply.json<Reply>();
};
const words = (reply: Reply) => reply.outcomes.map(({ outcome, code }) => code ?? outcome);
const rows = async (ids: readonly string[]) =>
  (
    await sql<{
      system_id: string;
      status: number;
      zone_id: number;
      pool_id: number;
      operations: number;
      scripts: number;
      events: number;
      bulk: string | null;
    }>`
      select m.system_id, m.status, m.zone_id, m.pool_id, count(distinct o.id)::int as operations,
             (select count(*)::int from script_result where system_id = m.system_id) as scripts,
             (select count(*)::int from event where system_id = m.system_id) as events, min(o.bulk) as bulk
      from machine m left join operation o using (system_id) where m.system_id = any (${ids as string[]}::text[])
      group by m.system_id order by m.system_id`.execute(cell.database.db)
  ).rows;
const clear = () => sql`delete from machine`.execute(cell.database.db);

describe('commissioning', () => {
  test('what can be is begun, the rest is refused with the words of a single call', async () => {
    await clear();
    const ids = await cell.fleet(5, (n) => ({ status: [0, 4, 6, 4, 0][n] ?? 0, owner: n === 2 ? 'bob' : null, locked: n === 3 }));
    const asked = [...ids, ids[0] ?? '', '3333333', 'nonsense'];
    const reply = await bulk('admin', 'commission', asked, { testing_scripts: 'none', comment: 'new rack' });
    expect(reply).toMatchObject({ done: 3, refused: 4, unknown: 0 });
    expect(words(reply)).toEqual(['done', 'done', 'wrong_state', 'wrong_state', 'done', 'not_found', 'not_found']);
    expect(reply.outcomes.map((one) => one.system_id)).toEqual([...ids, '3333333', 'nonsense']);
    for (const n of [2, 3]) {
      const alone = await cell.ask('admin', 'POST', `machines/${ids[n]}/?op=commission`);
      expect([reply.outcomes[n]?.code, reply.outcomes[n]?.error]).toEqual([alone.headers['muster-error'], alone.text]);
    }
    expect(
      (await rows([ids[0] ?? ''])).map(({ status, operations, scripts, events, bulk: by }) => [status, operations, scripts, events, by]),
    ).toEqual([[lifecycle.commissioning.number, 1, 1, 2, reply.bulk]]);
    const { rows: memory } = await sql<{ memory: unknown; parameters: unknown }>`
      select memory, parameters from operation where system_id = ${ids[1]}`.execute(cell.database.db);
    expect(memory).toEqual([{ memory: { origin: 4 }, parameters: { skip_networking: false, skip_storage: false } }]);
    expect((await bulk('admin', 'commission', ids.slice(0, 2))).outcomes.map((one) => one.code)).toEqual(['wrong_state', 'wrong_state']);
  });

  test('only admins, only named machines, only scripts that there are', async () => {
    expect((await send('ann', 'commission', ['3333333'])).status).toBe(403);
    expect((await send('admin', 'commission', [])).status).toBe(400);
    expect(
      (
        await send(
          'admin',
          'commission',
          Array.from({ length: 10_001 }, (_, n) => String(n)),
        )
      ).status,
    ).toBe(400);
    const [id = ''] = await cell.fleet(1, () => ({ system_id: '33qbc44', hostname: 'alone' }));
    const wrong = await send('admin', 'commission', [id], { testing_scripts: 'nothing-like-it' });
    expect([wrong.status, Object.keys(wrong.json())]).toEqual([400, ['testing_scripts']]);
  });

  test('sent again, it goes on where it ended; as many statements for each chunk, however many machines', async () => {
    await clear();
    const ids = await cell.fleet(chunkSize * 2 + 10, () => ({ status: 0 }));
    const cost = async (given: readonly string[], key: string) =>
      (await cell.database.countStatements(() => bulk('admin', 'commission', given, {}, { 'idempotency-key': key }))).statements.length;
    const one = await cost(ids.slice(0, 1), 'k-1');
    // What this call began before, guards, change with operations, scripts, events.
    expect(one).toBe(5);
    expect(await cost(ids.slice(1, chunkSize + 1), 'k-2')).toBe(one);
    const rest = ids.slice(1);
    expect(await cost(rest, 'k-2')).toBeLessThanOrEqual(one * 3);
    const again = await bulk('admin', 'commission', rest, { bulk: 'k-2' });
    expect(again).toMatchObject({ bulk: 'k-2', done: rest.length, refused: 0 });
    expect((await rows(ids)).every((row) => row.operations === 1 && row.status === lifecycle.commissioning.number)).toBe(true);
    // Somebody else's call of the same name is another call.
    expect(await bulk('ann', 'release', rest.slice(0, 1), { bulk: 'k-2' })).toMatchObject({ refused: 1 });
    const counts = await cell.ask('ann', 'GET', 'operations/?op=summary', { bulk: 'k-2' });
    expect(counts.json()).toEqual({
      operations: rest.length,
      by_outcome: { live: rest.length },
      by_kind: { commission: rest.length },
      waits_for_hands: 0,
    });
    const listed = await cell.ask('ann', 'GET', 'operations/', { bulk: 'k-2', limit: '7' });
    expect(listed.json<{ bulk: string }[]>().map((operation) => operation.bulk)).toEqual(Array.from({ length: 7 }, () => 'k-2'));
  });

  test('killed between two chunks: what was done stays done, and the same call finishes it', async () => {
    await clear();
    const ids = await cell.fleet(chunkSize * 2, () => ({ status: 0 }));
    killed = 1;
    const broken = await send('admin', 'commission', ids, { bulk: 'cut' });
    // A front cannot know how far the cell came, and says so of each.
    if (cell.behind) expect(broken.json()).toMatchObject({ done: 0, unknown: ids.length });
    else expect(broken.status).toBe(500);
    expect((await rows(ids)).filter((row) => row.operations === 1)).toHaveLength(chunkSize);
    expect(await bulk('admin', 'commission', ids, { bulk: 'cut' })).toMatchObject({ done: ids.length, refused: 0 });
    expect((await rows(ids)).every((row) => row.operations === 1)).toBe(true);
  });
});

describe('releasing', () => {
  test('stops what is being done, leaves alone what is others’, and Ready is Ready', async () => {
    await clear();
    const ids = await cell.fleet(5, (n) => ({
      status: [4, 10, 6, 6, 4][n] ?? 0,
      owner: [null, 'ann', 'ann', 'bob', null][n] ?? null,
      locked: n === 2,
    }));
    await cell.ask('ann', 'POST', `machines/${ids[0]}/?op=deploy`);
    const reply = await bulk('ann', 'release', ids, { quick_erase: 'true', comment: 'over' });
    expect(words(reply)).toEqual(['done', 'done', 'wrong_state', 'not_owner', 'done']);
    expect(reply.outcomes.map((one) => one.operation !== null)).toEqual([true, true, false, false, false]);
    const { rows: found } = await sql<{ kind: string; outcome: string; parameters: unknown }>`
      select kind, outcome, parameters from operation order by id`.execute(cell.database.db);
    expect(found).toMatchObject([
      { kind: 'deploy', outcome: 'aborted' },
      { kind: 'erase', outcome: 'live', parameters: { quick: true } },
      { kind: 'erase', outcome: 'live', parameters: { quick: true } },
    ]);
    expect((await rows(ids)).map((row) => row.status)).toEqual([14, 14, 6, 6, 4]);
  });

  test('the same number of statements for one machine and for a chunk of them, deploying all', async () => {
    await clear();
    const ids = await cell.fleet(chunkSize, () => ({ status: 10, owner: 'ann' }));
    await sql`update machine set status = ${lifecycle.deploying.number}`.execute(cell.database.db);
    await sql`insert into operation (system_id, kind, plan_version, requested_by, deadline) select system_id, 'deploy', 1, 'ann', now() from machine`.execute(
      cell.database.db,
    );
    const cost = async (given: readonly string[]) => {
      const { value, statements } = await cell.database.countStatements(() => bulk('ann', 'release', given));
      expect(value).toMatchObject({ done: given.length, refused: 0 });
      return statements.length;
    };
    const one = await cost(ids.slice(0, 1));
    expect(one).toBe(11);
    expect(await cost(ids.slice(1))).toBe(one);
    expect((await rows(ids)).every((row) => row.status === lifecycle.releasing.number && row.operations === 2)).toBe(true);
  });

  test('a name that another kind of call has used is refused, and nothing is done', async () => {
    await clear();
    const ids = await cell.fleet(2, (n) => ({ status: n === 0 ? 0 : 6, owner: n === 0 ? null : 'admin' }));
    const [first = ''] = ids;
    expect(words(await bulk('admin', 'commission', [first], { bulk: 'rack-7' }))).toEqual(['done']);
    await sql`update operation set outcome = 'done'`.execute(cell.database.db);
    await sql`update machine set status = 10, owner = 'admin' where system_id = ${first}`.execute(cell.database.db);
    const reply = await bulk('admin', 'release', ids, { bulk: 'rack-7' });
    expect(words(reply)).toEqual(['idempotency_mismatch', 'done']);
    expect(reply.outcomes[0]?.error).toContain('Use another name.');
    expect((await rows([first]))[0]).toMatchObject({ status: 10, operations: 1 });
    // Erasing may have become the rule since: still the same call.
    expect(words(await bulk('admin', 'release', ids.slice(1), { bulk: 'rack-7', erase: 'true' }))).toEqual(['done']);
    expect((await rows(ids.slice(1)))[0]).toMatchObject({ operations: 1 });
  });

  test('a machine that changes while it is judged is judged again', async () => {
    await clear();
    const ids = await cell.fleet(20, () => ({ status: 6, owner: 'ann' }));
    const stir = async (): Promise<void> => {
      for (let n = 0; n < 10; n += 1)
        await cell.database.db
          .updateTable('machine')
          .set({ generation: sql<number>`generation + 1` })
          .where('system_id', '=', ids[n] ?? '')
          .execute();
    };
    const [reply] = await Promise.all([bulk('ann', 'release', ids), stir()]);
    expect(reply.done + reply.refused).toBe(20);
    for (const one of reply.outcomes) expect(['done', 'refused']).toContain(one.outcome);
    expect((await rows(ids)).filter((row) => row.status === lifecycle.releasing.number)).toHaveLength(reply.done);
    const [first, second] = await Promise.all([bulk('ann', 'release', ids), bulk('ann', 'release', ids)]);
    expect([first.done, second.done]).toEqual([20, 20]);
    expect((await rows(ids)).every((row) => row.operations === 1)).toBe(true);
  });
});

test('one machine that always changes holds up itself and no other', async () => {
  const ids = Array.from({ length: 40 }, (_, n) => `m${n}`);
  const restless = ids[17] ?? '';
  const done: string[] = [];
  const outcomes = await inChunks(cell.context, ids, false, async (_, chunk) => {
    if (chunk.includes(restless)) throw new LostRace('it changed');
    done.push(...chunk);
    return chunk.map((systemId) => ({ systemId, operation: null }));
  });
  expect(outcomes.filter((one) => 'refused' in one).map((one) => [one.systemId, 'refused' in one && one.refused.code])).toEqual([
    [restless, 'conflict'],
  ]);
  expect([done.length, new Set(done).size, outcomes.length]).toEqual([39, 39, 40]);
});

describe('limits', () => {
  test('sent again, a call goes on where it was, and pays for nothing twice', async () => {
    let now = 0;
    const own = await cellApi({ destructive: { perCall: 10, perMinute: 2, now: () => now } });
    try {
      const ids = await own.fleet(5, () => ({ status: 6, owner: 'ann' }));
      const release = async () =>
        words((await own.ask('ann', 'POST', 'machines/?op=bulk_release', { machines: ids, bulk: 'again' })).json<Reply>());
      const late = 'too_many_a_minute';
      expect(await release()).toEqual(['done', 'done', late, late, late]);
      expect(await release()).toEqual(['done', 'done', late, late, late]);
      now += 61_000;
      expect(await release()).toEqual(['done', 'done', 'done', 'done', late]);
      now += 61_000;
      expect(await release()).toEqual(['done', 'done', 'done', 'done', 'done']);
      expect(await release()).toEqual(['done', 'done', 'done', 'done', 'done']);
      // One of this minute's two is left.
      const [other = ''] = await own.fleet(1, () => ({ system_id: '33qbc44', hostname: 'other', status: 6, owner: 'ann' }));
      expect((await own.ask('ann', 'POST', `machines/${other}/?op=release`)).status).toBe(200);
    } finally {
      await own.close();
    }
  });

  test('of one call and of a minute; what there is room for is done', async () => {
    let now = 0;
    const own = await cellApi({ destructive: { perCall: 6, perMinute: 8, now: () => now } });
    try {
      const ids = await own.fleet(12, (n) => ({ status: n === 11 ? 4 : 6, owner: n === 11 ? null : 'ann' }));
      const release = (given: readonly string[]) => own.ask('ann', 'POST', 'machines/?op=bulk_release', { machines: given });
      const much = await release(ids.slice(0, 7));
      expect([much.status, much.headers['muster-error'], much.text]).toEqual([
        403,
        'too_many_machines',
        'This cell destroys or releases at most 6 machines with one call, and this names 7. Ask for fewer at a time, or raise destructive_per_call in the config of cell c17.',
      ]);
      expect((await release(ids.slice(0, 6))).json()).toMatchObject({ done: 6 });
      // What is released already uses nothing up.
      expect((await release([ids[11] ?? ''])).json()).toMatchObject({ done: 1 });
      const partly = (await release(ids.slice(6, 11))).json<Reply>();
      expect(words(partly)).toEqual(['done', 'done', 'too_many_a_minute', 'too_many_a_minute', 'too_many_a_minute']);
      const single = await own.ask('ann', 'POST', `machines/${ids[8]}/?op=release`);
      expect([single.status, single.headers['muster-error'], single.headers['retry-after']]).toEqual([429, 'too_many_a_minute', '60']);
      expect((await own.ask('ann', 'POST', 'machines/?op=release', { machines: ids.slice(8, 10) })).status).toBe(429);
      const deploy = await own.ask('ann', 'POST', `machines/${ids[11]}/?op=deploy`);
      expect([deploy.status, deploy.headers['muster-error']]).toEqual([429, 'too_many_a_minute']);
      now += 61_000;
      expect((await own.ask('ann', 'POST', `machines/${ids[11]}/?op=deploy`)).status).toBe(200);
      expect((await release(ids.slice(8, 11))).json()).toMatchObject({ done: 3 });
    } finally {
      await own.close();
    }
  });
});

describe('tags, zones and pools', () => {
  test('each machine says whether it has it now', async () => {
    await clear();
    const ids = await cell.fleet(4, (n) => ({ locked: n === 3 }));
    expect(await bulk('admin', 'tag', [...ids.slice(0, 2), '3333333'], { tag: 'gpu' })).toMatchObject({ done: 2, refused: 1 });
    expect(words(await bulk('admin', 'tag', ids, { tag: 'gpu' }))).toEqual(['done', 'done', 'done', 'done']);
    expect((await bulk('admin', 'untag', ids.slice(0, 1), { tag: 'gpu' })).done).toBe(1);
    const tagged = await cell.ask('ann', 'GET', 'machines/', { tags: 'gpu', fields: 'hostname' });
    expect(tagged.json<{ hostname: string }[]>().map((machine) => machine.hostname)).toEqual(['node-1', 'node-2', 'node-3']);
    const { rows: events } = await sql<{ n: number }>`select count(*)::int as n from event where type = 'tags_changed'`.execute(
      cell.database.db,
    );
    expect(events[0]?.n).toBe(5);
    expect(words(await bulk('admin', 'set_zone', ids, { zone: 'east' }))).toEqual(['done', 'done', 'done', 'wrong_state']);
    expect(words(await bulk('admin', 'set_pool', ids, { pool: 'lab' }))).toEqual(['done', 'done', 'done', 'wrong_state']);
    expect((await rows(ids)).map((row) => [row.zone_id, row.pool_id])).toEqual([
      [2, 7],
      [2, 7],
      [2, 7],
      [1, 0],
    ]);
    expect((await send('admin', 'tag', ids, { tag: 'unheard-of' })).status).toBe(404);
    expect((await send('admin', 'set_zone', ids, { zone: 'nowhere' })).json()).toEqual({ zone: ["No such zone: 'nowhere'."] });
    expect((await send('admin', 'set_pool', ids, { pool: '' })).status).toBe(400);
  });

  test('cost the same for one and for a chunk', async () => {
    await clear();
    const ids = await cell.fleet(chunkSize);
    for (const [op, more] of [
      ['tag', { tag: 'fast' }],
      ['untag', { tag: 'fast' }],
      ['set_zone', { zone: 'east' }],
      ['set_pool', { pool: 'lab' }],
    ] as const) {
      const cost = async (given: readonly string[]) =>
        (await cell.database.countStatements(() => bulk('admin', op, given, more))).statements.length;
      const one = await cost(ids.slice(0, 1));
      expect([op, one, await cost(ids.slice(1))]).toEqual([op, 3, 3]);
    }
  });
});
