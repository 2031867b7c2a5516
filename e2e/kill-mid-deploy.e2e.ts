/**
 * `npm run e2e -- kill-mid-deploy`: a real cell with its own PostgreSQL deploys simulated machines and is killed (-9) once at every point of
 * a deployment, in half of the cases with its PostgreSQL. Started again each time, it must finish every deployment, with exactly one claim
 * and one completed write on the disk, and without touching the power of a machine that has booted.
 */
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, createClient, type Client } from '../src/http/client.ts';
import { stopSurvivor } from '../src/postgres/embedded-postgres.ts';
import { completedWrites } from '../src/sim/disk.ts';
import type { MachineFaults } from '../src/sim/fault.ts';
import { createFleet, type FleetMachine } from '../src/sim/fleet.ts';
import type { CellProcessSettings } from './cell-process.ts';
import { killCases, type KillCase } from './kill-points.ts';
import {
  freePort,
  killCellProcess,
  machinesOf,
  persistently,
  simulatedImages,
  startCellProcess,
  until,
  type CellProcess,
  type SeenMachine,
} from './sim-cell.ts';

/** Simulated seconds a second: a whole deployment takes about one. */
const speed = 300;
/** How long a point may take to be reached. */
const reachedWithin = 30_000;

const faults: Readonly<Record<KillCase['way'], MachineFaults>> = {
  plain: {},
  fetch: {},
  slow: { slow: 30 },
  abort: { hangsInDeployAt: 'kernel' },
};

interface Subject extends KillCase {
  readonly systemId: string;
  readonly simulated: FleetMachine;
  readonly killsPostgres: boolean;
  /** Entries of the BMC's log before the deployment. */
  ordersBefore: number;
  asked: number;
  killedAfter: number | undefined;
  deployedAfter: number | undefined;
}

const started = Date.now();
const say = (text: string): void => console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}`);
const nameOf = (subject: KillCase): string => `${subject.point}${subject.nth > 1 ? ` (occurrence ${subject.nth})` : ''}`;

/** Only those points whose name has one of these words. */
const wanted = process.argv.slice(2);
const cases = killCases.filter(({ point }) => wanted.length === 0 || wanted.some((word) => point.includes(word)));

let running: CellProcess | undefined;
const folder = mkdtempSync(join(tmpdir(), 'muster-kill-'));
const problems: string[] = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    // The cell ends with us: its standard input is a pipe of ours. Its PostgreSQL does not.
    running?.child.kill('SIGKILL');
    void (running?.ended ?? Promise.resolve())
      .then(() => stopSurvivor(join(folder, 'cell/postgres')))
      .then(() => rmSync(folder, { recursive: true, force: true }))
      .finally(() => process.exit(130));
  });
}
try {
  await run();
} catch (error) {
  problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
} finally {
  await stopSurvivor(join(folder, 'cell/postgres')).catch((error: unknown) => problems.push(String(error)));
  if (problems.length === 0) rmSync(folder, { recursive: true, force: true });
  else console.log(`The data folder is kept: ${folder}`);
}
for (const problem of problems) console.error(`FAILED: ${problem}`);
process.exit(problems.length === 0 ? 0 : 1);

async function run(): Promise<void> {
  // Kept with the data folder when something fails.
  const story = createWriteStream(join(folder, 'machines.log'));
  const fetches = cases.filter(({ way }) => way === 'fetch').length;
  await using images = await simulatedImages(join(folder, 'images'), 1 + fetches);
  const port = await freePort();
  const settings: CellProcessSettings = {
    folder: join(folder, 'cell'),
    images: images.folder,
    port,
    imageSources: [images.source],
    network: '127.42.255.254/16',
    killPoint: '',
    nth: 1,
    killPostgres: false,
  };
  const url = `http://127.0.0.1:${port}`;
  const start = async (more: Partial<CellProcessSettings> = {}): Promise<CellProcess> =>
    (running = await startCellProcess({ ...settings, ...more }));
  let cell = await start();
  const client = createClient({ url, key: cell.key });
  try {
    say(`a cell is up; ${cases.length} kill points`);
    await using fleet = await createFleet({
      seed: 'kill-mid-deploy',
      machines: cases.length,
      cellUrl: url,
      speed,
      faults: (number) => faults[cases[number]?.way ?? 'plain'],
      log: (event) => story.write(`${JSON.stringify(event)}\n`),
    });
    const subjects = await prepare(client, fleet.machines);
    await killCellProcess(cell);
    let image = 1;
    for (const subject of subjects) {
      cell = await start({ killPoint: subject.point, nth: subject.nth, killPostgres: subject.killsPostgres });
      if (subject.way === 'fetch') image += 1;
      await killOnce(subject, cell, client, `simulated/${subject.way === 'fetch' ? image : 1}`);
    }
    cell = await start();
    await finish(subjects, client);
    report(subjects);
  } finally {
    await killCellProcess(cell);
  }
}

