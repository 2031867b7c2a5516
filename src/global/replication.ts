/**
 * Following the hub: one long poll for each stream, independent of each other. Asking for changes after a revision says that everything up
 * to it is applied. Whatever fails is tried again with growing pauses; the replica goes on with what it has.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, createClient, type Client } from '../http/client.ts';
import { callerHeader, sealCaller } from './caller-seal.ts';
import type { HubTrust } from './hub-trust.ts';
import type { Membership } from './membership.ts';
import { pinnedFetch } from './pinned-fetch.ts';
import type { FindingDoor, Replica } from './replica.ts';
import { compareRevisions, formatRevision, beginning, streams, type Revision, type Stream } from './revision.ts';
import type { SigningKey } from './signing-key.ts';

/** Seconds a poll waits at the hub. */
const pollSeconds = 20;
/** Seconds after which a poll that should have been answered is given up: a cut cable says nothing. */
const answerSeconds = 10;
/** Seconds without a word from the hub after which that is a finding. */
const lagSeconds = 120;
const trimMs = 600_000;
const longestPauseMs = 5_000;
/** Between two questions of one that the hub has said is retired: it may be mistaken for one, after a restore. */
const retiredPauseMs = 60_000;

export interface ReplicationOptions {
  readonly replica: Replica;
  readonly membership: Membership;
  readonly trust: HubTrust;
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
  /** Fetch something else of the hub's, by its path, signed as the feed is; its addresses are tried in turn. Its body is the caller's to read. */
  fetch(path: string, init: RequestInit): Promise<Response>;
  /** The hub has said that this cell or front was retired. */
  retired(): boolean;
  /** Resolves when both streams have been applied once; rejects with the last trouble after `ms`. A replica read from disk needs no waiting. */
  caughtUp(ms: number): Promise<void>;
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** `fetch` with every request signed by our key. */
function signing(options: ReplicationOptions, process: string, clock: { skewMs: number }, fetch: Fetch): Fetch {
  const { role, name } = options.membership;
  return async (to, init) => {
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
  };
}

interface Line {
  readonly url: string;
  readonly client: Client;
}

export function startReplication(options: ReplicationOptions): Replication {
  const { replica, membership, trust } = options;
  const pinned = pinnedFetch(trust.pin);
  const urls = membership.hub.split(',').map((url) => url.trim());
  const clock = { skewMs: 0 };
  const process = randomUUID();
  const signed = signing(options, process, clock, (to, init) => pinned.fetch(to, init));
  const over = new AbortController();
  const heard = new Map<Stream, number>(streams.map((stream) => [stream, performance.now()]));
  const lag = (): number => (performance.now() - Math.min(...heard.values())) / 1000;
  let trouble: unknown = new Error('the hub has not answered yet');
  let retired = false;

  /** One poll. @returns true when the hub's answer was good. */
  const poll = async ({ client, url }: Line, stream: Stream): Promise<boolean> => {
    const after = replica.memory.revision(stream);
    const mark = replica.memory.mark(stream);
    const params = { stream, after: formatRevision(after), wait: pollSeconds, version: options.version, ...(mark === '' ? {} : { mark }) };
    const signal = AbortSignal.any([over.signal, AbortSignal.timeout((pollSeconds + answerSeconds) * 1000)]);
    const text = await client.call('ReplicaChanges.read', {}, params, { signal });
    const verdict = await replica.accept(stream, text, () => trust.pin.renew(new URL(url).origin));
    if (verdict !== 'refuse') heard.set(stream, performance.now());
    retired = false;
    return verdict !== 'refuse';
  };

  const follow = async (stream: Stream): Promise<void> => {
    let failures = 0;
    const lines = urls.map((url) => ({ url, client: createClient({ url, fetch: signed }) }));
    // The address that answered last: a dead one must not be asked again and again.
    let at = 0;
    while (!over.signal.aborted) {
      try {
        failures = (await poll(lines[at % lines.length]!, stream)) ? 0 : failures + 1;
        if (failures > 0) at += 1;
      } catch (error) {
        if (over.signal.aborted) return;
        trouble = error;
        failures += 1;
        at += 1;
        options.onTrouble(error);
        if (error instanceof ApiError && error.code === 'retired') retired = true;
        if (error instanceof ApiError && error.code === 'replica_ahead') await reportAhead(stream, error.text).catch(options.onTrouble);
        if (error instanceof ApiError && error.code === 'starting') failures = Math.min(failures, 2);
      }
      if (lag() > lagSeconds) await reportLag().catch(options.onTrouble);
      const longest = retired ? retiredPauseMs : Math.min(longestPauseMs, 100 * 2 ** failures);
      const pause = failures === 0 ? 0 : longest * (0.5 + Math.random() / 2);
      if (pause > 0) await sleep(pause, undefined, { signal: over.signal }).catch(() => undefined);
    }
  };

  const reportAhead = async (stream: Stream, text: string): Promise<void> => {
    const data = { reason: `ahead, ${text}`, revision: formatRevision(replica.memory.revision(stream)) };
    await options.findings.report({ kind: 'refused_batch', subject: stream, data });
  };

  const reportLag = async (): Promise<void> => {
    const data = {
      seconds: Math.round(lag()),
      revision: streams.map((stream) => formatRevision(replica.memory.revision(stream))).join(' '),
    };
    await options.findings.report({ kind: 'hub_lag', subject: membership.hub, data });
  };

  const trim = async (): Promise<void> => {
    for (let last = performance.now(); !over.signal.aborted;) {
      await sleep(trimMs, undefined, { signal: over.signal, ref: false }).catch(() => undefined);
      // Only the hub's clock counts here: one that runs ahead would forget sign-outs that matter.
      const hasAnswered = Math.max(...heard.values()) > last;
      last = performance.now();
      if (hasAnswered) await replica.trim(Date.now() + clock.skewMs).catch(options.onTrouble);
    }
  };
  const running = Promise.all([...streams.map(follow), trim()]);
  return {
    lag,
    now: () => Date.now() + clock.skewMs,
    retired: () => retired,
    fetch: async (path, init) => {
      let failed: unknown;
      for (const url of urls) {
        try {
          const reply = await signed(url.replace(/\/+$/, '') + path, init);
          if (reply.ok) return reply;
          await reply.body?.cancel();
          failed = new Error(`the hub answered ${reply.status}`);
        } catch (error) {
          if (init.signal?.aborted === true) throw error;
          failed = error;
        }
      }
      throw failed;
    },
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
