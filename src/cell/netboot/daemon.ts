/**
 * One of Debian's daemons in our care: started with an argv, restarted when it dies, found again after the cell itself was killed.
 * It runs in the network namespace of the cell and in a session of its own, so that it outlives a crash of the cell.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface DaemonOptions {
  /** Absolute path of the program. */
  readonly program: string;
  readonly debianPackage: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Standard output and error are appended here. */
  readonly logFile: string;
  /** What went wrong, in sentences for a log or a finding. */
  readonly onTrouble: (trouble: string) => void;
  /** Called after each start but the first. */
  readonly onRestart?: () => void;
  /** Explains the last lines of the log, if it can. */
  readonly explain?: (log: string) => string | undefined;
}

export interface Daemon {
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

const firstPauseMs = 500;
const longestPauseMs = 30_000;

/** Is `pid` a process of ours: the same program, our arguments, the same network namespace? */
async function isOurs(pid: number, program: string, args: readonly string[]): Promise<boolean> {
  try {
    const [cmdline, theirs, mine] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
      readlink(`/proc/${pid}/ns/net`),
      readlink('/proc/self/ns/net'),
    ]);
    const found = cmdline.split('\0').slice(0, -1);
    return found[0] === program && found.slice(1).join('\0') === args.join('\0') && theirs === mine;
  } catch {
    return false;
  }
}

/**
 * Daemons that an earlier cell left running. Their configuration lies in the cell's private folder, so program and arguments name them
 * exactly; /proc is asked instead of a pid file, which a cell killed at the wrong moment would not have written.
 */
export async function findDaemons(program: string, args: readonly string[]): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const ours = await Promise.all(pids.map((pid) => isOurs(pid, program, args)));
  return pids.filter((_, index) => ours[index]);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** SIGTERM, then SIGKILL after `withinMs`; resolves when it is gone. Only ever called with a pid that {@link isOurs} or that we started. */
async function end(pid: number, withinMs = 5000): Promise<void> {
  const until = Date.now() + withinMs;
  for (let signal: NodeJS.Signals | undefined = 'SIGTERM'; isAlive(pid); await sleep(50)) {
    if (Date.now() > until) signal = 'SIGKILL';
    if (signal) {
      try {
        process.kill(pid, signal);
      } catch {
        return;
      }
      signal = undefined;
    }
    if (Date.now() > until + withinMs) throw new Error(`process ${pid} does not end`);
  }
}

/** Stops what an earlier cell left behind; how many there were. */
export async function stopLeftovers(program: string, args: readonly string[]): Promise<number> {
  const pids = await findDaemons(program, args);
  await Promise.all(pids.map((pid) => end(pid)));
  return pids.length;
}

/**
 * Starts it and keeps it running until `stop`. A leftover of a killed cell is stopped first.
 * @throws Error that names the Debian package when the program is missing.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  await stopLeftovers(options.program, options.arguments);
  let stopping = false;
  let child: ChildProcess | undefined;
  let pause = firstPauseMs;
  let timer: NodeJS.Timeout | undefined;

  const launch = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const log = openSync(options.logFile, 'a', 0o640);
      const started = spawn(options.program, [...options.arguments], {
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...options.environment },
        stdio: ['ignore', log, log],
        detached: true,
      });
      closeSync(log);
      const began = Date.now();
      started.once('spawn', () => {
        child = started;
        resolve();
      });
      started.once('error', (error: NodeJS.ErrnoException) => {
        reject(
          error.code === 'ENOENT'
            ? new Error(
                `${options.program} is not there: it comes with the Debian package ${options.debianPackage}. Run: apt-get install ${options.debianPackage}`,
                { cause: error },
              )
            : new Error(`${options.program} cannot be started: ${error.message}`, { cause: error }),
        );
      });
      started.once('exit', (code, signal) => {
        child = undefined;
        if (!stopping) void revive(code ?? signal, Date.now() - began);
      });
    });

  const revive = async (how: number | string | null, ranMs: number): Promise<void> => {
    const tail = (await readFile(options.logFile, 'utf8').catch(() => '')).slice(-4000);
    pause = ranMs > longestPauseMs ? firstPauseMs : Math.min(pause * 2, longestPauseMs);
    const why = options.explain?.(tail) ?? tail.trim().split('\n').at(-1) ?? '';
    options.onTrouble(
      `${options.program} ended (${how}) after ${Math.round(ranMs / 1000)} s; next start in ${pause / 1000} s. ${why}`.trim(),
    );
    if (stopping) return;
    timer = setTimeout(() => {
      launch().then(
        () => options.onRestart?.(),
        (error: Error) => {
          options.onTrouble(error.message);
          void revive('not started', 0);
        },
      );
    }, pause);
  };

  await launch();
  return {
    get pid() {
      return child?.pid;
    },
    async stop() {
      stopping = true;
      clearTimeout(timer);
      const running = child?.pid;
      if (running !== undefined) await end(running);
    },
  };
}
