import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { Authority } from './authority.ts';
import { judgeBatch, sealBatch, type Batch } from './batch.ts';
import type { GlobalTables } from './db/global-tables.ts';
import type { GlobalMemory } from './memory.ts';
import { globalMigrations } from './migrations.ts';
import { databaseReplica, memoryReplica, type Replica, type ReplicaOptions } from './replica.ts';
import { compareRevisions, type Revision } from './revision.ts';
import { generateSigningKey } from './signing-key.ts';

const hub = generateSigningKey();
const stranger = generateSigningKey();

interface Change {
  readonly kind: string;
  readonly id: string;
  readonly retired: boolean;
  readonly body: Record<string, unknown>;
}

/** Kinds that are known, a known kind with a body that cannot be read, and one from the future. */
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ id: fc.nat({ max: 4 }), name: fc.constantFrom('a', 'b', 'c'), retired: fc.boolean() }).map(({ id, name, retired }) => ({
    kind: 'zone',
    id: String(id),
    retired,
    body: { id, name, description: '', fromTheFuture: [1, { x: null }] },
  })),
  fc.record({ id: fc.constantFrom('1', 'x'), retired: fc.boolean() }).map((it) => ({ kind: 'zone', ...it, body: { name: 5 } })),
  fc
    .record({ id: fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme-ascii' }), retired: fc.boolean() })
    .map((it) => ({ kind: 'gadget', ...it, body: { deep: [it.id] } })),
);

/** A hub in a few lines: a log, and whatever batch anyone asks of it. */
function hubWith(log: readonly Change[], epoch: number) {
  const document = (at: number): Batch['documents'][number] => ({ ...log[at - 1]!, revision: { epoch, n: at } });
  return {
    changes: (from: number, to: number): Batch => ({
      stream: 'config',
      form: 'changes',
      from: { epoch, n: from },
      to: { epoch, n: to },
      documents: Array.from({ length: to - from }, (_, at) => document(from + at + 1)),
    }),
    snapshot: (to: number): Batch => {
      const latest = new Map<string, Batch['documents'][number]>();
      for (let at = 1; at <= to; at += 1) latest.set(JSON.stringify([log[at - 1]!.kind, log[at - 1]!.id]), document(at));
      const documents = [...latest.values()].sort((a, b) => compareRevisions(a.revision, b.revision));
      return { stream: 'config', form: 'snapshot', from: { epoch: 0, n: 0 }, to: { epoch, n: to }, documents };
    },
  };
}

type Message = {
  readonly epoch: 1 | 2;
  readonly form: 'changes' | 'snapshot';
  readonly a: number;
  readonly b: number;
  readonly spoil: 'no' | 'stranger' | 'bit' | 'cut' | 'text';
};

const message: fc.Arbitrary<Message> = fc.record({
  epoch: fc.constantFrom(1 as const, 1 as const, 2 as const),
  form: fc.constantFrom('changes' as const, 'changes' as const, 'snapshot' as const),
  a: fc.nat({ max: 12 }),
  b: fc.nat({ max: 12 }),
  spoil: fc.constantFrom('no' as const, 'no' as const, 'no' as const, 'stranger' as const, 'bit' as const, 'cut' as const, 'text' as const),
});

function textOf({ form, a, b, spoil }: Message, source: ReturnType<typeof hubWith>): string {
  const batch = form === 'changes' ? source.changes(Math.min(a, b), Math.max(a, b)) : source.snapshot(Math.max(a, b));
  const text = sealBatch(spoil === 'stranger' ? stranger.privateKey : hub.privateKey, batch);
  const middle = Math.floor(text.length / 3);
  if (spoil === 'bit') return text.slice(0, middle) + (text[middle] === 'A' ? 'B' : 'A') + text.slice(middle + 1);
  if (spoil === 'cut') return text.slice(0, middle);
  return spoil === 'text' ? `{"${a}": null}` : text;
}

/** What a replica at `to` must hold: exactly the hub's state there. */
function stateAt(source: ReturnType<typeof hubWith>, to: number) {
  return source.snapshot(to).documents.map((document) => ({ ...document, stream: 'config' }));
}

const quiet = { report: () => undefined };

async function behaves(replica: Replica, log: readonly Change[], messages: readonly Message[]): Promise<void> {
  const sources = { 1: hubWith(log, 1), 2: hubWith(log.toReversed(), 2) };
  let before: Revision = replica.memory.revision('config');
  for (const one of messages) {
    const verdict = await replica.accept('config', textOf(one, sources[one.epoch]));
    const after = replica.memory.revision('config');
    expect(compareRevisions(after, before)).toBeGreaterThanOrEqual(0);
    if (one.spoil !== 'no') expect(verdict).toBe('refuse');
    if (verdict !== 'apply') expect(after).toEqual(before);
    if (after.epoch > 0) expect(replica.memory.documents('config')).toEqual(stateAt(sources[after.epoch as 1 | 2], after.n));
    before = after;
  }
}

const twelve = fc.array(change, { minLength: 12, maxLength: 12 });

describe('whatever arrives, a replica is at some revision of the hub, whole, and never goes back', () => {
  const options: ReplicaOptions = { hubKey: hub.publicKey, findings: quiet };

  test('in memory', async () => {
    await fc.assert(
      fc.asyncProperty(twelve, fc.array(message, { maxLength: 30 }), async (log, messages) =>
        behaves(memoryReplica(options), log, messages),
      ),
      { numRuns: 150 },
    );
  });

  describe('in PostgreSQL', () => {
    let database: TestDatabase<GlobalTables>;
    beforeAll(async () => {
      database = await testDatabase<GlobalTables>([globalMigrations]);
    });
    afterAll(() => database.drop());
    const empty = async (): Promise<Replica> => {
      await sql`truncate global_change, global_document, global_revision`.execute(database.db);
      return databaseReplica(database, options);
    };

    test('the same, and again after a restart', async () => {
      await fc.assert(
        fc.asyncProperty(twelve, fc.array(message, { maxLength: 15 }), async (log, messages) => {
          const replica = await empty();
          await behaves(replica, log, messages);
          const restarted = await databaseReplica(database, options);
          expect(restarted.memory.documents('config')).toEqual(replica.memory.documents('config'));
          expect(restarted.memory.revision('config')).toEqual(replica.memory.revision('config'));
        }),
        { numRuns: 25 },
      );
    });

    test('two processes of a cell apply the same feed once', async () => {
      const log: Change[] = Array.from({ length: 12 }, (_, at) => ({
        kind: 'zone',
        id: String(at),
        retired: false,
        body: { id: at, name: `z${at}`, description: '' },
      }));
      const source = hubWith(log, 1);
      const one = await empty();
      const two = await databaseReplica(database, options);
      const texts = [source.snapshot(2), source.changes(2, 7), source.changes(7, 12)].map((batch) => sealBatch(hub.privateKey, batch));
      const verdicts = [];
      for (const text of texts) verdicts.push(...(await Promise.all([one.accept('config', text), two.accept('config', text)])));
      expect(verdicts.filter((verdict) => verdict === 'apply')).toHaveLength(3);
      expect(one.memory.list('zone')).toHaveLength(12);
      expect(two.memory.list('zone')).toHaveLength(12);
    });

    test('a cell that joins another hub forgets the numbers of the first, which may be higher', async () => {
      const replica = await empty();
      const log: Change[] = [{ kind: 'zone', id: '1', retired: false, body: { id: 1, name: 'default', description: '' } }];
      await replica.accept('config', sealBatch(hub.privateKey, { ...hubWith(log, 1).snapshot(1), to: { epoch: 9, n: 9 } }));
      const younger = generateSigningKey();
      const joined = await databaseReplica(database, { ...options, hubKey: younger.publicKey });
      expect(await joined.accept('config', sealBatch(younger.privateKey, hubWith(log, 1).snapshot(1)))).toBe('apply');
      expect(joined.memory.revision('config')).toEqual({ epoch: 1, n: 1 });
    });

    test("a cell that stood alone joins; its database is nobody's authority from then on", async () => {
      await empty();
      await sql`truncate global_origin, global_revision cascade`.execute(database.db);
      const alone = await Authority.open(database);
      await alone.write('config', 'test', (draft) => draft.put('zone', 5, { id: 5, name: 'mine', description: '' }));
      const log: Change[] = [{ kind: 'zone', id: '1', retired: false, body: { id: 1, name: 'default', description: '' } }];
      const joined = await databaseReplica(database, options);
      expect(await joined.accept('config', sealBatch(hub.privateKey, hubWith(log, 1).snapshot(1)))).toBe('apply');
      expect(joined.memory.list('zone').map((zone) => zone.name)).toEqual(['default']);
      await expect(Authority.open(database)).rejects.toThrow('follows the hub');
    });
  });
});

describe('judgement', () => {
  const log: Change[] = [{ kind: 'zone', id: '1', retired: false, body: { id: 1, name: 'default', description: '' } }];
  const source = hubWith([...log, ...log, ...log], 1);
  const judge = (batch: Batch, at: Revision | undefined, stream: 'access' | 'config' = 'config', largest?: number) => {
    const judgement = judgeBatch(sealBatch(hub.privateKey, batch), hub.publicKey, stream, at, largest);
    return judgement.verdict === 'refuse' ? judgement.reason : judgement.verdict;
  };
  const at = (n: number): Revision => ({ epoch: 1, n });

  test.each([
    ['follows on', judge(source.changes(1, 2), at(1)), 'apply'],
    ['the same position', judge(source.changes(1, 1), at(1)), 'nothing'],
    ['older', judge(source.changes(0, 1), at(2)), 'older'],
    ['a gap', judge(source.changes(2, 3), at(1)), 'gap'],
    ['an overlap', judge(source.changes(0, 3), at(1)), 'gap'],
    ['changes on a cold start', judge(source.changes(0, 3), undefined), 'gap'],
    ['a snapshot on a cold start', judge(source.snapshot(3), undefined), 'apply'],
    ['an older snapshot', judge(source.snapshot(1), at(2)), 'older'],
    ['an older epoch', judge(source.snapshot(3), { epoch: 2, n: 0 }), 'older'],
    ['a higher epoch with a lower n', judge({ ...source.snapshot(1), to: { epoch: 2, n: 1 } }, at(3)), 'apply'],
    ['the other stream', judge(source.changes(1, 2), at(1), 'access'), 'malformed'],
    ['a zone in the access stream', judge({ ...source.snapshot(1), stream: 'access' }, undefined, 'access'), 'malformed'],
    ['too large', judge(source.changes(1, 2), at(1), 'config', 100), 'oversized'],
    [
      'documents out of order',
      judge({ ...source.changes(1, 3), documents: source.changes(1, 3).documents.toReversed() }, at(1)),
      'malformed',
    ],
  ])('%s', (_what, found, expected) => expect(found).toBe(expected));

  test('any text is judged, never thrown at', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((text) => `${text}.${'A'.repeat(86)}`),
        ),
        (text) => {
          expect(judgeBatch(text, hub.publicKey, 'config', at(1)).verdict).toBe('refuse');
        },
      ),
    );
  });
});

