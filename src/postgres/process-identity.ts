import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

/** One process for certain: a pid alone is reused, pid + start time + boot + pid namespace is not. */
export type ProcessIdentity = {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since boot (proc(5)). */
  readonly start: string;
  readonly boot: string;
  readonly namespace: string;
};

/** The identity of a live process, `undefined` when there is none (a zombie counts as none). */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const start = startOf(pid);
  if (start === undefined) return undefined;
  return { pid, start, boot: bootId(), namespace: pidNamespace() };
}

/** Whether that very process still runs; `undefined` when it lived in another pid namespace. */
export function isAlive(process: ProcessIdentity): boolean | undefined {
  if (process.boot !== bootId()) return false;
  if (process.namespace !== pidNamespace()) return undefined;
  return startOf(process.pid) === process.start;
}

/**
 * The pids of the PostgreSQL processes whose working directory is this very folder (by inode).
 * The server and all its children sit in their data folder, so this finds orphans whose parent is gone.
 */
export function postgresProcessesIn(folder: string): number[] {
  const target = statSync(folder, { throwIfNoEntry: false });
  if (target === undefined) return [];
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (readFileSync(`/proc/${name}/comm`, 'utf8').trim() !== 'postgres') continue;
      const cwd = statSync(`/proc/${name}/cwd`);
      if (cwd.dev !== target.dev || cwd.ino !== target.ino) continue;
      if (startOf(Number(name)) !== undefined) found.push(Number(name));
    } catch {
      // Gone between two looks, or another user's: not one of ours.
    }
  }
  return found;
}

/** Whether it is a PostgreSQL process whose data folder was deleted. */
export function isGhost(pid: number): boolean {
  try {
    const isPostgres = readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'postgres';
    return isPostgres && readlinkSync(`/proc/${pid}/cwd`).endsWith(' (deleted)');
  } catch {
    return false;
  }
}

function startOf(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The name in parentheses may hold spaces and parentheses itself: count from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid');
}
