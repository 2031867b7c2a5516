/**
 * `muster up`: hub, fronts and cells in one process tree. What it needs of rooms that it cannot see (joining, the databases of a killed run)
 * comes through {@link UpDoor}, filled by main.ts.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, createClient, type Client } from '../http/client.ts';
import { takePort } from './free-port.ts';
import {
  hostAddresses,
  planRack,
  raiseRack,
  removeNamespace,
  sweepStaleRacks,
  thisOwner,
  whyNoRack,
  type RackPlan,
} from './rack-network.ts';
import { programPlace, type ProgramPlace, type TreeFacts } from './program-place.ts';
import { closeRunFolder, endOrphans, openRunFolder, runVariable, staleFolders } from './run-folder.ts';
import type { Story } from './story.ts';
import { Supervised, type ChildSpec } from './supervised.ts';
import { planTree, type ProgramPlan, type TreePlan } from './tree-plan.ts';

export interface UpDoor {
  /** Join a hub, and remember it in the folder. `ownUrl`: where fronts reach it. */
  join(request: { url: string; token: string; fingerprint: string; role: 'cell' | 'front'; folder: string; ownUrl: string }): Promise<void>;
  /** Where the hub of this folder's membership is; undefined when it has not joined. */
  hubOf(folder: string): Promise<string | undefined>;
  /** The hub has moved. */
  moveHub(folder: string, url: string): Promise<void>;
  /** Stop the PostgreSQL that a killed run has left in a program's folder, and remove its socket. */
  sweepDatabase(folder: string): Promise<void>;
}

export interface UpOptions {
  /** Left out: a temporary folder. */
  readonly data?: string;
  readonly cells: number;
  readonly fronts: number;
  /** Of the first front; the others follow. Undefined: 5240, or the next that is free. */
  readonly port?: number;
  readonly images: string | ((folder: string) => Promise<string>);
  /** Further flags of every cell. */
  readonly cellFlags?: readonly string[];
  readonly program: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly door: UpDoor;
  /** Why there are no boot loaders to serve; undefined when there are. */
  readonly whyNoLoaders: () => Promise<string | undefined>;
  readonly story: Story;
  /** Ends it while it comes up; afterwards nothing of it is left. */
  readonly signal: AbortSignal;
}

export interface Admin {
  readonly username: string;
  /** Known only to the run that made the account. */
  readonly password: string | undefined;
  readonly apiKey: string;
}

export interface Tree extends AsyncDisposable {
  readonly plan: TreePlan;
  readonly folder: string;
  readonly temporary: boolean;
  readonly admin: Admin;
  /** Run one more child: last started, first stopped. */
  add(spec: Omit<ChildSpec, 'environment'>): Promise<Supervised>;
}

/** Bring everything up. Ends with an error that says what to do, and with nothing left behind. */
export async function raiseTree(options: UpOptions): Promise<Tree> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await raiseOnce(options);
    } catch (error) {
      // Another program took a port between the look and its use, as two starts at the same moment do.
      if (tries === 3 || options.port !== undefined || !/EADDRINUSE/.test(String(error))) throw error;
      options.story.tell('a port was taken by another program meanwhile; once more, with others');
    }
  }
}

