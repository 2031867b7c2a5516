/**
 * One child process that shall run: started, waited for until it says that it is up, started again with growing pauses when it dies, and
 * stopped in order. It holds one end of a pipe as its standard input, so that it notices the death of its parent, however that came.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProgramPlace } from './program-place.ts';

export interface ChildSpec {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Gets stderr: the program's log. */
  readonly log: string;
  /** The line of stdout that says that it is up. */
  readonly ready: RegExp;
  readonly readyWithinMs: number;
  /** Called with every line of stdout. */
  readonly onLine?: (line: string) => void;
  /** Where it is told which process runs, and how long one that was lost on purpose stays away. */
  readonly place?: Pick<ProgramPlace, 'writePid' | 'awayMs'>;
}

export interface SupervisedOptions {
  /** Told of deaths and new starts, one line each. */
  readonly tell: (line: string) => void;
  /** Ends waiting for the first start. */
  readonly signal: AbortSignal;
}

/** Ms before the nth start in a row; a minute of life forgets them. */
export function pauseBefore(failures: number): number {
  return failures <= 0 ? 0 : Math.min(30_000, 250 * 2 ** failures);
}

const forgetAfterMs = 60_000;

export class Supervised {
  readonly spec: ChildSpec;
  readonly #tell: (line: string) => void;
  readonly #signal: AbortSignal;
  #child: ChildProcess | undefined;
  #stopping = false;
  #failures = 0;
  #life: Promise<void> | undefined;
  readonly #wake = new AbortController();

  constructor(spec: ChildSpec, options: SupervisedOptions) {
    this.spec = spec;
    this.#tell = options.tell;
    this.#signal = options.signal;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves with the line that says that it is up. @throws Error with the program's own last words. */
  async start(): Promise<string> {
    this.#signal.throwIfAborted();
    const { ready, ended } = this.#spawn();
    const given = new Promise<never>((_, reject) =>
      this.#signal.addEventListener('abort', () => reject(this.#signal.reason), { once: true }),
    );
    const line = await Promise.race([ready, ended.then(() => undefined), given]);
    if (line === undefined) throw new Error(`${this.spec.name} did not start: ${lastWords(this.spec.log)}`);
    this.#life = this.#watch(ended);
    return line;
  }

  /** kill -9, as a test or a person would: it comes back. */
  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  /** SIGTERM, and SIGKILL after `ms`. */
  async stop(ms = 15_000): Promise<void> {
    this.#stopping = true;
    this.#wake.abort();
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const late = setTimeout(() => child.kill('SIGKILL'), ms);
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      await gone;
      clearTimeout(late);
    }
    await this.#life;
  }

  #spawn(): { ready: Promise<string>; ended: Promise<string> } {
    const [program, ...args] = this.spec.argv;
    const log = openSync(this.spec.log, 'a', 0o600);
    // Its own process group: Ctrl-C reaches us alone, and we stop the children in order.
    const child = spawn(program, args, { env: this.spec.environment, stdio: ['pipe', 'pipe', log], detached: true });
    closeSync(log);
    this.#child = child;
    if (child.pid !== undefined) this.spec.place?.writePid(this.spec.name, child.pid);
    child.stdin?.on('error', () => undefined);
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    const ready = new Promise<string>((resolve, reject) => {
      const late = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Error(`${this.spec.name} was not up within ${this.spec.readyWithinMs / 1000} s; see ${this.spec.log}.`));
      }, this.spec.readyWithinMs);
      void ended.then(() => clearTimeout(late));
      if (!child.stdout) return;
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.spec.onLine?.(line);
        if (!this.spec.ready.test(line)) return;
        clearTimeout(late);
        resolve(line);
      });
    });
    return { ready, ended };
  }

  async #watch(first: Promise<string>): Promise<void> {
    let ended = first;
    let since = Date.now();
    for (;;) {
      const how = await ended;
      if (this.#stopping) return;
      this.#failures = Date.now() - since > forgetAfterMs ? 1 : this.#failures + 1;
      const pause = Math.max(pauseBefore(this.#failures), this.spec.place?.awayMs(this.spec.name) ?? 0);
      this.#tell(`${this.spec.name} ended (${how}); starting it again in ${(pause / 1000).toFixed(1)} s`);
      await sleep(pause, undefined, { signal: this.#wake.signal }).catch(() => undefined);
      if (this.#stopping) return;
      since = Date.now();
      const next = this.#spawn();
      ended = next.ended;
      void next.ready.then(
        () => this.#tell(`${this.spec.name} is up again`),
        (error: unknown) => this.#tell(String(error)),
      );
    }
  }
}

/** What a program wrote last: its own sentence (`muster: …`), else its last log line. */
export function lastWords(log: string): string {
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-50);
  const own = lines.findLast((line) => line.startsWith('muster: '));
  return own?.slice('muster: '.length) ?? lines.at(-1)?.slice(0, 500) ?? `see ${log}`;
}
