/** What `fifty-cells` measures while a cell dies, and that the machines which are alive really are. */
import { setTimeout as sleep } from 'node:timers/promises';
import { quantile } from '../bench/figures.ts';
import type { Heard } from './fifty-caller.ts';
import type { Figures, Measuring } from './fifty-measures.ts';

/** Requests a second while a cell dies: a quarter of them ask every cell, which 50 cells on two processors can bear. */
const rate = 12;
const watchSeconds = 10;

type Kind = 'machine by id' | 'page' | 'count' | 'allocate';

interface Sent {
  readonly kind: Kind;
  /** It named a machine of the cell that dies: nobody else can answer. */
  readonly mustFail: boolean;
  /** Milliseconds after the kill. */
  readonly at: number;
  readonly heard: Heard;
}

/** Kill -9 one cell under steady requests to both fronts: who is told what, for how long, and how soon it is back. */
export async function measureLoss({ fleet, caller, wrong, say }: Measuring): Promise<Figures> {
  const victim = fleet.cells[Math.floor(fleet.cells.length / 2)]!;
  const gathers: readonly Kind[] = ['page', 'count', 'allocate'];
  const sent: Promise<Sent>[] = [];
  let killed = Number.POSITIVE_INFINITY;
  const send = async (n: number): Promise<Sent> => {
    const { url } = fleet.fronts[n % fleet.fronts.length]!;
    const kind = n % 4 === 3 ? gathers[Math.floor(n / 4) % gathers.length]! : 'machine by id';
    // Each cell in turn.
    const cell = fleet.cells[(n - Math.floor(n / 4)) % fleet.cells.length]!;
    const at = performance.now() - killed;
    const ask = {
      'machine by id': () => caller.ask(url, 'GET', `machines/${cell.machines[n % cell.machines.length]}/`),
      page: () => caller.ask(url, 'GET', 'machines/', { sort: 'hostname', limit: '20', fields: 'hostname' }),
      count: () => caller.ask(url, 'GET', 'machines/?op=summary'),
      allocate: () => caller.ask(url, 'POST', 'machines/?op=allocate', { agent_name: 'loss' }),
    };
    return { kind, mustFail: kind === 'machine by id' && cell === victim, at, heard: await ask[kind]() };
  };
  const began = performance.now();
  let n = 0;
  const stream = setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1000) * rate);
    for (; n < due; n += 1) sent.push(send(n));
  }, 10);
  await sleep(3_000);
  killed = performance.now();
  await victim.program.kill();
  await sleep(watchSeconds * 1000);
  clearInterval(stream);
  const all = await Promise.all(sent);

  const before = all.filter((one) => !Number.isFinite(one.at));
  const after = all.filter((one) => Number.isFinite(one.at));
  const failed = (one: Sent) => one.heard.status !== 200;
  const reasons = (list: readonly Sent[]) =>
    [...new Set(list.map(({ kind, heard }) => `${kind}: ${heard.status} ${heard.text.slice(0, 80)}`))].join('; ');
  const early = before.filter(failed);
  if (early.length > 0) wrong(`before the kill ${early.length} of ${before.length} requests failed: ${reasons(early)}`);
  const lost = after.filter(failed);
  const needless = lost.filter((one) => !one.mustFail);
  const routed = Math.max(0, ...needless.map((one) => one.at + one.heard.ms));
  const named = after.find((one) => String(one.heard.headers['muster-cells'] ?? '').includes(`absent=${victim.name}`));
  if (!named) wrong(`no answer named ${victim.name} as absent`);
  const unlike = after.filter((one) => one.mustFail && one.heard.status !== 503 && one.heard.status !== 504);
  // What had been answered before the process was gone is no mistake.
  const wrongly = unlike.filter((one) => one.at > 100);
  if (wrongly.length > 0) wrong(`a machine of the dead cell was answered ${reasons(wrongly)}`);
  const late = needless.filter((one) => one.at > 5_000);
  if (late.length > 0) wrong(`${late.length} requests that the dead cell has no part in failed later than 5 s after: ${reasons(late)}`);
  if (needless.length > 0) say(`failed though others could have answered: ${reasons(needless)}`);
  const slowest = (list: readonly Sent[]) => Math.max(...list.filter((one) => !failed(one)).map((one) => one.heard.ms));

  const taken = all
    .filter((one) => one.kind === 'allocate' && one.heard.status === 200)
    .map(({ heard }) => /"system_id":"(\w+)"/.exec(heard.text)?.[1] ?? '');
  if (new Set(taken).size !== taken.length) wrong('two allocations gave the same machine');
  const restarted = performance.now();
  await victim.program.start({ MUSTER_LOG_LEVEL: 'warn' });
  const up = (performance.now() - restarted) / 1000;
  for (;;) {
    const seen = await Promise.all(fleet.fronts.map(({ url }) => caller.ask(url, 'GET', 'machines/?op=summary')));
    if (seen.every(({ headers }) => headers['muster-cells'] === `asked=${fleet.cells.length} answered=${fleet.cells.length}`)) break;
    if (performance.now() - restarted > 60_000) {
      wrong(`${victim.name} was started again and is still absent`);
      break;
    }
    await sleep(50);
  }
  const back = (performance.now() - restarted) / 1000;
  const released = await caller.ask(fleet.fronts[0]!.url, 'POST', 'machines/?op=release', { machines: taken });
  if (released.status !== 200)
    wrong(`the release of ${taken.length} machines was answered ${released.status}: ${released.text.slice(0, 300)}`);
  return {
    'a cell killed: requests in the next 10 s': after.length,
    'a cell killed: share of them that failed (%)': (lost.length / after.length) * 100,
    'a cell killed: share that failed needlessly (%)': (needless.length / after.length) * 100,
    'a cell killed: last needless failure answered (ms)': routed,
    'a cell killed: first answer that names it absent, sent (ms)': named?.at ?? Number.NaN,
    'a cell killed: slowest answer of the others (ms)': slowest(after),
    'before: slowest answer (ms)': slowest(before),
    'before: p50 of all requests (ms)': quantile(
      before.map(({ heard }) => heard.ms),
      0.5,
    ),
    'the killed cell is up again after (s)': up,
    'and answers through both fronts after (s)': back,
  };
}

