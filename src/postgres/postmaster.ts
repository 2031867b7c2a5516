import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, readSync, fstatSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { bareEnvironment, here, systemIdentifier } from './data-folder.ts';
import { explainOutput, PostgresFailure } from './postgres-failure.ts';
import { parsePostmasterFile, type PostmasterFile } from './postmaster-file.ts';
import { identityOf, isAlive, isGhost, postgresProcessesIn, type ProcessIdentity } from './process-identity.ts';
import type { ServerAccount } from './server-account.ts';

/** A running PostgreSQL server over one data folder. */
export type Postmaster = {
  readonly process: ProcessIdentity;
  readonly socketFolder: string;
  /** True when it was running already: it survived the process that started it. */
  readonly adopted: boolean;
};

export type PostmasterPlan = {
  readonly program: string;
  readonly data: string;
  readonly log: string;
  readonly socketFolder: string;
  readonly account: ServerAccount | undefined;
  /** `name=value` settings; a survivor with others is restarted. */
  readonly settings: readonly string[];
  /** Names version and settings; the server repeats it, so that a survivor can be compared. */
  readonly fingerprint: string;
};

/** Crash recovery after a kill takes 0.1–0.3 s here; a large log to replay may take minutes. */
const readyWithinMs = 300_000;

/** Adopts the server that survived on this folder if it is what we would start, else starts one. */
export async function adoptOrStart(plan: PostmasterPlan): Promise<Postmaster> {
  const survivor = await findSurvivor(plan.data);
  if (survivor !== undefined) {
    if (await matches(survivor.file, plan)) {
      return { process: survivor.process, socketFolder: survivor.file.socketFolder, adopted: true };
    }
    await stopPostmaster(survivor.process, plan.data);
  }
  await waitForOrphans(plan.data);
  await endGhost(plan.socketFolder);
  return startPostmaster(plan);
}

/** The live server of a data folder, whoever started it; waits until it is ready. */
export async function findSurvivor(data: string): Promise<{ process: ProcessIdentity; file: PostmasterFile } | undefined> {
  for (let waited = 0; waited < readyWithinMs; waited += 20) {
    const file = readPostmasterFile(data);
    if (file === undefined || !postgresProcessesIn(data).includes(file.pid)) return undefined;
    const process = identityOf(file.pid);
    if (process !== undefined && file.status === 'ready') return { process, file };
    await sleep(20);
  }
  return undefined;
}

