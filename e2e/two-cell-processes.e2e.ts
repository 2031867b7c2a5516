/**
 * `npm run e2e -- two-cell-processes [SEED] [all]`: two processes of one cell over one PostgreSQL deploy simulated machines, and one of them is
 * killed (-9) again and again: at points that the code has on a deployment's way (one place of each step, drawn by the seed; `all`: every
 * place), then at moments drawn by the seed. Nobody waits for its return: the machines and the API's callers go to the other address. At the end
 * both are restarted one after the other, in an orderly way, under load.
 */
import { createWriteStream, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../src/http/client.ts';
import { stopSurvivor } from '../src/postgres/embedded-postgres.ts';
import { completedWrites } from '../src/sim/disk.ts';
import type { MachineFaults } from '../src/sim/fault.ts';
import { createFleet, type FleetMachine } from '../src/sim/fleet.ts';
import { createRandom } from '../src/sim/random.ts';
import { pairClient, startPair, type CellPair } from './cell-pair.ts';
import { killCases, type KillCase } from './kill-points.ts';
import { simulatedImages, until } from './sim-cell.ts';

const words = process.argv.slice(2);
const seed = words.find((word) => word !== 'all') ?? Math.floor(Math.random() * 2 ** 32).toString(36);
const random = createRandom(seed);
/** Simulated seconds a second. */
const speed = 300;
const reachedWithin = 40_000;
const deployedWithin = words.includes('all') ? 300_000 : 120_000;
/** Deployments that are under way while processes are killed at random moments, and how often that is. */
const crowd = 8;
const randomKills = 4;

/** An order whose outcome nobody knows waits 40 s for the slowest BMC: these are in `kill-mid-deploy`, and here when all are asked for. */
const slowPoints = /^(power_send:committed|wait:|bmc:)/;

const faults: Readonly<Record<KillCase['way'], MachineFaults>> = {
  plain: {},
  fetch: {},
  slow: { slow: 30 },
  abort: { hangsInDeployAt: 'kernel' },
};

interface Subject {
  readonly name: string;
  readonly kill: KillCase | undefined;
  readonly image: string;
  systemId: string;
  readonly simulated: FleetMachine;
  ordersBefore: number;
  asked: number;
  killed: string;
  deployedAfter: number | undefined;
}

const started = Date.now();
const say = (text: string): void => console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}`);
const problems: string[] = [];
const check = (holds: boolean, text: string): void => void (holds || problems.push(text));

function chosenCases(): KillCase[] {
  const usual = killCases.filter(({ point }) => words.includes('all') || !slowPoints.test(point));
  if (words.includes('all')) return usual.filter(({ point }) => point !== 'bmc:acted');
  const steps = Map.groupBy(usual, ({ point, nth }) => `${point.split(':')[0]} ${nth}`);
  return [...steps.values()].map((places) => places[Math.floor(random.next() * places.length)] ?? outside());
}

function outside(): never {
  throw new RangeError('a step without a place');
}

const folder = mkdtempSync(join(tmpdir(), 'muster-pair-'));
let pair: CellPair | undefined;
const sweep = async (): Promise<void> => {
  await Promise.resolve(pair?.[Symbol.asyncDispose]()).catch((error: unknown) => problems.push(String(error)));
  await stopSurvivor(join(folder, 'postgres')).catch(() => undefined);
};
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void sweep().finally(() => (rmSync(folder, { recursive: true, force: true }), process.exit(130))));
try {
  await run();
} catch (error) {
  problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
} finally {
  await sweep();
  if (problems.length === 0) rmSync(folder, { recursive: true, force: true });
  else console.log(`The data folders are kept: ${folder}`);
}
for (const problem of problems) console.error(`FAILED: ${problem}`);
console.log(`seed ${seed}: npm run e2e -- two-cell-processes ${seed}${words.includes('all') ? ' all' : ''}`);
process.exit(problems.length === 0 ? 0 : 1);

async function run(): Promise<void> {
  const cases = chosenCases();
  const story = createWriteStream(join(folder, 'machines.log'));
  const fetches = cases.filter(({ way }) => way === 'fetch').length;
  await using images = await simulatedImages(join(folder, 'images'), 1 + fetches);
  pair = await startPair(folder, images, '127.42.255.254/16');
  say(`two processes of one cell at ${pair.urls.join(' and ')}; seed ${seed}; ${cases.length} kill points, ${randomKills} random kills`);
  await using fleet = await createFleet({
    seed: `pair/${seed}`,
    machines: cases.length + crowd + 1,
    cellUrl: pair.urls.join(','),
    speed,
    faults: (number) => faults[cases[number]?.way ?? 'plain'],
    log: (event) => story.write(`${JSON.stringify(event)}\n`),
  });
  let fetched = 1;
  const subjects = fleet.machines.map((simulated, index): Subject => {
    const kill = cases[index];
    const name = kill
      ? `${kill.point}${kill.nth > 1 ? ` (occurrence ${kill.nth})` : ''}`
      : index < fleet.machines.length - 1
        ? 'in a crowd'
        : 'before all';
    const image = kill?.way === 'fetch' ? `simulated/${(fetched += 1)}` : 'simulated/1';
    return { name, kill, image, systemId: '', simulated, ordersBefore: 0, asked: 0, killed: '', deployedAfter: undefined };
  });
  await prepare(pair, subjects);

  const settled = subjects.at(-1) ?? outside();
  await deploy(pair, settled, 0);
  await allDeployed(pair, [settled]);
  const untouched = traceOf(settled);
  const over = new AbortController();
  const notes = noteTaker(pair, settled.systemId, over.signal);
  const watching = watch(pair, subjects, over.signal);

  for (const [index, subject] of subjects.entries()) if (subject.kill) await killOnce(pair, subject, subject.kill, index % 2);
  const many = subjects.filter((subject) => !subject.kill && subject !== settled);
  await killAtRandom(pair, many);
  await allDeployed(pair, subjects);
  const refusals = await rollingRestart(pair, subjects);
  over.abort();
  await Promise.all([notes, watching]);
  check(traceOf(settled) === untouched, `the machine that was Deployed before all was touched: ${untouched} → ${traceOf(settled)}`);
  report(subjects);
  say(`orderly restart of both under load: ${refusals}`);
}

/** What was done to a machine: orders to its BMC, boots, writes. */
function traceOf({ simulated: { machine, bmc } }: Subject): string {
  const orders = bmc.log.filter((order) => ['on', 'off', 'cycle', 'reset'].includes(order.command)).length;
  return `${orders} orders, ${machine.boots.length} boots, ${machine.disks.reduce((sum, disk) => sum + disk.log.length, 0)} writes, ${machine.stage}`;
}

interface Seen {
  readonly system_id: string;
  readonly status_name: string;
  readonly status_message: string;
  readonly macs: readonly string[];
}

async function machinesOf({ urls, key }: CellPair): Promise<Seen[]> {
  const list = (await pairClient(urls, key).call((client) => client.call('Machines.read', {}, {}))) as readonly {
    system_id?: string;
    status_name?: string;
    status_message?: string | null;
    interface_set?: readonly { mac_address?: string | null }[];
  }[];
  return list.map((one) => ({
    system_id: one.system_id ?? '',
    status_name: one.status_name ?? '',
    status_message: one.status_message ?? '',
    macs: (one.interface_set ?? []).flatMap((card) => card.mac_address ?? []),
  }));
}

function show(seen: readonly Seen[]): string {
  return seen
    .filter((one) => one.status_name !== 'Deployed')
    .map((one) => `${one.system_id} ${one.status_name} ${one.status_message}`)
    .join(', ');
}

/** Enlisted and commissioned by both processes, whoever is asked. */
async function prepare(at: CellPair, subjects: readonly Subject[]): Promise<void> {
  const client = pairClient(at.urls, at.key);
  for (const { simulated } of subjects) simulated.machine.pressPower();
  const all = await until(
    'enlistment',
    60_000,
    () => machinesOf(at),
    (seen) => seen.length === subjects.length,
    show,
  );
  for (const [index, subject] of subjects.entries()) {
    const mac = subject.simulated.machine.model.cards[0]?.mac ?? '';
    subject.systemId = all.find((one) => one.macs.includes(mac))?.system_id ?? '';
    const path = { system_id: subject.systemId };
    const power = { power_type: 'redfish', power_parameters: { ...subject.simulated.power.power_parameters } };
    await client.call((one) => one.call('Machine.update', path, power), index % 2);
    await client.call((one) => one.call('Machine.commission', path, {}), (index + 1) % 2);
  }
  await until(
    'commissioning',
    90_000,
    () => machinesOf(at),
    (seen) => seen.every((one) => one.status_name === 'Ready'),
    show,
  );
  say(`${subjects.length} machines are Ready`);
}

/** Allocate and deploy, asked of the address in this place first, with keys: what a dead process has begun is not begun again. */
async function deploy(at: CellPair, subject: Subject, place: number, key = '1'): Promise<void> {
  const client = pairClient(at.urls, at.key);
  const path = { system_id: subject.systemId };
  subject.ordersBefore = subject.simulated.bmc.log.length;
  subject.asked = Date.now();
  const user_data = btoa('#cloud-config\n{}\n');
  await client.call(
    (one) =>
      one.call('Machine.deploy', path, { distro_series: subject.image, user_data }, { idempotencyKey: `${subject.systemId}-${key}` }),
    place,
  );
}

async function killOnce(at: CellPair, subject: Subject, kill: KillCase, place: number): Promise<void> {
  const arms = join(folder, `arm-${subject.systemId}`);
  mkdirSync(arms);
  const dead = at.arm({ point: kill.point, nth: kill.nth, folder: arms });
  dead.catch(() => undefined);
  const asking = kill.way === 'abort' ? deployAndAbort(at, subject, place) : deploy(at, subject, place);
  asking.catch((error: unknown) => problems.push(`${subject.name}: ${String(error)}`));
  const who = await Promise.race([dead, sleep(reachedWithin, undefined, { ref: false })]);
  if (who === undefined) {
    problems.push(`${subject.name} was not reached within ${reachedWithin / 1000} s`);
    // Nobody dies there later.
    for (const one of [0, 1]) at.running(one)?.child.stdin?.write(`${JSON.stringify({ point: '', nth: 1, folder: arms })}\n`);
    return;
  }
  subject.killed = `process ${who + 1}`;
  say(`process ${who + 1} killed at ${subject.name}`);
  await at.start(who);
  await asking;
}

/** The machine hangs; the deployment is aborted and asked for again. */
async function deployAndAbort(at: CellPair, subject: Subject, place: number): Promise<void> {
  const client = pairClient(at.urls, at.key);
  const path = { system_id: subject.systemId };
  await deploy(at, subject, place);
  const { boots } = subject.simulated.machine;
  await until(
    'the hanging boot',
    60_000,
    async () => boots.at(-1)?.purpose ?? '',
    (seen) => seen === 'deploy',
    (seen) => seen,
  );
  // Who aborts twice is told that it is done already.
  await client
    .call((one) => one.call('Machine.abort', path, {}))
    .catch((error: unknown) => {
      if (!(error instanceof ApiError)) throw error;
    });
  const state = async (): Promise<string> =>
    (await machinesOf(at)).find((one) => one.system_id === subject.systemId)?.status_name ?? 'gone';
  await until(
    'the abort',
    60_000,
    state,
    (seen) => seen === 'Allocated' || seen === 'Ready',
    (seen) => seen,
  );
  await deploy(at, subject, place, '2');
}

async function killAtRandom(at: CellPair, many: readonly Subject[]): Promise<void> {
  const asking = Promise.all(many.map((subject, index) => deploy(at, subject, index % 2)));
  asking.catch((error: unknown) => problems.push(`in a crowd: ${String(error)}`));
  for (let kill = 0; kill < randomKills; kill += 1) {
    const ms = Math.round(100 + 900 * random.next());
    await sleep(ms);
    const place = kill % 2;
    await at.end(place, 'SIGKILL');
    say(`process ${place + 1} killed after ${ms} ms`);
    for (const subject of many) subject.killed += `${subject.killed === '' ? 'process' : ','} ${place + 1}`;
    await at.start(place);
  }
  await asking;
}

/** Notes when each is Deployed, while others are still being killed. */
async function watch(at: CellPair, subjects: readonly Subject[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    noteDeployed(await machinesOf(at), subjects);
    await sleep(500);
  }
}

function noteDeployed(seen: readonly Seen[], subjects: readonly Subject[]): void {
  const deployed = new Set(seen.filter((one) => one.status_name === 'Deployed').map((one) => one.system_id));
  for (const subject of subjects)
    if (subject.asked > 0 && subject.deployedAfter === undefined && deployed.has(subject.systemId))
      subject.deployedAfter = Date.now() - subject.asked;
}

async function allDeployed(at: CellPair, subjects: readonly Subject[]): Promise<void> {
  const stateOf = (seen: readonly Seen[], subject: Subject): string =>
    seen.find((one) => one.system_id === subject.systemId)?.status_name ?? 'gone';
  const look = async (): Promise<Seen[]> => {
    const seen = await machinesOf(at);
    noteDeployed(seen, subjects);
    return seen;
  };
  const isOver = (seen: readonly Seen[]): boolean =>
    subjects.every((subject) => ['Deployed', 'Failed deployment'].includes(stateOf(seen, subject)));
  await until('the deployments', deployedWithin, look, isOver, show).catch((error: unknown) => problems.push(String(error)));
  const stages = async (): Promise<string[]> => subjects.map(({ simulated }) => simulated.machine.stage);
  await until(
    'the systems',
    30_000,
    stages,
    (seen) => seen.every((stage) => stage === 'up'),
    (seen) => seen.join(' '),
  ).catch((error: unknown) => problems.push(String(error)));
}

/** Writes a number after the other until told to stop: the last one that was acknowledged must be there, and each one read at once. */
async function noteTaker({ urls, key }: CellPair, systemId: string, signal: AbortSignal): Promise<void> {
  const client = pairClient(urls, key);
  const path = { system_id: systemId };
  const read = async (place: number): Promise<unknown> =>
    ((await client.call((one) => one.call('Machine.read', path, {}), place)) as { description?: string }).description;
  let count = 0;
  while (!signal.aborted) {
    count += 1;
    await client.call((one) => one.call('Machine.update', path, { description: String(count) }), count % 2);
    const seen = await read((count + 1) % 2);
    check(seen === String(count), `note ${count} was acknowledged by one process, the other says ${String(seen)}`);
    await sleep(30);
  }
  say(`${count} writes acknowledged, each read at the other process; on the way: ${JSON.stringify(client.troubles)}`);
}

/** One after the other, by SIGTERM, while three callers ask and write. @returns what the callers saw */
async function rollingRestart(at: CellPair, subjects: readonly Subject[]): Promise<string> {
  const over = new AbortController();
  const clients = [0, 1, 2].map(() => pairClient(at.urls, at.key));
  let calls = 0;
  const load = clients.map(async (client, number) => {
    for (let n = number; !over.signal.aborted; n += 1) {
      // Each writes to a machine of its own: two writers of one are told so by a 409.
      const path = { system_id: subjects[number]?.systemId ?? '' };
      if (n % 3 === 0) await client.call((one) => one.call('Machine.update', path, { swap_size: 1 }), n % 2);
      else await client.call((one) => one.call('Machines.read', {}, {}), n % 2);
      calls += 1;
    }
  });
  const together = Promise.all(load);
  together.catch((error: unknown) => problems.push(`under load: ${String(error)}`));
  for (const place of [0, 1]) {
    await sleep(300);
    await at.end(place, 'SIGTERM');
    await sleep(300);
    await at.start(place);
  }
  await sleep(300);
  over.abort();
  await together;
  const sum = clients.reduce(
    (all, { troubles }) => ({
      refused: all.refused + troubles.refused,
      broken: all.broken + troubles.broken,
      notNow: all.notNow + troubles.notNow,
    }),
    { refused: 0, broken: 0, notNow: 0 },
  );
  check(sum.refused > 0, 'nobody was refused while a process was away: it was not away');
  check(sum.broken === 0 && sum.notNow === 0, `an orderly restart was noticed: ${JSON.stringify(sum)}`);
  return `${calls} calls, ${sum.refused} of them refused a connection and answered at the other address, ${sum.broken} broken off, ${sum.notNow} told to come back`;
}

function report(subjects: readonly Subject[]): void {
  const heads = ['killed', 'deployed', 'boots', 'claims', 'writes', 'starts'];
  console.log(`\n${'kill point'.padEnd(36)}${heads.map((head, at) => (at === 0 ? head.padEnd(20) : head.padStart(10))).join('')}`);
  for (const subject of subjects) {
    const { machine, bmc } = subject.simulated;
    const boots = machine.boots.filter((boot) => boot.purpose === 'deploy');
    const claims = boots.filter((boot) => boot.claimed).length;
    const writes = [...completedWrites(machine.disks.flatMap((disk) => disk.log)).values()];
    const orders = bmc.log.slice(subject.ordersBefore);
    const starts = orders.filter((order) => ['on', 'cycle', 'reset'].includes(order.command)).length;
    const seconds = subject.deployedAfter === undefined ? 'never' : `${(subject.deployedAfter / 1000).toFixed(1)} s`;
    const figures = [seconds, String(boots.length), String(claims), writes.join('+'), String(starts)];
    console.log(`${subject.name.padEnd(36)}${subject.killed.padEnd(20)}${figures.map((figure) => figure.padStart(10)).join('')}`);
    const holds = (fact: boolean, text: string): void => check(fact, `${subject.name} (${subject.systemId}): ${text}`);
    holds(subject.deployedAfter !== undefined, 'it was never Deployed');
    holds(claims === 1, `${claims} claims`);
    holds(writes.length === 1 && writes[0] === 1, `completed writes by operation: ${writes.join(', ') || 'none'}`);
    holds(machine.boots.at(-1)?.system?.instanceId === subject.systemId, 'the system that runs is not the one that was deployed');
    const refused = boots.flatMap((boot) => boot.refused ?? []);
    holds(refused.length === 0, `the machine was refused: ${refused.join('; ')}`);
    if (subject.kill?.way === 'abort') continue;
    holds(boots.length === 1, `${boots.length} boots to deploy: the machine had to begin again`);
    holds(starts === 1, `it was started ${starts} times`);
  }
  say(`${subjects.filter((subject) => subject.deployedAfter !== undefined).length} of ${subjects.length} deployments finished`);
}
