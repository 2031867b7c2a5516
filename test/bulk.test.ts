/** 2,000 machines of three cells, commissioned, tagged and released with one call each through a front; one cell goes away on the way. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chunkSize } from '../src/cell/api/bulk-chunks.ts';
import type { CellTables } from '../src/cell/db/schema.ts';
import { addApiCommands } from '../src/cli/api-commands.ts';
import { writeProfiles } from '../src/cli/profile-file.ts';
import { systemIdOf } from '../src/contract/ids.ts';
import { lifecycle } from '../src/contract/lifecycle.ts';
import { cellNumber } from './api-context.ts';
import { cellApi, type CellApi, type Fields } from './cell-api.ts';
import type { TestDatabase } from './postgres.ts';
import { keyOf } from './through-front.ts';

let cell: CellApi;
let databases: TestDatabase<CellTables>[];
/** Uneven on purpose: the chunks of the cells are not full at the same time. */
const sizes = [1000, 700, 300];
const ids = sizes.map((size, at) => Array.from({ length: size }, (_, n) => systemIdOf(cellNumber + at, 100_000 + n) ?? ''));
/** As a caller has them: of all cells in turn. */
const all = Array.from({ length: 1000 }, (_, n) => ids.flatMap((list) => list[n] ?? [])).flat();

beforeAll(async () => {
  cell = await cellApi({ asked: 'front', others: 'mine' });
  databases = [cell.database, ...(cell.behind?.others ?? []).map((other) => other.database)];
  for (const [at, { db }] of databases.entries())
    await sql`
      insert into machine (system_id, hostname, domain_id, status, power_type)
      select id, 'm-' || n, (select id from domain limit 1), 0, 'manual'
      from unnest(${ids[at] ?? []}::text[]) with ordinality as t (id, n)`.execute(db);
});
afterAll(() => cell.close());

interface Reply {
  readonly bulk: string;
  readonly done: number;
  readonly refused: number;
  readonly unknown: number;
  readonly outcomes: readonly {
    readonly system_id: string;
    readonly outcome: string;
    readonly code: string | null;
    readonly error: string;
  }[];
}

const bulk = async (op: string, machines: readonly string[], more: Fields = {}): Promise<Reply> => {
  const reply = await cell.ask('admin', 'POST', `machines/?op=bulk_${op}`, { machines, ...more });
  expect(reply.status, reply.text.slice(0, 300)).toBe(200);
  return reply.json<Reply>();
};

/** How many statements each cell needs for it. */
async function counted<T>(work: () => Promise<T>): Promise<{ value: T; statements: number[] }> {
  const [one, ...more] = databases.toReversed();
  let run: () => Promise<{ value: T; statements: number[] }> = async () => {
    const { value, statements } = await one!.countStatements(work);
    return { value, statements: [statements.length] };
  };
  for (const database of more) {
    const inner = run;
    run = async () => {
      const { value, statements } = await database.countStatements(inner);
      return { value: value.value, statements: [statements.length, ...value.statements] };
    };
  }
  return run();
}
const chunks = sizes.map((size) => Math.ceil(size / chunkSize));
const perChunk = (statements: number) => chunks.map((count) => count * statements);

const statusCounts = async () =>
  (await cell.ask('admin', 'GET', 'machines/?op=summary')).json<{ by_status: Record<string, number> }>().by_status;
const summary = async (name: string) => (await cell.ask('admin', 'GET', 'operations/?op=summary', { bulk: name })).json();

