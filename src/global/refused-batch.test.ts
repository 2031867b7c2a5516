// Whatever is done to a batch on its way, it is refused whole, reported, and leaves everything as it was; the good one that comes after it is
// applied.
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { sealBatch, type Batch } from './batch.ts';
import type { GlobalTables } from './db/global-tables.ts';
import { globalMigrations } from './migrations.ts';
import { databaseReplica, memoryReplica, type FindingDoor, type Replica } from './replica.ts';
import { beginning } from './revision.ts';
import { seal } from './seal.ts';
import { generateSigningKey } from './signing-key.ts';

const hub = generateSigningKey();
const stranger = generateSigningKey();
const largest = 20_000;

const at = (n: number) => ({ epoch: 1, n });
/** Change number `n`: it gives a zone, a gadget of the future, or takes the zone of three changes ago away. */
const document = (n: number): Batch['documents'][number] => ({
  kind: n % 3 === 1 ? 'gadget' : 'zone',
  id: String(n - (n % 3)),
  revision: at(n),
  retired: n % 5 === 0,
  body: { id: n - (n % 3), name: `z${n - (n % 3)}`, description: `${n}`, fromTheFuture: { deep: [n] } },
});
const changes = (from: number, to: number): Batch => ({
  stream: 'config',
  form: 'changes',
  from: at(from),
  to: at(to),
  documents: Array.from({ length: to - from }, (_, n) => document(from + n + 1)),
});
const snapshot = (to: number): Batch => {
  const latest = new Map(Array.from({ length: to }, (_, n) => [`${document(n + 1).kind} ${document(n + 1).id}`, document(n + 1)]));
  const documents = [...latest.values()].sort((a, b) => a.revision.n - b.revision.n);
  return { stream: 'config', form: 'snapshot', from: beginning, to: at(to), documents };
};
const sealed = (batch: Batch): string => sealBatch(hub.privateKey, batch);
const parts = (text: string): [string, string] => text.split('.') as [string, string];

/** What may happen to a good batch of `n` to `n + 2`, besides the change of single letters. `at`, `letter`: drawn. */
const mutations: Readonly<Record<string, (n: number, at: number, letter: string) => string>> = {
  nothing: () => '',
  unsigned: (n) => parts(sealed(changes(n, n + 2)))[0],
  'its JSON, in clear': (n) => JSON.stringify(changes(n, n + 2)),
  "a stranger's": (n) => sealBatch(stranger.privateKey, changes(n, n + 2)),
  'signed for another use': (n) => seal(hub.privateKey, 'session', changes(n, n + 2)),
  "another batch's signature": (n) => `${parts(sealed(changes(n, n + 2)))[0]}.${parts(sealed(changes(n, n + 1)))[1]}`,
  'of the other stream': (n) => sealed({ ...changes(n, n + 2), stream: 'access' }),
  older: (n) => sealed(changes(n - 1, n - 1)),
  'an older snapshot': (n) => sealed(snapshot(n - 1)),
  'with a gap': (n) => sealed(changes(n + 1, n + 3)),
  'with an overlap': (n) => sealed(changes(n - 1, n + 2)),
  'of an epoch that is over': (n) => sealed({ ...snapshot(n + 5), to: { epoch: 0, n: n + 5 } }),
  'with documents beyond its end': (n) => sealed({ ...changes(n, n + 2), documents: changes(n, n + 3).documents }),
  'out of order': (n) => sealed({ ...changes(n, n + 2), documents: changes(n, n + 2).documents.toReversed() }),
  'signed, of another shape': (n) => seal(hub.privateKey, 'batch', { ...changes(n, n + 2), documents: 'all' }),
  'signed, no object': () => seal(hub.privateKey, 'batch', [1, 2]),
  'with a user in the config stream': (n) => sealed({ ...changes(n, n + 2), documents: [{ ...document(n + 1), kind: 'user' }] }),
  oversized: (n) => sealed({ ...changes(n, n + 1), documents: [{ ...document(n + 1), body: { x: 'x'.repeat(largest) } }] }),
  'cut off': (n, place) => sealed(changes(n, n + 2)).slice(0, place % sealed(changes(n, n + 2)).length),
  'with something behind': (n, _, letter) => `${sealed(changes(n, n + 2))}${letter}`,
  'with something in front': (n, _, letter) => letter + sealed(changes(n, n + 2)),
  twice: (n) => sealed(changes(n, n + 2)).repeat(2),
  'with one letter changed': (n, place, letter) => {
    const [payload, signature] = parts(sealed(changes(n, n + 2)));
    const where = place % payload.length;
    const other = payload[where] === letter ? '-' : letter;
    return `${payload.slice(0, where)}${other}${payload.slice(where + 1)}.${signature}`;
  },
};

