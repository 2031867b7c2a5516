import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { compareCursors, encodeCursor, parseCursor, type FeedCursor } from './feed-cursor.ts';
import { feedLag, trimFeed } from './feed-care.ts';
import { openFeedWakeups, type FeedWakeups } from './feed-wakeups.ts';
import { appendEvents, feedMigrations, readFeed, readHead, type FeedPage, type FeedSchema } from './feed.ts';
import { followFeed } from './follow-feed.ts';

let database: TestDatabase<FeedSchema>;
let wakeups: FeedWakeups;
beforeAll(async () => {
  database = await testDatabase<FeedSchema>([feedMigrations], { maxConnections: 12 });
  wakeups = openFeedWakeups(database.connection);
});
afterAll(async () => {
  await wakeups.close();
  await database.drop();
});
beforeEach(async () => {
  await sql`truncate event`.execute(database.db);
  await sql`update feed set epoch = 1, trimmed_epoch = 0, trimmed_xid = '0', trimmed_id = 0`.execute(database.db);
});

const event = (type: string): { type: string; level: number } => ({ type, level: 20 });
const append = (...types: string[]): Promise<number[]> => database.transaction((tx) => appendEvents(tx, types.map(event)));
/** Other test files write in the same cluster: what is committed is readable a moment later. */
const settled = async (): Promise<void> => {
  for (let waited = 0; waited < 5_000 && (await feedLag(database.db)).heldBack > 0; waited += 5) await pause(5);
};
const read = async (after: FeedCursor | undefined, limit = 10): Promise<FeedPage> => {
  await settled();
  return readFeed(database.db, after, limit);
};
const typesOf = (page: FeedPage): string[] => (page.kind === 'events' ? page.events.map((row) => row.type) : [page.reason]);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('cursor', () => {
  const cursors = fc.record({
    epoch: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    xid: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    id: fc.maxSafeNat(),
  });
  test('what is written is read back', () => {
    fc.assert(
      fc.property(cursors, (cursor) => {
        expect(parseCursor(encodeCursor(cursor))).toEqual(cursor);
      }),
    );
  });
  test('any other text is refused or is itself a cursor, and never throws', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9.\-e ]{0,70}$/));
    fc.assert(
      fc.property(text, (value) => {
        const cursor = parseCursor(value);
        expect(cursor === undefined || encodeCursor(cursor) === value).toBe(true);
      }),
    );
    for (const bad of [
      '',
      '1.2',
      '01.2.3',
      '1.2.3.4',
      '-1.2.3',
      '1.2.9007199254740993',
      '1.18446744073709551616.1',
      '2147483648.1.1',
      '1.2.3\n',
    ]) {
      expect(parseCursor(bad)).toBeUndefined();
    }
  });
  test('the order is total', () => {
    fc.assert(
      fc.property(cursors, cursors, (a, b) => {
        expect(Math.sign(compareCursors(a, b))).toBe(-Math.sign(compareCursors(b, a)) + 0);
        expect(compareCursors(a, b) === 0).toBe(encodeCursor(a) === encodeCursor(b));
      }),
    );
  });
});

