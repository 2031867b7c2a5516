/** What clients are tried on: a bare cell, and the front of a hub with three cells. Real processes; simulated machines commission and deploy. */
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort, machinesOf, simulatedImages, startCellProcess, until, type SeenMachine } from '../e2e/sim-cell.ts';
import { createClient } from '../src/http/client.ts';
import { createFleet } from '../src/sim/fleet.ts';
import type { TargetName } from './verdict.ts';

export interface Target extends AsyncDisposable {
  readonly name: TargetName;
  readonly url: string;
  /** The part of a URL that chooses one cell: `/cell/c1`; empty where there is one. */
  readonly place: string;
  readonly apiKey: string;
  /** Ready machines, of all cells in turn. */
  readonly ready: readonly string[];
}

/** Ready machines that there are at each target: what the clients use of them, see clients.ts. */
export const machinesWanted = 15;

type Say = (text: string) => void;

const show = (seen: readonly SeenMachine[]): string => seen.map((one) => `${one.system_id} ${one.status_name} ${one.error}`).join(', ');

/** A cell that has joined nothing. */
async function raiseCell(say: Say): Promise<Target> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'muster-conformance-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const images = stack.use(await simulatedImages(join(folder, 'images'), 1));
  const port = await freePort();
  const cell = await startCellProcess({
    folder: join(folder, 'cell'),
    images: images.folder,
    port,
    imageSources: [images.source],
    network: '127.42.255.254/16',
    killPoint: '',
    nth: 1,
    killPostgres: false,
  });
  stack.defer(async () => {
    cell.child.kill('SIGTERM');
    await cell.ended;
  });
  const url = `http://127.0.0.1:${port}`;
  const client = createClient({ url, key: cell.key });
  const fleet = stack.use(await createFleet({ seed: 'conformance', machines: machinesWanted, cellUrl: url, speed: 300 }));
  await fleet.start();
  const enlisted = await until(
    'enlistment',
    120_000,
    () => machinesOf(client),
    (seen) => seen.length === machinesWanted,
    show,
  );
  for (const { system_id, macs } of enlisted) {
    const simulated = macs.map((mac) => fleet.find(mac)).find((one) => one !== undefined);
    if (simulated === undefined) throw new Error(`${system_id} is none of the simulated machines`);
    const { power_type, power_parameters } = simulated.power;
    await client.call('Machine.update', { system_id }, { power_type, power_parameters: { ...power_parameters } });
    await client.call('Machine.commission', { system_id }, {});
  }
  const isReady = (one: SeenMachine): boolean => one.status_name === 'Ready';
  const ready = await until(
    'commissioning',
    240_000,
    () => machinesOf(client),
    (seen) => seen.every(isReady),
    show,
  );
  say(`a bare cell is up at ${url}, ${ready.length} machines are Ready`);
  const owned = stack.move();
  return {
    name: 'cell',
    url,
    place: '',
    apiKey: cell.key,
    ready: ready.map(({ system_id }) => system_id),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const cells = 3;
/** `muster demo` deploys so many of each cell before it says that it is up. */
const deployedOfEach = 2;

/** The front of `muster demo`, which is `muster up` with racks of simulated machines. */
async function raiseFront(say: Say): Promise<Target> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'muster-conformance-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const log = join(folder, 'demo.log');
  const out = openSync(log, 'a');
  const machines = cells * deployedOfEach + machinesWanted;
  const main = join(import.meta.dirname, '../src/main.ts');
  const argv = [main, 'demo', '--cells', String(cells), '--fronts', '1', '--machines', String(machines)];
  // It ends when this process does, however that comes.
  const env = { ...process.env, MUSTER_LIFELINE: 'stdin' };
  const child = spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', out], env });
  closeSync(out);
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  stack.defer(async () => {
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 60_000);
    await ended;
    clearTimeout(late);
  });
  const facts = await new Promise<{ url: string; key: string }>((done, failed) => {
    let url = '';
    let key = '';
    let story = '';
    if (child.stdout)
      createInterface({ input: child.stdout }).on('line', (line) => {
        story = `${story}${line}\n`.slice(-4000);
        url = /^ +URL +(\S+?)\/MAAS\//.exec(line)?.[1] ?? url;
        key = /^ +API key +(\S+)/.exec(line)?.[1] ?? key;
        // The last line that it writes before it waits.
        if (url !== '' && key !== '' && line.startsWith('Try:')) done({ url, key });
      });
    void ended.then(() => failed(new Error(`muster demo ended before it was up:\n${story}\n${readFileSync(log, 'utf8').slice(-3000)}`)));
  });
  const client = createClient({ url: facts.url, key: facts.key });
  const ready = (await machinesOf(client)).filter(({ status_name }) => status_name === 'Ready').map(({ system_id }) => system_id);
  say(`hub, front and ${cells} cells are up at ${facts.url}, ${ready.length} machines are Ready`);
  const owned = stack.move();
  return {
    name: 'front',
    url: facts.url,
    place: '/cell/c1',
    apiKey: facts.key,
    ready: inTurn(ready),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** One of each cell, then the second of each, and so on. The first three characters of an id are its cell's. */
function inTurn(ids: readonly string[]): string[] {
  const groups = [...Map.groupBy(ids, (id) => id.slice(0, 3)).values()];
  const longest = Math.max(0, ...groups.map((group) => group.length));
  return Array.from({ length: longest }, (_, index) => groups.flatMap((group) => group[index] ?? [])).flat();
}

/** Bring it up. Its end stops every process of it. */
export function raiseTarget(name: TargetName, say: Say): Promise<Target> {
  return name === 'cell' ? raiseCell(say) : raiseFront(say);
}