async function raiseOnce(options: UpOptions): Promise<Tree> {
  const { story, door, signal } = options;
  await using stack = new AsyncDisposableStack();
  await sweep(options);
  const folder = openRunFolder(options.data, tmpdir());
  stack.defer(() => closeRunFolder(folder));
  for (const name of ['log', 'hub']) mkdirSync(join(folder.path, name), { recursive: true, mode: 0o700 });
  const images = typeof options.images === 'string' ? options.images : await options.images(folder.path);
  mkdirSync(images, { recursive: true });
  const racks = await buildRacks(options, stack);
  const noLoaders = await options.whyNoLoaders();
  if (noLoaders !== undefined) {
    if (racks.length > 0) throw new Error(noLoaders);
    story.tell(`no TFTP, simulated machines begin with the boot script: ${noLoaders}`);
  }
  const taken = new Set<number>();
  const frontPorts: number[] = [];
  for (let index = 0; index < options.fronts; index += 1) {
    frontPorts.push(await takePort('127.0.0.1', (options.port ?? 5240) + index, taken, options.port !== undefined));
  }
  const hubPort = await takePort('127.0.0.1', 5242, taken, false);
  const hubPlainPort = await takePort('127.0.0.1', 5243, taken, false);
  const plan = planTree({
    folder: folder.path,
    cells: options.cells,
    fronts: options.fronts,
    racks,
    hubPort,
    hubPlainPort,
    frontPorts,
    images,
    loaders: noLoaders === undefined,
    cellFlags: options.cellFlags ?? [],
    program: options.program,
  });
  const environment = { ...options.environment, [runVariable]: folder.run, MUSTER_LIFELINE: 'stdin' };
  const place = programPlace(folder.path);
  const hub = new Supervised({ ...specOf(plan.hub, place), environment }, { tell: story.tell, signal });
  stack.defer(() => hub.stop());
  await hub.start();
  const admin = readAdmin(plan.hub.adminFile);
  const client = createClient({ url: plan.hub.plainUrl, key: admin.apiKey });
  story.tell(`the hub is up at ${plan.hub.plainUrl} (for cells and fronts ${plan.hub.url})`);
  await Promise.all([
    ...plan.cells.map((cell) => member(door, client, 'cell', cell, plan.hub.url, cell.url)),
    ...plan.fronts.map((front) => member(door, client, 'front', front, plan.hub.url, front.url)),
  ]);
  story.tell(
    `${count(plan.cells.length, 'cell')} and ${count(plan.fronts.length, 'front')} have joined it (one-time tokens, the hub's key pinned)`,
  );
  const children: Supervised[] = [];
  // Fronts first: at the end, what was started last is stopped first, so clients see no front without cells.
  await allStarted(
    [...plan.cells, ...plan.fronts].map(async (program) => {
      const child = new Supervised({ ...specOf(program, place), environment }, { tell: story.tell, signal });
      children.push(child);
      await child.start();
      const { url } = program as { url?: string };
      story.tell(`${program.name.startsWith('c') ? 'cell' : 'front'} ${program.name} is up at ${url}`);
    }),
    async () => void (await Promise.all(children.map((child) => child.stop()))),
  );
  const named = (names: readonly ProgramPlan[]) => children.filter((child) => names.some(({ name }) => name === child.spec.name));
  stack.defer(() => Promise.all(named(plan.cells).map((child) => child.stop())).then(() => undefined));
  stack.defer(() => Promise.all(named(plan.fronts).map((child) => child.stop())).then(() => undefined));
  await announce(client, plan);
  for (const front of plan.fronts)
    await waitForCells(createClient({ url: front.url, key: admin.apiKey }), front.name, plan.cells.length, signal);
  forgetPassword(plan.hub.adminFile, admin);
  place.writeTree(factsOf(plan));
  const owned = stack.move();
  const added: Supervised[] = [];
  owned.defer(() => Promise.all(added.map((child) => child.stop())).then(() => undefined));
  return {
    plan,
    folder: folder.path,
    temporary: folder.temporary,
    admin,
    async add(spec) {
      const child = new Supervised({ ...spec, environment }, { tell: story.tell, signal });
      added.push(child);
      await child.start();
      return child;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What `muster lose` may lose. */
function factsOf({ hub, cells, fronts }: TreePlan): TreeFacts {
  return {
    programs: [
      ...cells.map(({ name }) => ({ name, kind: 'cell' as const })),
      ...fronts.map(({ name }) => ({ name, kind: 'front' as const })),
      { name: hub.name, kind: 'hub' },
    ],
    fronts: Object.fromEntries(fronts.map(({ name, url }) => [name, url])),
    adminFile: hub.adminFile,
  };
}

/** Waits for all; when one fails, undoes the others and fails with the first reason. */
async function allStarted(starts: readonly Promise<void>[], undo: () => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(starts);
  const failed = results.find((result) => result.status === 'rejected');
  if (!failed) return;
  await undo();
  throw failed.reason;
}

function specOf(program: ProgramPlan, place: ProgramPlace): Omit<ChildSpec, 'environment'> {
  mkdirSync(program.folder, { recursive: true, mode: 0o711 });
  return { name: program.name, argv: program.argv, log: program.log, ready: / is up at /, readyWithinMs: 120_000, place };
}

/** What runs that were killed have left: processes, namespaces, databases, folders. */
async function sweep({ story, door }: UpOptions): Promise<void> {
  const processes = await endOrphans();
  const racks = process.platform === 'linux' && process.getuid?.() === 0 ? await sweepStaleRacks() : [];
  const folders = staleFolders(tmpdir());
  for (const folder of folders) {
    for (const name of programFolders(folder)) await door.sweepDatabase(name);
    rmSync(folder, { recursive: true, force: true });
  }
  if (processes + racks.length + folders.length === 0) return;
  story.tell(
    `removed what an earlier run left behind: ${count(processes, 'program')}, ${count(racks.length, 'network namespace')}, ${count(folders.length, 'data folder')}`,
  );
}

function programFolders(folder: string): string[] {
  return ['hub', ...Array.from({ length: 250 }, (_, index) => `c${index + 1}`)].map((name) => join(folder, name));
}

async function buildRacks({ cells, story, signal }: UpOptions, stack: AsyncDisposableStack): Promise<RackPlan[]> {
  const why = await whyNoRack();
  if (why !== undefined) {
    story.tell(`simulated machines only, DHCP off: ${why}`);
    return [];
  }
  const racks: RackPlan[] = [];
  signal.throwIfAborted();
  for (let number = 1; number <= cells; number += 1) {
    const rack = planRack(thisOwner(), number, [...(await hostAddresses()), ...racks.map((one) => one.hostAddress)]);
    stack.defer(() => removeNamespace(rack.namespace));
    await raiseRack(rack);
    racks.push(rack);
  }
  story.tell(`${count(cells, 'rack')} wired: a network namespace each, reached by a link-local pair; DHCP stays inside`);
  return racks;
}

/** A program of ours that has not joined is invited and joins; one that has is told where the hub is now. */
async function member(
  door: UpDoor,
  client: Client,
  role: 'cell' | 'front',
  program: ProgramPlan & { hubUrl: string },
  joinUrl: string,
  ownUrl: string,
): Promise<void> {
  if ((await door.hubOf(program.folder)) === undefined) {
    const { token, fingerprint } = await client.call(role === 'cell' ? 'Cells.create' : 'Fronts.create', {}, { name: program.name });
    await door.join({ url: joinUrl, token, fingerprint, role, folder: program.folder, ownUrl });
  }
  if ((await door.hubOf(program.folder)) !== program.hubUrl) await door.moveHub(program.folder, program.hubUrl);
}

/** Addresses of an earlier run may be others: the registry is what fronts go by. */
async function announce(client: Client, plan: TreePlan): Promise<void> {
  const known = new Map((await client.call('Cells.read', {}, {})).map((cell) => [cell.name, cell.url]));
  for (const { name, url } of plan.cells) if (known.get(name) !== url) await client.call('Cell.update', { name }, { url });
}

async function waitForCells(client: Client, front: string, wanted: number, signal: AbortSignal): Promise<void> {
  let last: unknown;
  for (let tries = 0; tries < 300; tries += 1) {
    try {
      const cells = await client.call('Cells.read', {}, {});
      if (cells.filter((cell) => cell.answering === true).length === wanted) return;
      last = `it sees ${cells.map((cell) => `${cell.name} (${cell.answering === true ? 'answering' : 'absent'})`).join(', ')}`;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      last = error.message;
    }
    await sleep(200, undefined, { signal });
  }
  throw new Error(`The front ${front} does not see all ${wanted} cells after a minute: ${String(last)}`);
}

function readAdmin(file: string): Admin {
  const { username, password, apiKey } = JSON.parse(readFileSync(file, 'utf8')) as { username: string; password?: string; apiKey: string };
  return { username, password, apiKey };
}

/** The password is told once; the key stays, for the next start invites with it. */
function forgetPassword(file: string, { username, apiKey }: Admin): void {
  writeFileSync(`${file}.new`, `${JSON.stringify({ username, apiKey })}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
