/**
 * Set-up, the first half of `npm start` and `npm test`: the npm packages of package-lock.json and the web page. With arguments also the Debian packages of those sets
 * (`node setup/prepare.mjs cell image`). Any Node from 20 on runs this. Exit codes: 0 ready, 1 failed, 3 something must be installed by hand.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { preparePage } from './build-ui.mjs';
import { debianPackages, packagesOf } from './debian-packages.mjs';
import { prepareModules } from './modules.mjs';
import { preparePackages } from './packages.mjs';
import { handleInterrupts } from './progress.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const known = new Set(debianPackages.flatMap((entry) => entry.sets));
const sets = process.argv.slice(2).map((name) => {
  const set = [...known].find((candidate) => candidate === name);
  if (set !== undefined) return set;
  process.stderr.write(`No set of Debian packages is called ${JSON.stringify(name)}; the sets are ${[...known].join(', ')}.\n`);
  return process.exit(2);
});

handleInterrupts();
if (!(await prepareModules(root)) || !(await preparePage(root))) process.exit(1);
const packages = sets.length === 0 ? 'installed' : await preparePackages(packagesOf(sets), root);
process.exit({ installed: 0, failed: 1, missing: 3 }[packages]);
