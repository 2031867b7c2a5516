/** What `fifty-cells` measures of a fleet that is up. Each returns its figures and tells what was not as it must be. */
import { setTimeout as sleep } from 'node:timers/promises';
import { median, quantile, rounded } from '../bench/figures.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import type { Caller, Heard } from './fifty-caller.ts';
import type { FiftyFleet } from './fifty-fleet.ts';
import { cpuOf, ownMiB, residentMiB, treeOf, watchPeak } from './fifty-usage.ts';

export type Figures = Record<string, number>;

export interface Measuring {
  readonly fleet: FiftyFleet;
  readonly caller: Caller;
  readonly machines: number;
  /** Tell of what is wrong; nothing is thrown, so that the other figures come out. */
  readonly wrong: (text: string) => void;
  readonly say: (text: string) => void;
}

const idOf = (heard: Heard): string | undefined => /^\{"system_id":"(\w{7})"/.exec(heard.text)?.[1];

/** Everything that has to know what is global. */
function everybody({ fleet }: Measuring): { readonly name: string; readonly url: string }[] {
  return [...fleet.cells.map(({ program }) => program), ...fleet.fronts];
}

/** Wait until both fronts hear every cell: what the measure before has worn out must not spoil the next one. */
export async function settle({ fleet, caller, wrong }: Measuring): Promise<void> {
  const whole = `asked=${fleet.cells.length} answered=${fleet.cells.length}`;
  for (const until = performance.now() + 60_000; performance.now() < until; await sleep(500)) {
    const seen = await Promise.all(fleet.fronts.map(({ url }) => caller.ask(url, 'GET', 'machines/?op=summary')));
    if (seen.every(({ headers }) => headers['muster-cells'] === whole)) return;
  }
  wrong('60 s after the last measure a front still does not hear every cell');
}

/** Memory at rest and CPU of doing nothing, over ten seconds. */
export async function measureRest({ fleet }: Measuring): Promise<Figures> {
  const pids = fleet.cells.map(({ program }) => program.pid ?? 0);
  const fronts = fleet.fronts.map(({ pid = 0 }) => pid);
  const server = treeOf(fleet.postgresPid);
  const used = (list: readonly number[]) => list.reduce((sum, pid) => sum + cpuOf(pid), 0);
  const before = [used(pids), used([...fronts, fleet.hub.pid ?? 0]), used(server)] as const;
  await sleep(10_000);
  const memory = pids.map(residentMiB);
  return {
    'cell, resident at rest, median (MiB)': median(memory),
    'cell, resident at rest, most (MiB)': Math.max(...memory),
    'cell, of that its own, median (MiB)': median(pids.map(ownMiB)),
    'PostgreSQL with all its backends, own memory at rest (MiB)': server.reduce((sum, pid) => sum + (ownMiB(pid) || 0), 0),
    'front, resident at rest (MiB)': median(fronts.map(residentMiB)),
    'hub, resident at rest (MiB)': residentMiB(fleet.hub.pid ?? 0),
    'cell, CPU at rest (% of a core)': ((used(pids) - before[0]) * 10) / pids.length,
    'hub and fronts, CPU at rest (% of a core)': (used([...fronts, fleet.hub.pid ?? 0]) - before[1]) * 10,
    'PostgreSQL, CPU at rest, all cells (% of a core)': (used(server) - before[2]) * 10,
  };
}

/** From the beginning of a write until the hub answers: it does when every cell and front has said that it has applied the revision. */
export async function measureRevisions(measuring: Measuring, writes: number): Promise<Figures> {
  const { fleet, caller, wrong } = measuring;
  const times: number[] = [];
  let lagging = 0;
  let missed = 0;
  const all = everybody(measuring);
  for (let n = 0; n < writes; n += 1) {
    const reply = await caller.ask(fleet.hubPlainUrl, 'POST', 'tags/', { name: `fifty-${n}` });
    if (reply.status !== 200 && reply.status !== 201) wrong(`a tag could not be made: ${reply.status} ${reply.text.slice(0, 200)}`);
    times.push(reply.ms);
    if (reply.headers['muster-lagging'] !== undefined) lagging += 1;
    else {
      const asked = all[n % all.length]!;
      const seen = await caller.ask(asked.url, 'GET', `tags/fifty-${n}/`);
      if (seen.status !== 200) missed += 1;
    }
  }
  const last = await Promise.all(all.map(({ url }) => caller.ask(url, 'GET', `tags/fifty-${writes - 1}/`)));
  const without = all.filter((_, at) => last[at]?.status !== 200).map(({ name }) => name);
  if (missed > 0) wrong(`${missed} of ${writes} revisions were said to be everywhere and were not`);
  if (without.length > 0) wrong(`after the last write ${without.join(', ')} did not know it`);
  return {
    'new revision on all, p50 (ms)': quantile(times, 0.5),
    'new revision on all, p99 (ms)': quantile(times, 0.99),
    'writes answered with somebody lagging': lagging,
  };
}

/** A key that everybody accepts, asked with everywhere while it is revoked: when was the last request sent that was still accepted? */
export async function measureRevocation(measuring: Measuring, times: number): Promise<Figures> {
  const { fleet, caller, wrong } = measuring;
  const all = everybody(measuring);
  const [front] = fleet.fronts;
  const spans: number[] = [];
  const answered: number[] = [];
  for (let n = 0; n < times && front; n += 1) {
    const made = await caller.ask(front.url, 'POST', 'account/?op=create_authorisation_token', { name: `revoked-${n}` });
    const token = JSON.parse(made.text) as { consumer_key: string; token_key: string; token_secret: string };
    const key = `${token.consumer_key}:${token.token_key}:${token.token_secret}`;
    const accepts = async (url: string): Promise<boolean> => {
      const { status } = await caller.ask(url, 'GET', 'users/?op=whoami', {}, { authorization: oauthHeader(key) });
      if (status !== 200 && status !== 401) wrong(`a key was answered ${status}`);
      return status === 200;
    };
    if (!(await Promise.all(all.map(({ url }) => accepts(url)))).every(Boolean)) wrong('a new key was not accepted everywhere');
    const began = performance.now();
    let last = 0;
    let over = false;
    const watchers = all.map(async ({ url }, at) => {
      await sleep((at * 97) % 100);
      while (!over) {
        const sent = performance.now() - began;
        if (!(await accepts(url))) return;
        last = Math.max(last, sent);
        await sleep(100);
      }
      wrong(`${url} still accepted the key after 10 s`);
    });
    const revoked = await caller.ask(front.url, 'POST', 'account/?op=delete_authorisation_token', { token_key: token.token_key });
    answered.push(revoked.ms);
    if (revoked.status !== 204) wrong(`a key could not be revoked: ${revoked.status} ${revoked.text.slice(0, 200)}`);
    const late = setTimeout(() => (over = true), 10_000);
    await Promise.all(watchers);
    clearTimeout(late);
    spans.push(last);
  }
  return {
    'revoked key, last accepted anywhere, median (ms)': median(spans),
    'revoked key, last accepted anywhere, worst (ms)': Math.max(...spans),
    'revocation answered, median (ms)': median(answered),
  };
}

/** One allocation through the front, one at a cell, in turn, with nobody else asking. */
export async function measureAllocation(measuring: Measuring, pairs: number): Promise<Figures> {
  const { fleet, caller, wrong } = measuring;
  const [front] = fleet.fronts;
  const taken: string[] = [];
  const waits: Record<'best' | 'first' | 'direct', number[]> = { best: [], first: [], direct: [] };
  const allocate = async (into: number[], url: string, headers: Record<string, string> = {}): Promise<void> => {
    const reply = await caller.ask(url, 'POST', 'machines/?op=allocate', {}, headers);
    const id = idOf(reply);
    if (reply.status !== 200 || id === undefined) return wrong(`an allocation was answered ${reply.status}: ${reply.text.slice(0, 200)}`);
    taken.push(id);
    into.push(reply.ms);
  };
  const used = () => cpuOf(front?.pid ?? 0);
  let cpu = 0;
  for (let n = 0; n < pairs && front; n += 1) {
    await allocate(waits.direct, fleet.cells[n % fleet.cells.length]!.program.url);
    const before = used();
    await allocate(waits.best, front.url, { 'muster-allocate': 'best' });
    cpu += used() - before;
    await allocate(waits.first, front.url, { 'muster-allocate': 'first' });
  }
  if (new Set(taken).size !== taken.length) wrong(`${taken.length} allocations gave ${new Set(taken).size} different machines`);
  // Many at once, as a client that brings up a cluster does.
  const began = performance.now();
  const many: number[] = [];
  let left = 320;
  const client = async (at: number): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await allocate(many, fleet.fronts[at % fleet.fronts.length]!.url);
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, at) => client(at)));
  const perSecond = many.length / ((performance.now() - began) / 1000);
  if (new Set(taken).size !== taken.length) wrong(`${taken.length} allocations gave ${new Set(taken).size} different machines`);
  const released = await caller.ask(front?.url ?? '', 'POST', 'machines/?op=release', { machines: taken });
  if (released.status !== 200)
    wrong(`the release of ${taken.length} machines was answered ${released.status}: ${released.text.slice(0, 300)}`);
  const direct = quantile(waits.direct, 0.5);
  return {
    'allocate at a cell, p50 (ms)': direct,
    'allocate through a front, best, p50 (ms)': quantile(waits.best, 0.5),
    'allocate through a front, first, p50 (ms)': quantile(waits.first, 0.5),
    'allocate, front (best) to cell, ratio of p50': quantile(waits.best, 0.5) / direct,
    'allocate, front (first) to cell, ratio of p50': quantile(waits.first, 0.5) / direct,
    "allocate, front's CPU each (ms)": (cpu / pairs) * 1000,
    'allocations a second, 16 callers, both fronts': perSecond,
    'release of all of them with one call (ms)': released.ms,
  };
}

