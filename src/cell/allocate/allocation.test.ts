/** Allocation over HTTP: one machine for each caller, the cheapest that fits, and nothing for a claim that is not confirmed. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sql } from 'kysely';
import { cellApi, type CellApi, type Fields, type Person } from '../../../test/cell-api.ts';
import { through } from '../../../test/through-front.ts';
import { openDatabase } from '../../postgres/database.ts';
import { careForClaims } from '../claim-care.ts';
import { forgetClaims, freeUnconfirmed, tellUndelivered } from '../db/claim-store.ts';
import type { CellTables } from '../db/schema.ts';

let cell: CellApi;
beforeAll(async () => {
  cell = await cellApi();
});
afterAll(() => cell.close());
beforeEach(async () => {
  await sql`delete from machine`.execute(cell.database.db);
});

const op = (who: Person, name: string, fields: Fields = {}, headers: Record<string, string> = {}) =>
  cell.ask(who, 'POST', `machines/?op=${name}`, fields, headers);
/** What only fronts call. */
const own = (who: Person, name: string, fields: Fields = {}) => cell.askCell(who, 'POST', `machines/?op=${name}`, fields);
const idOf = (reply: { json(): Record<string, unknown> }) => String(reply.json()['system_id']);

describe('direct', () => {
  test('the cheapest that fits; never what is owned, locked, or not Ready', async () => {
    const ids = await cell.fleet(7, (n) => ({
      cpu_count: [8, 2, 2, 1, 1, 1, 4][n] ?? 0,
      memory: [1024, 4096, 2048, 512, 512, 512, 65_536][n] ?? 0,
      locked: n === 3,
      owner: n === 4 ? 'bob' : null,
      status: n === 5 ? 22 : 4,
    }));
    const first = await op('ann', 'allocate', { agent_name: 'juju', comment: 'for me' });
    expect(first.json()).toMatchObject({ system_id: ids[2], status_name: 'Allocated', owner: 'ann', constraints_by_type: {} });
    expect(idOf(await op('ann', 'allocate', { mem: '4096' }))).toBe(ids[1]);
    expect(idOf(await op('ann', 'allocate', { cpu_count: '3', dry_run: 'true' }))).toBe(ids[0]);
    expect(idOf(await op('ann', 'allocate', { cpu_count: '3' }))).toBe(ids[0]);
    expect(idOf(await op('bob', 'allocate', { name: 'node-6.c17.example' }))).toBe(ids[6]);
    const none = await op('ann', 'allocate', { mem: '1' });
    expect([none.status, none.headers['retry-after'], none.headers['content-type']]).toEqual([409, undefined, 'text/plain; charset=utf-8']);
    expect(none.text).toBe(
      `No available machine matches constraints: [('mem', ['1'])] (resolved to "mem=1.0")\n${
        through === 'front' ? 'Cell c17: 0 ready.\nCell c18: 0 ready.\nCell c19: 0 ready.' : 'No machine is Ready and free.'
      }`,
    );
    const { rows } = await sql`select type, username, description from event where system_id = ${ids[2]} order by id`.execute(
      cell.database.db,
    );
    expect(rows).toMatchObject([
      { type: 'machine_allocated', username: 'ann', description: '(ann) - for me' },
      { type: 'status_changed', username: 'ann' },
    ]);
  });

  test('by zone, pool, tags and architecture', async () => {
    const ids = await cell.fleet(4, (n) => ({
      zone_id: n % 2 === 0 ? 1 : 2,
      pool_id: n < 2 ? 0 : 7,
      architecture: n === 3 ? 'arm64/generic' : 'amd64/generic',
    }));
    await cell.database.db
      .insertInto('machine_tag')
      .values([
        { system_id: ids[1] ?? '', tag_id: 21 },
        { system_id: ids[3] ?? '', tag_id: 21 },
      ])
      .execute();
    expect(idOf(await op('ann', 'allocate', { dry_run: 'true', zone: 'east', tags: 'gpu', not_arch: 'arm64' }))).toBe(ids[1]);
    expect(idOf(await op('ann', 'allocate', { dry_run: 'true', pool: 'lab', not_tags: 'gpu' }))).toBe(ids[2]);
    expect(idOf(await op('ann', 'allocate', { dry_run: 'true', not_in_pool: 'default', arch: 'arm64/generic' }))).toBe(ids[3]);
    expect((await op('ann', 'allocate', { tags: ['gpu', 'fast'] })).text).toMatch(
      through === 'front' ? /\nCell c17: 4 ready; tags rules out 4\.\n/ : /\n4 machines are Ready and free; ruled out by tags 4\.$/,
    );
    expect((await op('ann', 'allocate', { zone: 'nowhere' })).status).toBe(400);
    expect((await op('ann', 'allocate', { colour: 'red' })).json()).toEqual({ colour: ['No such constraint.'] });
  });

  test('the same key gets the same machine, also while the first call is under way', async () => {
    await cell.fleet(5);
    const key = { 'idempotency-key': 'mine' };
    const replies = await Promise.all([1, 2, 3].map(() => op('ann', 'allocate', { mem: '1' }, key)));
    expect(new Set(replies.map(idOf)).size).toBe(1);
    expect((await op('ann', 'allocate', { mem: '2' }, key)).headers['muster-error']).toBe('idempotency_mismatch');
    expect(idOf(await op('bob', 'allocate', { mem: '1' }, key))).not.toBe(replies[0] && idOf(replies[0]));
  });

  test('a key that got nothing is not used up', async () => {
    const key = { 'idempotency-key': 'later' };
    expect((await op('ann', 'allocate', {}, key)).status).toBe(409);
    await cell.fleet(1);
    expect((await op('ann', 'allocate', {}, key)).status).toBe(200);
  });

  // Through a front each allocation is four calls to cells.
  const many = through === 'front' ? 200 : 1_000;
  test(`64 clients at once over ${many} machines get ${many} different ones, in two statements each`, async () => {
    const ids = await cell.fleet(many, (n) => ({ cpu_count: 1 + (n % 7) }));
    const taken: string[] = [];
    let refused = 0;
    const client = async (): Promise<void> => {
      for (;;) {
        const { value, statements } = await cell.database.countStatements(() => op('ann', 'allocate', { mem: '1024' }));
        if (value.status !== 200) {
          expect(value.status).toBe(409);
          refused += 1;
          return;
        }
        // Take and tell, then the body. One more try only where all were held by others.
        expect(statements.length).toBeLessThanOrEqual(through === 'front' ? 8 : 3);
        taken.push(idOf(value));
      }
    };
    await Promise.all(Array.from({ length: 64 }, client));
    expect(refused).toBe(64);
    expect(taken.toSorted()).toEqual(ids.toSorted());
    const alone = await cell.fleet(0);
    expect(alone).toEqual([]);
  });

  test('taking is one statement, and the index is what it walks', async () => {
    await cell.fleet(1);
    const { statements } = await cell.database.countStatements(() => op('ann', 'allocate'));
    // Asking, claiming and confirming are the front's; a bare cell takes in one go.
    expect(statements).toHaveLength(through === 'front' ? 5 : 2);
    await sql`insert into machine (system_id, hostname, domain_id, status, cpu_count)
              select 'x' || lpad(n::text, 6, '0'), 'many-' || n, (select id from domain limit 1), case when n % 10 = 0 then 4 else 6 end, n % 64 from generate_series(1, 5000) n`.execute(
      cell.database.db,
    );
    await sql`analyze machine`.execute(cell.database.db);
    const take = statements.find((statement) => statement.includes('skip locked')) ?? '';
    const body = take.slice(take.indexOf('select'), take.indexOf('for update'));
    const { rows } = await sql<{ 'QUERY PLAN': string }>`explain ${sql.raw(body)}`.execute(cell.database.db);
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toContain('machine_allocatable');
  });

  test('spread over zones: evenly, of one agent_name or of all, and never where nothing fits', async () => {
    await cell.fleet(8, (n) => ({ zone_id: n < 4 ? 1 : 2, cpu_count: n + 1, memory: n === 3 ? 16_384 : 1024 }));
    const zones: unknown[] = [];
    const take = async (fields: Fields) => {
      const reply = await op('ann', 'allocate', { spread: 'zone', ...fields });
      zones.push(reply.json<{ zone: { name: string } }>().zone.name);
    };
    for (const agent_name of ['one', 'one', 'one', 'two']) await take({ agent_name });
    expect(zones).toEqual(['default', 'east', 'default', 'default']);
    await take({});
    await take({ mem: '8192' });
    expect(zones.slice(4)).toEqual(['east', 'default']);
    expect((await op('ann', 'allocate', { spread: 'cell', dry_run: 'true' })).json()).toMatchObject({ zone: { name: 'east' } });
    expect((await op('ann', 'allocate', { spread: 'rack' })).status).toBe(400);
  });

  test('a machine whose row somebody holds for a moment is waited for, not missed', async () => {
    const [id] = await cell.fleet(1);
    const other = openDatabase<CellTables>({ ...cell.database.address, applicationName: 'holder' });
    try {
      let reply: ReturnType<typeof op> | undefined;
      await other.transaction(async (tx) => {
        await tx
          .updateTable('machine')
          .set({ power_state: 'off' })
          .where('system_id', '=', id ?? '')
          .execute();
        reply = op('ann', 'allocate', { system_id: id ?? '' });
        await new Promise((resolve) => setTimeout(resolve, 150));
      });
      expect((await reply)?.status).toBe(200);
    } finally {
      await other.close();
    }
  });
});

