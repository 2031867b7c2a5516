/** One machine of real firmware in a rack, with its BMC on the host's end of the veth pair: where the cell reaches "the management network". */
import { randomUUID } from 'node:crypto';
import { IpmiBmc, ipmiPackages } from './ipmi-bmc.ts';
import { QemuMachine, qemuPackages, type QemuMachineSpec } from './qemu-machine.ts';
import { RedfishBmc } from './redfish-bmc.ts';

export interface RackedMachine {
  readonly machine: QemuMachine;
  readonly bmc: IpmiBmc | RedfishBmc;
  /** What to set through the API for the cell to switch it: `power_type` and `power_parameters_*`. */
  readonly powerType: 'ipmi' | 'redfish';
  readonly powerParameters: Readonly<Record<string, string>>;
}

export type RackedMachineSpec = Pick<QemuMachineSpec, 'name' | 'firmware'> &
  Partial<Pick<QemuMachineSpec, 'diskMiB' | 'memoryMiB' | 'vcpus' | 'firstBoot'>> & { readonly bmc: 'ipmi' | 'redfish' };

/** Where the rack is. */
export interface RackPlace {
  readonly namespace: string;
  /** The host's end of the veth pair. */
  readonly hostAddress: string;
  /** The cell's address; its third byte goes into the machines' MAC addresses. */
  readonly rackAddress: string;
  /** Takes disks and consoles. */
  readonly folder: string;
}

/** Debian packages that must be there, and a file of each. */
export const metalPackages: readonly (readonly [string, string])[] = [...qemuPackages, ...ipmiPackages];

/** The tap of the rack's nth machine. */
export function tapOf(number: number): string {
  return `tap${number}`;
}

/** Makes the rack's nth machine (from 1), switched off, on a tap that is there already, and starts its BMC. */
export async function rackMachine(place: RackPlace, number: number, { bmc: kind, ...spec }: RackedMachineSpec): Promise<RackedMachine> {
  const { namespace, folder, hostAddress: address } = place;
  const cellByte = Number(place.rackAddress.split('.')[2]);
  const machine = new QemuMachine({
    diskMiB: 4096,
    ...spec,
    mac: `52:54:00:${hex(cellByte)}:00:${hex(number)}`,
    uuid: randomUUID(),
    serial: `RACK${cellByte}-${number}`,
    diskSerial: `DISK${cellByte}-${number}`,
    folder,
    namespace,
    tap: tapOf(number),
  });
  const [user, password] = ['muster', randomUUID().slice(0, 13)];
  if (kind === 'ipmi') {
    const port = 623 + number - 1;
    const bmc = new IpmiBmc({ name: spec.name, folder, address, port, user, password }, machine);
    await bmc.start();
    return {
      machine,
      bmc,
      powerType: 'ipmi',
      powerParameters: { power_address: `${address}:${port}`, power_user: user, power_pass: password },
    };
  }
  const bmc = new RedfishBmc({ address, port: 0, user, password }, machine);
  return {
    machine,
    bmc,
    powerType: 'redfish',
    powerParameters: { power_address: await bmc.start(), power_user: user, power_pass: password },
  };
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
