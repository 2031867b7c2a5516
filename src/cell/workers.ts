/** The loops of a cell: operations, power verbs, DHCP, claims that nobody confirmed. Each asks the database what is due; none takes input. */
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Database } from '../postgres/database.ts';
import { trimFeed } from '../postgres/feed-care.ts';
import type { FeedWakeups } from '../postgres/feed-wakeups.ts';
import type { CellTables } from './db/schema.ts';
import { nextDue } from './db/operation-store.ts';
import { nextVerbDue } from './db/power-store.ts';
import type { LifecycleDoor } from './lifecycle/carry-out.ts';
import { reconcile } from './lifecycle/reconcile.ts';
import { runLoop, type Loop } from './lifecycle/worker.ts';
import { workOnVerbs, type PowerDoor } from './power/verb-worker.ts';

export interface WorkersOptions {
  readonly database: Database<CellTables>;
  readonly wakeups: FeedWakeups;
  readonly log: Logger;
  readonly lifecycle: LifecycleDoor;
  readonly power: PowerDoor;
  readonly bootSlots: number;
  /** Read the network and push what changed. */
  readonly refreshDhcp: () => Promise<void>;
  /** Let go of claims that nobody confirmed; returns how many. */
  readonly freeUnconfirmed: () => Promise<number>;
  /** Events older than this are trimmed. */
  readonly keepEventsSeconds: number;
  readonly signal: AbortSignal;
}

/** Start all loops; the promise resolves when every one has ended after `signal` aborted. */
export function runWorkers(options: WorkersOptions): Promise<void> {
  const { database, wakeups, log, signal } = options;
  const woken = (until: AbortSignal) => wakeups.wait(60_000, until);
  const loop = (name: string, rest: Omit<Loop, 'onError'>): Promise<void> =>
    runLoop({ ...rest, onError: (error) => log.error({ err: error, loop: name }, 'a loop stumbled and goes on') }, signal);
  /** Work that time alone moves. */
  const each = (ms: number, work: () => Promise<unknown>) => ({ work: () => work().then(() => 0), nextDue: () => Promise.resolve(ms) });
  const executor = { database, door: options.lifecycle, log, signal };
  const owner = `${hostname()}:${process.pid}`;
  return Promise.all([
    loop('operations', { work: () => reconcile(executor, owner), nextDue: () => nextDue(database.db), woken }),
    loop('power', {
      work: () => workOnVerbs({ database, door: options.power, bootSlots: options.bootSlots, signal }),
      nextDue: () => nextVerbDue(database.db),
      woken,
    }),
    // Reads the whole network: not more than twice a second, however much happens.
    loop('dhcp', { ...each(10_000, options.refreshDhcp), woken, calm: 500 }),
    loop('claims', each(5_000, options.freeUnconfirmed)),
    loop(
      'events',
      each(60_000, () => trimFeed(database.db, options.keepEventsSeconds, 10_000)),
    ),
  ]).then(() => undefined);
}