describe('reading', () => {
  test('gives events whole, in order, page by page, each cursor resuming after its event', async () => {
    const ids = await database.transaction((tx) =>
      appendEvents(tx, [
        { type: 'power', level: 20, systemId: 'abc4567', username: 'ada', description: 'on', data: [1, { two: null }] },
        { type: 'plain', level: 10 },
      ]),
    );
    await append('third');
    const first = await read(undefined, 2);
    if (first.kind !== 'events') throw new Error(first.kind);
    expect(first.events[0]).toMatchObject({
      id: ids[0],
      type: 'power',
      level: 20,
      systemId: 'abc4567',
      username: 'ada',
      description: 'on',
      data: [1, { two: null }],
    });
    expect(first.events[0]?.created).toBeInstanceOf(Date);
    expect(first.events[1]).toMatchObject({ type: 'plain', systemId: null, username: null, description: '', data: null });
    expect(typesOf(await read(first.cursor, 2))).toEqual(['third']);
    const resumed = parseCursor(first.events[0]?.cursor ?? '');
    expect(typesOf(await read(resumed, 9))).toEqual(['plain', 'third']);
  });

  test('one statement a page, one an append', async () => {
    const { statements } = await database.countStatements(async () => {
      await append('a', 'b', 'c');
      await readFeed(database.db, undefined, 10);
    });
    expect(statements).toHaveLength(2);
  });

  test('an open transaction holds back what is committed after it began to write, and it is named', async () => {
    await append('before');
    await settled();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { promise: written, resolve: wrote } = Promise.withResolvers<void>();
    const slow = database.transaction(async (tx) => {
      await appendEvents(tx, [event('slow')]);
      wrote();
      await gate;
    });
    await written;
    await append('fast');
    const held = await readFeed(database.db, undefined, 10);
    expect(typesOf(held)).toEqual(['before']);
    expect(held).toMatchObject({ heldBack: true });
    const lag = await feedLag(database.db);
    expect(lag.heldBack).toBe(1);
    expect(lag.seconds).toBeGreaterThan(0);
    expect(lag.writer?.pid).toBeGreaterThan(0);
    open();
    await slow;
    expect(typesOf(await read(held.cursor, 10))).toEqual(['slow', 'fast']);
    expect(await feedLag(database.db)).toMatchObject({ seconds: 0, heldBack: 0 });
  });

  test('an event of a transaction that rolls back never appears', async () => {
    await expect(
      database.transaction(async (tx) => {
        await appendEvents(tx, [event('undone')]);
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(typesOf(await read(undefined, 10))).toEqual([]);
  });
});

describe('a cursor that fits no longer is answered with reset', () => {
  test('when events after it were trimmed away; the newest always stays', async () => {
    await append('one');
    const afterOne = (await read(undefined)).cursor;
    await append('two');
    await append('three');
    await settled();
    expect(await trimFeed(database.db, 3600, 100)).toBe(0);
    expect(await trimFeed(database.db, 0, 100)).toBe(2);
    expect(await trimFeed(database.db, 0, 100)).toBe(0);
    const page = await read(afterOne, 10);
    expect(page).toMatchObject({ kind: 'reset', reason: 'trimmed' });
    expect(typesOf(await read(page.cursor, 10))).toEqual([]);
    expect(typesOf(await read(undefined, 10))).toEqual(['three']);
  });

  test('when it is of an epoch, or a transaction, that the database has not reached', async () => {
    const head = await readHead(database.db);
    expect(typesOf(await read({ ...head, epoch: 2 }, 10))).toEqual(['ahead']);
    expect(typesOf(await read({ ...head, xid: head.xid + 1_000_000n }, 10))).toEqual(['ahead']);
    expect(typesOf(await read(head, 10))).toEqual([]);
  });

  test('when the database was rewound: only readers that saw what was undone are reset', async () => {
    await append('kept');
    const kept = (await read(undefined, 10)).cursor;
    const lost = await append('lost');
    const sawLost = (await read(undefined, 10)).cursor;
    // What a restore leaves: the rows of before, and a new epoch.
    await sql`delete from event where id = ${lost[0]}`.execute(database.db);
    await sql`update feed set epoch = 2`.execute(database.db);
    await append('after');
    expect(typesOf(await read(kept, 10))).toEqual(['after']);
    expect(typesOf(await read(sawLost, 10))).toEqual(['other_history']);
  });

  test('rows of older epochs are read whole, even with transaction ids this cluster has not reached', async () => {
    await sql`insert into event (epoch, xid, type, level) values (1, '99999999999', 'dumped elsewhere', 20)`.execute(database.db);
    await sql`update feed set epoch = 2`.execute(database.db);
    await append('here');
    expect(typesOf(await read(undefined, 10))).toEqual(['dumped elsewhere', 'here']);
  });
});

describe('following', () => {
  type Follower = { types: string[]; cursor: FeedCursor | undefined; done: Promise<void> };
  const follow = (signal: AbortSignal, from: FeedCursor | 'now' | undefined, limit = 7): Follower => {
    const follower: Follower = { types: [], cursor: undefined, done: Promise.resolve() };
    follower.done = (async () => {
      for await (const page of followFeed(database.db, wakeups, { from, signal, limit })) {
        follower.types.push(...typesOf(page));
        follower.cursor = page.cursor;
      }
    })();
    return follower;
  };
  const until = async (condition: () => boolean, ms = 8_000): Promise<void> => {
    for (let waited = 0; waited < ms && !condition(); waited += 5) await pause(5);
  };

  test('a commit reaches a follower at once, by NOTIFY', async () => {
    const over = new AbortController();
    await until(() => wakeups.listening());
    const follower = follow(over.signal, 'now');
    await pause(300);
    const start = performance.now();
    await append('hello');
    await until(() => follower.types.length > 0);
    const took = performance.now() - start;
    over.abort();
    await follower.done;
    expect(follower.types).toEqual(['hello']);
    expect(took).toBeLessThan(500);
  });

  test('racing writers that commit in any order: no gap, no repeat, also across a reader that starts anew', async () => {
    const over = new AbortController();
    const whole = follow(over.signal, undefined);
    const transactions = 300;
    let next = 0;
    const committed: string[] = [];
    const writer = async (): Promise<void> => {
      for (let n = next++; n < transactions; n = next++) {
        const types = [`${n}.0`, `${n}.1`];
        const fails = n % 11 === 5;
        await database
          .transaction(async (tx) => {
            await appendEvents(tx, [event(types[0] ?? '')]);
            if (Math.random() < 0.3) await pause(Math.random() * 25);
            await appendEvents(tx, [event(types[1] ?? '')]);
            if (fails) throw new Error('rolled back');
          })
          .then(
            () => committed.push(...types),
            () => undefined,
          );
      }
    };
    const resumed: string[] = [];
    const reader = async (): Promise<void> => {
      let cursor: FeedCursor | undefined;
      while (resumed.length < committed.length || next < transactions + 8) {
        const part = new AbortController();
        const follower = follow(part.signal, cursor, 3);
        await pause(40);
        part.abort();
        await follower.done;
        resumed.push(...follower.types);
        // Through the text, as a client would.
        cursor = follower.cursor === undefined ? cursor : parseCursor(encodeCursor(follower.cursor));
      }
    };
    const reading = reader();
    await Promise.all(Array.from({ length: 8 }, writer));
    await reading;
    await until(() => whole.types.length >= committed.length);
    over.abort();
    await whole.done;
    expect(committed.length).toBe(2 * (transactions - 27));
    expect(whole.types.toSorted()).toEqual(committed.toSorted());
    expect(resumed).toEqual(whole.types);
    // Both events of one transaction stay together and in order.
    for (let at = 0; at < whole.types.length; at += 2) {
      expect(whole.types[at + 1]).toBe(whole.types[at]?.replace('.0', '.1'));
    }
  });

  test('an open transaction that ends without an event does not delay readers by more than a moment', async () => {
    const over = new AbortController();
    const follower = follow(over.signal, await readHead(database.db));
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const silent = database.transaction(async (tx) => {
      await sql`select pg_current_xact_id()`.execute(tx);
      begin();
      await gate;
    });
    await begun;
    await append('late');
    await pause(150);
    expect(follower.types).toEqual([]);
    const start = performance.now();
    open();
    await silent;
    await until(() => follower.types.length > 0);
    expect(performance.now() - start).toBeLessThan(600);
    over.abort();
    await follower.done;
    expect(follower.types).toEqual(['late']);
  });

  test('goes on after all its connections were cut, and hears again', async () => {
    const over = new AbortController();
    const follower = follow(over.signal, await readHead(database.db));
    await append('one');
    await until(() => follower.types.length === 1);
    await sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`.execute(database.db);
    await until(() => !wakeups.listening(), 1_000);
    await pause(20);
    await append('two').catch(() => append('two'));
    await until(() => follower.types.length === 2);
    await until(() => wakeups.listening());
    over.abort();
    await follower.done;
    expect(follower.types).toEqual(['one', 'two']);
    expect(wakeups.listening()).toBe(true);
  });
});
