/** What processes use, from Linux's /proc. */
import { readdirSync, readFileSync } from 'node:fs';

function statusOf(pid: number, name: string): number {
  try {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(found ?? Number.NaN) / 1024;
  } catch {
    return Number.NaN;
  }
}

/** Resident memory in MiB; NaN when the process is gone. */
export function residentMiB(pid: number): number {
  return statusOf(pid, 'VmRSS');
}

/** Of that what it shares with nobody: without the programs that all processes of a kind have in common. */
export function ownMiB(pid: number): number {
  return statusOf(pid, 'RssAnon');
}

/** Watches a process's resident memory every 50 ms; `end` gives the highest in MiB. */
export function watchPeak(pid: number): { end(): number } {
  let peak = residentMiB(pid);
  const timer = setInterval(() => (peak = Math.max(peak, residentMiB(pid))), 50);
  return {
    end: () => {
      clearInterval(timer);
      return peak;
    },
  };
}

/** Seconds of CPU that a process has used; 0 when it is gone. */
export function cpuOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    // utime and stime (proc(5)), in hundredths of a second on every Linux that Node runs on.
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

/** All processes below this one, itself not included. */
function below(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name): [number, number][] => {
      try {
        return [[Number(name), Number(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ')[1])]];
      } catch {
        return [];
      }
    });
  const children = parents.filter(([, parent]) => parent === pid).map(([child]) => child);
  return [...children, ...children.flatMap(below)];
}

/** Of a process with all below it: PostgreSQL's postmaster and its backends. */
export function treeOf(pid: number): number[] {
  return [pid, ...below(pid)];
}
