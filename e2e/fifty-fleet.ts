/**
 * A large fleet as real processes: one PostgreSQL server with a database for each cell, a hub, two fronts, many cells, and machines as rows of
 * which some are alive (simulated, with BMCs, in a process of their own). For `fifty-cells`, which measures it.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { insertMachineRows } from '../bench/machine-rows.ts';
import { migrationsOfCell } from '../src/cell/cell-database.ts';
import { readSecretKey } from '../src/cell/db/secret-key.ts';
import type { CellTables } from '../src/cell/db/schema.ts';
import { writeSimulatedImages } from '../src/cli/simulated-images.ts';
import { join as joinHub } from '../src/global/join.ts';
import { createClient } from '../src/http/client.ts';
import { migrationsOfHub } from '../src/hub/hub-database.ts';
import { openDatabase } from '../src/postgres/database.ts';
import { migrate } from '../src/postgres/migrations.ts';
import { startTestServer } from '../test/postgres.ts';
import { startRacks } from './fifty-rack.ts';
import { loopbackPlace, hubPlainPort, hubPort, programPort, bmcPort } from './fleet-place.ts';
import { FleetProgram } from './fleet-program.ts';

export interface FiftyOptions {
  readonly cells: number;
  /** A cell. */
  readonly machines: number;
  /** Of them with a BMC and a simulated machine behind it. */
  readonly alive: number;
  readonly seed: string;
  /** Further flags of the fronts. */
  readonly frontFlags: readonly string[];
  readonly say: (text: string) => void;
}

export interface FiftyCell {
  readonly name: string;
  readonly number: number;
  readonly program: FleetProgram;
  /** The ids of its machines; the first `alive` are alive. */
  readonly machines: readonly string[];
}

export interface FiftyFleet extends AsyncDisposable {
  readonly hub: FleetProgram;
  readonly hubPlainUrl: string;
  readonly fronts: readonly FleetProgram[];
  readonly cells: readonly FiftyCell[];
  readonly apiKey: string;
  readonly postgresPid: number;
  /** Seconds, by what was done. */
  readonly took: Readonly<Record<string, number>>;
}

/** Two processors: more only wait for each other. */
const startsAtOnce = 4;

/** Do it for each, so many at once. */
async function forEach<T>(list: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...list];
  const worker = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Start all of it. Whatever was started ends when the result is disposed, and also when this process is killed. */
