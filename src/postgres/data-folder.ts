import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { closeSync, fsyncSync, lstatSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { explainOutput, otherMajor, PostgresFailure } from './postgres-failure.ts';
import { giveTo, type ServerAccount } from './server-account.ts';
import type { ServerPrograms } from './server-programs.ts';

/**
 * How PostgreSQL's programs are told where the data is. As root they run as a user who may not pass
 * through the parents (a checkout or `mktemp -d` of mode 0700), so they are started *in* the folder
 * and given this name: the kernel resolves it without walking any parent (proc(5)).
 * docs/decisions/0002-embedded-postgres.md.
 */
export const here = '/proc/self/cwd';

/** Nothing of our environment (PGHOST, LD_PRELOAD, secrets) reaches PostgreSQL. */
export const bareEnvironment = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/**
 * Makes sure that `data` is a whole data folder of our major version, owned by the account.
 * A new one is made beside it and renamed, so that a crash never leaves half of one.
 */
export async function prepareDataFolder(data: string, programs: ServerPrograms, account: ServerAccount | undefined): Promise<void> {
  removeHalfMade(data);
  if (!existsSync(join(data, 'PG_VERSION'))) {
    if (existsSync(data) && readdirSync(data).length > 0) {
      throw new PostgresFailure('start_failed', `${data} is not empty and not a PostgreSQL data folder. Choose another data folder.`);
    }
    await create(data, programs, account);
    return;
  }
  const major = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  if (major !== programs.major) throw otherMajor(data, major, programs.major);
  // One look is enough: whoever copies a data folder as root changes the owner of all of it.
  if (account !== undefined && lstatSync(join(data, 'PG_VERSION')).uid !== account.uid) giveTo(account, data);
}

async function create(data: string, programs: ServerPrograms, account: ServerAccount | undefined): Promise<void> {
  const fresh = `${data}.new-${process.pid}`;
  mkdirSync(fresh, { mode: 0o700 });
  if (account !== undefined) chownSync(fresh, account.uid, account.gid);
  try {
    await initdb(fresh, programs, account);
    rmSync(data, { recursive: true, force: true });
    renameSync(fresh, data);
    const parent = openSync(dirname(data), 'r');
    fsyncSync(parent);
    closeSync(parent);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Collation is C.UTF-8 from PostgreSQL itself, so no upgrade of the host can disorder an index. */
const initdbFlags = [
  `--pgdata=${here}`,
  '--username=muster',
  '--auth=trust',
  '--encoding=UTF8',
  '--no-instructions',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--locale=C',
];

async function initdb(folder: string, programs: ServerPrograms, account: ServerAccount | undefined): Promise<void> {
  const child = spawn(join(programs.folder, 'bin/initdb'), initdbFlags, {
    cwd: folder,
    env: bareEnvironment,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).catch((error: unknown) => {
    throw new PostgresFailure('start_failed', `initdb could not be started: ${String(error)}`, error);
  });
  if (code !== 0) throw explainOutput(`initdb in ${folder}`, output);
}

/** Folders of an initdb that died with its process; the folder's lock is ours, so no one makes one now. */
function removeHalfMade(data: string): void {
  for (const name of readdirSync(dirname(data))) {
    if (name.startsWith(`${basename(data)}.new-`)) {
      rmSync(join(dirname(data), name), { recursive: true, force: true });
    }
  }
}

/** The cluster's own identifier: the first eight bytes of `global/pg_control`, little endian on our platforms. */
export function systemIdentifier(data: string): string {
  const file = openSync(join(data, 'global/pg_control'), 'r');
  try {
    const bytes = Buffer.alloc(8);
    if (readSync(file, bytes, 0, 8, 0) !== 8) throw new PostgresFailure('start_failed', `${data}/global/pg_control is cut short.`);
    return bytes.readBigUInt64LE().toString();
  } finally {
    closeSync(file);
  }
}
