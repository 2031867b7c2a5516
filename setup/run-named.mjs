/**
 * `npm run e2e -- NAME` and `npm run bench -- NAME`: installs what the run needs and becomes `e2e/NAME.e2e.ts` or `bench/NAME.bench.ts`,
 * further arguments passed on. Without a name it lists them.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { npmTestRuns } from '../e2e/in-npm-test.ts';
import { packagesOf } from './debian-packages.mjs';
import { requireNode } from './node.mjs';
import { preparePackages } from './packages.mjs';
import { handleInterrupts } from './progress.mjs';

requireNode();
handleInterrupts();
const root = join(import.meta.dirname, '..');
const [kind = '', name, ...args] = process.argv.slice(2);
const ending = `.${kind}.ts`;
const names = (existsSync(join(root, kind)) ? readdirSync(join(root, kind)) : [])
  .filter((file) => file.endsWith(ending))
  .map((file) => file.slice(0, -ending.length))
  .toSorted();
if (name === undefined) {
  process.stdout.write(
    names.length === 0 ? `There is no ${kind} run yet.\n` : `Give one of these after --\n${names.map((each) => `  ${each}\n`).join('')}`,
  );
  process.exit(0);
}
if (!names.includes(name)) {
  process.stderr.write(`No ${kind} run is called ${JSON.stringify(name)}; there are: ${names.join(', ') || 'none'}.\n`);
  process.exit(2);
}
const run = kind === 'e2e' ? npmTestRuns.find((entry) => entry.name === name) : undefined;
const packages = await preparePackages(packagesOf(run?.sets ?? ['cell']), root);
if (packages !== 'installed') process.exit(packages === 'missing' ? 3 : 1);
if (process.execve === undefined) throw new Error('this Node has no process.execve');
process.execve(process.execPath, [process.execPath, join(root, kind, `${name}${ending}`), ...args], process.env);
