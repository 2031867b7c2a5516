/**
 * `npm start`: installs the Debian packages that the asked-for run needs, then becomes `src/main.ts` with the same arguments. Where packages
 * cannot be installed the run goes on with simulated machines; emulated ones (`--vms`) need theirs.
 */
import { join } from 'node:path';
import { packagesOf } from './debian-packages.mjs';
import { requireNode } from './node.mjs';
import { preparePackages } from './packages.mjs';
import { handleInterrupts } from './progress.mjs';

requireNode();
handleInterrupts();
const root = join(import.meta.dirname, '..');
const args = process.argv.slice(2);
const emulated = args.some((arg) => arg === '--vms' || arg.startsWith('--vms='));
const packages = await preparePackages(packagesOf(emulated ? ['cell', 'image', 'metal'] : ['cell']), root);
if (packages === 'failed') process.exit(1);
if (packages === 'missing' && emulated) process.exit(3);
if (process.execve === undefined) throw new Error('this Node has no process.execve');
process.execve(process.execPath, [process.execPath, join(root, 'src/main.ts'), ...args], process.env);