type Step = readonly ['good', number] | readonly ['bad', string, number, string];
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constant('good' as const), fc.integer({ min: 1, max: 3 })),
  fc.tuple(
    fc.constant('bad' as const),
    fc.constantFrom(...Object.keys(mutations)),
    fc.nat({ max: 5_000 }),
    fc.constantFrom('A', '_', '9', '.', ' ', '\n', '\0', 'é'),
  ),
);

async function holds(replica: Replica, found: Parameters<FindingDoor['report']>[0][], steps: readonly Step[]): Promise<void> {
  // Behind the start, so that there is something older.
  expect(await replica.accept('config', sealed(snapshot(3)))).toBe('apply');
  let n = 3;
  found.length = 0;
  for (const one of steps) {
    const before = replica.memory.documents('config');
    if (one[0] === 'good') {
      expect(await replica.accept('config', sealed(changes(n, n + one[1])))).toBe('apply');
      n += one[1];
    } else {
      const text = mutations[one[1]]!(n, one[2], one[3]);
      expect([one[1], await replica.accept('config', text)]).toEqual([one[1], 'refuse']);
      expect(replica.memory.documents('config')).toEqual(before);
      expect(found.splice(0)).toMatchObject([{ kind: 'refused_batch', subject: 'config', data: { revision: `1.${n}` } }]);
    }
    expect(replica.memory.revision('config')).toEqual(at(n));
    expect(replica.memory.documents('config')).toEqual(snapshot(n).documents.map((each) => ({ ...each, stream: 'config' })));
  }
  expect(found).toEqual([]);
}

const steps = fc.array(step, { minLength: 1, maxLength: 12 });

test('each of these mutations is refused', async () => {
  const found: Parameters<FindingDoor['report']>[0][] = [];
  const replica = memoryReplica({ hubKey: hub.publicKey, findings: { report: (finding) => void found.push(finding) }, largest });
  const all = holds(
    replica,
    found,
    Object.keys(mutations).flatMap((name): Step[] => [
      ['bad', name, 1_234, 'A'],
      ['good', 1],
    ]),
  );
  await expect(all).resolves.toBeUndefined();
});

test('in any order between good ones, in memory', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (given) => {
      const found: Parameters<FindingDoor['report']>[0][] = [];
      await holds(
        memoryReplica({ hubKey: hub.publicKey, findings: { report: (finding) => void found.push(finding) }, largest }),
        found,
        given,
      );
    }),
    { numRuns: 200 },
  );
});

describe('in PostgreSQL', () => {
  let database: TestDatabase<GlobalTables>;
  beforeAll(async () => {
    database = await testDatabase<GlobalTables>([globalMigrations]);
  });
  afterAll(() => database.drop());
  const open = async (found: Parameters<FindingDoor['report']>[0][]): Promise<Replica> =>
    databaseReplica(database, { hubKey: hub.publicKey, findings: { report: (finding) => void found.push(finding) }, largest });
  const empty = () => sql`truncate global_change, global_document, global_revision`.execute(database.db);

  test('in any order between good ones', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (given) => {
        await empty();
        const found: Parameters<FindingDoor['report']>[0][] = [];
        await holds(await open(found), found, given);
      }),
      { numRuns: 25 },
    );
  });

  test('what a program cannot read is kept whole, field by field, for the newer program that comes after it', async () => {
    await empty();
    const old = await open([]);
    const body = { id: 7, name: 'later', description: '', lease: { until: '2031-01-01', by: ['x', null, 1.5, true] } };
    const of = (kind: string, id: string, n: number, what: Record<string, unknown>): Batch['documents'][number] => ({
      kind,
      id,
      revision: at(n),
      retired: false,
      body: what,
    });
    const documents = [of('gadget', 'g/1', 1, body), of('zone', '7', 2, body), of('zone', '8', 3, { id: 8, title: 'no name any more' })];
    expect(await old.accept('config', sealed({ ...snapshot(3), documents }))).toBe('apply');
    // It goes on with what it can read.
    expect(old.memory.list('zone')).toEqual([body]);
    const next = { ...body, description: 'changed', more: 1 };
    const change: Batch = { ...changes(3, 4), documents: [of('gadget', 'g/1', 4, next)] };
    expect(await old.accept('config', sealed(change))).toBe('apply');
    // The newer program starts on the same database, with no hub about: all is there that the hub ever sent.
    const newer = await open([]);
    expect(newer.memory.documents('config').map(({ kind, id, body: kept }) => [kind, id, kept])).toEqual([
      ['zone', '7', body],
      ['zone', '8', { id: 8, title: 'no name any more' }],
      ['gadget', 'g/1', next],
    ]);
  });
});
