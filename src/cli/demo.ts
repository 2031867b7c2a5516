/** `muster demo` (`npm start`): the whole of Muster with simulated racks, told as it happens, and left running to be played with. */
import { join } from 'node:path';
import { Command } from 'commander';
import { createClient } from '../http/client.ts';
import { commissionAll, countInCells, countThroughOtherFronts, deployOne, listMachines, waitFor, type Deployment } from './demo-fleet.ts';
import { SettingsError } from './settings.ts';
import { simulatedSeries, writeSimulatedImages } from './simulated-images.ts';
import { startSimulatedRack, type RackMachine } from './simulated-rack.ts';
import { createStory, type Story } from './story.ts';
import { addTreeFlags, stopSignal, tellAccess, treeOptions, wholeNumber, type TreeCommand, type TreeFlags } from './up-command.ts';
import { raiseTree, type Tree } from './up.ts';

interface DemoFlags extends TreeFlags {
  readonly machines: string;
  readonly exit?: boolean;
  readonly fault?: string;
}

/** How many machines of each cell are deployed. */
const deployedPerCell = 2;

/** What can be planted, and on which machine of the second cell (the last one, when there is one cell). */
const plantable: Readonly<Record<string, object>> = { installer: { failsAt: 'unpack' } };

export function demoCommand(given: TreeCommand): Command {
  const command = new Command('demo').description('Hub, fronts and cells with simulated racks: machines are enlisted, commissioned and deployed while you watch.');
  return addTreeFlags(command, 3, 2)
    .option('--machines <number>', 'simulated machines in all cells together', '24')
    .option('--exit', 'end after the last deployment; the exit code says whether all went well')
    .option('--fault <what>', `plant a failure: ${Object.keys(plantable).join(', ')}`)
    .action(async (flags: DemoFlags) => {
      const story = createStory(given.write);
      const fault = flags.fault === undefined ? undefined : plantable[flags.fault];
      if (flags.fault !== undefined && fault === undefined) throw new SettingsError(`--fault knows ${Object.keys(plantable).join(', ')}, not «${flags.fault}».`);
      const { signal, ended } = stopSignal(given);
      const options = treeOptions(given, flags, story, signal);
      const machines = wholeNumber(flags.machines, '--machines', options.cells * deployedPerCell, options.cells * 14);
      const images = async (folder: string) => {
        await writeSimulatedImages(join(folder, 'images'));
        return join(folder, 'images');
      };
      await using tree = await raiseTree({ ...options, images });
      const played = play(tree, story, machines, fault, given.program);
      const count = await Promise.race([played, ended.then(() => 'stopped' as const)]);
      if (count === 'stopped') return void played.catch(() => undefined);
      const wanted = options.cells * deployedPerCell;
      if (flags.exit !== true) {
        tellAccess(tree, story);
        tellCommands(tree, story, await freeMachine(tree));
        await ended;
        story.tell('stopping: racks, fronts, cells, then the hub');
        return;
      }
      await tree[Symbol.asyncDispose]();
      story.tell('everything is stopped and removed');
      story.say(`deployed ${count} of ${wanted}`);
      if (count !== wanted) process.exitCode = 1;
    });
}

/** Racks, enlisting, commissioning, deploying. Resolves with how many of the deployments are Deployed, counted in two ways that agree. */
async function play(tree: Tree, story: Story, machines: number, fault: object | undefined, program: readonly [string, ...string[]]): Promise<number> {
  const { plan, admin } = tree;
  const fronts = plan.fronts.map(({ url }) => createClient({ url, key: admin.apiKey }));
  const [first] = fronts;
  if (!first) throw new Error('a demo needs a front');
  const broken = Math.min(2, plan.cells.length);
  const share = (index: number) => Math.floor((machines * (index + 1)) / plan.cells.length) - Math.floor((machines * index) / plan.cells.length);
  const racks = await Promise.all(
    plan.cells.map((cell, index) => startSimulatedRack({ tree, cell, machines: share(index), program, faults: fault && index + 1 === broken ? { 0: fault } : {} })),
  );
  const all: RackMachine[] = racks.flat();
  story.tell(`${all.length} simulated machines are switched on: firmware, TFTP, boot script, ephemeral environment`);
  if (fault) story.tell(`planted: machine 0 of c${broken} fails while its disk is written`);
  const enlisted = await waitFor(first, story, 'enlisted by themselves', all.length, (machine) => machine.status_name === 'New', 180);
  await commissionAll(fronts, enlisted, all);
  story.tell(`each has its BMC's address now (Redfish, tried at once) and is told to commission`);
  const ready = await waitFor(first, story, 'commissioned', all.length, (machine) => machine.status_name === 'Ready', 300);
  const deployments: Deployment[] = [];
  for (let round = 0; round < deployedPerCell; round += 1) {
    for (const [index, cell] of plan.cells.entries()) {
      const wanted = all.filter((one) => one.cell === cell.name && one.number < deployedPerCell).flatMap((one) => one.macs);
      const candidates = ready.filter(({ macs }) => macs.some((mac) => wanted.includes(mac))).map(({ system_id }) => system_id);
      const deployment = await deployOne(fronts, round * plan.cells.length + index, candidates);
      deployments.push(deployment);
      story.tell(`${deployment.hostname} of ${deployment.cell} is allocated and told to deploy ${simulatedSeries}, through ${plan.fronts[deployment.front]?.name}`);
    }
  }
  const ids = new Set(deployments.map(({ system_id }) => system_id));
  const over = ['Deployed', 'Failed deployment'];
  await waitFor(first, story, 'deployed', ids.size, ({ system_id, status_name }) => ids.has(system_id) && status_name === 'Deployed', 300, ({ system_id, status_name }) => ids.has(system_id) && over.includes(status_name));
  await tellFailures(tree, story, ids);
  const throughFronts = await countThroughOtherFronts(fronts, deployments);
  const inCells = await countInCells(plan.cells.map(({ url }) => url), admin.apiKey);
  story.tell(`read back through the other front: ${throughFronts} Deployed; asked of each cell itself: ${inCells}`);
  if (throughFronts !== inCells) throw new Error(`The fronts say that ${throughFronts} machines are Deployed, the cells say ${inCells}.`);
  return throughFronts;
}

/** Says of every deployment that failed why. */
async function tellFailures({ plan, admin }: Tree, story: Story, ids: ReadonlySet<string>): Promise<void> {
  for (const { url } of plan.cells) {
    const failed = await createClient({ url, key: admin.apiKey }).call('Operations.read', {}, { kind: ['deploy'], outcome: ['failed'] });
    for (const { system_id, hostname, cell, error } of failed) if (ids.has(system_id)) story.tell(`${hostname} of ${cell} was not deployed: ${error}`);
  }
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
  story.say('It stays up until Ctrl-C, which removes processes, namespaces, sockets and data.');
}
