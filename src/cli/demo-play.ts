/** The demo's story: racks of simulated machines, then emulated ones where they were asked for; enlisted, commissioned, deployed, counted. */
import { createClient, type Client } from '../http/client.ts';
import { commissionAll, countInCells, countThroughOtherFronts, deployOne, waitFor, type Deployment, type Seen } from './demo-fleet.ts';
import { startMetalRack } from './metal-rack.ts';
import { simulatedSeries } from './simulated-images.ts';
import { startSimulatedRack, type RackMachine } from './simulated-rack.ts';
import type { Story } from './story.ts';
import type { Tree } from './up.ts';

export interface Play {
  readonly tree: Tree;
  readonly story: Story;
  /** Simulated ones, in all cells together. */
  readonly machines: number;
  /** Emulated ones, in the first cell. */
  readonly vms: number;
  readonly fault: object | undefined;
  readonly program: readonly [string, ...string[]];
}

/** How many simulated machines of each cell are deployed. */
export const deployedPerCell = 2;

/** What the emulated machines get: Debian, with real cloud-init. */
const metalSeries = 'debian/12';

/** Play it. Resolves with how many of the deployments are Deployed, counted in two ways that agree. */
export async function play(given: Play): Promise<number> {
  const { tree, story, vms } = given;
  const { plan, admin } = tree;
  const fronts = plan.fronts.map(({ url }) => createClient({ url, key: admin.apiKey }));
  const deployments = await playSimulated(given, fronts);
  if (vms > 0) deployments.push(...(await playMetal(given, fronts)));
  await tellFailures(tree, story, new Set(deployments.map(({ system_id }) => system_id)));
  const throughFronts = await countThroughOtherFronts(fronts, deployments);
  const urls = plan.cells.map(({ url }) => url);
  const inCells = await countInCells(urls, admin.apiKey);
  story.tell(`read back through the other front: ${throughFronts} Deployed; asked of each cell itself: ${inCells}`);
  if (throughFronts !== inCells) throw new Error(`The fronts say that ${throughFronts} machines are Deployed, the cells say ${inCells}.`);
  return throughFronts;
}

async function playSimulated({ tree, story, machines, vms, fault, program }: Play, fronts: readonly Client[]): Promise<Deployment[]> {
  const { cells } = tree.plan;
  const broken = Math.min(2, cells.length);
  const share = (index: number) => Math.floor((machines * (index + 1)) / cells.length) - Math.floor((machines * index) / cells.length);
  const racks = await Promise.all(
    cells.map((cell, index) =>
      startSimulatedRack({
        tree,
        cell,
        machines: share(index),
        program,
        faults: fault && index + 1 === broken ? { 0: fault } : {},
        bootFiles: vms > 0 ? 'first-bytes' : 'whole',
      }),
    ),
  );
  const all = racks.flat();
  story.tell(`${all.length} simulated machines are switched on: firmware, TFTP, boot script, ephemeral environment`);
  if (fault) story.tell(`planted: machine 0 of c${broken} fails while its disk is written`);
  const ready = await enlistAndCommission(story, fronts, all, 180, 300);
  const deployments: Deployment[] = [];
  for (let round = 0; round < deployedPerCell; round += 1) {
    for (const [index, cell] of cells.entries()) {
      const chosen = all.filter((one) => one.cell === cell.name && one.number < deployedPerCell);
      deployments.push(await deploy(tree, story, fronts, round * cells.length + index, seenOf(ready, chosen), simulatedSeries));
    }
  }
  await untilDeployed(story, fronts, deployments, 300);
  return deployments;
}

async function playMetal({ tree, story, vms, program }: Play, fronts: readonly Client[]): Promise<Deployment[]> {
  const [cell] = tree.plan.cells;
  if (!cell) throw new Error('a demo needs a cell');
  const all = await startMetalRack(tree, cell, vms, program);
  const kinds = vms === 1 ? 'SeaBIOS with an IPMI BMC' : 'SeaBIOS with an IPMI BMC, OVMF with a Redfish BMC';
  story.tell(
    `${vms} emulated machines of ${cell.name} are switched on (${kinds}): DHCP, TFTP, iPXE, agent; software emulation takes minutes`,
  );
  const ready = await enlistAndCommission(story, fronts, all, 600, 600);
  const deployments: Deployment[] = [];
  for (const [index, one] of all.entries()) deployments.push(await deploy(tree, story, fronts, index, seenOf(ready, [one]), metalSeries));
  await untilDeployed(story, fronts, deployments, 1500);
  return deployments;
}

function seenOf(machines: readonly Seen[], chosen: readonly RackMachine[]): Seen[] {
  const macs = new Set(chosen.flatMap((one) => one.macs));
  return machines.filter((machine) => machine.macs.some((mac) => macs.has(mac)));
}

/** From switched on to Ready; within so many seconds each. */
async function enlistAndCommission(
  story: Story,
  fronts: readonly Client[],
  rack: readonly RackMachine[],
  enlistSeconds: number,
  commissionSeconds: number,
): Promise<Seen[]> {
  const first = firstOf(fronts);
  const ours = (machine: Seen) => seenOf([machine], rack).length > 0;
  const isNew = (machine: Seen) => ours(machine) && machine.status_name === 'New';
  const enlisted = (await waitFor(first, story, 'enlisted by themselves', rack.length, isNew, enlistSeconds)).filter(isNew);
  await commissionAll(fronts, enlisted, rack);
  story.tell(
    `each has its BMC's address now (${[...new Set(rack.map(({ powerType }) => powerType))].join(', ')}; tried at once) and is told to commission`,
  );
  const isReady = (machine: Seen) => ours(machine) && machine.status_name === 'Ready';
  return waitFor(first, story, 'commissioned', rack.length, isReady, commissionSeconds);
}

async function deploy(
  tree: Tree,
  story: Story,
  fronts: readonly Client[],
  front: number,
  candidates: readonly Seen[],
  series: string,
): Promise<Deployment> {
  const ids = candidates.map(({ system_id }) => system_id);
  const deployment = await deployOne(fronts, front, ids, series);
  const { hostname, cell } = deployment;
  story.tell(`${hostname} of ${cell} is allocated and told to deploy ${series}, through ${tree.plan.fronts[deployment.front]?.name}`);
  return deployment;
}

async function untilDeployed(story: Story, fronts: readonly Client[], deployments: readonly Deployment[], seconds: number): Promise<void> {
  const ids = new Set(deployments.map(({ system_id }) => system_id));
  const over = ['Deployed', 'Failed deployment'];
  const isDeployed = ({ system_id, status_name }: Seen) => ids.has(system_id) && status_name === 'Deployed';
  const isOver = ({ system_id, status_name }: Seen) => ids.has(system_id) && over.includes(status_name);
  await waitFor(firstOf(fronts), story, 'deployed', ids.size, isDeployed, seconds, isOver);
}

function firstOf(fronts: readonly Client[]): Client {
  const [first] = fronts;
  if (!first) throw new Error('a demo needs a front');
  return first;
}

/** Says of every deployment that failed why. */
async function tellFailures({ plan, admin }: Tree, story: Story, ids: ReadonlySet<string>): Promise<void> {
  for (const { url } of plan.cells) {
    const failed = await createClient({ url, key: admin.apiKey }).call('Operations.read', {}, { kind: ['deploy'], outcome: ['failed'] });
    for (const { system_id, hostname, cell, error } of failed) {
      if (ids.has(system_id)) story.tell(`${hostname} of ${cell} was not deployed: ${error}`);
    }
  }
}
