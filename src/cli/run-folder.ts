/**
 * The data folder of `muster up`: whose it is now, and what runs that were killed have left. A run without `--data` has a folder of its own
 * in the system's temporary folder that is named by process id and start time, and is removed at the end or by the next start.
 */
import { mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processStartedAt, thisOwner, type RackOwner } from './rack-network.ts';

/** Every child of a run has it in its environment: `PID-START` of the run. */
export const runVariable = 'MUSTER_RUN';

const folderName = /^muster-up-(\d+)-(\d+)$/;

export interface RunFolder {
  readonly path: string;
  /** Removed at the end. */
  readonly temporary: boolean;
  /** Of {@link runVariable}. */
  readonly run: string;
}

export function runOf(owner: RackOwner): string {
  return `${owner.pid}-${owner.startedAt}`;
}

/** Whether the process of `PID-START` still runs. */
function runs(run: string): boolean {
  const [, pid, start] = /^(\d+)-(\d+)$/.exec(run) ?? [];
  return pid !== undefined && processStartedAt(Number(pid)) === start;
}

/** The temporary folders of runs that are no more. */
export function staleFolders(temporary: string): string[] {
  return readdirSync(temporary).flatMap((name) => {
    const [, pid, start] = folderName.exec(name) ?? [];
    return pid !== undefined && !runs(`${pid}-${start}`) ? [join(temporary, name)] : [];
  });
}

/** The temporary folders of runs that are up. */
export function livingFolders(temporary: string): string[] {
  const stale = new Set(staleFolders(temporary));
  return readdirSync(temporary).flatMap((name) =>
    folderName.test(name) && !stale.has(join(temporary, name)) ? [join(temporary, name)] : [],
  );
}

/** The run that a folder belongs to now, `PID-START`; undefined when none does. */
export function runIn(folder: string): string | undefined {
  const run = readText(join(folder, 'up.lock'));
  return run !== undefined && runs(run) ? run : undefined;
}

/**
 * Make or take the folder. `data`: the folder to keep; left out, a temporary one.
 * @throws Error when another run has it.
 */
export function openRunFolder(data: string | undefined, temporary: string): RunFolder {
  const run = runOf(thisOwner());
  const path = data === undefined ? join(temporary, `muster-up-${run}`) : resolve(data);
  // PostgreSQL runs as another user and passes through; what is secret in it has its own mode.
  mkdirSync(path, { recursive: true, mode: 0o711 });
  const lock = join(path, 'up.lock');
  const holder = readText(lock);
  if (holder !== undefined && runs(holder)) {
    throw new Error(
      `The data folder ${path} is in use by process ${holder.split('-')[0]}. Stop that one, or choose another folder with --data.`,
    );
  }
  const draft = `${lock}.${run}`;
  writeFileSync(draft, run, { mode: 0o600 });
  renameSync(draft, lock);
  return { path, temporary: data === undefined, run };
}

/** Give it back; a temporary one is removed. */
export function closeRunFolder(folder: RunFolder): void {
  if (folder.temporary) rmSync(folder.path, { recursive: true, force: true });
  else rmSync(join(folder.path, 'up.lock'), { force: true });
}

/** Processes that carry the mark of a run that is no more: killed. Returns how many. */
export async function endOrphans(): Promise<number> {
  const left = orphans();
  for (const pid of left) kill(pid, 'SIGTERM');
  for (let waited = 0; waited < 12_000 && left.some(alive); waited += 100) await sleep(100);
  for (const pid of left.filter(alive)) kill(pid, 'SIGKILL');
  for (let waited = 0; waited < 2_000 && left.some(alive); waited += 50) await sleep(50);
  return left.length;
}

function orphans(): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    const mark = readText(`/proc/${name}/environ`)
      ?.split('\0')
      .find((entry) => entry.startsWith(`${runVariable}=`))
      ?.slice(runVariable.length + 1);
    return mark !== undefined && /^\d+-\d+$/.test(mark) && !runs(mark) ? [Number(name)] : [];
  });
}

function alive(pid: number): boolean {
  try {
    readlinkSync(`/proc/${pid}/exe`);
    return true;
  } catch {
    return false;
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It was faster.
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
