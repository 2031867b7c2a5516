/** The loops of a cell: operations, power verbs, DHCP, claims that nobody confirmed. Each asks the database what is due; none takes input. */
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
  /** Left out: 200 s. */
  readonly slowestBmcMs: number | undefined;
  /** Read the network and push what changed. */
  readonly refreshDhcp: () => Promise<void>;
  /** Let go of claims that nobody confirmed; returns how many. */
  readonly freeUnconfirmed: () => Promise<number>;
  /** Set right what refers to global things that are gone. */
  readonly sweepReferences: () => Promise<number>;
  /** Judge machines by the definitions of tags; returns how much there was. */
  readonly judgeTags: () => Promise<number>;
  /** Calls back when global config has changed; the returned function ends that. */
  readonly onGlobalChange: (listener: () => void) => () => void;
  /** Events older than this are trimmed. */
  readonly keepEventsSeconds: number;
  /** How leases say whose they are. */
  readonly owner: string;
  /** Fetch images that other processes of the cell have. */
  readonly refreshImages: (signal: AbortSignal) => Promise<void>;
  /** Take in what boots are answered from when the database is away. */
  readonly refreshBoots: () => Promise<void>;
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
  const slowest = options.slowestBmcMs === undefined ? {} : { slowestBmcMs: options.slowestBmcMs };
  const executor = { database, door: options.lifecycle, log, signal };
  return Promise.all([
    loop('operations', { work: () => reconcile(executor, options.owner), nextDue: () => nextDue(database.db), woken }),
    loop('power', {
      work: () => workOnVerbs({ database, door: options.power, bootSlots: options.bootSlots, ...slowest, signal }),
      nextDue: () => nextVerbDue(database.db),
      woken,
    }),
    // Reads the whole network: not more than twice a second, however much happens.
    loop('dhcp', { ...each(10_000, options.refreshDhcp), woken, calm: 500 }),
    // The whole cell in one statement (2,000 machines: 15 ms): not more than every two seconds.
    loop('boot snapshot', { ...each(10_000, options.refreshBoots), woken, calm: 2_000 }),
    loop('images', { ...each(15_000, () => options.refreshImages(signal)), woken, calm: 2_000 }),
    loop('references', references(options, woken)),
    // Woken by new hardware documents and by new definitions; with neither it asks two small tables.
    loop('tags', {
      work: options.judgeTags,
      nextDue: () => Promise.resolve(undefined),
      woken: (until) => Promise.race([woken(until), globalChange(options, until)]),
      calm: 500,
    }),
    loop('claims', each(5_000, options.freeUnconfirmed)),
    loop(
      'events',
      each(60_000, () => trimFeed(database.db, options.keepEventsSeconds, 10_000)),
    ),
  ]).then(() => undefined);
}

/** Woken by a new revision, and while something dangles by every event, for one of them may be its end. It reads every machine's row once. */
function references(
  { sweepReferences, onGlobalChange }: Pick<WorkersOptions, 'sweepReferences' | 'onGlobalChange'>,
  happened: (until: AbortSignal) => Promise<void>,
): Omit<Loop, 'onError'> {
  let standing = 0;
  return {
    work: async () => {
      standing = await sweepReferences();
      return 0;
    },
    nextDue: () => Promise.resolve(undefined),
    woken: (until) => {
      const changed = globalChange({ onGlobalChange }, until);
      const ended = async (): Promise<void> => {
        do await happened(until);
        while (standing === 0 && !until.aborted);
      };
      return Promise.race([changed, ended()]);
    },
    calm: 500,
  };
}

/** Resolves when global config has changed, or at the signal. */
function globalChange({ onGlobalChange }: Pick<WorkersOptions, 'onGlobalChange'>, until: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const stop = onGlobalChange(() => end());
    const end = () => (stop(), resolve());
    until.addEventListener('abort', end, { once: true });
  });
}