describe('ask, claim, confirm', () => {
  test('asking takes nothing and says what rules out how many', async () => {
    const ids = await cell.fleet(4, (n) => ({ memory: 1024 * (n + 1), zone_id: n === 3 ? 2 : 1 }));
    expect((await own('ann', 'ask', { mem: '2048', zone: 'default' })).json()).toEqual({
      best: { system_id: ids[1], cost: 6 },
      ready: 4,
      matching: 2,
      ruled_out: { mem: 1, zone: 1 },
    });
    expect((await own('ann', 'ask', { mem: '99999' })).json()).toMatchObject({ best: null, matching: 0, ruled_out: { mem: 4 } });
    expect((await own('ann', 'ask')).json()).toMatchObject({ ready: 4, matching: 4, ruled_out: {} });
  });

  test('a claim gets one machine, however often it is sent; confirming keeps it', async () => {
    await cell.fleet(3);
    const claim = randomUUID();
    const replies = await Promise.all([1, 2, 3].map(() => own('ann', 'claim', { claim, mem: '1024', agent_name: 'front' })));
    expect(new Set(replies.map(idOf)).size).toBe(1);
    expect(replies[0]?.json()).toMatchObject({ claim, expires_in: 30 });
    expect((await own('bob', 'claim', { claim })).status).toBe(409);
    expect((await own('bob', 'confirm', { claim })).headers['muster-error']).toBe('claim_refused');
    const confirmed = await own('ann', 'confirm', { claim });
    expect(confirmed.json()).toMatchObject({ owner: 'ann', status_name: 'Allocated' });
    expect((await own('ann', 'confirm', { claim })).status).toBe(200);
    expect((await own('ann', 'confirm', { claim: 'no-uuid' })).status).toBe(409);
    expect((await own('ann', 'claim', { claim: 'no-uuid' })).status).toBe(400);
  });

  test('what nobody confirmed is free again, what was confirmed is not', async () => {
    await cell.fleet(2);
    const [lost, kept] = [randomUUID(), randomUUID()];
    const one = idOf(await own('ann', 'claim', { claim: lost }));
    const two = idOf(await own('ann', 'claim', { claim: kept }));
    expect((await own('ann', 'claim', { claim: randomUUID() })).status).toBe(409);
    await own('ann', 'confirm', { claim: kept });
    expect(await freeUnconfirmed(cell.database)).toBe(0);
    await sql`update machine set confirm_by = now() - interval '1 second' where claim_id = ${lost}::uuid`.execute(cell.database.db);
    expect((await Promise.all([freeUnconfirmed(cell.database), freeUnconfirmed(cell.database)])).toSorted()).toEqual([0, 1]);
    expect((await own('ann', 'confirm', { claim: lost })).status).toBe(409);
    expect((await cell.ask('ann', 'GET', `machines/${one}/`)).json()).toMatchObject({ status_name: 'Ready', owner: null });
    expect((await cell.ask('ann', 'GET', `machines/${two}/`)).json()).toMatchObject({ status_name: 'Allocated', owner: 'ann' });
    expect((await op('bob', 'allocate', { system_id: one })).status).toBe(200);
  });

  test('an offer says what is needed to spread, and what a key stands for', async () => {
    await cell.fleet(3, (n) => ({ pool_id: n === 2 ? 7 : 0, owner: n === 0 ? 'ann' : null, cpu_count: 4, memory: 1024 * (n + 1) }));
    const groups = [
      { name: 'default', held: 1, cost: 6 },
      { name: 'lab', held: 0, cost: 7 },
    ];
    expect((await own('ann', 'ask', { spread: 'pool' })).json()).toMatchObject({ groups });
    expect((await own('ann', 'ask', { spread: 'cell', agent_name: 'x' })).json()).toMatchObject({
      groups: [{ name: '', held: 0, cost: 6 }],
    });
    const claim = randomUUID();
    const key = { 'idempotency-key': 'k' };
    const settle = (request: string) =>
      cell.askCell('ann', 'POST', 'machines/?op=settle_key', { cell: '17', claim, system_id: 'abc3467', request }, key);
    expect((await settle('r')).json()).toEqual({ cell: 17, claim, system_id: 'abc3467', request: 'r' });
    const asked = await cell.askCell('ann', 'POST', 'machines/?op=ask', {}, key);
    expect(asked.json()).toMatchObject({ settled: { cell: 17, claim, request: 'r' } });
    expect((await cell.askCell('bob', 'POST', 'machines/?op=ask', {}, key)).json()['settled']).toBeUndefined();
    expect((await settle('other')).headers['muster-error']).toBe('idempotency_mismatch');
    // A key is one thing, whichever way a call comes.
    expect((await cell.askCell('ann', 'POST', 'machines/?op=allocate', {}, key)).headers['muster-error']).toBe('idempotency_mismatch');
  });

  test('a claim that was freed never takes a machine again, however late it comes', async () => {
    await cell.fleet(2);
    const [freed, late] = [randomUUID(), randomUUID()];
    await own('ann', 'claim', { claim: freed });
    expect((await own('ann', 'free_claim', { claim: freed })).json()).toEqual({ claim: freed, state: 'over' });
    expect((await own('ann', 'free_claim', { claim: late })).json()).toEqual({ claim: late, state: 'over' });
    for (const claim of [freed, late]) {
      expect((await own('ann', 'claim', { claim })).headers['muster-error']).toBe('claim_refused');
      expect((await own('ann', 'confirm', { claim })).headers['muster-error']).toBe('claim_refused');
    }
    expect((await own('bob', 'free_claim', { claim: late })).status).toBe(409);
    expect((await own('ann', 'ask')).json()).toMatchObject({ ready: 2 });
    await forgetClaims(cell.database.db);
    expect((await own('ann', 'claim', { claim: late })).status).toBe(409);
    await sql`update claim set since = now() - interval '2 hours'`.execute(cell.database.db);
    await forgetClaims(cell.database.db);
    expect((await sql`select from claim where id = ${late}::uuid`.execute(cell.database.db)).rows).toEqual([]);
  });

  test('a claim is two statements, a confirm one and the machine', async () => {
    await cell.fleet(1);
    const claim = randomUUID();
    const claimed = await cell.database.countStatements(() => own('ann', 'claim', { claim }));
    const confirmed = await cell.database.countStatements(() => own('ann', 'confirm', { claim }));
    expect([claimed.value.status, confirmed.value.status]).toEqual([200, 200]);
    const shown = await cell.database.countStatements(() => cell.ask('ann', 'GET', `machines/${idOf(claimed.value)}/`));
    expect([claimed.statements.length, confirmed.statements.length]).toEqual([2, 1 + shown.statements.length]);
  });

  test('what cannot be listed or forgotten keeps no machine from being freed', async () => {
    const [id] = await cell.fleet(1);
    const claim = randomUUID();
    await own('ann', 'claim', { claim });
    await sql`update machine set confirm_by = now() - interval '1 second' where claim_id = ${claim}::uuid`.execute(cell.database.db);
    await sql`alter table finding rename to finding_away`.execute(cell.database.db);
    await sql`alter table idempotency rename to idempotency_away`.execute(cell.database.db);
    try {
      await expect(careForClaims(cell.database)).rejects.toThrow('finding');
    } finally {
      await sql`alter table finding_away rename to finding`.execute(cell.database.db);
      await sql`alter table idempotency_away rename to idempotency`.execute(cell.database.db);
    }
    const { rows } = await sql<{ status: number }>`select status from machine where system_id = ${id}`.execute(cell.database.db);
    expect(rows).toEqual([{ status: 4 }]);
    expect(await careForClaims(cell.database)).toBe(0);
  });

  test('what was confirmed and never delivered is listed, until the front says so or the owner does something with it', async () => {
    const ids = await cell.fleet(3);
    const claims = ids.map(() => randomUUID());
    for (const claim of claims) {
      await own('ann', 'claim', { claim });
      await own('ann', 'confirm', { claim });
    }
    const listed = async () => {
      await tellUndelivered(cell.database);
      const reply = await cell.ask('ann', 'GET', 'findings/', { kind: 'undelivered_allocation' });
      return reply.json<{ subject: string; count: number }[]>().map(({ subject, count }) => [subject, count]);
    };
    await own('ann', 'mark_delivered', { claim: claims[0] ?? '' });
    expect(await listed()).toEqual([]);
    await sql`update claim set since = now() - interval '2 minutes'`.execute(cell.database.db);
    expect((await listed()).toSorted()).toEqual([ids[1], ids[2]].map((id) => [id, 1]).toSorted());
    expect(await listed()).toHaveLength(2);
    expect((await cell.ask('ann', 'POST', `machines/${ids[1] ?? ''}/?op=set_owner_data`, { mine: 'yes' })).status).toBe(200);
    expect(await listed()).toEqual([[ids[2], 1]]);
    await own('ann', 'mark_delivered', { claim: claims[2] ?? '' });
    expect(await listed()).toEqual([]);
  });
});
