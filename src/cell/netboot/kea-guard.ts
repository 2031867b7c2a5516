/**
 * Kea outlives a killed cell, so that machines still get addresses. One of a pair would then send firmware to a process that is gone: this
 * guard, a shell that holds a pipe of the cell's, gives such a Kea the configuration that names the other process instead. With one process
 * there is no other configuration, and it does nothing.
 */
import { spawn } from 'node:child_process';

export interface GuardOptions {
  /** What Kea is to run when the cell is gone; may be missing. */
  readonly orphanFile: string;
  /** Kea's configuration file. */
  readonly file: string;
  readonly pidFile: string;
}

export interface Guard {
  /** The cell ends in an orderly way, and Kea with it. */
  end(): void;
}

/** `read` ends when a line comes (an orderly end) or when nobody holds the other end of the pipe any more. SIGHUP: Kea reads its file again. */
const script = 'read -r word; [ "$word" = end ] || { [ -f "$1" ] && cp "$1" "$2" && kill -HUP "$(cat "$3")"; }';

/** Starts it, in a session of its own: what kills the cell's does not kill it. */
export function startGuard({ orphanFile, file, pidFile }: GuardOptions): Guard {
  const child = spawn('/bin/sh', ['-c', script, 'muster-kea-guard', orphanFile, file, pidFile], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { PATH: '/usr/bin:/bin' },
  });
  child.unref();
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  return { end: () => void child.stdin.end('end\n') };
}
