// A fleet in one process: a hub, and cells and fronts that join it over real sockets when a test asks, each with its own database and folder.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { pino } from 'pino';
import { Default } from 'typebox/value';
import { migrationsOfCell } from '../src/cell/cell-database.ts';
import { startCell, type Cell } from '../src/cell/cell.ts';
import { CellConfig } from '../src/cell/config.ts';
import type { CellTables } from '../src/cell/db/schema.ts';
import { systemIdOf } from '../src/contract/ids.ts';
import { FrontConfig } from '../src/front/config.ts';
import { startFront, type Front } from '../src/front/front.ts';
import type { FirstAdmin } from '../src/global/default-documents.ts';
import type { GlobalTables } from '../src/global/db/global-tables.ts';
import { join, type JoinRequest } from '../src/global/join.ts';
import { createClient, type Client } from '../src/http/client.ts';
import { migrationsOfHub } from '../src/hub/hub-database.ts';
import { createHub, type Hub } from '../src/hub/hub.ts';
import { testDatabase, type TestDatabase } from './postgres.ts';

export const log = pino({ level: process.env['MUSTER_TEST_LOG'] ?? 'silent' });

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A cell that has not been started: its folder, database and settings. */
export interface CellPlace {
  readonly config: CellConfig;
  readonly database: TestDatabase<CellTables>;
}

export class SmallFleet implements AsyncDisposable {
  readonly folder: string;
  readonly hub: Hub;
  readonly admin: FirstAdmin;
  readonly hubDatabase: TestDatabase<GlobalTables>;
  readonly #stack: AsyncDisposableStack;

  private constructor(folder: string, hub: Hub, admin: FirstAdmin, database: TestDatabase<GlobalTables>, stack: AsyncDisposableStack) {
    this.folder = folder;
    this.hub = hub;
    this.admin = admin;
    this.hubDatabase = database;
    this.#stack = stack;
  }

  static async open(): Promise<SmallFleet> {
    const stack = new AsyncDisposableStack();
    const folder = await mkdtemp(joinPath(tmpdir(), 'muster-small-fleet-'));
    stack.defer(() => rm(folder, { recursive: true }));
    const database = await testDatabase<GlobalTables>(migrationsOfHub);
    stack.defer(() => database.drop());
    const config = {
      folder: joinPath(folder, 'hub'),
      database_url: database.url,
      address: '127.0.0.1',
      port: 0,
      plain_address: '127.0.0.1',
      plain_port: 0,
      allow_plain: false,
    };
    const hub = await createHub({ config, version: '1.2.3', log, checkReplies: true });
    stack.defer(() => hub.close(0));
    return new SmallFleet(folder, hub, (await hub.init())!, database, stack);
  }

  /** The hub's own API, as the admin. */
  get atHub(): Client {
    return createClient({ url: this.hub.plainUrl!, key: this.admin.apiKey });
  }

  client(url: string, key: string = this.admin.apiKey): Client {
    return createClient({ url, key });
  }

  /** A folder, a database and settings for a cell. */
  async place(name: string): Promise<CellPlace> {
    const database = await testDatabase<CellTables>(migrationsOfCell);
    this.#stack.defer(() => database.drop());
    const port = await freePort();
    const folder = joinPath(this.folder, name);
    const config = Default(CellConfig, { name, site: 'site', folder, database_url: database.url, port, tftp_port: 0 }) as CellConfig;
    return { config, database };
  }

  async join(name: string, role: 'cell' | 'front', given: Partial<JoinRequest> = {}) {
    const invite = role === 'cell' ? ('Cells.create' as const) : ('Fronts.create' as const);
    const { token, fingerprint } = await this.atHub.call(invite, {}, { name });
    return join({ url: this.hub.url, token, fingerprint, role, folder: joinPath(this.folder, name), ...given });
  }

  async start({ config }: CellPlace): Promise<Cell> {
    const cell = await startCell({ config, version: '1.2.3', log, checkReplies: true });
    this.#stack.defer(() => cell.close());
    return cell;
  }

  /** A cell that has joined and runs. */
  async openCell(name: string): Promise<{ readonly place: CellPlace; readonly cell: Cell }> {
    const place = await this.place(name);
    await this.join(name, 'cell', { ownUrl: `http://127.0.0.1:${place.config.port}` });
    return { place, cell: await this.start(place) };
  }

  /** A front that has joined and runs. */
  async openFront(name: string): Promise<Front> {
    await this.join(name, 'front');
    const config = Default(FrontConfig, { folder: joinPath(this.folder, name), port: 0 }) as FrontConfig;
    const front = await startFront({ config, version: '1.2.3', log, checkReplies: true });
    this.#stack.defer(() => front.close(0));
    return front;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** Ready machines by SQL: what these tests are about begins behind commissioning. */
export async function makeMachines(cell: Cell, count: number, memory: number): Promise<string[]> {
  const { db } = cell.base.database;
  const { id } = await db.selectFrom('domain').select('id').executeTakeFirstOrThrow();
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const system_id = systemIdOf(cell.number, 100_010 + n)!;
    const row = { system_id, hostname: `${cell.name}-${n}`, domain_id: id, status: 4, cpu_count: 4, memory, power_type: 'manual' };
    await db.insertInto('machine').values(row).execute();
    ids.push(system_id);
  }
  return ids;
}
