/**
 * Kea outlives a killed cell, so that machines still get addresses. One of a pair would then send firmware to a process that is gone: this
 * guard, a shell that holds a pipe of the cell's, gives such a Kea the configuration that names the other process instead. With one process
 * there is no other configuration, and it does nothing.
 */
import { spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface GuardOptions {
  /** Kea's folder. */
  readonly folder: string;
  /** Kea's program and its configuration file, as on its command line. */
  readonly program: string;
  readonly file: string;
  /** What Kea is to run when the cell is gone; may be missing. */
  readonly orphanFile: string;
  readonly spareAfterSeconds?: number;
}

export interface Guard {
  /** The cell ends in an orderly way, and Kea with it. */
  end(): void;
}

/**
 * Seconds. Kea of a dead process ends then, when two others are there to serve: before the third takes the place of the dead one, for of three
 * none would know what another gave out.
 */
const spareAfter = 90;
const spareFileIn = (folder: string): string => join(folder, 'kea-dhcp4.spare');

/** Two others are there, or are not: what becomes of Kea should the cell die. */
export async function setSpare(folder: string, isSpare: boolean): Promise<void> {
  if (isSpare) await writeFile(spareFileIn(folder), '', { mode: 0o640 });
  else await rm(spareFileIn(folder), { force: true });
}

/**
 * `read` ends when a line comes (an orderly end) or when nobody holds the other end of the pipe any more. SIGHUP: Kea reads its file again.
 * A pid file may be old, and its number a stranger's by now: only the whole command line says that it is this Kea.
 */
const script = `
pid_file=$1 program=$2 file=$3 orphan=$4 spare=$5 after=$6
kea() {
  pid=$(cat "$pid_file") && [ "$(tr '\\0' '\\n' <"/proc/$pid/cmdline")" = "$program
-c
$file" ] && echo "$pid"
}
read -r word
[ "$word" = end ] && exit
first=$(kea) || exit
[ -f "$orphan" ] && cp "$orphan" "$file" && kill -HUP "$first"
[ -f "$spare" ] || exit
sleep "$after"
[ "$(kea)" = "$first" ] && kill "$first"
`;

/** Starts it, in a session of its own: what kills the cell's does not kill it. */
export function startGuard({ folder, program, file, orphanFile, spareAfterSeconds = spareAfter }: GuardOptions): Guard {
  const pidFile = join(folder, 'kea-dhcp4.kea-dhcp4.pid');
  const given = [pidFile, program, file, orphanFile, spareFileIn(folder), String(spareAfterSeconds)];
  const child = spawn('/bin/sh', ['-c', script, 'muster-kea-guard', ...given], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { PATH: '/usr/bin:/bin' },
  });
  child.unref();
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  return { end: () => void child.stdin.end('end\n') };
}