/** Pages of 100 by host name; the first again and again, then on behind it. */
export async function measurePages({ fleet, caller, wrong }: Measuring, times: number): Promise<Figures> {
  const [front] = fleet.fronts;
  const waits: number[] = [];
  const names: string[] = [];
  let after: string | undefined;
  for (let n = 0; n < times + 5; n += 1) {
    const reply = await caller.ask(front?.url ?? '', 'GET', 'machines/', {
      sort: 'hostname',
      limit: '100',
      ...(n < times || after === undefined ? {} : { after }),
    });
    if (reply.status !== 200) return (wrong(`a page was answered ${reply.status}: ${reply.text.slice(0, 200)}`), {});
    waits.push(reply.ms);
    after = reply.headers['muster-next'] as string | undefined;
    if (n < times - 1) continue;
    const page = (JSON.parse(reply.text) as { hostname: string }[]).map(({ hostname }) => hostname);
    if (page.length !== 100) wrong(`a page has ${page.length} machines`);
    names.push(...page);
  }
  if (!names.every((name, at) => at === 0 || names[at - 1]! <= name)) wrong('pages are not in the order of host names');
  return { 'page of 100 by host name, p50 (ms)': quantile(waits, 0.5), 'page of 100 by host name, p99 (ms)': quantile(waits, 0.99) };
}