export async function startFifty(options: FiftyOptions): Promise<FiftyFleet> {
  const { cells: count, machines, alive, seed, frontFlags, say } = options;
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'muster-fifty-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const took: Record<string, number> = {};
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const value = await work();
    took[name] = (performance.now() - began) / 1000;
    say(`${name}: ${took[name].toFixed(1)} s`);
    return value;
  };
  for (const each of ['log', 'images']) mkdirSync(join(folder, each));
  const images = join(folder, 'images');
  await writeSimulatedImages(images);
  const place = stack.use(await loopbackPlace());
  // A cell's pool opens 12 connections at most, and two listen; the hub and our own come on top.
  const server = await timed('PostgreSQL', () => startTestServer(count * 14 + 100, true));
  stack.defer(() => server.stop());
  const databases = stack.use(await templates(server.address));

  const programs: FleetProgram[] = [];
  // Their data goes with them: nothing is gained by letting them end well.
  stack.defer(async () => void (await Promise.all(programs.map((program) => program.kill()))));
  const add = (name: string, url: string, args: readonly string[]): FleetProgram => {
    const program = new FleetProgram({ name, url, args, log: join(folder, 'log', `${name}.log`) });
    programs.push(program);
    return program;
  };
  const hubAddress = place.addressOf('hub');
  const adminFile = join(folder, 'admin.json');
  const hubData = ['--folder', join(folder, 'hub'), '--database-url', await databases.make('hub', 'hub'), '--images', images];
  const hubReached = [
    '--address',
    hubAddress,
    '--port',
    String(hubPort),
    '--plain-address',
    hubAddress,
    '--plain-port',
    String(hubPlainPort),
  ];
  const hubUrl = `https://${hubAddress}:${hubPort}`;
  const hub = add('hub', hubUrl, ['hub', 'run', '--first-admin', adminFile, ...hubData, ...hubReached]);
  await timed('the hub', () => hub.start());
  const hubPlainUrl = `http://${hubAddress}:${hubPlainPort}`;
  const { apiKey } = JSON.parse(readFileSync(adminFile, 'utf8')) as { apiKey: string };
  const client = createClient({ url: hubPlainUrl, key: apiKey });
  const enter = async (role: 'cell' | 'front', name: string, ownUrl: string): Promise<number> => {
    const { token, fingerprint, number } = await client.call(role === 'cell' ? 'Cells.create' : 'Fronts.create', {}, { name });
    await joinHub({ url: hub.url, token, fingerprint, role, folder: join(folder, name), ownUrl });
    return number;
  };

  const names = Array.from({ length: count }, (_, index) => `c${index + 1}`);
  const urlOf = (name: string) => `http://${place.addressOf(name)}:${programPort}`;
  const racks = stack.use(
    await timed('the racks', () =>
      startRacks(
        names.map((name, index) => ({
          seed,
          first: index * machines,
          machines: alive,
          cellUrl: urlOf(name),
          addresses: { machines: place.rackOf(index + 1).machines, bmcs: place.rackOf(index + 1).bmcs, bmcPort },
        })),
      ),
    ),
  );

  const cells: FiftyCell[] = [];
  const startCell = async (name: string): Promise<void> => {
    const number = await enter('cell', name, urlOf(name));
    const address = place.addressOf(name);
    const url = await databases.make('cell', name);
    const kept = ['--folder', join(folder, name), '--database-url', url, '--images', images];
    const reached = ['--service-address', address, '--port', String(programPort), '--tftp-port', '0', '--rack', `lo=${address}/24`];
    const program = add(name, urlOf(name), ['cell', 'run', '--name', name, ...kept, ...reached]);
    await program.start({ MUSTER_LOG_LEVEL: 'warn' });
    cells.push({ name, number, program, machines: [] });
    if (cells.length % 10 === 0) say(`${cells.length} cells are up`);
  };
  await timed('the cells', () => forEach(names, startsAtOnce, startCell));
  cells.sort((a, b) => a.number - b.number);

  const filled: FiftyCell[] = [];
  await timed('the rows', () =>
    forEach(cells, 2, async (cell) => {
      const index = names.indexOf(cell.name);
      const key = await readSecretKey(join(folder, cell.name));
      await using database = openDatabase<CellTables>({
        ...server.address,
        name: cell.name,
        applicationName: 'rows',
        statementTimeoutMs: 120_000,
      });
      const ids = await insertMachineRows(database, {
        seed,
        first: index * machines,
        count: machines,
        cell: cell.number,
        bmc: (number) => {
          const power = racks.powerOf(index, number - index * machines);
          return power && { driver: 'redfish', address: power.power_address, sealed: key.seal(Buffer.from(JSON.stringify(power))) };
        },
      });
      filled.push({ ...cell, machines: ids });
    }),
  );
  filled.sort((a, b) => a.number - b.number);

  const fronts = await timed('the fronts', async () => {
    const made = ['f1', 'f2'].map((name) => {
      const args = ['front', 'run', '--folder', join(folder, name), '--listen', place.addressOf(name), '--port', String(programPort)];
      return add(name, urlOf(name), [...args, ...frontFlags]);
    });
    for (const front of made) {
      await enter('front', front.name, front.url);
      await front.start({ MUSTER_LOG_LEVEL: 'warn' });
    }
    for (const front of made) await seesAll(front, apiKey, count);
    return made;
  });
  const owned = stack.move();
  return {
    hub,
    hubPlainUrl,
    fronts,
    cells: filled,
    apiKey,
    took,
    postgresPid: server.pid(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Databases cloned from one migrated template for each kind of program. */
async function templates(address: { readonly host: string; readonly port: number; readonly user: string }) {
  const admin = new pg.Client({ ...address, database: 'postgres' });
  admin.on('error', () => undefined);
  await admin.connect();
  for (const [name, sets] of [
    ['template_cell', migrationsOfCell],
    ['template_hub', migrationsOfHub],
  ] as const) {
    await admin.query(`create database ${name} template template0`);
    await migrate({ ...address, database: name }, sets);
  }
  // A template must not be cloned twice at once.
  let last: Promise<unknown> = Promise.resolve();
  return {
    make: async (kind: 'cell' | 'hub', name: string): Promise<string> => {
      await (last = last.then(() => admin.query(`create database ${name} template template_${kind}`)));
      return `postgres://${address.user}@${encodeURIComponent(address.host)}:${address.port}/${name}`;
    },
    [Symbol.asyncDispose]: () => admin.end(),
  };
}

async function seesAll(front: FleetProgram, key: string, wanted: number): Promise<void> {
  const client = createClient({ url: front.url, key });
  for (let tries = 0; tries < 300; tries += 1) {
    const cells = await client.call('Cells.read', {}, {}).catch(() => []);
    if (cells.filter((cell) => cell.answering === true).length === wanted) return;
    await sleep(200);
  }
  throw new Error(`the front ${front.name} does not see all ${wanted} cells after 60 s`);
}
