/** Runs a program of the host for the image builders: argv only, output bounded, stopped with the caller's signal. */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

/** A build that cannot go on; the message is meant for whoever started it. */
export class BuildError extends Error {
  override readonly name = 'BuildError';
}

/** Debian packages of the programs that the builders start on the host. */
const packageOf: Readonly<Record<string, string>> = {
  'apt-get': 'apt',
  'apt-cache': 'apt',
  'dpkg-deb': 'dpkg',
  mmdebstrap: 'mmdebstrap',
};

export interface ProgramOptions {
  readonly signal?: AbortSignal | undefined;
  readonly cwd?: string;
  /** Added to our own environment; undefined takes a variable out of it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Takes stdout as it comes; without it stdout is collected (at most 64 MiB) and returned. */
  readonly onStdout?: (stdout: Readable) => Promise<void>;
  /** Called with each line of stderr. */
  readonly onLine?: (line: string) => void;
}

const largestOutput = 64 * 1024 * 1024;

/**
 * Run `program` to its end and return its stdout as text.
 * @throws {BuildError} when it is not installed (names the Debian package) or ends with another status than 0 (with the end of its stderr).
 */
export async function runProgram(program: string, argv: readonly string[], options: ProgramOptions = {}): Promise<string> {
  options.signal?.throwIfAborted();
  // A group of its own: mmdebstrap's children must not outlive an aborted build.
  const child = spawn(program, argv, {
    cwd: options.cwd,
    // Nothing of our own environment: the same build for whoever runs it.
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/nonexistent',
      LC_ALL: 'C.UTF-8',
      DEBIAN_FRONTEND: 'noninteractive',
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const stop = () => {
    if (child.pid) killGroup(child.pid, 'SIGTERM');
  };
  options.signal?.addEventListener('abort', stop, { once: true });
  const chunks: Buffer[] = [];
  let size = 0;
  let stderr = '';
  let line = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4096);
    const lines = (line + text).split('\n');
    line = (lines.pop() ?? '').slice(-4096);
    for (const each of lines) options.onLine?.(each);
  });
  const taken = options.onStdout?.(child.stdout);
  // Awaited below; until then a failing reader must not count as unhandled.
  let readerFailed: unknown;
  taken?.catch((error: unknown) => {
    readerFailed = error ?? new Error('reader failed');
    stop();
  });
  if (!taken) {
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size > largestOutput) stop();
      else chunks.push(chunk);
    });
  }
  try {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? String(code)));
    const end = await promise.catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw new BuildError(`${program} cannot be started: ${error.message}`);
      const name = packageOf[program];
      throw new BuildError(`${program} is not installed${name ? `; install the Debian package ${name} (apt-get install ${name})` : ''}.`);
    });
    options.signal?.throwIfAborted();
    if (readerFailed) throw readerFailed;
    if (end !== '0')
      throw new BuildError(
        `${program} ${argv.slice(0, 3).join(' ')} … ended with ${end}: ${stderr.trim().split('\n').slice(-6).join('\n')}`,
      );
    await taken;
    if (size > largestOutput) throw new BuildError(`${program} wrote more than ${largestOutput} bytes.`);
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    options.signal?.removeEventListener('abort', stop);
  }
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended by itself.
  }
}
