/** The clients: how each lists its own operations and how its scenarios are run. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { maasOperations } from '../test/maas-operations.ts';
import type { Installation } from './installation.ts';
import type { Outcome } from './verdict.ts';

export interface ConformanceClient {
  readonly name: string;
  readonly argv: (installed: Installation) => readonly [string, ...string[]];
  /** Ready machines that its scenarios use up. */
  readonly machines: number;
}

export const clients: readonly ConformanceClient[] = [
  { name: 'python-libmaas', argv: ({ python }) => [python, join(import.meta.dirname, 'python/libmaas.py')], machines: 5 },
  { name: 'libmaas describe', argv: ({ python }) => [python, join(import.meta.dirname, 'python/describe_document.py')], machines: 0 },
  { name: 'gomaasclient', argv: ({ programs }) => [programs.gomaasclient], machines: 4 },
  { name: 'gomaasapi', argv: ({ programs }) => [programs.gomaasapi], machines: 4 },
];

/** What a program is told in MUSTER_CONFORMANCE. */
export interface Given {
  readonly url: string;
  /** Where things are created that nothing says a cell for: the front's URL of one cell (docs/front.md); on a cell the same as `url`. */
  readonly placedUrl: string;
  readonly apiKey: string;
  /** An image that the machines can be deployed with. */
  readonly series: string;
  readonly ready: readonly string[];
}

/** A line of a program's standard output. */
interface Line {
  readonly operation?: string;
  readonly ok: boolean;
  readonly error?: string;
  readonly scenario?: string;
}

export interface Heard {
  readonly scenario: (name: string) => void;
  readonly outcome: (outcome: Outcome) => void;
}

function start(argv: readonly [string, ...string[]], more: readonly string[], environment: NodeJS.ProcessEnv, timeout: number) {
  const [command, ...rest] = argv;
  const env = { ...environment, MUSTER_MAAS_OPERATIONS: JSON.stringify(Object.fromEntries(maasOperations())) };
  const child = spawn(command, [...rest, ...more], { stdio: ['ignore', 'pipe', 'pipe'], env, timeout, killSignal: 'SIGKILL' });
  let words = '';
  child.stderr.on('data', (bytes: Buffer) => (words = (words + bytes.toString()).slice(-4000)));
  const ended = new Promise<void>((done, failed) => {
    child.once('error', failed);
    child.once('close', (code, signal) => (code === 0 ? done() : failed(new Error(`${command} ended with ${code ?? signal}:\n${words}`))));
  });
  return { child, ended };
}

/** The client's operations, by its own source. */
export async function operationsOf(client: ConformanceClient, installed: Installation): Promise<string[]> {
  const { child, ended } = start(client.argv(installed), ['list'], installed.environment, 60_000);
  let text = '';
  child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
  await ended;
  return JSON.parse(text) as string[];
}

/** Run its scenarios, telling of each line as it comes. @throws Error when the program itself fails. */
export async function runScenarios(client: ConformanceClient, installed: Installation, given: Given, heard: Heard): Promise<void> {
  const env = { ...installed.environment, MUSTER_CONFORMANCE: JSON.stringify(given) };
  const { child, ended } = start(client.argv(installed), ['run'], env, 600_000);
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (text) => {
    const { operation, scenario, ok, error } = JSON.parse(text) as Line;
    if (scenario !== undefined) heard.scenario(scenario);
    if (operation !== undefined) heard.outcome({ operation, ok, ...(error === undefined ? {} : { error }) });
  });
  const read = new Promise<void>((done) => lines.once('close', done));
  await ended;
  await read;
}
