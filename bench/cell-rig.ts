/** A real cell in a process of its own over a PostgreSQL of its own, as it runs by default, and a second pool on its database. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProgram } from '../e2e/child-program.ts';
import { freePort } from '../e2e/sim-cell.ts';
import type { CellTables } from '../src/cell/db/schema.ts';
import { openDatabase, type Database } from '../src/postgres/database.ts';
import { startEmbeddedPostgres } from '../src/postgres/embedded-postgres.ts';
import { insertMachineRows } from './machine-rows.ts';

export interface CellRig extends AsyncDisposable {
  readonly url: string;
  /** API key of its admin. */
  readonly key: string;
  readonly pid: number;
  readonly database: Database<CellTables>;
  /** The ids of its machines. */
  readonly machines: readonly string[];
}

/** Connections of the cell's own pool (src/cell/cell-database.ts). */
export const cellPool = 12;

const main = join(import.meta.dirname, '../src/main.ts');

/** `profile`: a folder that gets a CPU profile of the cell when it ends. */
export async function cellRig(machines: number, profile?: string): Promise<CellRig> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'muster-bench-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const postgres = stack.use(await startEmbeddedPostgres({ folder: join(folder, 'postgres') }));
  await postgres.ensureDatabase('cell');
  const { host, port: pgPort, user } = postgres.address;
  const settings = {
    MUSTER_NAME: 'bench',
    MUSTER_FOLDER: join(folder, 'cell'),
    MUSTER_DATABASE_URL: `postgres://${user}@${encodeURIComponent(host)}:${pgPort}/cell`,
    MUSTER_PORT: String(await freePort()),
    MUSTER_TFTP_PORT: '0',
  };
  const made = execFileSync(process.execPath, [main, 'cell', 'init'], { env: { ...process.env, ...settings }, encoding: 'utf8' });
  const key = /^API key\s+(\S+)$/m.exec(made)?.[1];
  if (key === undefined) throw new Error(`the cell has no admin: ${made}`);
  const program = stack.use(
    await startProgram(['cell', 'run'], {
      name: 'cell',
      folder,
      environment: settings,
      ...(profile === undefined
        ? {}
        : { wrap: ([node = '', ...rest]: readonly string[]) => [node, '--cpu-prof', `--cpu-prof-dir=${profile}`, ...rest] }),
    }),
  );
  const database = stack.use(
    openDatabase<CellTables>({ ...postgres.address, name: 'cell', applicationName: 'bench', statementTimeoutMs: 600_000 }),
  );
  const { number } = await database.db.selectFrom('cell_identity').select('number').executeTakeFirstOrThrow();
  const ids = await insertMachineRows(database, { seed: 'bench', first: 0, count: machines, cell: number });
  const owned = stack.move();
  return {
    url: `http://127.0.0.1:${settings.MUSTER_PORT}`,
    key,
    pid: program.process.pid ?? 0,
    database,
    machines: ids,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Seconds of CPU that a process has used. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  // utime and stime (proc(5)), in hundredths of a second on every Linux that Node runs on.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