/** All machines of the rack enlisted, with their BMCs known, and Ready. */
async function prepare(client: Client, machines: readonly FleetMachine[]): Promise<Subject[]> {
  for (const { machine } of machines) machine.pressPower();
  const show = (seen: readonly SeenMachine[]): string => seen.map((one) => `${one.system_id} ${one.status_name} ${one.error}`).join(', ');
  const enlisted = await until(
    'enlistment',
    60_000,
    () => machinesOf(client),
    (seen) => seen.length === machines.length,
    show,
  );
  say(`${enlisted.length} machines enlisted`);
  const subjects = machines.map((simulated, index): Subject => {
    const mac = simulated.machine.model.cards[0]?.mac ?? '';
    const systemId = enlisted.find((one) => one.macs.includes(mac))?.system_id;
    const given = cases[index];
    if (systemId === undefined || given === undefined) throw new Error(`machine ${index} (${mac}) did not enlist as itself`);
    return {
      ...given,
      systemId,
      simulated,
      killsPostgres: index % 2 === 1,
      ordersBefore: 0,
      asked: 0,
      killedAfter: undefined,
      deployedAfter: undefined,
    };
  });
  for (const { systemId, simulated } of subjects) {
    await client.call(
      'Machine.update',
      { system_id: systemId },
      { power_type: 'redfish', power_parameters: { ...simulated.power.power_parameters } },
    );
    await client.call('Machine.commission', { system_id: systemId }, {});
  }
  await until(
    'commissioning',
    90_000,
    () => machinesOf(client),
    (seen) => seen.every((one) => one.status_name === 'Ready'),
    show,
  );
  say('all of them are Ready');
  return subjects;
}

/** Ask for one deployment and wait for the cell to die at the point. */
async function killOnce(subject: Subject, cell: CellProcess, client: Client, image: string): Promise<void> {
  const { machine, bmc } = subject.simulated;
  subject.ordersBefore = bmc.log.length;
  subject.asked = Date.now();
  if (subject.point === 'bmc:acted') {
    const order = machine.order.bind(machine);
    machine.order = (command) => {
      order(command);
      machine.order = order;
      if (subject.killsPostgres) process.kill(cell.postgres, 'SIGKILL');
      cell.child.kill('SIGKILL');
    };
  }
  const asking = deploy(subject, client, image);
  const late = sleep(reachedWithin).then(() => undefined);
  const ended = await Promise.race([cell.ended, late]);
  if (ended === undefined) {
    problems.push(`${nameOf(subject)} was not reached within ${reachedWithin / 1000} s`);
    say(problems.at(-1) ?? '');
    await killCellProcess(cell);
  } else if (ended.signal !== 'SIGKILL' || (ended.killedAt ?? 'bmc:acted') !== subject.point) {
    problems.push(`${nameOf(subject)}: the cell ended with ${ended.signal ?? ended.code} at ${ended.killedAt ?? 'no point'}`);
  } else {
    subject.killedAfter = Date.now() - subject.asked;
    say(`killed at ${nameOf(subject)}${subject.killsPostgres ? ', PostgreSQL too' : ''}`);
  }
  // The next start answers it, if this one did not.
  asking.catch((error: unknown) => problems.push(`${nameOf(subject)}: ${String(error)}`));
}

/** The same key every time: what the dead cell has begun is not begun again. */
async function deploy(subject: Subject, client: Client, image: string): Promise<void> {
  const path = { system_id: subject.systemId };
  const ask = (key: string): Promise<unknown> =>
    persistently(() =>
      client.call('Machine.deploy', path, { distro_series: image, user_data: btoa('#cloud-config\n{}\n') }, { idempotencyKey: key }),
    );
  await ask(`${subject.systemId}-1`);
  if (subject.way !== 'abort') return;
  const { boots } = subject.simulated.machine;
  await until(
    'the hanging boot',
    60_000,
    () => Promise.resolve(boots),
    (seen) => seen.at(-1)?.purpose === 'deploy',
    (seen) => seen.at(-1)?.purpose ?? 'none',
  );
  // Who aborts twice is told that it is done already.
  await persistently(() => client.call('Machine.abort', path, {})).catch((error: unknown) => {
    if (!(error instanceof ApiError)) throw error;
  });
  await until(
    'the abort',
    180_000,
    () => machinesOf(client),
    (seen) => stateOf(seen, subject) === 'Allocated',
    (seen) => stateOf(seen, subject),
  );
  await ask(`${subject.systemId}-2`);
}

