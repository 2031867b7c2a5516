// A rack of real firmware for one cell: its network namespace, and QEMU machines in it, each with a BMC on the host's end of the
// veth pair, which is where the cell inside reaches "the management network". Whatever it made, `lower` removes.
import { existsSync } from 'node:fs';
import type { ChassisLogEntry } from '../src/sim/chassis.ts';
import type { QemuMachine } from '../src/sim/qemu-machine.ts';
import { metalPackages, rackMachine, tapOf } from '../src/sim/racked-machine.ts';
import type { RackedMachine, RackedMachineSpec } from '../src/sim/racked-machine.ts';
import {
  addTap,
  hostAddresses,
  inRack,
  planRack,
  raiseRack,
  removeNamespace,
  sweepStaleRacks,
  thisOwner,
  whyNoRack,
} from '../src/cli/rack-network.ts';
import type { RackPlan } from '../src/cli/rack-network.ts';

/** Why machines with real firmware cannot run here (one line, with the packages to install), or nothing when they can. */
export async function whyNoMetal(): Promise<string | undefined> {
  const missing = metalPackages.flatMap(([name, file]) => (existsSync(file) ? [] : [name]));
  if (missing.length > 0) return `install ${missing.join(' ')}`;
  return whyNoRack();
}

export class Rack {
  readonly plan: RackPlan;
  readonly folder: string;
  readonly machines: RackedMachine[] = [];

  private constructor(plan: RackPlan, folder: string) {
    this.plan = plan;
    this.folder = folder;
  }

  /** Builds the network of a cell's rack (1 to 250), after removing what killed runs left behind. `folder` takes disks and consoles. */
  static async raise(cell: number, folder: string): Promise<Rack> {
    await sweepStaleRacks();
    const plan = planRack(thisOwner(), cell, await hostAddresses());
    await raiseRack(plan);
    return new Rack(plan, folder);
  }

  /** A command line as run inside the rack: the cell's, an SSH client's, a packet capture's. */
  inside(argv: readonly string[]): string[] {
    return inRack(this.plan, argv);
  }

  /** Adds a machine, switched off, and starts its BMC. */
  async add(spec: RackedMachineSpec): Promise<RackedMachine> {
    const number = this.machines.length + 1;
    await addTap(this.plan, tapOf(number));
    const racked = await rackMachine({ ...this.plan, folder: this.folder }, number, spec);
    this.machines.push(racked);
    return racked;
  }

  /** Removes machines, BMCs and network. Disks and consoles stay in the folder. */
  async lower(): Promise<void> {
    for (const { machine, bmc } of this.machines.splice(0)) {
      await machine.off();
      await bmc.stop();
    }
    await removeNamespace(this.plan.namespace);
  }
}

/**
 * Compares a machine's starts with its BMC's log, where an order explains one start that follows within 5 s: returns the times of
 * those that nobody ordered through the BMC (the harness's own first start is one such).
 */
export function startsWithoutOrder(machine: QemuMachine, log: readonly ChassisLogEntry[]): number[] {
  const orders = log.filter(({ command }) => command === 'on' || command === 'cycle' || command === 'reset').map(({ at }) => at);
  return machine.starts.flatMap(({ at }) => {
    const order = orders.findIndex((ordered) => ordered <= at && at - ordered < 5_000);
    if (order >= 0) orders.splice(order, 1);
    return order >= 0 ? [] : [at];
  });
}
