/**
 * One run of a scenario: a fleet of real processes under load, struck again and again, healed each time, and judged at the end. The seed is
 * printed and `--seed N` replays it; words choose blows by name.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createClient } from '../src/http/client.ts';
import { createRandom, type Random } from '../src/sim/random.ts';
import type { Blow } from './chaos-blow.ts';
import { ChaosClient, type Credential, type Door } from './chaos-client.ts';
import { finalMachines } from './chaos-final.ts';
import { newHistory, type History, type Outage } from './chaos-history.ts';
import { probeCell, probeFront } from './chaos-probe.ts';
import { reportOf, type Struck } from './chaos-report.ts';
import { runTenant } from './chaos-tenant.ts';
import { removeFolder, startFleet, type Fleet, type FleetOptions } from './fleet.ts';
import { prepareMachines, type KnownMachine } from './fleet-machines.ts';
import { problemsOf } from './invariants.ts';

export interface Scenario {
  /** One sentence, printed first. */
  readonly about: string;
  readonly fleet: Pick<FleetOptions, 'databases' | 'taps' | 'frontFlags'>;
  /** Tenants by the programs that they ask, in order; half of each kind send Idempotency-Keys, half sign in by password. */
  readonly tenants: readonly (readonly string[])[];
  /** Rounds of a prober between two global writes; 0: none. */
  readonly writesEvery: number;
  readonly blows: (fleet: Fleet, random: Random) => readonly Blow[];
}

interface Run {
  readonly scenario: Scenario;
  readonly fleet: Fleet;
  readonly history: History;
  readonly machines: readonly KnownMachine[];
  readonly random: Random;
  readonly problems: string[];
  readonly say: (text: string) => void;
}

/** The end of a process is told to its parent; on a busy machine that takes a moment. */
const noticedLateMs = 300;
/**
 * In an outage of this length the rest of the fleet must have allocated something. What is cut off says nothing: an ask waits 2 s for it, and a
 * claim that was lost there 4 s more (`--call-ms`); who is dead refuses at once.
 */
const longOutageMs = { killed: 2_500, cut: 7_000 };
/** Longest wait for the whole fleet after a blow was healed. */
const backWithinMs = 20_000;
/** A claim lasts 30 s; a release whose order may or may not have arrived waits 5 s for the slowest BMC (fleet.ts); the rest is for a busy machine. */
const settledWithinMs = 240_000;

