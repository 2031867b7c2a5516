// A rack of real firmware for one cell: its network namespace, and QEMU machines in it, each with a BMC on the host's end of the
// veth pair, which is where the cell inside reaches "the management network". Whatever it made, `lower` removes.
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { ChassisLogEntry } from './chassis.ts';
import { IpmiBmc, ipmiPackages } from './ipmi-bmc.ts';
import { QemuMachine, qemuPackages } from './qemu-machine.ts';
import type { QemuMachineSpec } from './qemu-machine.ts';
import { RedfishBmc } from './redfish-bmc.ts';
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

export interface RackedMachine {
  readonly machine: QemuMachine;
  readonly bmc: IpmiBmc | RedfishBmc;
  /** What to set through the API for the cell to switch it: `power_type` and `power_parameters_*`. */
  readonly powerType: 'ipmi' | 'redfish';
  readonly powerParameters: Readonly<Record<string, string>>;
}

export type RackedMachineSpec = Pick<QemuMachineSpec, 'name' | 'firmware'> &
  Partial<Pick<QemuMachineSpec, 'diskMiB' | 'memoryMiB' | 'vcpus' | 'firstBoot'>> & { readonly bmc: 'ipmi' | 'redfish' };

/** Why machines with real firmware cannot run here (one line, with the packages to install), or nothing when they can. */
export async function whyNoMetal(): Promise<string | undefined> {
  const wanted = [...qemuPackages, ...ipmiPackages];
  const missing = wanted.flatMap(([name, file]) => (existsSync(file) ? [] : [name]));
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
    const tap = `tap${number}`;
    await addTap(this.plan, tap);
    const cellByte = Number(this.plan.rackAddress.split('.')[2]);
    const machine = new QemuMachine({
      diskMiB: 4096,
      ...spec,
      mac: `52:54:00:${hex(cellByte)}:00:${hex(number)}`,
      uuid: randomUUID(),
      serial: `RACK${cellByte}-${number}`,
      diskSerial: `DISK${cellByte}-${number}`,
      folder: this.folder,
      namespace: this.plan.namespace,
      tap,
    });
    const racked = await this.#withBmc(machine, spec.bmc, number);
    this.machines.push(racked);
    return racked;
  }

  async #withBmc(machine: QemuMachine, kind: 'ipmi' | 'redfish', number: number): Promise<RackedMachine> {
    const address = this.plan.hostAddress;
    const [user, password] = ['muster', randomUUID().slice(0, 13)];
    if (kind === 'ipmi') {
      const port = 623 + number - 1;
      const bmc = new IpmiBmc({ name: machine.spec.name, folder: this.folder, address, port, user, password }, machine);
      await bmc.start();
      const powerParameters = { power_address: `${address}:${port}`, power_user: user, power_pass: password };
      return { machine, bmc, powerType: 'ipmi', powerParameters };
    }
    const bmc = new RedfishBmc({ address, port: 0, user, password }, machine);
    const powerParameters = { power_address: await bmc.start(), power_user: user, power_pass: password };
    return { machine, bmc, powerType: 'redfish', powerParameters };
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

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
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
