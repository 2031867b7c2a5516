/**
 * A simulated rack: machines and their BMCs from a seed, which speak the real protocols to a real cell and know nothing of its insides.
 * The same fleet serves the demo, the end-to-end runs and the benches. docs/simulator.md says what is real in it and what is not.
 */
import { Bmc, serveBmcs, type PowerLogEntry } from './bmc.ts';
import type { DiskWrite } from './disk.ts';
import type { MachineFaults } from './fault.ts';
import { machineModel, type MachineModel } from './machine-model.ts';
import { SimulatedMachine, type MachineEvent, type MachineOptions } from './machine.ts';
import { createPace } from './pace.ts';
import { createRandom } from './random.ts';

export interface AddressPlan {
  /** The source address of the first machine; the others follow. A host's own addresses work, and all of 127.0.0.0/8 does on Linux. */
  readonly machines: string;
  /** The address of the first BMC; the others follow, all with the same port. */
  readonly bmcs: string;
  /** 0 gives each BMC a free port. */
  readonly bmcPort: number;
  /** False: all machines and BMCs share the first address, and BMCs differ by port (where 127.0.0.1 is the only loopback address). */
  readonly own?: boolean;
}

/** Loopback addresses that nothing else uses; 65,000 machines have room before the next block begins. */
export const loopbackPlan: AddressPlan = { machines: '127.42.0.1', bmcs: '127.43.0.1', bmcPort: 8443 };

export interface FleetOptions {
  readonly seed: string;
  /** How many. */
  readonly machines: number;
  readonly cellUrl: string;
  readonly addresses?: AddressPlan;
  readonly tftp?: MachineOptions['tftp'];
  /** By machine number. */
  readonly faults?: (machine: number) => MachineFaults;
  /** Simulated seconds a real second (60). */
  readonly speed?: number;
  /** Conversations of the whole fleet that may be open at one time (128). */
  readonly atOnce?: number;
  /** Seconds of power-on self test (45). */
  readonly firmwareSeconds?: number;
  /** Webhook events of a first boot (12; a real one sends 66). */
  readonly statusReports?: number;
  readonly bootFiles?: MachineOptions['bootFiles'];
  /** Pauses between the tries of firmware and iPXE are so many times as long (1): where a cell is away for seconds and `speed` is high. */
  readonly patience?: number;
  /** Changes a machine's hardware, for a rack that must be all UEFI or all alike. */
  readonly hardware?: (model: MachineModel) => MachineModel;
  readonly log?: (event: MachineEvent) => void;
}

export interface FleetMachine {
  readonly machine: SimulatedMachine;
  readonly bmc: Bmc;
  /** As a client gives them to a cell: `power_type` and `power_parameters_…`. */
  readonly power: { readonly power_type: 'redfish'; readonly power_parameters: Bmc['powerParameters'] };
}

export interface Fleet extends AsyncDisposable {
  readonly machines: readonly FleetMachine[];
  /** Press every power button, at most `perSecond` (20) in a real second. */
  start(perSecond?: number): Promise<void>;
  /** Cut the power of all. */
  stop(): Promise<void>;
  /** The machine with this MAC address. */
  find(mac: string): FleetMachine | undefined;
  powerLog(machine: number): readonly PowerLogEntry[];
  diskLog(machine: number): readonly DiskWrite[];
}

/** The address `offset` after an IPv4 address. @throws RangeError when it is none or there are no more. */
export function addressAfter(address: string, offset: number): string {
  const parts = address.split('.').map(Number);
  const valid = parts.length === 4 && parts.every((part) => Number.isInteger(part) && part >= 0 && part <= 255);
  const value = parts.reduce((sum, part) => sum * 256 + part, 0) + offset;
  if (!valid || value > 0xffffffff) throw new RangeError(`${address} and ${offset} more is no IPv4 address`);
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/** Build the fleet and let its BMCs listen; every machine is off. @throws Error when an address cannot be had. */
export async function createFleet(options: FleetOptions): Promise<Fleet> {
  const { seed, cellUrl, tftp, addresses = loopbackPlan, hardware = (model) => model } = options;
  const own = addresses.own ?? true;
  const pace = createPace(options.speed ?? 60, options.atOnce ?? 128);
  const machines = Array.from({ length: options.machines }, (_, number): FleetMachine => {
    const model = hardware(machineModel(seed, number));
    const faults = options.faults?.(number) ?? {};
    const random = createRandom(`${seed}/life/${number}`);
    const machine = new SimulatedMachine({
      model,
      address: own ? addressAfter(addresses.machines, number) : addresses.machines,
      cellUrl: cellUrl
        .split(',')
        .map((url) => url.replace(/\/+$/, ''))
        .join(','),
      ...(tftp === undefined ? {} : { tftp }),
      pace,
      faults,
      random,
      firmwareSeconds: options.firmwareSeconds ?? 45,
      statusReports: options.statusReports ?? 12,
      bootFiles: options.bootFiles ?? 'whole',
      patience: options.patience ?? 1,
      log: options.log ?? (() => undefined),
    });
    const { uuid, serial, vendor, product } = model;
    const place = own ? { address: addressAfter(addresses.bmcs, number), port: addresses.bmcPort } : { address: addresses.bmcs, port: 0 };
    const bmc = new Bmc(
      { ...place, user: 'root', password: random.fork('bmc').hex(16), uuid, serial, vendor, product },
      machine,
      faults.bmc,
    );
    machine.bmc = bmc;
    return {
      machine,
      bmc,
      get power() {
        return { power_type: 'redfish', power_parameters: bmc.powerParameters } as const;
      },
    };
  });
  const listening = await serveBmcs(machines.map((one) => one.bmc));
  const at = (number: number): FleetMachine => machines[number] ?? outside(number);
  const stopping = new AbortController();
  const stop = async (): Promise<void> => {
    await Promise.all(machines.map(({ machine }) => machine.stop()));
  };
  return {
    machines,
    async start(perSecond = 20) {
      for (const { machine } of machines) {
        if (!machine.isOn()) machine.pressPower();
        await createPace(1, 1).pause(1 / perSecond, stopping.signal);
      }
    },
    stop,
    find: (mac) => machines.find(({ machine }) => machine.model.cards.some((card) => card.mac === mac.toLowerCase())),
    powerLog: (number) => at(number).bmc.log,
    diskLog: (number) => at(number).machine.disks.flatMap((disk) => disk.log),
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('the fleet is gone'));
      await listening[Symbol.asyncDispose]();
      await stop();
    },
  };
}

function outside(number: number): never {
  throw new RangeError(`the fleet has no machine ${number}`);
}
