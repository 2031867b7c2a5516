/**
 * Following the hub: one long poll for each stream, independent of each other. Asking for changes after a revision says that everything up
 * to it is applied. Whatever fails is tried again with growing pauses; the replica goes on with what it has.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, createClient, type Client } from '../http/client.ts';
import { callerHeader, sealCaller } from './caller-seal.ts';
import type { Membership } from './membership.ts';
import { pinnedFetch } from './pinned-fetch.ts';
import type { FindingDoor, Replica } from './replica.ts';
import { compareRevisions, formatRevision, beginning, streams, type Revision, type Stream } from './revision.ts';
import { fingerprintOf, type SigningKey } from './signing-key.ts';

/** Seconds a poll waits at the hub. */
const pollSeconds = 20;
/** Seconds without a word from the hub after which that is a finding. */
const lagSeconds = 120;
const longestPauseMs = 5_000;

export interface ReplicationOptions {
  readonly replica: Replica;
  readonly membership: Membership;
  /** The program's own key, the one that it joined with. */
  readonly key: SigningKey;
  readonly version: string;
  readonly findings: FindingDoor;
  /** Told of every failed attempt, for the log. */
  readonly onTrouble: (error: unknown) => void;
}

export interface Replication extends AsyncDisposable {
  /** Seconds since the hub last answered for the stream that has waited longest; since the start, before it ever did. */
  lag(): number;
  /** The time by the hub's clock, ms since 1970; our own until the hub has answered. */
  now(): number;
  revisions(): Readonly<Record<Stream, Revision>>;
  /** Resolves when both streams have been applied once; rejects with the last trouble after `ms`. A replica read from disk needs no waiting. */
  caughtUp(ms: number): Promise<void>;
}

/** A client of the hub's feed: pinned to its key, every request signed by ours. */
function feedClient(
  options: ReplicationOptions,
  url: string,
  process: string,
  clock: { skewMs: number },
  fetch: (url: string, init: RequestInit) => Promise<Response>,
): Client {
  const { role, name } = options.membership;
  return createClient({
    url,
    fetch: async (to, init) => {
      const { pathname, search } = new URL(to);
      const at = Math.floor((Date.now() + clock.skewMs) / 1000);
      const claims = { role, name, process, method: init.method ?? 'GET', path: pathname + search, at };
      const headers = new Headers(init.headers);
      headers.set(callerHeader, sealCaller(options.key.privateKey, claims));
      const response = await fetch(to, { ...init, headers });
      // Sessions and assertions are judged by the clock; the hub's is everybody's. Its Date has whole seconds.
      const off = Date.parse(response.headers.get('date') ?? '') - Date.now();
      if (Number.isFinite(off)) clock.skewMs = Math.abs(off) < 2_000 ? 0 : off;
      return response;
    },
  });
}

export function startReplication(options: ReplicationOptions): Replication {
  const { replica, membership } = options;
  const pinned = pinnedFetch(fingerprintOf(membership.hubKey));
  const urls = membership.hub.split(',').map((url) => url.trim());
  const clock = { skewMs: 0 };
  const process = randomUUID();
  const over = new AbortController();
  const heard = new Map<Stream, number>(streams.map((stream) => [stream, performance.now()]));
  const lag = (): number => (performance.now() - Math.min(...heard.values())) / 1000;
  let trouble: unknown = new Error('the hub has not answered yet');

  /** One poll. @returns true when the hub's answer was good. */
  const poll = async (client: Client, stream: Stream): Promise<boolean> => {
    const after = replica.memory.revision(stream);
    const params = { stream, after: formatRevision(after), wait: pollSeconds, version: options.version };
    const verdict = await replica.accept(stream, await client.call('ReplicaChanges.read', {}, params, { signal: over.signal }));
    if (verdict !== 'refuse') heard.set(stream, performance.now());
    return verdict !== 'refuse';
  };

  const follow = async (stream: Stream): Promise<void> => {
    let failures = 0;
    const clients = urls.map((url) => feedClient(options, url, process, clock, (to, init) => pinned.fetch(to, init)));
    while (!over.signal.aborted) {
      try {
        const client = clients[failures % clients.length]!;
        failures = (await poll(client, stream)) ? 0 : failures + 1;
      } catch (error) {
        if (over.signal.aborted) return;
        trouble = error;
        failures += 1;
        options.onTrouble(error);
        if (error instanceof ApiError && error.code === 'starting') failures = Math.min(failures, 2);
      }
      if (lag() > lagSeconds) await reportLag().catch(options.onTrouble);
      const pause = failures === 0 ? 0 : Math.min(longestPauseMs, 100 * 2 ** failures) * (0.5 + Math.random() / 2);
      if (pause > 0) await sleep(pause, undefined, { signal: over.signal }).catch(() => undefined);
    }
  };

  const reportLag = async (): Promise<void> => {
    const data = {
      seconds: Math.round(lag()),
      revision: streams.map((stream) => formatRevision(replica.memory.revision(stream))).join(' '),
    };
    await options.findings.report({ kind: 'hub_lag', subject: membership.hub, data });
  };

  const running = Promise.all(streams.map(follow));
  return {
    lag,
    now: () => Date.now() + clock.skewMs,
    revisions: () => ({ access: replica.memory.revision('access'), config: replica.memory.revision('config') }),
    caughtUp: async (ms) => {
      const until = performance.now() + ms;
      while (streams.some((stream) => compareRevisions(replica.memory.revision(stream), beginning) === 0)) {
        if (performance.now() > until) throw trouble;
        await sleep(20);
      }
    },
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await running;
      await pinned[Symbol.asyncDispose]();
    },
  };
}
