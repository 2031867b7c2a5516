/** A program of a fleet under test: started from src/main.ts, killed with -9 at any moment, and started again with the same words. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const main = join(import.meta.dirname, '../src/main.ts');
/** A start beside a busy fleet, after a crash of its PostgreSQL; 10 s of CPU time that others want, too, have taken two minutes. */
const upWithinMs = 180_000;

export interface ProgramOptions {
  readonly name: string;
  /** What follows `muster`. */
  readonly args: readonly string[];
  readonly log: string;
  /** Where it answers. */
  readonly url: string;
  /** Words before the program: `ip netns exec …`. */
  readonly wrap?: (argv: readonly string[]) => readonly string[];
  /** Of every start. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** The Node that runs this and the main program, with these words behind. */
export function musterArgv(args: readonly string[]): string[] {
  return [process.execPath, main, ...args];
}

export class FleetProgram {
  readonly name: string;
  readonly url: string;
  readonly log: string;
  /** Every time it was started, for reports. */
  starts = 0;
  readonly #options: ProgramOptions;
  #child: ChildProcess | undefined;
  #ended: Promise<string> = Promise.resolve('never started');

  constructor(options: ProgramOptions) {
    this.#options = options;
    this.name = options.name;
    this.url = options.url;
    this.log = options.log;
  }

  get alive(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves with the signal or exit code when the process of the last start is gone. */
  get ended(): Promise<string> {
    return this.#ended;
  }

  /**
   * Start it and wait until it says that it is up. `environment`: on top of ours, as `MUSTER_KILL_POINT`.
   * @throws Error with the end of its log.
   */
  async start(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    if (this.alive) throw new Error(`${this.name} runs already`);
    const { args, wrap = (argv: readonly string[]) => argv } = this.#options;
    const [command = '', ...rest] = wrap(musterArgv(args));
    const out = openSync(this.log, 'a');
    // Its standard input is a pipe of ours, so that it ends when we do, however that comes.
    const child = spawn(command, rest, {
      stdio: ['pipe', 'pipe', out],
      env: { ...process.env, MUSTER_LIFELINE: 'stdin', ...this.#options.environment, ...environment },
    });
    closeSync(out);
    this.#child = child;
    this.starts += 1;
    const ended = new Promise<string>((resolve) => child.once('exit', (code, signal) => resolve(String(signal ?? code))));
    this.#ended = ended;
    let late: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      const end = (why: string) => reject(new Error(`${this.name} ${why}:\n${readFileSync(this.log, 'utf8').slice(-3000)}`));
      let text = '';
      child.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (/ is up at /.test(text)) resolve();
      });
      late = setTimeout(() => end(`was not up within ${upWithinMs / 1000} s`), upWithinMs);
      void ended.then((how) => end(`ended (${how}) before it was up`));
    }).finally(() => clearTimeout(late));
  }

  /** kill -9, and wait until it is gone. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  /** Stop it well; after 15 s not so well. */
  async stop(): Promise<void> {
    if (!this.alive) return;
    this.#child?.kill('SIGTERM');
    const late = setTimeout(() => this.#child?.kill('SIGKILL'), 15_000);
    await this.#ended;
    clearTimeout(late);
  }
}
