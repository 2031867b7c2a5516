/**
 * `npm run conformance`: installs the Debian packages that a cell needs, then becomes `conformance/run.ts`, further arguments passed on. That
 * installs the clients, each in a folder of its own below .muster/conformance.
 */
import { join } from 'node:path';
import { packagesOf } from './debian-packages.mjs';
import { requireNode } from './node.mjs';
import { preparePackages } from './packages.mjs';
import { handleInterrupts } from './progress.mjs';

requireNode();
handleInterrupts();
const root = join(import.meta.dirname, '..');
if ((await preparePackages(packagesOf(['cell']), root)) === 'failed') process.exit(1);
if (process.execve === undefined) throw new Error('this Node has no process.execve');
process.execve(process.execPath, [process.execPath, join(root, 'conformance/run.ts'), ...process.argv.slice(2)], process.env);