test('a refusal is a finding with the reason and the revision that stays', async () => {
  const found: unknown[] = [];
  const replica = memoryReplica({ hubKey: hub.publicKey, findings: { report: (finding) => void found.push(finding) } });
  await replica.accept(
    'access',
    sealBatch(stranger.privateKey, { stream: 'access', form: 'snapshot', from: { epoch: 0, n: 0 }, to: { epoch: 1, n: 1 }, documents: [] }),
  );
  expect(found).toEqual([
    { kind: 'refused_batch', subject: 'access', data: { reason: "unsigned, a batch that the hub's key did not sign", revision: '0.0' } },
  ]);
});

test('the streams do not hold each other up', async () => {
  const replica = memoryReplica({ hubKey: hub.publicKey, findings: quiet });
  const memory: GlobalMemory = replica.memory;
  await replica.accept('config', 'poison');
  const user = { id: 2, username: 'ann', email: '', is_superuser: false, is_local: true, generation: 1 };
  const documents = [{ kind: 'user', id: '2', revision: { epoch: 1, n: 1 }, retired: false, body: user }];
  await replica.accept(
    'access',
    sealBatch(hub.privateKey, { stream: 'access', form: 'snapshot', from: { epoch: 0, n: 0 }, to: { epoch: 1, n: 1 }, documents }),
  );
  expect(memory.named('user', 'ann')).toEqual(user);
  expect(memory.revision('config')).toEqual({ epoch: 0, n: 0 });
});