async function matches(file: PostmasterFile, plan: PostmasterPlan): Promise<boolean> {
  if (file.socketFolder !== plan.socketFolder) return false;
  const client = new pg.Client({
    host: file.socketFolder,
    port: file.port,
    user: 'muster',
    database: 'postgres',
    connectionTimeoutMillis: 5_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ id: string; fingerprint: string | null }>(
      `select system_identifier::text as id, current_setting('muster.fingerprint', true) as fingerprint from pg_control_system()`,
    );
    return rows[0]?.id === systemIdentifier(plan.data) && rows[0].fingerprint === plan.fingerprint;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Children of a postmaster that was killed notice it and leave; starting before that is refused. */
async function waitForOrphans(data: string): Promise<void> {
  for (let waited = 0; waited < 15_000; waited += 20) {
    const left = postgresProcessesIn(data);
    if (left.length === 0) {
      // No process is on this data, so the file is stale even if its pid is somebody else's by now.
      rmSync(join(data, 'postmaster.pid'), { force: true });
      return;
    }
    if (waited === 10_000) signalAll(left, 'SIGKILL');
    await sleep(20);
  }
  throw new PostgresFailure(
    'start_failed',
    `PostgreSQL processes without a parent are still in ${data}: ${postgresProcessesIn(data).join(', ')}.`,
  );
}

/**
 * Somebody deleted the data folder of a server that had survived us, and it still holds the socket
 * (PostgreSQL itself notices only within a minute). There is nothing left that it could harm or lose.
 */
async function endGhost(socketFolder: string): Promise<void> {
  const lock = join(socketFolder, '.s.PGSQL.5432.lock');
  if (!existsSync(lock)) return;
  const ghost = identityOf(Number.parseInt(readFileSync(lock, 'utf8'), 10));
  if (ghost === undefined) {
    // PostgreSQL asks kill(pid, 0), to which a zombie answers too: killed together with its parent, and not yet reaped by init (which in
    // a container may never happen). It would refuse to start on a lock that nobody holds.
    rmSync(lock, { force: true });
    return;
  }
  if (!isGhost(ghost.pid)) return;
  for (let waited = 0; waited < 5_000 && isAlive(ghost) === true; waited += 20) {
    if (waited % 2_000 === 0) signalAll([ghost.pid], waited === 0 ? 'SIGQUIT' : 'SIGKILL');
    await sleep(20);
  }
}

async function startPostmaster(plan: PostmasterPlan): Promise<Postmaster> {
  const log = openSync(plan.log, 'a', 0o600);
  const before = fstatSync(log).size;
  const settings = [
    'listen_addresses=',
    `unix_socket_directories=${plan.socketFolder}`,
    'unix_socket_permissions=0700',
    `muster.fingerprint=${plan.fingerprint}`,
    ...plan.settings,
  ];
  // Its own session: Ctrl-C reaches us, and we stop the server in order.
  const child = spawn(plan.program, ['-D', here, ...settings.flatMap((setting) => ['-c', setting])], {
    cwd: plan.data,
    env: bareEnvironment,
    stdio: ['ignore', log, log],
    detached: true,
    ...(plan.account === undefined ? {} : { uid: plan.account.uid, gid: plan.account.gid }),
  });
  closeSync(log);
  let ended: string | undefined;
  child.once('error', (error) => (ended = String(error)));
  child.once('exit', (code, signal) => (ended = `exit ${code ?? signal}`));
  child.unref();
  for (let waited = 0; waited < readyWithinMs; waited += 5) {
    await sleep(5);
    if (ended !== undefined) {
      const output = readFrom(plan.log, before);
      throw explainOutput(`PostgreSQL (${ended}) in ${plan.data}`, output);
    }
    const file = readPostmasterFile(plan.data);
    const process = file?.pid === child.pid && file?.status === 'ready' ? identityOf(file.pid) : undefined;
    if (process !== undefined) return { process, socketFolder: plan.socketFolder, adopted: false };
  }
  child.kill('SIGQUIT');
  throw new PostgresFailure('start_failed', `PostgreSQL in ${plan.data} was not ready in ${readyWithinMs / 1000} s; see ${plan.log}.`);
}

/** Fast shutdown (SIGINT: clients are cut off, a checkpoint is written), then SIGQUIT, then SIGKILL. */
export async function stopPostmaster(process: ProcessIdentity, data: string): Promise<void> {
  const steps = [
    ['SIGINT', 7_000],
    ['SIGQUIT', 2_000],
    ['SIGKILL', 2_000],
  ] as const;
  for (const [signal, withinMs] of steps) {
    if (isAlive(process) === true) signalAll([process.pid], signal);
    for (let waited = 0; waited < withinMs; waited += 10) {
      if (isAlive(process) !== true) return waitForOrphans(data);
      await sleep(10);
    }
  }
}

/** Kills the server and all its children at once, as the kernel or a power cut would. */
export function killPostgres(data: string): void {
  signalAll(postgresProcessesIn(data), 'SIGKILL');
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It was faster.
    }
  }
}

function readPostmasterFile(data: string): PostmasterFile | undefined {
  try {
    return parsePostmasterFile(readFileSync(join(data, 'postmaster.pid'), 'utf8'));
  } catch {
    return undefined;
  }
}

function readFrom(path: string, offset: number): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(Math.min(64 * 1024, fstatSync(file).size - offset));
    readSync(file, bytes, 0, bytes.length, offset);
    return bytes.toString();
  } finally {
    closeSync(file);
  }
}
