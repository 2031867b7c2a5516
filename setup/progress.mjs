/**
 * Runs the steps of set-up and of `npm test` as child processes, and shows that they are alive: a ticking line on a terminal, else one
 * line when a step has taken a second and one a minute after that. Each step's output goes to its log file; the tail is shown on failure.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readSync, fstatSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {readonly string[]} argv program and arguments
 * @property {string} log file that gets stdout and stderr
 * @property {number} timeoutSeconds after this the step and its children are killed
 * @property {string} [cwd]
 * @property {Readonly<Record<string, string | undefined>>} [env] instead of this process's own
 * @property {number} [inherit] a descriptor that the child gets as its number 3
 * @property {boolean} [quiet] no line when it ends within a second
 * @property {boolean} [finish] an interruption waits for this step's end instead of killing it
 */

/**
 * @typedef {object} StepResult
 * @property {string} name
 * @property {boolean} ok
 * @property {number | null} code exit code; null when it was killed
 * @property {boolean} timedOut
 * @property {number} seconds
 * @property {string} log
 */

/** @type {Map<string, { since: number, minutes: number }>} each running step: when it started (ms), minutes already told of; -1 none */
const running = new Map();
/** @type {Map<number, boolean>} process group of each running step → whether an interruption waits for it */
const groups = new Map();
/** @type {NodeJS.Timeout | undefined} */
let ticker;
let interrupted = false;

const onTerminal = Boolean(process.stdout.isTTY);
const clearLine = '\r\u001b[K';

/** @param {number} ms */
const seconds = (ms) => `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;

function tick() {
  const now = Date.now();
  if (onTerminal) {
    const parts = [...running]
      .filter(([, { since }]) => now - since >= 1000)
      .map(([name, { since }]) => `${name} ${Math.floor((now - since) / 1000)} s`);
    process.stdout.write(parts.length > 0 ? `${clearLine}  … ${parts.join(' · ')}` : clearLine);
    return;
  }
  for (const [name, state] of running) {
    const minutes = Math.floor((now - state.since) / 60_000);
    if (now - state.since < 900 || minutes <= state.minutes) continue;
    state.minutes = minutes;
    process.stdout.write(minutes === 0 ? `  … ${name}\n` : `  … ${name}, ${minutes} min\n`);
  }
}

/**
 * Prints a line, above the ticking one where there is one.
 * @param {string} line
 */
export function say(line) {
  process.stdout.write(`${onTerminal ? clearLine : ''}${line}\n`);
}

/**
 * The last lines of a file; empty when it cannot be read.
 * @param {string} file
 * @param {number} lines
 */
export function tailOf(file, lines) {
  try {
    const descriptor = openSync(file, 'r');
    try {
      const size = fstatSync(descriptor).size;
      const buffer = Buffer.alloc(Math.min(size, 64 * 1024));
      readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
      return buffer.toString('utf8').trimEnd().split('\n').slice(-lines).join('\n');
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return '';
  }
}

/** @param {number} group @param {NodeJS.Signals} signal */
function killGroup(group, signal) {
  try {
    process.kill(-group, signal);
  } catch {
    // Already gone.
  }
}

/** @param {NodeJS.Signals} signal */
function onInterrupt(signal) {
  const first = !interrupted;
  interrupted = true;
  const waits = [...groups.values()].includes(true);
  if (first) say(waits ? 'Interrupted: finishing the step that must not be cut, then stopping.' : 'Interrupted.');
  for (const [group, finish] of groups) {
    if (finish) continue;
    killGroup(group, first ? 'SIGTERM' : 'SIGKILL');
    setTimeout(() => groups.has(group) && killGroup(group, 'SIGKILL'), 10_000).unref();
  }
  if (groups.size === 0) process.exit(signal === 'SIGINT' ? 130 : 143);
}

/** Whether a signal asked this run to end. */
export const wasInterrupted = () => interrupted;

/** Lets this process end its steps in order when it is told to stop. Call once. */
export function handleInterrupts() {
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => onInterrupt(signal));
}

/**
 * Runs one step to its end. Never throws for a failing step.
 * @param {Step} step
 * @returns {Promise<StepResult>}
 */
export async function runStep(step) {
  mkdirSync(dirname(step.log), { recursive: true });
  const log = openSync(step.log, 'w');
  const started = Date.now();
  running.set(step.name, { since: started, minutes: -1 });
  ticker ??= setInterval(tick, 1000);
  const [program, ...args] = step.argv;
  let timedOut = false;
  /** @type {number | null} */
  let code;
  try {
    const child = spawn(String(program), args, {
      cwd: step.cwd,
      env: { ...(step.env ?? process.env), NO_COLOR: '1', FORCE_COLOR: undefined },
      stdio: ['ignore', log, log, ...(step.inherit === undefined ? [] : [step.inherit])],
      detached: true,
    });
    const group = child.pid;
    if (group !== undefined) groups.set(group, step.finish ?? false);
    const alarm = setTimeout(() => {
      timedOut = true;
      if (group === undefined) return;
      killGroup(group, 'SIGTERM');
      setTimeout(() => killGroup(group, 'SIGKILL'), 15_000).unref();
    }, step.timeoutSeconds * 1000);
    code = await new Promise((resolve) => {
      child.on('error', (error) => {
        writeSync(log, `${error.message}\n`);
        resolve(127);
      });
      child.on('exit', (exitCode) => resolve(exitCode));
    });
    clearTimeout(alarm);
    if (group !== undefined) {
      groups.delete(group);
      // What a step leaves running in its own process group ends with it.
      if (timedOut || code !== 0) killGroup(group, 'SIGKILL');
    }
  } finally {
    closeSync(log);
    running.delete(step.name);
    if (running.size === 0) {
      clearInterval(ticker);
      ticker = undefined;
      if (onTerminal) process.stdout.write(clearLine);
    }
  }
  const elapsed = Date.now() - started;
  const ok = code === 0 && !timedOut && !(interrupted && !step.finish);
  const fate = ok ? 'ok  ' : 'FAIL';
  if (!ok || !step.quiet || elapsed >= 1000)
    say(`${fate} ${step.name}, ${seconds(elapsed)}${timedOut ? ` (stopped: longer than ${step.timeoutSeconds} s)` : ''}`);
  return { name: step.name, ok, code, timedOut, seconds: elapsed / 1000, log: step.log };
}

/**
 * Shows why a step failed: the end of its log, and where the rest is.
 * @param {StepResult} result
 * @param {string} advice what to do about it
 * @param {number} [lines] how much of the log
 */
export function showFailure(result, advice, lines = 40) {
  const tail = tailOf(result.log, lines);
  say(
    `\n──── ${result.name} failed (${result.timedOut ? 'time-out' : `exit code ${result.code ?? 'none, killed'}`}); the end of ${result.log}:`,
  );
  say(tail === '' ? '(it printed nothing)' : tail);
  say(`──── ${advice}\n`);
}

/** @param {string} file @returns {unknown} the JSON in a file, or undefined when there is none to read */
export function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
