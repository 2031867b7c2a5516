/** A program of Muster as a child process: started from src/main.ts with the Node that runs this, its log kept in a file. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const main = join(import.meta.dirname, '../src/main.ts');

export interface ChildOptions {
  readonly name: string;
  /** Where its log goes: `<folder>/<name>.log`. */
  readonly folder: string;
  /** Words before the program: `ip netns exec …`. */
  readonly wrap?: (argv: readonly string[]) => readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export interface ChildProgram extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly log: string;
  /** Resolves with the exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
}

/** Start `muster ARGUMENTS` and wait for its line `… is up at …`. @throws Error with the end of its log. */
export async function startProgram(args: readonly string[], options: ChildOptions): Promise<ChildProgram> {
  const log = join(options.folder, `${options.name}.log`);
  const out = openSync(log, 'a');
  const plain = [process.execPath, main, ...args];
  const [command = '', ...rest] = options.wrap?.(plain) ?? plain;
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', out], env: { ...process.env, ...options.environment } });
  closeSync(out);
  const ended = new Promise<number | string>((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown')));
  await new Promise<void>((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (/ is up at /.test(text)) resolve();
    });
    void ended.then((how) =>
      reject(new Error(`${options.name} ended (${how}) before it was up:\n${readFileSync(log, 'utf8').slice(-3000)}`)),
    );
  });
  return {
    process: child,
    log,
    ended,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
      await ended;
      clearTimeout(late);
    },
  };
}