function stateOf(seen: readonly SeenMachine[], subject: Subject): string {
  return seen.find((one) => one.system_id === subject.systemId)?.status_name ?? 'gone';
}

/** Wait until every machine is Deployed. The order whose outcome nobody knows takes 40 s. */
async function finish(subjects: readonly Subject[], client: Client): Promise<void> {
  say('started for the last time; waiting for all deployments');
  let told = Date.now();
  const look = async (): Promise<SeenMachine[]> => {
    const seen = await machinesOf(client);
    for (const subject of subjects)
      if (subject.deployedAfter === undefined && stateOf(seen, subject) === 'Deployed') subject.deployedAfter = Date.now() - subject.asked;
    const open = subjects.filter((subject) => subject.deployedAfter === undefined);
    if (Date.now() - told > 10_000 && open.length > 0) {
      told = Date.now();
      say(`${subjects.length - open.length} of ${subjects.length} deployed; open: ${open.map(nameOf).slice(0, 6).join(', ')}`);
    }
    return seen;
  };
  const isOver = (seen: readonly SeenMachine[]): boolean =>
    subjects.every((subject) => ['Deployed', 'Failed deployment'].includes(stateOf(seen, subject)));
  await until('the deployments', 330_000, look, isOver, (seen) =>
    seen.map((one) => `${one.system_id} ${one.status_name} ${one.error}`).join(', '),
  ).catch((error: unknown) => problems.push(String(error)));
  // Deployed is said when the user-data was fetched; cloud-init goes on for a little while.
  const stages = (): string[] => subjects.map(({ simulated }) => simulated.machine.stage);
  await until(
    'the systems',
    30_000,
    () => Promise.resolve(stages()),
    (seen) => seen.every((stage) => stage === 'up'),
    (seen) => seen.join(' '),
  ).catch((error: unknown) => problems.push(String(error)));
}

function report(subjects: readonly Subject[]): void {
  console.log(
    `\n${'kill point'.padEnd(36)}${'PostgreSQL'.padEnd(12)}${'killed'.padStart(8)}${'deployed'.padStart(10)}${'claims'.padStart(8)}${'writes'.padStart(8)}${'starts'.padStart(8)}`,
  );
  const seconds = (ms: number | undefined): string => (ms === undefined ? 'never' : `${(ms / 1000).toFixed(1)} s`);
  for (const subject of subjects) {
    const { machine, bmc } = subject.simulated;
    const installs = machine.boots.filter((boot) => boot.purpose === 'deploy' && boot.claimed);
    const writes = [...completedWrites(machine.disks.flatMap((disk) => disk.log)).values()];
    const orders = bmc.log.slice(subject.ordersBefore);
    const starts = orders.filter((order) => ['on', 'cycle', 'reset'].includes(order.command));
    const row = [
      nameOf(subject).padEnd(36),
      (subject.killsPostgres ? 'killed' : 'went on').padEnd(12),
      seconds(subject.killedAfter).padStart(8),
      seconds(subject.deployedAfter).padStart(10),
    ];
    console.log([...row, String(installs.length).padStart(8), writes.join('+').padStart(8), String(starts.length).padStart(8)].join(''));
    const check = (holds: boolean, text: string): void => void (holds || problems.push(`${nameOf(subject)}: ${text}`));
    check(subject.deployedAfter !== undefined, 'it was never Deployed');
    check(installs.length === 1, `${installs.length} claims`);
    check(writes.length === 1 && writes[0] === 1, `completed writes by operation: ${writes.join(', ') || 'none'}`);
    check(machine.boots.at(-1)?.system?.instanceId === subject.systemId, 'the system that runs is not the one that was deployed');
    const claimed = installs[0]?.at ?? Infinity;
    const touched = orders.filter((order) => order.at > claimed);
    check(touched.length === 0, `the power was touched after the boot: ${touched.map((order) => order.command).join(', ')}`);
    check(subject.way === 'abort' || starts.length === 1, `it was started ${starts.length} times`);
  }
  const claims = subjects.filter((subject) => subject.deployedAfter !== undefined).length;
  say(`${claims} of ${subjects.length} deployments finished`);
}