describe('one call for 2,000 machines', () => {
  test('commissioning: some are in another state, some are nobody’s; all others begin', async () => {
    await databases[1]!.db
      .updateTable('machine')
      .set({ status: lifecycle.deployed.number, owner: 'bob' })
      .where('system_id', 'in', ids[1]!.slice(0, 3))
      .execute();
    const { value, statements } = await counted(() => bulk('commission', [...all, '3333333', 'nonsense'], { bulk: 'rack-7' }));
    expect(value).toMatchObject({ bulk: 'rack-7', done: 1997, refused: 5, unknown: 0 });
    expect(value.outcomes.map((one) => one.system_id)).toEqual([...all, '3333333', 'nonsense']);
    expect(value.outcomes.filter((one) => one.outcome === 'refused').map((one) => [one.system_id, one.code])).toEqual([
      ...ids[1]!.slice(0, 3).map((id) => [id, 'wrong_state']),
      ['3333333', 'not_found'],
      ['nonsense', 'not_found'],
    ]);
    expect(statements).toEqual(perChunk(5));
    expect(await statusCounts()).toEqual({ commissioning: 1997, deployed: 3 });
    expect(await summary('rack-7')).toEqual({
      operations: 1997,
      by_outcome: { live: 1997 },
      by_kind: { commission: 1997 },
      waits_for_hands: 0,
    });
  });

  test('progress: what has ended is counted as ended', async () => {
    await databases[0]!.db.updateTable('operation').set({ outcome: 'done' }).where('system_id', 'in', ids[0]!.slice(0, 400)).execute();
    await databases[2]!.db
      .updateTable('operation')
      .set({ outcome: 'failed', error: 'no answer' })
      .where('system_id', 'in', ids[2]!.slice(0, 5))
      .execute();
    expect(await summary('rack-7')).toMatchObject({ operations: 1997, by_outcome: { live: 1592, done: 400, failed: 5 } });
    const failed = await cell.ask('admin', 'GET', 'operations/', { bulk: 'rack-7', outcome: 'failed' });
    expect(failed.json<{ error: string }[]>().map((operation) => operation.error)).toEqual(Array.from({ length: 5 }, () => 'no answer'));
  });

  test('from the command line: from a file, with every machine that was not done by name', async () => {
    for (const { db } of databases) await sql`update operation set outcome = 'done', error = ''`.execute(db);
    const folder = await mkdtemp(join(tmpdir(), 'muster-bulk-'));
    const ids = join(folder, 'ids');
    const profileFile = join(folder, 'profiles.json');
    await writeProfiles(profileFile, { current: 'front', profiles: { front: { url: cell.behind?.url ?? '', key: keyOf('admin') } } });
    let said = '';
    const run = async (line: string): Promise<string> => {
      said = '';
      const program = new Command('./muster').exitOverride();
      addApiCommands(program, { profileFile, write: (text) => (said += text) });
      await program.parseAsync(line.split(' ').slice(1), { from: 'user' });
      return said;
    };
    await writeFile(ids, `${await run('./muster machines read status=commissioning fields=system_id limit=3')}nonsense\n`);
    await expect(run(`./muster machines bulk-commission --from ${ids} --watch bulk=rack-7`)).rejects.toThrow(
      '1 of 4 machines were not done.',
    );
    expect(said.split('\n').slice(0, 3)).toEqual([
      'bulk rack-7: 3 done, 1 refused, 0 unknown',
      'nonsense  refused: No Machine matches the given query.',
      '1997 operations: 1997 done',
    ]);
    expect(await run('./muster operations read bulk=rack-7 outcome=failed')).toBe('None.\n');
    await rm(folder, { recursive: true });
  });

  test('tagging, and into a pool', async () => {
    const { value, statements } = await counted(() => bulk('tag', all, { tag: 'gpu' }));
    expect(value).toMatchObject({ done: 2000, refused: 0 });
    expect(statements).toEqual(perChunk(3));
    expect((await bulk('set_pool', all, { pool: 'lab' })).done).toBe(2000);
    expect((await cell.ask('admin', 'GET', 'machines/?op=summary', { tags: 'gpu', pool: 'lab' })).json()).toMatchObject({ machines: 2000 });
  });

  test('releasing while a cell is away: its machines are refused by name, the others are released', async () => {
    for (const { db } of databases) {
      await sql`update operation set outcome = 'done'`.execute(db);
      await sql`update machine set status = ${lifecycle.deployed.number}, owner = 'ann'`.execute(db);
    }
    await cell.behind?.others[1]?.stop();
    const { value, statements } = await counted(() => bulk('release', all, { bulk: 'going' }));
    expect(value).toMatchObject({ done: 1700, refused: 300, unknown: 0 });
    const refused = value.outcomes.filter((one) => one.outcome === 'refused');
    expect(refused.map((one) => one.system_id)).toEqual(ids[2]);
    expect(refused[0]).toMatchObject({ code: 'cell_absent', error: 'Cell c19 does not answer; nothing was asked of it.' });
    expect(statements).toEqual([chunks[0]! * 6, chunks[1]! * 6, 0]);
    // Sent again, nothing is done twice.
    expect(await bulk('release', all, { bulk: 'going' })).toMatchObject({ done: 1700, refused: 300 });
    const live = await Promise.all(
      databases.map(
        async ({ db }) => (await sql<{ n: number }>`select count(*)::int as n from operation where bulk = 'going'`.execute(db)).rows[0]?.n,
      ),
    );
    expect(live).toEqual([1000, 700, 0]);
  });

  test('MAAS’s own call stays all or nothing: nothing is begun while a cell is away', async () => {
    await sql`update operation set outcome = 'done'`.execute(databases[0]!.db);
    await sql`update machine set status = ${lifecycle.deployed.number}`.execute(databases[0]!.db);
    const reply = await cell.ask('admin', 'POST', 'machines/?op=release', { machines: [ids[0]![0]!, ids[2]![0]!] });
    expect([reply.status, reply.headers['muster-error']]).toEqual([503, 'cell_absent']);
    expect(
      (await databases[0]!.db.selectFrom('machine').select('status').where('system_id', '=', ids[0]![0]!).executeTakeFirstOrThrow()).status,
    ).toBe(lifecycle.deployed.number);
  });
});
