/** A simulated rack as a process of its own, inside its cell's network: told what to be by one JSON text, tells what it is line by line. */
import type { MachineFaults } from './fault.ts';
import { createFleet, type AddressPlan, type Fleet } from './fleet.ts';

export interface RackSettings {
  readonly name: string;
  readonly seed: string;
  readonly machines: number;
  readonly cellUrl: string;
  readonly addresses: AddressPlan;
  readonly tftp?: { readonly address: string; readonly port: number };
  readonly speed: number;
  readonly bootFiles: 'whole' | 'first-bytes';
  /** By machine number. */
  readonly faults: Readonly<Record<string, MachineFaults>>;
}

/** One line of the process: a machine with what a cell needs to switch it. */
export interface RackLine {
  readonly number: number;
  readonly serial: string;
  readonly macs: readonly string[];
  readonly power_type: string;
  readonly power_parameters: Readonly<Record<string, string>>;
}

/** Builds the rack, tells of each machine, and presses every power button. */
export async function runRack(settings: RackSettings, write: (text: string) => void): Promise<Fleet> {
  const { name, faults, ...rest } = settings;
  const fleet = await createFleet({
    ...rest,
    faults: (number) => faults[String(number)] ?? {},
    log: (event) => process.stderr.write(`${JSON.stringify(event)}\n`),
  });
  for (const { machine, power } of fleet.machines) {
    const { number, serial, cards } = machine.model;
    const line: RackLine = { number, serial, macs: cards.map((card) => card.mac), ...power };
    write(`machine ${JSON.stringify(line)}\n`);
  }
  write(`the rack ${name} is up at ${settings.addresses.machines}\n`);
  await fleet.start(10);
  return fleet;
}
