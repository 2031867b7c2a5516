/**
 * A whole fleet as real processes: a hub, fronts and cells joined with the real commands, a simulated rack for each cell, PostgreSQL shared or
 * each its own. For runs that kill, cut and bring back; what they do to it is not decided here.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { migrationsOfCell } from '../src/cell/cell-database.ts';
import { writeSimulatedImages } from '../src/cli/simulated-images.ts';
import { createClient, type Client } from '../src/http/client.ts';
import { migrationsOfHub } from '../src/hub/hub-database.ts';
import { killPostgres } from '../src/postgres/postmaster.ts';
import { serverAccount } from '../src/postgres/server-account.ts';
import { socketFolder } from '../src/postgres/socket-folder.ts';
import { createFleet, type Fleet as Rack } from '../src/sim/fleet.ts';
import { setup as startServer, testDatabase } from '../test/postgres.ts';
import { FleetProgram, musterArgv } from './fleet-program.ts';
import { bmcPort, hubPlainPort, hubPort, loopbackPlace, programPort, type FleetPlace } from './fleet-place.ts';
import { startTap, type Tap } from './fleet-tap.ts';

const run = promisify(execFile);
/** Simulated seconds a second: a whole deployment takes about one. */
const speed = 300;
/** These BMCs act at once, so an order that may have been lost need not be waited out for 200 s. */
const slowestBmcSeconds = 5;

export interface FleetOptions {
  /** Of the run: its data folder and the machines are named after it. */
  readonly name: string;
  readonly seed: number;
  readonly cells?: number;
  readonly fronts?: number;
  /** A cell. */
  readonly machines?: number;
  /** `own`: each cell has its embedded PostgreSQL, which can be killed with it. `shared`: one server for all, faster to start. */
  readonly databases?: 'shared' | 'own';
  /** Left out: a block of loopback addresses. */
  readonly place?: FleetPlace;
  /** Fronts reach the cells through taps, which see every request and reply. */
  readonly taps?: boolean;
  /** Further flags of every cell, and of every front. */
  readonly cellFlags?: readonly string[];
  readonly frontFlags?: readonly string[];
  readonly say?: (text: string) => void;
}

export interface FleetCell {
  readonly name: string;
  readonly number: number;
  readonly program: FleetProgram;
  readonly rack: Rack;
  readonly tap: Tap | undefined;
  /** A libpq URL. @throws Error while its own PostgreSQL was never started. */
  readonly databaseUrl: string;
  readonly folder: string;
  /** Naming a kill point in this file arms it; the cell removes the file and is gone. */
  readonly killFile: string;
  /** The process id of its own PostgreSQL; undefined where it is shared. */
  postgres(): number | undefined;
}

export interface Fleet extends AsyncDisposable {
  readonly folder: string;
  readonly place: FleetPlace;
  readonly hub: FleetProgram;
  readonly hubDatabaseUrl: string;
  /** Where the hub answers without TLS. */
  readonly hubPlainUrl: string;
  readonly fronts: readonly FleetProgram[];
  readonly cells: readonly FleetCell[];
  readonly admin: { readonly username: string; readonly password: string; readonly apiKey: string };
  /** The program of this name: `hub`, `f1`, `c2`. @throws Error for another. */
  program(name: string): FleetProgram;
  /** A client of one program, with the first admin's key when none is given. */
  client(name: string, key?: string): Client;
  /** Invite by the hub's API and join with the command. Returns the member's number. */
  join(role: 'cell' | 'front', name: string, folder: string, ownUrl: string): Promise<number>;
}