/** One machine of each cell, chosen among those that are alive, is deployed through the front by its real life: BMC, boot, agent, cloud-init. */
export async function measureDeployments({ fleet, caller, wrong, say }: Measuring, perCell: number): Promise<Figures> {
  const [front] = fleet.fronts;
  const wanted = fleet.cells.flatMap(({ machines }) => machines.slice(0, perCell));
  if (wanted.length === 0 || !front) return {};
  const began = performance.now();
  const took = new Map<string, number>();
  const rest = [...wanted];
  const client = async (): Promise<void> => {
    for (let id = rest.shift(); id !== undefined; id = rest.shift()) {
      const allocated = await caller.ask(front.url, 'POST', 'machines/?op=allocate', { system_id: id });
      const asked = await caller.ask(front.url, 'POST', `machines/${id}/?op=deploy`, { distro_series: 'simulated/1' });
      if (asked.status !== 200) wrong(`${id} was not deployed: ${allocated.status}, ${asked.status} ${asked.text.slice(0, 200)}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
  const asked = (performance.now() - began) / 1000;
  for (let seen = 0; took.size < wanted.length && performance.now() - began < 180_000;) {
    const reply = await caller.ask(front.url, 'GET', 'machines/', { id: wanted, fields: 'status_name' });
    if (reply.status === 200) {
      for (const one of JSON.parse(reply.text) as { system_id: string; status_name: string }[])
        if (one.status_name === 'Deployed' && !took.has(one.system_id)) took.set(one.system_id, (performance.now() - began) / 1000);
    }
    if (took.size - seen >= 20) say(`${(seen = took.size)} of ${wanted.length} are deployed`);
    await sleep(500);
  }
  if (took.size < wanted.length) wrong(`${wanted.length - took.size} of ${wanted.length} deployments did not end within 180 s`);
  const released = await caller.ask(front.url, 'POST', 'machines/?op=release', { machines: [...took.keys()] });
  if (released.status !== 200) wrong(`the release of deployed machines was answered ${released.status}: ${released.text.slice(0, 300)}`);
  return {
    'deployments through the front': took.size,
    'deployments, all asked for (s)': asked,
    'deployments, all done (s)': Math.max(...took.values()),
  };
}