/** All machines with everything that is known of them, as one list; a front that does not hear all cells in time refuses, and is asked again. */
export async function measureList(measuring: Measuring): Promise<Figures> {
  const { fleet, caller, wrong, machines } = measuring;
  const front = fleet.fronts[1]!;
  const pid = front.pid ?? 0;
  const atRest = residentMiB(pid);
  const cells = fleet.cells.map(({ program }) => program.pid ?? 0);
  const usedByCells = () => cells.reduce((sum, one) => sum + cpuOf(one), 0);
  for (let refused = 0; refused < 5; refused += 1) {
    const peak = watchPeak(pid);
    const before = [cpuOf(pid), usedByCells()] as const;
    const began = performance.now();
    const headers = { authorization: oauthHeader(fleet.apiKey), 'muster-partial': 'refuse' };
    const reply = await caller.agent.request({ origin: front.url, method: 'GET', path: '/MAAS/api/2.0/machines/', headers });
    if (reply.statusCode === 503) {
      await reply.body.dump();
      peak.end();
      await settle(measuring);
      continue;
    }
    const read = await readList(reply.body as AsyncIterable<Buffer>);
    const seconds = (performance.now() - began) / 1000;
    if (reply.statusCode !== 200 || read.end !== ']') wrong(`the whole list was answered ${reply.statusCode} and ends with ${read.end}`);
    if (read.machines !== machines) wrong(`the whole list has ${read.machines} machines`);
    return {
      'whole list (MB)': read.bytes / 1e6,
      'whole list, first byte (ms)': read.first - began,
      'whole list (s)': seconds,
      'whole list (MB/s)': read.bytes / 1e6 / seconds,
      "whole list, front's memory at rest (MiB)": atRest,
      "whole list, front's peak memory (MiB)": peak.end(),
      "whole list, front's CPU (s)": cpuOf(pid) - before[0],
      "whole list, all cells' CPU (s)": usedByCells() - before[1],
      'whole list, refused before since a cell was late': refused,
    };
  }
  wrong('the whole list was refused five times');
  return {};
}

async function readList(body: AsyncIterable<Buffer>) {
  const read = { first: 0, bytes: 0, machines: 0, end: '' };
  // Only a machine itself is called so at its end; the tail is for one that two chunks share.
  const mark = '"/MAAS/api/2.0/machines/';
  let tail = '';
  for await (const chunk of body) {
    if (read.first === 0) read.first = performance.now();
    read.bytes += chunk.length;
    const text = tail + chunk.toString('latin1');
    read.machines += text.split(mark).length - 1;
    tail = text.slice(1 - mark.length);
    read.end = text.slice(-1);
  }
  return read;
}

/** Eight clients that read the whole list slowly for ten seconds and then go: the front must hold them up, not their bytes. */
export async function measureSlowReaders({ fleet, caller, wrong }: Measuring): Promise<Figures> {
  const front = fleet.fronts[1]!;
  const peak = watchPeak(front.pid ?? 0);
  const readers = Array.from({ length: 8 }, async () => {
    const reply = await caller.agent.request({
      origin: front.url,
      method: 'GET',
      path: '/MAAS/api/2.0/machines/',
      headers: { authorization: oauthHeader(fleet.apiKey) },
    });
    const until = performance.now() + 10_000;
    for await (const chunk of reply.body) {
      if (performance.now() > until) break;
      await sleep(Math.max(20, (chunk as Buffer).length / 1000));
    }
  });
  await Promise.all(readers).catch((error: unknown) => wrong(`a slow reader was cut off: ${String(error)}`));
  return { "eight slow readers of the whole list, front's peak memory (MiB)": peak.end() };
}

/** For JSON and the table: three digits are what a shared machine can tell. */
export function roundedFigures(figures: Figures): Figures {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, rounded(value)]));
}
