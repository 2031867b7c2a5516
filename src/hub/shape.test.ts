import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { Authority } from '../global/authority.ts';
import { memoryReplica, type Replica } from '../global/replica.ts';
import { generateSigningKey } from '../global/signing-key.ts';
import { asHub } from './db/join-token-store.ts';
import type { HubTables } from './db/hub-tables.ts';
import { noteGone, noteProgress, type Poller } from './db/progress-store.ts';
import { createEmission, type Emission } from './emission.ts';
import { createFeed, type Feed } from './feed.ts';
import { migrationsOfHub } from './hub-database.ts';
import { compareVersions, oldestVersion, stepsToUndo, undoSteps, type ShapeStep } from './shape.ts';

/** 1.2 splits a zone's description into lines; 1.4 calls them `notes`. */
const steps: readonly ShapeStep[] = [
  {
    kind: 'zone',
    since: '1.2',
    undo: ({ lines, ...body }) => ({ ...body, description: Array.isArray(lines) ? lines.join('\n') : body['description'] }),
  },
  { kind: 'zone', since: '1.4', undo: ({ notes, ...body }) => (notes === undefined ? body : { ...body, lines: notes }) },
];
const newest = { id: 7, name: 'z', description: '', notes: ['a', 'b'] };

describe('versions', () => {
  test('are ordered number by number', () => {
    const order = ['0.9', '1', '1.0.1', '1.2', '1.10', '1.10.0-rc', '2.0'];
    for (const [at, one] of order.entries())
      for (const [other, two] of order.entries()) if (at < other && two !== '1.10.0-rc') expect(compareVersions(one, two)).toBeLessThan(0);
    expect(compareVersions('1', '1.0.0')).toBe(0);
    expect(compareVersions('1.10', '1.10.0-rc')).toBe(0);
  });

  test('the oldest of all decides; what is no version does not', () => {
    expect(oldestVersion(['1.4', '1.2.9', '2.0'])).toBe('1.2.9');
    expect(oldestVersion(['', 'unknown'])).toBeUndefined();
    fc.assert(fc.property(fc.array(fc.string()), (texts) => typeof (oldestVersion(texts) ?? '') === 'string'));
  });
});

describe('steps', () => {
  test.each([
    [undefined, newest],
    ['1.4', newest],
    ['1.3.9', { id: 7, name: 'z', description: '', lines: ['a', 'b'] }],
    ['1.2', { id: 7, name: 'z', description: '', lines: ['a', 'b'] }],
    ['1.1', { id: 7, name: 'z', description: 'a\nb' }],
    ['0.1', { id: 7, name: 'z', description: 'a\nb' }],
  ])('for members of %s', (oldest, expected) => {
    expect(undoSteps('zone', newest, stepsToUndo(oldest, steps))).toEqual(expected);
    expect(undoSteps('tag', newest, stepsToUndo(oldest, steps))).toEqual(newest);
  });
});

describe('a hub of the newest version', () => {
  const key = generateSigningKey();
  let database: TestDatabase<HubTables>;
  let authority: Authority;
  let emission: Emission;
  let feed: Feed;
  beforeAll(async () => {
    database = await testDatabase<HubTables>(migrationsOfHub);
    authority = await Authority.open(database);
    emission = createEmission(authority, asHub(authority.db), steps);
    feed = createFeed(authority, () => key, { bodyOf: emission.bodyOf });
    await authority.write('config', 'test', (draft) => {
      for (const [number, name] of ['old', 'new'].entries())
        draft.put('cell', number + 1, { number: number + 1, name, key: generateSigningKey().text, url: '', out: false });
      draft.put('zone', 7, newest);
    });
  });
  afterAll(() => database.drop());

  const replicas = new Map<string, Replica>();
  /** One poll of a process, as the hub's route does it. What zone 7 looks like there. */
  const poll = async (name: string, version: string, process = 'p'): Promise<Record<string, unknown>> => {
    const replica =
      replicas.get(`${name} ${process}`) ?? memoryReplica({ hubKey: key.publicKey, findings: { report: () => expect.unreachable() } });
    replicas.set(`${name} ${process}`, replica);
    const poller: Poller = { role: 'cell', name, process };
    const after = replica.memory.revision('config');
    await noteProgress(database.db, poller, 'config', after, version);
    await emission.heard(poller, version);
    await replica.accept('config', await feed.changes('config', after));
    return replica.memory.documents('config').find(({ kind }) => kind === 'zone')!.body;
  };
  const gone = async (name: string, process = 'p') => {
    const { rows } = { rows: await database.db.selectFrom('replica_progress').select(['name', 'process', 'seen_at']).execute() };
    const row = rows.find((one) => one.name === name && one.process === process)!;
    await noteGone(database.db, { role: 'cell', name, process }, row.seen_at.toISOString());
    await database.db.deleteFrom('replica_progress').where('name', '=', name).where('process', '=', process).execute();
  };
  const lines = { id: 7, name: 'z', description: '', lines: ['a', 'b'] };

  test('emits what the oldest member reads, to all, and goes over when it has gone', async () => {
    expect(await poll('new', '1.4')).toEqual(newest);
    // The first poll of an older one is answered in its shape already, and those who have the other get it anew.
    expect(await poll('old', '1.3')).toEqual(lines);
    expect(await poll('new', '1.4')).toEqual(lines);
    // A rolling update: one of its processes is the older one still.
    expect(await poll('old', '1.4', 'q')).toEqual(lines);
    expect(await poll('new', '1.4')).toEqual(lines);
    await gone('old');
    await emission.refresh();
    for (const [name, process] of [
      ['new', 'p'],
      ['old', 'q'],
    ] as const)
      expect(await poll(name, '1.4', process)).toEqual(newest);
    // Nothing to do: nothing written.
    const { n } = authority.memory.revision('config');
    await emission.refresh();
    expect(authority.memory.revision('config').n).toBe(n);
  });

  test('counts who is away by the version that it last had, until it comes back newer or is retired', async () => {
    expect(await poll('old', '1.1')).toEqual({ id: 7, name: 'z', description: 'a\nb' });
    await gone('old');
    await gone('old', 'q');
    await emission.refresh();
    expect(await poll('new', '1.4')).toEqual({ id: 7, name: 'z', description: 'a\nb' });
    await authority.write('config', 'test', (draft) => draft.retire('cell', 1));
    await emission.refresh();
    expect(await poll('new', '1.4')).toEqual(newest);
  });
});