/** Start it all. Nothing is enlisted yet: see `fleet-machines.ts`. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { name, seed, cells: cellCount = 3, fronts: frontCount = 2, machines = 8, databases = 'shared' } = options;
  const { cellFlags = [], frontFlags = [], say = () => undefined } = options;
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), `muster-${name}-`));
  // Kept for whoever runs this, unless it does not come up: then the error has the end of the log.
  let isUp = false;
  stack.defer(() => {
    if (!isUp) rmSync(folder, { recursive: true, force: true });
  });
  for (const each of ['log', 'images']) mkdirSync(join(folder, each));
  const place = stack.use(options.place ?? (await loopbackPlace()));
  const images = join(folder, 'images');
  await writeSimulatedImages(images);
  // It ends with this process, and serves every fleet of it: stopping it well takes PostgreSQL seconds that nobody needs.
  await startServer();
  const dropped = stack.use(new AsyncDisposableStack());
  const databaseOf = async (set: typeof migrationsOfHub): Promise<string> => {
    const made = await testDatabase(set);
    dropped.defer(() => made.drop());
    return made.url;
  };
  const hubDatabaseUrl = await databaseOf(migrationsOfHub);
  const logOf = (program: string) => join(folder, 'log', `${program}.log`);
  const programs = new Map<string, FleetProgram>();
  const add = (program: FleetProgram): FleetProgram => {
    programs.set(program.name, program);
    return program;
  };
  stack.defer(async () => {
    await Promise.all([...programs.values()].map((program) => program.kill()));
    // The PostgreSQL of a program that was killed lives on.
    for (let number = 1; number <= cellCount; number += 1) endPostgres(join(folder, `c${number}`, 'postgres'));
  });

  const hubAddress = place.addressOf('hub');
  const adminFile = join(folder, 'admin.json');
  const hub = add(
    new FleetProgram({
      name: 'hub',
      log: logOf('hub'),
      url: `https://${hubAddress}:${hubPort}`,
      wrap: place.wrap('hub'),
      args: [
        'hub',
        'run',
        '--folder',
        join(folder, 'hub'),
        '--database-url',
        hubDatabaseUrl,
        '--first-admin',
        adminFile,
        '--address',
        hubAddress,
        '--port',
        String(hubPort),
        '--images',
        images,
        '--plain-address',
        hubAddress,
        '--plain-port',
        String(hubPlainPort),
        ...(place.loopback ? [] : ['--allow-plain']),
      ],
    }),
  );
  const hubPlainUrl = `http://${hubAddress}:${hubPlainPort}`;
  await hub.start();
  const admin = JSON.parse(readFileSync(adminFile, 'utf8')) as Fleet['admin'];
  const hubClient = createClient({ url: hubPlainUrl, key: admin.apiKey });

  const joinHub = async (role: 'cell' | 'front', member: string, home: string, ownUrl: string): Promise<number> => {
    const { token, fingerprint, number } = await hubClient.call(role === 'cell' ? 'Cells.create' : 'Fronts.create', {}, { name: member });
    mkdirSync(home, { recursive: true, mode: 0o711 });
    const [command = '', ...rest] = place.wrap(member)(
      musterArgv([role, 'join', hub.url, token, fingerprint, '--folder', home, '--own-url', ownUrl]),
    );
    await run(command, rest);
    return number;
  };

  const cells = await Promise.all(
    Array.from({ length: cellCount }, async (_, index): Promise<FleetCell> => {
      const member = `c${index + 1}`;
      const home = join(folder, member);
      const rackPlace = place.rackOf(index + 1);
      const url = `http://${place.addressOf(member)}:${programPort}`;
      const tap = options.taps === true ? stack.use(await startTap(member, place.tapOf(index + 1), programPort, url)) : undefined;
      const databaseUrl = databases === 'shared' ? await databaseOf(migrationsOfCell) : '';
      const number = await joinHub('cell', member, home, tap?.url ?? url);
      const reached = place.addressOf(member);
      const killFile = join(folder, `${member}.kill`);
      const program = add(
        new FleetProgram({
          name: member,
          environment: { MUSTER_KILL_POINT: `file:${killFile}` },
          log: logOf(member),
          url,
          wrap: place.wrap(member),
          args: [
            'cell',
            'run',
            `--name=${member}`,
            `--folder=${home}`,
            `--port=${programPort}`,
            '--tftp-port=0',
            `--images=${images}`,
            `--slowest-bmc-seconds=${slowestBmcSeconds}`,
            `--service-address=${rackPlace.serviceAddress}`,
            `--rack=${rackPlace.interfaceName}=${rackPlace.serviceAddress}/24`,
            ...(reached === rackPlace.serviceAddress ? [] : [`--listen=${reached}`]),
            ...(databaseUrl === '' ? [] : [`--database-url=${databaseUrl}`]),
            ...cellFlags,
          ],
        }),
      );
      const rack = stack.use(
        await createFleet({
          seed: `${name}-${seed}-${member}`,
          machines,
          cellUrl: `http://${rackPlace.serviceAddress}:${programPort}`,
          addresses: { machines: rackPlace.machines, bmcs: rackPlace.bmcs, bmcPort },
          speed,
          // A cell is away for up to 25 real seconds: firmware and iPXE go on asking for 30 s (four pauses of 7.5 s), not for 0.1 s.
          patience: 450,
        }),
      );
      return {
        name: member,
        number,
        program,
        rack,
        tap,
        folder: home,
        killFile,
        postgres: () => postmasterOf(home),
        get databaseUrl() {
          return databaseUrl === '' ? ownDatabase(home) : databaseUrl;
        },
      };
    }),
  );
  const fronts = await Promise.all(
    Array.from({ length: frontCount }, async (_, index) => {
      const member = `f${index + 1}`;
      const url = `http://${place.addressOf(member)}:${programPort}`;
      await joinHub('front', member, join(folder, member), url);
      const address = place.addressOf(member);
      const args = ['front', 'run', '--folder', join(folder, member), '--listen', address, '--port', String(programPort), ...frontFlags];
      return add(new FleetProgram({ name: member, log: logOf(member), url, wrap: place.wrap(member), args }));
    }),
  );
  say(`the hub is up; ${cellCount} cells and ${frontCount} fronts have joined`);
  await Promise.all([...cells.map((cell) => cell.program), ...fronts].map((program) => program.start()));
  const program = (wanted: string): FleetProgram => {
    const found = programs.get(wanted);
    if (!found) throw new Error(`there is no program ${wanted}`);
    return found;
  };
  const client = (wanted: string, key = admin.apiKey): Client =>
    createClient({ url: wanted === 'hub' ? hubPlainUrl : program(wanted).url, key });
  for (const front of fronts) await seesAll(client(front.name), front.name, cellCount);
  say('all of them are up, and each front sees every cell');
  isUp = true;
  const owned = stack.move();
  return {
    folder,
    place,
    hub,
    hubDatabaseUrl,
    hubPlainUrl,
    fronts,
    cells,
    admin,
    program,
    client,
    join: joinHub,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Remove what a run that went well has left. */
export function removeFolder(fleet: Pick<Fleet, 'folder'>): void {
  rmSync(fleet.folder, { recursive: true, force: true });
}

function postmasterOf(home: string): number | undefined {
  try {
    return Number(readFileSync(join(home, 'postgres/data/postmaster.pid'), 'utf8').split('\n', 1)[0]);
  } catch {
    return undefined;
  }
}

/** The socket folder is the fifth line of the postmaster's file. */
function ownDatabase(home: string): string {
  const socket = readFileSync(join(home, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[4] ?? '';
  return `postgres://muster@${encodeURIComponent(socket)}/cell`;
}

/** Its data is thrown away, so there is no reason to wait for its last checkpoint. */
function endPostgres(folder: string): void {
  if (!existsSync(join(folder, 'data'))) return;
  killPostgres(join(folder, 'data'));
  rmSync(socketFolder(folder, serverAccount(join(folder, 'data'))), { recursive: true, force: true });
}

async function seesAll(client: Client, front: string, wanted: number): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    const cells = await client.call('Cells.read', {}, {}).catch(() => []);
    if (cells.filter((cell) => cell.answering === true).length === wanted) return;
    await sleep(100);
  }
  throw new Error(`the front ${front} does not see all ${wanted} cells after 30 s`);
}
