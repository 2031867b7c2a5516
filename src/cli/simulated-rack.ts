/** The simulated rack of one cell: a child process inside the cell's network, and what it tells of its machines. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { inRack } from './rack-network.ts';
import type { CellPlan } from './tree-plan.ts';
import type { Tree } from './up.ts';

const run = promisify(execFile);

/** A machine as its rack tells of it. */
export interface RackMachine {
  readonly cell: string;
  readonly number: number;
  readonly macs: readonly string[];
  readonly powerType: string;
  readonly powerParameters: Readonly<Record<string, string>>;
}

export interface SimulatedRackOptions {
  readonly tree: Tree;
  readonly cell: CellPlan;
  readonly machines: number;
  /** Node and the main program. */
  readonly program: readonly [string, ...string[]];
  /** By machine number: what goes wrong with it. */
  readonly faults: Readonly<Record<string, object>>;
  /** `first-bytes` where the ephemeral environment is a real one: 24 machines would fetch it 60 times. */
  readonly bootFiles: 'whole' | 'first-bytes';
}

/** Simulated seconds a real second: a power-on self test of 45 s takes a bit more than one. */
const speed = 40;

/** One line of the rack's process; undefined for other lines. */
export function parseRackLine(cell: string, line: string): RackMachine | undefined {
  if (!line.startsWith('machine ')) return undefined;
  const { number, macs, power_type, power_parameters } = JSON.parse(line.slice('machine '.length)) as {
    number: number;
    macs: string[];
    power_type: string;
    power_parameters: Record<string, string>;
  };
  return { cell, number, macs, powerType: power_type, powerParameters: power_parameters };
}

/** Start it: its machines are switched on one after the other. Resolves with them. */
export async function startSimulatedRack({
  tree,
  cell,
  machines,
  program,
  faults,
  bootFiles,
}: SimulatedRackOptions): Promise<RackMachine[]> {
  const network = cell.serviceAddress.replace(/\.\d+$/, '');
  // In the rack's namespace the machines' and BMCs' addresses become the namespace's own, all at once; the dynamic range is the upper half.
  if (cell.rack) {
    for (const block of ['16/28', '32/28'])
      await run('ip', ['-n', cell.rack.namespace, 'route', 'replace', 'local', `${network}.${block}`, 'dev', 'lo']);
  }
  const settings = {
    name: cell.name,
    seed: `demo-${cell.name}`,
    machines,
    cellUrl: `http://${cell.serviceAddress}:5240`,
    addresses: { machines: `${network}.17`, bmcs: `${network}.33`, bmcPort: 8443 },
    ...(cell.tftpPort === 0 ? {} : { tftp: { address: cell.serviceAddress, port: cell.tftpPort } }),
    speed,
    faults,
    bootFiles,
  };
  const argv: [string, ...string[]] = [...program, 'sim', JSON.stringify(settings)];
  const found: RackMachine[] = [];
  await tree.add({
    name: `rack of ${cell.name}`,
    argv: cell.rack ? (inRack(cell.rack, argv) as [string, ...string[]]) : argv,
    log: `${tree.folder}/log/rack-${cell.name}.log`,
    ready: / is up at /,
    readyWithinMs: 60_000,
    onLine: (line) => {
      const machine = parseRackLine(cell.name, line);
      if (machine) found.push(machine);
    },
  });
  return found;
}