/** Run it as a program: prints, and ends the process with 0 or 1. */
export async function runScenario(name: string, scenario: Scenario, place?: () => Promise<FleetOptions['place']>): Promise<never> {
  const { values, positionals } = parseArgs({ options: { seed: { type: 'string' } }, allowPositionals: true });
  const seed = Number(values.seed ?? 1 + Math.floor(Math.random() * 1e6));
  const began = Date.now();
  const say = (text: string): void => console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}`);
  say(`${name}: ${scenario.about}`);
  say(`seed ${seed}; again by: npm run e2e -- ${name} --seed ${seed}`);
  const problems: string[] = [];
  let fleet: Fleet | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void Promise.resolve(fleet?.[Symbol.asyncDispose]()).finally(() => process.exit(130)));
  try {
    const where = await place?.();
    fleet = await startFleet({ name, seed, ...scenario.fleet, ...(where === undefined ? {} : { place: where }), say });
    const machines = await prepareMachines(fleet);
    say(`${machines.length} machines are Ready`);
    const random = createRandom(`${name} ${seed}`);
    const history = newHistory(new Map(machines.map(({ systemId, cell }) => [systemId, cell])));
    await carryOut({ scenario, fleet, history, machines, random, problems, say }, positionals);
  } catch (error) {
    problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  try {
    await fleet?.[Symbol.asyncDispose]();
  } catch (error) {
    problems.push(`cleaning up: ${String(error)}`);
  }
  if (fleet && problems.length === 0) removeFolder(fleet);
  else if (fleet) console.log(`The data folder is kept: ${fleet.folder}`);
  for (const problem of problems) console.error(`FAILED: ${problem}`);
  say(problems.length === 0 ? 'no problems' : `${problems.length} problems; seed ${seed}`);
  process.exit(problems.length === 0 ? 0 : 1);
}

async function carryOut(run: Run, wanted: readonly string[]): Promise<void> {
  const { scenario, fleet, history, machines, random, problems, say } = run;
  const blows = scenario
    .blows(fleet, random.fork('blows'))
    .filter(({ name }) => wanted.length === 0 || wanted.some((word) => name.includes(word)));
  const idle = wanted.filter((word) => !blows.some(({ name }) => name.includes(word)));
  if (idle.length > 0) problems.push(`no blow has ${idle.join(', ')} in its name`);
  const stopping = new AbortController();
  const load = Promise.allSettled(await startLoad(run, stopping.signal));
  const started = Date.now();
  const struck: Struck[] = [];
  await sleep(1_000);
  try {
    for (const blow of blows) struck.push(await strikeOnce(run, blow));
  } catch (error) {
    problems.push(String(error));
  }
  await sleep(500);
  stopping.abort();
  const telling = setInterval(() => void waitingFor(run).then((text) => say(`still under way: ${text}`)), 10_000);
  const failures = (await load.finally(() => clearInterval(telling))).flatMap((end) =>
    end.status === 'rejected' ? [String(end.reason)] : [],
  );
  problems.push(...failures.map((text) => `a client gave up: ${text}`));
  say('the load has ended; waiting until nothing is under way');
  history.final.push(...(await finalMachines(fleet, machines, settledWithinMs)));
  await lookAtWrites(run);
  await lookAtFronts(run);
  console.log(`\n${reportOf(history, struck, started)}\n`);
  problems.push(...problemsOf(history));
  // A run in which nothing went on has shown nothing.
  if (!history.allocations.some(({ deployed }) => deployed > 0)) problems.push('nothing was deployed');
  if (!history.allocations.some(({ deployed, releaseAsked }) => deployed > 0 && releaseAsked === 0))
    problems.push('no machine stayed deployed, so none could have been touched');
}

async function strikeOnce({ fleet, history, say, problems }: Run, blow: Blow): Promise<Struck> {
  // Answers that are lost already may be noticed before we are told who is away.
  const mine = (await blow.strike()).map((name): Outage => ({ name, from: 0, to: Infinity }));
  const from = Date.now() - noticedLateMs;
  for (const outage of mine) history.outages.push(Object.assign(outage, { from }));
  await sleep(blow.holdMs);
  await blow.heal();
  const to = Date.now();
  for (const outage of mine) outage.to = to;
  const back = await whenBack(fleet).catch((error: unknown) => {
    problems.push(`after ${blow.name}: ${String(error)}`);
    return Date.now();
  });
  say(`${blow.name}: away ${((to - from) / 1000).toFixed(1)} s, all back ${((back - to) / 1000).toFixed(1)} s later`);
  const away = mine.map(({ name }) => name);
  const went = history.allocations.filter((one) => one.acknowledged > from && one.acknowledged < to).length;
  const long = longOutageMs[away.some((name) => name.includes('>')) ? 'cut' : 'killed'];
  if (to - from > long && went === 0) problems.push(`nothing was allocated while ${away.join(', ')} was away for ${to - from} ms`);
  return { name: blow.name, away, from, to, back };
}

/** What tenants still wait for, in the cells' own words. */
async function waitingFor({ fleet, history }: Run): Promise<string> {
  const open = history.allocations.filter(
    (one) => one.outcome === 'open' || (one.deployAsked > 0 && one.deployed === 0 && one.releaseAsked === 0),
  );
  const words = open.map(async ({ id, systemId, cell }) => {
    if (systemId === '') return `${id} has no machine yet`;
    const machine = await fleet.client(cell).call('Machine.read', { system_id: systemId }, {});
    return `${id} ${systemId} ${machine.status_name}, ${machine.operation?.step ?? 'no step'}, ${machine.operation?.note ?? machine.status_message ?? ''}`;
  });
  const told = await Promise.allSettled(words);
  return told.map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason))).join('; ') || 'releases';
}

/** When each front sees every cell. */
async function whenBack(fleet: Fleet): Promise<number> {
  for (const end = Date.now() + backWithinMs; ;) {
    const seen = await Promise.all(
      fleet.fronts.map(async ({ name }) => {
        const reply = await fleet
          .client(name)
          .open('Machines.summary', {}, {})
          .catch(() => undefined);
        await reply?.body?.cancel();
        return reply?.headers.get('muster-cells') ?? `${name}: no answer`;
      }),
    );
    if (seen.every((text) => text === `asked=${fleet.cells.length} answered=${fleet.cells.length}`)) return Date.now();
    if (Date.now() > end) throw new Error(`the fleet was not whole again within ${backWithinMs / 1000} s: ${seen.join('; ')}`);
    await sleep(100);
  }
}

async function startLoad({ scenario, fleet, history, machines, random }: Run, stopping: AbortSignal): Promise<Promise<void>[]> {
  const cells = fleet.cells.map(({ name }) => name);
  const doorOf = (name: string): Door => ({ name, url: fleet.program(name).url });
  const admin = fleet.client('hub');
  const tenants = await Promise.all(
    scenario.tenants.map(async (doors, index) => {
      const name = `t${index + 1}`;
      const password = `of tenant ${name}`;
      await admin.call('Users.create', {}, { username: name, email: `${name}@example.com`, password, is_superuser: false });
      const { session } = await createClient({ url: fleet.hubPlainUrl }).call('Session.create', {}, { username: name, password });
      const token = await createClient({ url: fleet.hubPlainUrl, session }).call('Account.create_authorisation_token', {}, {});
      const key = `${token.consumer_key}:${token.token_key}:${token.token_secret}`;
      const credential: Credential = index % 4 < 2 ? { key } : { session };
      const client = new ChaosClient(name, doors.map(doorOf), credential, history, index);
      return { name, keyed: index % 2 === 0, client, random: random.fork(name), history, cells, keeps: 1, stopping };
    }),
  );
  const { session } = await createClient({ url: fleet.hubPlainUrl }).call('Session.create', {}, fleet.admin);
  const probe = { machines, cells, history, stopping, writesEvery: scenario.writesEvery };
  const probers = fleet.fronts.map(({ name }, index) => {
    const credential = index % 2 === 0 ? { key: fleet.admin.apiKey } : { session };
    return probeFront({ ...probe, client: new ChaosClient(`p-${name}`, [doorOf(name)], credential, history), random: random.fork(name) });
  });
  const direct = fleet.cells.map(({ name }) =>
    probeCell({
      ...probe,
      client: new ChaosClient(`p-${name}`, [doorOf(name)], { key: fleet.admin.apiKey }, history),
      random: random.fork(name),
    }),
  );
  return [...tenants.map(runTenant), ...probers, ...direct];
}

/** Every front, each by itself, has what was written. */
async function lookAtWrites({ fleet, history }: Run): Promise<void> {
  const lists = await Promise.all(fleet.fronts.map(({ name }) => fleet.client(name).call('Zones.read', {}, {})));
  for (const written of history.written) written.kept = lists.every((zones) => zones.some((zone) => zone.name === written.name));
}

/** At the end all of them show the same whole fleet. */
async function lookAtFronts({ fleet, history }: Run): Promise<void> {
  for (const { name } of fleet.fronts) {
    const at = Date.now();
    const machines = await fleet.client(name).call('Machines.read', {}, { fields: 'hostname' });
    history.listed.push({ at, until: Date.now(), via: name, ids: machines.map((one) => one.system_id), absent: [] });
  }
}
