/**
 * `npm test`: packages, checks, unit and room tests, then the end-to-end runs of e2e/in-npm-test.ts, and last that the host is as it was.
 * The last line counts. Exit codes: 0 all passed, 1 something failed, 3 nothing failed but something could not run here.
 */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { npmTestRuns } from '../e2e/in-npm-test.ts';
import { debianPackages, packagesOf } from './debian-packages.mjs';
import { holderOf, leftRunning, listeners, nameOf, newListeners, policyPrint, runVariable, startedBy } from './host-watch.mjs';
import { requireNode } from './node.mjs';
import { cannotRun, conclude, vitestOutcome } from './outcome.mjs';
import { canInstall, missingHere, preparePackages } from './packages.mjs';
import { handleInterrupts, readJson, runStep, say, showFailure, wasInterrupted } from './progress.mjs';

/** @typedef {import('./outcome.mjs').Outcome} Outcome */
/** @typedef {import('../e2e/in-npm-test.ts').NpmTestRun} NpmTestRun */

requireNode();
handleInterrupts();
const root = join(import.meta.dirname, '..');
const logs = join(root, '.muster/test');
const run = randomUUID();
process.env[runVariable] = run;
const started = Date.now();
const before = { listeners: listeners(), policy: policyPrint() };
/** @type {Outcome[]} */
const outcomes = [];

/** The command line of npm with some arguments: the npm that runs this. @param {...string} args */
function npm(...args) {
  const script = process.env['npm_execpath'];
  return [...(script === undefined ? ['npm'] : [process.execPath, script]), ...args];
}

/** @param {string} name @param {string[]} problems @returns {Outcome} */
function outcomeOf(name, problems) {
  for (const problem of problems) say(`FAIL ${name}: ${problem}`);
  return { name, passed: problems.length === 0 ? 1 : 0, failed: problems.length, notRun: [] };
}

/** @param {string} name @param {readonly string[]} argv @param {number} timeoutSeconds @param {string} advice @param {number} [lines] */
async function step(name, argv, timeoutSeconds, advice, lines = 40) {
  const log = join(logs, `${name.replaceAll(' ', '-')}.log`);
  const result = await runStep({ name, argv, cwd: root, log, timeoutSeconds });
  if (wasInterrupted()) process.exit(130);
  if (!result.ok) showFailure(result, advice, lines);
  return result;
}

/** @param {NpmTestRun} entry */
async function endToEnd(entry) {
  const missing = missingHere(packagesOf(entry.sets));
  const reason = cannotRun(entry, { root: process.getuid?.() === 0, linux: process.platform === 'linux', missing });
  if (reason !== undefined) {
    outcomes.push({ name: entry.name, passed: 0, failed: 0, notRun: [reason] });
    return;
  }
  const name = `e2e ${entry.name}`;
  const result = await step(
    name,
    npm('run', 'e2e', '--', entry.name, ...entry.args),
    Math.max(120, 3 * entry.seconds),
    `Alone: npm run e2e -- ${entry.name}`,
  );
  outcomes.push({ name, passed: result.ok ? 1 : 0, failed: result.ok ? 0 : 1, notRun: [] });
}

/** Everything that this run left on the host. @returns {Promise<string[]>} */
async function leftBehind() {
  /** @type {import('./host-watch.mjs').Listener[]} */
  let fresh = [];
  // A process that was just ended may need a moment to be gone.
  for (let tries = 0; tries < 20; tries += 1) {
    fresh = newListeners(before.listeners, listeners());
    if (fresh.length === 0 && leftRunning(run).length === 0) break;
    await sleep(250);
  }
  const problems = leftRunning(run).map(({ pid, command }) => {
    process.kill(pid, 'SIGKILL');
    return `process ${pid} was left running: ${command}`;
  });
  for (const listener of fresh) {
    const pid = holderOf(listener.inode);
    // On a machine of its own (CI) nobody else opens a port; elsewhere only what carries this run's mark is ours.
    if (process.env['CI'] !== undefined || (pid !== undefined && startedBy(pid, run)))
      problems.push(`new listener on the host: ${nameOf(listener)}, process ${pid ?? 'unknown'}`);
    else say(`note: not ours, but new since the start: ${nameOf(listener)}`);
  }
  if (policyPrint() !== before.policy) problems.push(`policy-rc.d changed: was ${before.policy}, is ${policyPrint()}`);
  return problems;
}

const everything = packagesOf([...new Set(debianPackages.flatMap((entry) => entry.sets))]);
if ((await preparePackages(everything, root)) === 'failed') outcomes.push(outcomeOf('Debian packages', ['apt-get failed, see above']));
if (canInstall())
  outcomes.push(
    outcomeOf(
      'no daemon by packages',
      newListeners(before.listeners, listeners())
        .filter((listener) => process.env['CI'] !== undefined || startedBy(holderOf(listener.inode) ?? '', run))
        .map(nameOf),
    ),
  );

const check = await step('check', npm('run', 'check'), 600, 'Alone: npm run check', 250);
outcomes.push({ name: 'check', passed: check.ok ? 1 : 0, failed: check.ok ? 0 : 1, notRun: [] });

const report = join(logs, 'unit.json');
rmSync(report, { force: true });
const unit = await step(
  'unit and room tests',
  [process.execPath, 'node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
  600,
  'One file alone: npm run unit -- FILE',
);
outcomes.push(vitestOutcome('unit and room tests', readJson(report), unit.ok));

const aside = npmTestRuns.filter((entry) => entry.aside);
const queue = [...aside];
const worker = async () => {
  for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) await endToEnd(entry);
};
await Promise.all([worker(), worker()]);
for (const entry of npmTestRuns) if (!entry.aside) await endToEnd(entry);

outcomes.push(outcomeOf('host untouched', await leftBehind()));
const end = conclude(outcomes, canInstall());
say(`\n${Math.round((Date.now() - started) / 1000)} s in all, logs in ${logs}`);
for (const line of end.lines) say(line);
process.exit(end.exitCode);
