/** A command as a user gives it, and everything that it starts on this host: found by looking, so that what it leaves behind is found too. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = join(import.meta.dirname, '..');

/** Things of one run of `muster up` or `muster demo` on this host. */
export interface Traces {
  readonly processes: readonly number[];
  readonly namespaces: readonly string[];
  readonly links: readonly string[];
  /** Data folder and folders of PostgreSQL's sockets. */
  readonly folders: readonly string[];
}

export class UserRun {
  readonly command: string;
  readonly lines: string[] = [];
  readonly ended: Promise<number | string>;
  readonly #child: ChildProcess;
  readonly #data: string | undefined;
  /** Folders seen while it ran. */
  readonly #folders = new Set<string>();
  #name: string | undefined;
  #over = false;

  /** `data`: the folder of `--data`, whose content stays. */
  constructor(command: string, environment: Readonly<Record<string, string>>, data?: string) {
    this.command = command;
    this.#data = data;
    console.log(`$ ${command}`);
    // A process group of its own, as a shell on a terminal makes one: Ctrl-C goes to all of it.
    this.#child = spawn('sh', ['-c', command], {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.on('data', (chunk: Buffer) => this.#take(chunk.toString()));
    this.ended = new Promise((resolve) => this.#child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown')));
    void this.ended.then(() => (this.#over = true));
  }

  #take(text: string): void {
    process.stdout.write(text);
    this.lines.push(...text.split('\n').filter((line) => line.trim() !== ''));
  }

  /** The first line that matches, when it comes. @throws Error when the run ends without it or takes longer. */
  async line(pattern: RegExp, seconds: number): Promise<string> {
    let over: number | string | undefined;
    void this.ended.then((how) => (over = how));
    for (let waited = 0; waited < seconds * 10; waited += 1) {
      const found = this.lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (over !== undefined) throw new Error(`${this.command} ended (${over}) without saying ${pattern}`);
      await sleep(100);
    }
    throw new Error(`${this.command} did not say ${pattern} within ${seconds} s`);
  }

  /** Its end, at most after `seconds`; what it has on the host meanwhile is noted. */
  async end(seconds: number): Promise<number | string> {
    let over: number | string | undefined;
    void this.ended.then((how) => (over = how));
    for (let waited = 0; waited < seconds * 2 && over === undefined; waited += 1) {
      this.look();
      await sleep(500);
    }
    if (over !== undefined) return over;
    this.kill();
    throw new Error(`${this.command} was still running after ${seconds} s`);
  }

  /** `PID-START` of the program that holds the tree, as its folder and namespaces are named. */
  get name(): string | undefined {
    this.#name ??= processes().find(({ pid, command }) => this.#isOurs(pid) && /src\/main\.ts (up|demo)\b/.test(command))?.identity;
    return this.#name;
  }

  /** What it has on the host now. */
  look(name = this.name): Traces {
    const folder = name === undefined ? undefined : join(tmpdir(), `muster-up-${name}`);
    const all = processes();
    const namespaces =
      name === undefined
        ? []
        : ip('netns', 'list')
            .flatMap((line) => line.split(' ')[0] ?? [])
            .filter((one) => one.startsWith(`muster-${name}-`));
    const inside = new Set(namespaces.flatMap((one) => ip('netns', 'pids', one).map(Number)));
    const within = this.#data ?? folder;
    const ours = all.filter(
      ({ pid, run, cwd }) =>
        (name !== undefined && run === name) ||
        inside.has(pid) ||
        (within !== undefined && cwd.startsWith(`${within}/`)) ||
        this.#isOurs(pid),
    );
    for (const { command } of ours) {
      const socket = /unix_socket_directories=(\S+)/.exec(command)?.[1];
      if (socket !== undefined) this.#folders.add(socket);
    }
    if (folder !== undefined && existsSync(folder)) this.#folders.add(folder);
    const id = name === undefined ? undefined : Number(name.split('-')[0]).toString(36);
    const links = ip('-o', 'link').flatMap((line) => new RegExp(` (mu${id ?? ' '}[hc]\\d+)[@:]`).exec(line)?.[1] ?? []);
    return { processes: ours.map(({ pid }) => pid), namespaces, links, folders: [...this.#folders].filter(existsSync) };
  }

  /** As Ctrl-C on a terminal. */
  interrupt(): void {
    process.kill(-(this.#child.pid ?? 0), 'SIGINT');
  }

  /** kill -9 of everything that it started, at once. */
  kill(): void {
    const { pid: own } = this.#child;
    for (const pid of [...this.look().processes, ...(own === undefined || this.#over ? [] : [own])]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It was faster.
      }
    }
  }

  #isOurs(pid: number): boolean {
    return !this.#over && (pid === this.#child.pid || groupOf(pid) === this.#child.pid);
  }
}

interface Found {
  readonly pid: number;
  readonly command: string;
  readonly cwd: string;
  /** MUSTER_RUN of its environment. */
  readonly run: string | undefined;
  /** Process id and start time. */
  readonly identity: string;
}

/** Fields of /proc/PID/stat after the program's name: state, parent, group, … (proc(5)). */
function statOf(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function groupOf(pid: number): number | undefined {
  try {
    return Number(statOf(pid)[2]);
  } catch {
    return undefined;
  }
}

function processes(): Found[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = statOf(Number(name));
      if (stat[0] === 'Z') return [];
      const run = readFileSync(`/proc/${name}/environ`, 'utf8')
        .split('\0')
        .find((entry) => entry.startsWith('MUSTER_RUN='))
        ?.slice(11);
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return [{ pid: Number(name), command, cwd: readlinkSync(`/proc/${name}/cwd`), run, identity: `${name}-${stat[19]}` }];
    } catch {
      return [];
    }
  });
}

function ip(...args: string[]): string[] {
  try {
    return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}
