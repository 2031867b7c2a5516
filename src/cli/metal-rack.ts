/** Emulated machines with real firmware in the rack of a cell, and the images they need: a child process on the host, QEMU in the rack. */
import { spawn } from 'node:child_process';
import { copyFile, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { addTap } from './rack-network.ts';
import { parseRackLine, type RackMachine } from './simulated-rack.ts';
import type { Story } from './story.ts';
import type { CellPlan } from './tree-plan.ts';
import type { Tree } from './up.ts';

type Program = readonly [string, ...string[]];

/** Flags of cells whose machines have a serial console and one card, `eth0`. */
export const metalCellFlags = ['--kernel-parameters=console=ttyS0,115200 net.ifnames=0'];

/** Build the ephemeral environment and Debian into the image cache; a second time there is nothing to do. @throws Error when it fails. */
export async function buildImages(program: Program, cache: string, story: Story, signal: AbortSignal): Promise<void> {
  for (const name of ['agent', 'debian-12']) {
    story.tell(`image ${name}: from Debian packages, or from ${cache} when it is there`);
    await build([...program, 'image', 'build', name, '--images', cache], (line) => story.tell(`image ${line}`), signal);
  }
}

async function build(argv: readonly string[], tell: (line: string) => void, signal: AbortSignal): Promise<void> {
  const [command = '', ...args] = argv;
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], signal });
  let words = '';
  let told = 0;
  child.stderr.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-2000)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    // One line in five seconds is enough to see that it goes on.
    if (!line.includes('%') || Date.now() - told < 5000) return;
    told = Date.now();
    tell(line);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${args.slice(1, 4).join(' ')} failed: ${words.trim()}`);
}

/** What was built, named in another folder too, so that simulated images can lie beside it and not in the cache. */
export async function linkImages(cache: string, folder: string): Promise<void> {
  await mkdir(join(folder, 'manifests'), { recursive: true });
  for (const name of await readdir(join(cache, 'manifests'))) {
    const manifest = JSON.parse(await readFile(join(cache, 'manifests', name), 'utf8')) as { files: { sha256: string }[] };
    for (const { sha256 } of manifest.files) await symlink(join(cache, sha256), join(folder, sha256)).catch(ignoreExisting);
    await copyFile(join(cache, 'manifests', name), join(folder, 'manifests', name));
  }
}

function ignoreExisting(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
}

/** Start them: switched on, as somebody who has just mounted them would. */
export async function startMetalRack(tree: Tree, cell: CellPlan, machines: number, program: Program): Promise<RackMachine[]> {
  const { rack } = cell;
  if (!rack) throw new Error('Emulated machines need a rack of their own: run this as root on Linux.');
  for (let number = 1; number <= machines; number += 1) await addTap(rack, `tap${number}`);
  const folder = join(tree.folder, 'machines');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { namespace, hostAddress, rackAddress } = rack;
  const found: RackMachine[] = [];
  await tree.add({
    name: `machines of ${cell.name}`,
    argv: [...program, 'metal', JSON.stringify({ name: cell.name, machines, folder, namespace, hostAddress, rackAddress })],
    log: `${tree.folder}/log/machines-${cell.name}.log`,
    ready: / are up at /,
    readyWithinMs: 120_000,
    onLine: (line) => {
      const machine = parseRackLine(cell.name, line);
      if (machine) found.push(machine);
    },
  });
  return found;
}
