/** `muster demo` (`npm start`): the whole of Muster with simulated racks, told as it happens, and left running to be played with. */
import { join } from 'node:path';
import { Command } from 'commander';
import { createClient } from '../http/client.ts';
import { listMachines } from './demo-fleet.ts';
import { losses } from './lose.ts';
import { deployedPerCell, play } from './demo-play.ts';
import { buildImages, linkImages, metalCellFlags } from './metal-rack.ts';
import { whyNoRack } from './rack-network.ts';
import { SettingsError } from './settings.ts';
import { writeSimulatedImages } from './simulated-images.ts';
import { createStory, type Story } from './story.ts';
import type { TreePlan } from './tree-plan.ts';
import { addTreeFlags, stopSignal, tellAccess, treeOptions, wholeNumber, type TreeCommand, type TreeFlags } from './up-command.ts';
import { raiseTree, type Tree, type UpOptions } from './up.ts';

interface DemoFlags extends TreeFlags {
  readonly machines: string;
  readonly vms: string;
  readonly exit?: boolean;
  readonly fault?: string;
}

/** What can be planted on the first machine of the second cell (of the only one, when there is one). */
const plantable: Readonly<Record<string, object>> = { installer: { failsAt: 'unpack' } };

export function demoCommand(given: TreeCommand): Command {
  const command = new Command('demo').description(
    'Hub, fronts and cells with simulated racks: machines are enlisted, commissioned and deployed while you watch.',
  );
  return addTreeFlags(command, 3, 2)
    .option('--machines <number>', 'simulated machines in all cells together', '24')
    .option('--vms <number>', 'emulated machines with real firmware in the first cell; as root on Linux', '0')
    .option('--exit', 'end after the last deployment; the exit code says whether all went well')
    .option('--fault <what>', `plant a failure: ${Object.keys(plantable).join(', ')}`)
    .action(async (flags: DemoFlags) => runDemo(given, flags));
}

async function runDemo(given: TreeCommand, flags: DemoFlags): Promise<void> {
  const story = createStory(given.write);
  const fault = flags.fault === undefined ? undefined : plantable[flags.fault];
  if (flags.fault !== undefined && fault === undefined) {
    throw new SettingsError(`--fault knows ${Object.keys(plantable).join(', ')}, not «${flags.fault}».`);
  }
  const { signal, ended } = stopSignal(given);
  const options = treeOptions(given, flags, story, signal);
  const machines = wholeNumber(flags.machines, '--machines', options.cells * deployedPerCell, options.cells * 14);
  const vms = wholeNumber(flags.vms, '--vms', 0, 8);
  if (vms > 0) await prepareMetal(given, story, signal);
  await using tree = await raiseTree(withImages(options, given, vms));
  const played = play({ tree, story, machines, vms, fault, program: given.program });
  const count = await Promise.race([played, ended.then(() => 'stopped' as const)]);
  if (count === 'stopped') {
    // What it was waiting for goes away under it.
    played.catch(() => undefined);
    story.tell('stopping: racks, fronts, cells, then the hub');
    return;
  }
  const wanted = options.cells * deployedPerCell + vms;
  if (flags.exit !== true) {
    story.tell(`deployed ${count} of ${wanted}`);
    tellAccess(tree, story, given.webPage);
    tellCommands(tree, story, await freeMachine(tree));
    await ended;
    story.tell('stopping: racks, fronts, cells, then the hub');
    return;
  }
  await tree[Symbol.asyncDispose]();
  story.tell('everything is stopped and removed');
  story.say(`deployed ${count} of ${wanted}`);
  if (count !== wanted) process.exitCode = 1;
}

async function prepareMetal(given: TreeCommand, story: Story, signal: AbortSignal): Promise<void> {
  const why = await whyNoRack();
  if (why !== undefined) throw new SettingsError(`--vms cannot be done here: ${why}.`);
  await buildImages(given.program, given.images, story, signal);
}

/** Images of a demo lie in its own data: simulated ones, and with emulated machines those of the cache too. */
function withImages(options: UpOptions, given: TreeCommand, vms: number): UpOptions {
  const images = async (folder: string) => {
    const own = join(folder, 'images');
    if (vms > 0) await linkImages(given.images, own);
    await writeSimulatedImages(own, vms > 0 ? ['simulated-1'] : undefined);
    return own;
  };
  return { ...options, images, cellFlags: vms > 0 ? metalCellFlags : [] };
}

async function freeMachine({ plan, admin }: Tree): Promise<string> {
  const machines = await listMachines(createClient({ url: plan.fronts[0]?.url ?? plan.hub.plainUrl, key: admin.apiKey }));
  return machines.find(({ status_name }) => status_name === 'Ready')?.system_id ?? 'SYSTEM_ID';
}

function tellCommands({ plan, admin }: Tree, story: Story, systemId: string): void {
  story.say('Try:');
  story.say(`  ./muster login demo ${plan.fronts[0]?.url} ${admin.apiKey}`);
  story.say('  ./muster machines read');
  story.say(`  ./muster machine deploy ${systemId} distro_series=simulated/1`);
  story.say('');
  tellLosses(plan, story);
  story.say('');
  story.say('It stays up until Ctrl-C, which removes processes, namespaces, sockets and data.');
}

/** The invitation to break it: what to kill, and what to look at. */
function tellLosses({ cells, fronts }: TreePlan, story: Story): void {
  const [, second = cells[0]] = cells;
  const lines = [
    ...(second ? [[second.name, `${losses.cell.costs}`]] : []),
    ['hub', losses.hub.costs],
    ...(fronts.length > 1 ? [[fronts.at(-1)?.name, losses.front.costs]] : []),
  ];
  story.say('Kill a part of it, in another terminal (kill -9, away for 30 s, then started again; what the others say is told meanwhile):');
  for (const [name, costs] of lines) story.say(`  ./muster lose ${name?.padEnd(4)} # ${costs}`);
  story.say('and look, while it is away, at the machines and cells of the web page, or at');
  story.say('  ./muster cell list');
  story.say('  ./muster machines read');
}
