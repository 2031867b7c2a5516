/**
 * `npm run conformance`: real clients, unmodified, against a bare cell and against the front of three cells. docs/conformance.md.
 * `-- --client NAME` and `-- --target cell` narrow it down; `-- --url URL --key KEY --ready ID,ID` tries clients on something that runs already.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { clients, operationsOf, runScenarios, type ConformanceClient } from './clients.ts';
import { install, type Installation } from './installation.ts';
import { startRecorder, type Exchange } from './recorder.ts';
import { raiseTarget, type Target } from './targets.ts';
import { advice, judge, showTable, type Known, type Outcome, type TargetName, type Verdict } from './verdict.ts';

const { values: flags } = parseArgs({
  options: {
    client: { type: 'string', multiple: true },
    target: { type: 'string', multiple: true },
    url: { type: 'string' },
    key: { type: 'string' },
    ready: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (flags.help === true) {
  process.stdout.write(`Runs real MAAS clients, unmodified, against a bare cell and against the front of three cells (docs/conformance.md).

  --client NAME     only this one: ${clients.map((one) => one.name).join(', ')}; may be repeated
  --target NAME     only cell or only front
  --url URL --key KEY --ready ID,ID
                    something that runs already, with these Ready machines
`);
  process.exit(0);
}
const started = Date.now();
const say = (text: string): void =>
  void process.stdout.write(`${String(Math.round((Date.now() - started) / 1000)).padStart(4)} s  ${text}\n`);
const known = JSON.parse(readFileSync(join(import.meta.dirname, 'known.json'), 'utf8')) as Known[];
const series = 'simulated/1';

function chosen<T extends string>(given: readonly string[] | undefined, all: readonly T[], flag: string): T[] {
  const wrong = given?.find((one) => !(all as readonly string[]).includes(one));
  if (wrong === undefined) return all.filter((one) => given?.includes(one) ?? true);
  process.stderr.write(`--${flag} knows ${all.join(', ')}, not ${wrong}.\n`);
  process.exit(2);
}

/** Requests and replies of a failure, indented. */
function showExchanges(exchanges: readonly Exchange[]): string {
  const indented = (mark: string, text: string) => (text === '' ? '' : `\n${text.replaceAll(/^/gm, `        ${mark} `)}`);
  return exchanges
    .slice(-2)
    .map(
      ({ method, path, sent, status, received }) =>
        `      ${method} ${path}${indented('>', sent)}\n      ${status}${indented('<', received)}`,
    )
    .join('\n');
}

async function tryClient(client: ConformanceClient, installed: Installation, target: Target, ready: readonly string[]): Promise<Verdict> {
  const operations = await operationsOf(client, installed);
  say(`${client.name} has ${operations.length} operations; trying them on the ${target.name}`);
  await using recorder = await startRecorder(target.url);
  const given = { url: recorder.url, placedUrl: recorder.url + target.place, apiKey: target.apiKey, series, ready };
  const outcomes: Outcome[] = [];
  const exchanges = new Map<Outcome, Exchange[]>();
  try {
    await runScenarios(client, installed, given, {
      scenario: (name) => say(`  ${name}`),
      outcome: (outcome) => {
        outcomes.push(outcome);
        const seen = recorder.take();
        if (!outcome.ok) exchanges.set(outcome, seen);
      },
    });
  } catch (error) {
    outcomes.push({ operation: 'the program', ok: false, error: String(error) });
  }
  const verdict = judge(client.name, target.name, operations, outcomes, known);
  for (const { kind, operation, detail } of verdict.problems) {
    if (kind === 'never exercised') continue;
    process.stdout.write(`FAIL ${client.name} ${operation} on the ${target.name}: ${kind}: ${detail}\n`);
    const failure = outcomes.find((one) => one.operation === operation && !one.ok);
    const seen = failure === undefined ? [] : (exchanges.get(failure) ?? []);
    if (seen.length > 0) process.stdout.write(`${showExchanges(seen)}\n`);
  }
  const idle = verdict.problems.filter(({ kind }) => kind === 'never exercised').map(({ operation }) => operation);
  if (idle.length > 0) process.stdout.write(`FAIL ${client.name} on the ${target.name}: never exercised: ${idle.join(', ')}\n`);
  return verdict;
}

const names = chosen(
  flags.client,
  clients.map(({ name }) => name),
  'client',
);
const tried = clients.filter(({ name }) => names.includes(name));
const installed = await install(say);
const verdicts: Verdict[] = [];

async function tryAll(target: Target): Promise<void> {
  let used = 0;
  for (const client of tried) {
    verdicts.push(await tryClient(client, installed, target, target.ready.slice(used, used + client.machines)));
    used += client.machines;
  }
}

const targets = chosen<TargetName>(flags.target, ['cell', 'front'], 'target');
if (flags.url !== undefined) {
  const ready = flags.ready?.split(',') ?? [];
  const [name = 'cell'] = targets;
  await tryAll({
    name,
    url: flags.url,
    place: name === 'front' ? '/cell/c1' : '',
    apiKey: flags.key ?? '',
    ready,
    [Symbol.asyncDispose]: async () => undefined,
  });
} else {
  for (const name of targets) {
    await using target = await raiseTarget(name, say);
    await tryAll(target);
  }
}

const problems = verdicts.flatMap((verdict) => verdict.problems);
process.stdout.write(`\n${showTable(verdicts)}\n`);
for (const kind of new Set(problems.map((problem) => problem.kind))) process.stdout.write(`\n${kind}: ${advice[kind]}\n`);
const passed = verdicts.reduce((sum, verdict) => sum + verdict.passed + verdict.known, 0);
process.stdout.write(`\n${Math.round((Date.now() - started) / 1000)} s\n${passed} passed, ${problems.length} failed\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
