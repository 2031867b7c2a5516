/** The loops of a cell: operations, power verbs, DHCP, claims that nobody confirmed. Each asks the database what is due; none takes input. */
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Database } from '../postgres/database.ts';
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
  readonly signal: AbortSignal;
}

/** Start all loops; the promise resolves when every one has ended after `signal` aborted. */
export function runWorkers(options: WorkersOptions): Promise<void> {
  const { database, wakeups, log, signal } = options;
  const loop = (name: string, work: Loop['work'], due: Loop['nextDue']): Promise<void> =>
    runLoop(
      { work, nextDue: due, woken: (until) => wakeups.wait(60_000, until), onError: (error) => log.error({ err: error, loop: name }, 'a loop stumbled and goes on') },
      signal,
    );
  const executor = { database, door: options.lifecycle, log, signal };
  const owner = `${hostname()}:${process.pid}`;
  const every = (ms: number) => () => Promise.resolve(ms);
  return Promise.all([
    loop('operations', () => reconcile(executor, owner), () => nextDue(database.db)),
    loop('power', () => workOnVerbs({ database, door: options.power, bootSlots: options.bootSlots, signal }), () => nextVerbDue(database.db)),
    loop('dhcp', async () => (await options.refreshDhcp(), 0), every(10_000)),
    loop('claims', options.freeUnconfirmed, every(5_000)),
  ]).then(() => undefined);
}
