import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { openEpoch, writeMark, type Epoch } from './epoch-file.ts';
import { decideEpoch, parseMark, renderMark, type EpochMark } from './epoch.ts';
import { appendEvents, feedMigrations, type FeedSchema } from './feed.ts';

const marks: fc.Arbitrary<EpochMark> = fc.record({
  epoch: fc.integer({ min: 1, max: 5 }),
  system: fc.constantFrom('71', '72'),
  xid: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  id: fc.maxSafeNat(),
});

describe('the decision', () => {
  test('a restored database gets an epoch that neither side has had', () => {
    fc.assert(
      fc.property(fc.option(marks, { nil: undefined }), marks, fc.boolean(), (mark, database, trustMissing) => {
        const decision = decideEpoch(mark, database, { trustMissing });
        const next = Math.max(mark?.epoch ?? 0, database.epoch) + 1;
        expect(decision.epoch).toBe(decision.kind === 'restored' ? next : database.epoch);
      }),
    );
  });

  test('in one epoch and cluster: restored exactly when something known to be there is missing', () => {
    fc.assert(
      fc.property(marks, marks, (mark, other) => {
        const database = { ...other, epoch: mark.epoch, system: mark.system };
        const behind = database.id < mark.id || database.xid < mark.xid;
        expect(decideEpoch(mark, database, { trustMissing: false }).kind).toBe(behind ? 'restored' : 'same');
      }),
    );
  });

  test('without a file: new only if the database is; else restored unless trusted', () => {
    const used = { epoch: 1, system: '7', xid: 900n, id: 3 };
    expect(decideEpoch(undefined, { ...used, id: 0 }, { trustMissing: false }).kind).toBe('fresh');
    expect(decideEpoch(undefined, used, { trustMissing: false })).toMatchObject({ kind: 'restored', epoch: 2 });
    expect(decideEpoch(undefined, used, { trustMissing: true }).kind).toBe('same');
    expect(decideEpoch({ ...used, system: '8' }, used, { trustMissing: false }).kind).toBe('restored');
  });
});

describe('the mark as text', () => {
  test('is read back', () => {
    fc.assert(
      fc.property(marks, (mark) => {
        expect(parseMark(renderMark(mark))).toEqual(mark);
      }),
    );
  });
  test('anything else is an error that says what to do', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.nat().map((n) => renderMark({ epoch: 1, system: '7', xid: 5n, id: 5 }).slice(0, n % 40)),
        ),
        (text) => {
          expect(() => parseMark(text)).toThrow(/damaged\. Remove it/);
        },
      ),
    );
  });
});

describe('the file and the database', () => {
  let database: TestDatabase<FeedSchema>;
  let folder: string;
  let file: string;
  let voided: number[];
  beforeEach(async () => {
    database = await testDatabase<FeedSchema>([feedMigrations]);
    folder = mkdtempSync(join(tmpdir(), 'muster-epoch-'));
    file = join(folder, 'epoch.json');
    voided = [];
  });
  afterEach(async () => {
    await database.drop();
    rmSync(folder, { recursive: true });
  });
  const open = (onRestored = async (): Promise<void> => undefined): Promise<Epoch> =>
    openEpoch(database, {
      file,
      everyMs: 50,
      onRestored: async (_tx, epoch) => {
        await onRestored();
        voided.push(epoch);
      },
    });
  const append = (type: string): Promise<number[]> => database.transaction((tx) => appendEvents(tx, [{ type, level: 20 }]));
  const epochInDatabase = async (): Promise<unknown> =>
    (await sql<{ epoch: number }>`select epoch from feed`.execute(database.db)).rows[0]?.epoch;

  test('a first start makes the file; a second finds all well; the mark follows by itself', async () => {
    const first = await open();
    expect(first.decision).toEqual({ kind: 'fresh', epoch: 1 });
    const [id] = await append('one');
    for (let waited = 0; waited < 5_000 && parseMark(readFileSync(file, 'utf8')).id !== id; waited += 20) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(parseMark(readFileSync(file, 'utf8'))).toMatchObject({ epoch: 1, id });
    await first.close();
    const second = await open();
    expect(second.decision).toEqual({ kind: 'same', epoch: 1 });
    await second.close();
    expect(voided).toEqual([]);
  });

  test('a database that lost a committed event starts a new epoch, once, and new events carry it', async () => {
    const first = await open();
    await append('kept');
    const [lost] = await append('lost');
    await first.close();
    await sql`delete from event where id = ${lost}`.execute(database.db);
    const second = await open();
    expect(second.decision).toMatchObject({ kind: 'restored', epoch: 2 });
    await append('after');
    await second.close();
    const third = await open();
    expect(third.decision).toEqual({ kind: 'same', epoch: 2 });
    await third.close();
    expect(voided).toEqual([2]);
    const rows = await database.db.selectFrom('event').select(['type', 'epoch']).orderBy('id').execute();
    expect(rows).toEqual([
      { type: 'kept', epoch: 1 },
      { type: 'after', epoch: 2 },
    ]);
  });

  test('a crash at any point of beginning an epoch: the next start begins it again, until tickets were voided', async () => {
    const first = await open();
    await append('one');
    await first.close();
    const before = parseMark(readFileSync(file, 'utf8'));
    writeMark(file, { ...before, id: before.id + 7 });
    // Between the file and the database's commit.
    await expect(open(() => Promise.reject(new Error('killed')))).rejects.toThrow('killed');
    expect(await epochInDatabase()).toBe(1);
    expect(parseMark(readFileSync(file, 'utf8'))).toMatchObject({ epoch: 2, id: 0 });
    const again = await open();
    expect(again.decision).toMatchObject({ kind: 'restored', epoch: 3 });
    await again.close();
    // Between the commit and the full mark.
    writeMark(file, { epoch: 3, system: before.system, xid: 0n, id: 0 });
    const after = await open();
    expect(after.decision).toEqual({ kind: 'same', epoch: 3 });
    await after.close();
    expect(voided).toEqual([3]);
    expect(existsSync(`${file}.new`)).toBe(false);
  });

  test('a lost file counts as restored', async () => {
    const first = await open();
    await append('one');
    await first.close();
    rmSync(file);
    const second = await open();
    expect(second.decision).toMatchObject({ kind: 'restored', epoch: 2 });
    await second.close();
  });

  test('a damaged file stops the start', async () => {
    writeFileSync(file, '{"epoch":1');
    await expect(open()).rejects.toThrow(/damaged/);
  });
});
