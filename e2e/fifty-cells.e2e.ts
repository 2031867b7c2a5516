/**
 * `npm run e2e -- fifty-cells`: what a fleet of 50 cells and 100,000 machines does, in figures: 50 cell processes over one PostgreSQL server
 * with a database for each, a hub, two fronts, and 40 machines in each cell that are alive. docs/scale.md has the figures and what they mean.
 */
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { startCaller } from './fifty-caller.ts';
import { startFifty, type FiftyFleet } from './fifty-fleet.ts';
import { measureDeployments, measureLoss } from './fifty-loss.ts';
import {
  measureAllocation,
  measureList,
  measurePages,
  measureRest,
  measureRevisions,
  measureRevocation,
  measureSlowReaders,
  roundedFigures,
  settle,
  type Figures,
  type Measuring,
} from './fifty-measures.ts';
import { cpuOf } from './fifty-usage.ts';

const help = `npm run e2e -- fifty-cells [options]

Starts a fleet, measures it, and ends it. Linux only. 50 cells need about 10 GiB of memory and ten minutes of two processors.

  --cells N          cell processes (50)
  --machines N       machines of each, as rows (2000)
  --alive N          of them with a BMC and a simulated machine behind it, at most 48 (40)
  --deploy N         of them deployed through the front (1)
  --seed TEXT        of the machines (fifty)
  --front-flag FLAG  a further flag of the fronts; may be repeated
  --only WORDS       only the measures whose names have one of these words, separated by commas
  --json FILE        write the figures there, too
  --help             this

For a check in about a minute: --cells 5 --machines 200.
`;

const { values } = parseArgs({
  options: {
    cells: { type: 'string', default: '50' },
    machines: { type: 'string', default: '2000' },
    alive: { type: 'string', default: '40' },
    deploy: { type: 'string', default: '1' },
    seed: { type: 'string', default: 'fifty' },
    'front-flag': { type: 'string', multiple: true, default: [] },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(help);
  process.exit(0);
}
const cells = Number(values.cells);
const machines = Number(values.machines);
const alive = Math.min(Number(values.alive), 48, machines);

const started = Date.now();
const say = (text: string): void => console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}`);
const problems: string[] = [];
const figures: Figures = {};
let running: FiftyFleet | undefined;
let interrupted: Promise<void> | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    // What has not come up yet ends with this process: their standard inputs are pipes of ours.
    interrupted ??= Promise.resolve(running?.[Symbol.asyncDispose]());
    void interrupted.finally(() => process.exit(130));
  });
}
try {
  await run();
} catch (error) {
  problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
// Whoever is in the middle of a measure when all of it ends has nothing to tell.
if (interrupted !== undefined) await interrupted.finally(() => process.exit(130));
report();
process.exit(problems.length === 0 ? 0 : 1);

async function run(): Promise<void> {
  say(`${cells} cells with ${machines} machines each, ${alive} of them alive, seed ${values.seed}`);
  await using fleet = await startFifty({ cells, machines, alive, seed: values.seed, frontFlags: values['front-flag'], say });
  running = fleet;
  await using caller = startCaller(fleet.apiKey);
  const measuring: Measuring = {
    fleet,
    caller,
    say,
    machines: cells * machines,
    wrong: (text) => {
      if (problems.length < 50) problems.push(text);
    },
  };
  for (const [name, seconds] of Object.entries(fleet.took)) figures[`start: ${name} (s)`] = seconds;
  const count = await caller.ask(fleet.fronts[0]!.url, 'GET', 'machines/?op=summary');
  const summary = JSON.parse(count.text) as { machines?: number; by_status?: Record<string, number> };
  if (summary.machines !== cells * machines || summary.by_status?.['ready'] !== cells * machines)
    measuring.wrong(`the fronts count ${JSON.stringify(summary).slice(0, 300)}`);
  const steps: readonly (readonly [string, () => Promise<Figures>])[] = [
    ['at rest', () => measureRest(measuring)],
    ['revisions', () => measureRevisions(measuring, 50)],
    ['a revoked key', () => measureRevocation(measuring, 5)],
    ['allocations', () => measureAllocation(measuring, 50)],
    ['pages', () => measurePages(measuring, 30)],
    ['the whole list', () => measureList(measuring)],
    ['slow readers', () => measureSlowReaders(measuring)],
    ['deployments', () => measureDeployments(measuring, Math.min(Number(values.deploy), alive))],
    ['a cell is killed', () => measureLoss(measuring)],
  ];
  const words = values.only.split(',');
  for (const [name, measure] of steps.filter(([step]) => words.some((word) => step.includes(word)))) {
    await settle(measuring);
    const found = await measure();
    Object.assign(figures, found);
    say(
      `${name}: ${Object.entries(roundedFigures(found))
        .map(([what, value]) => `${what} ${value}`)
        .join(', ')}`,
    );
  }
  figures["hub's CPU of the whole run (s)"] = cpuOf(fleet.hub.pid ?? 0);
  figures["fronts' CPU of the whole run (s)"] = fleet.fronts.reduce((sum, { pid = 0 }) => sum + cpuOf(pid), 0);
  running = undefined;
}

function report(): void {
  const short = roundedFigures(figures);
  const width = Math.max(...Object.keys(short).map((name) => name.length), 0);
  for (const [name, value] of Object.entries(short)) console.log(`${name.padEnd(width)}  ${String(value).padStart(10)}`);
  const result = {
    run: 'fifty-cells',
    cells,
    machines,
    alive,
    processors: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    figures: short,
  };
  console.log(JSON.stringify(result));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
  for (const problem of problems) console.error(`FAILED: ${problem}`);
}
