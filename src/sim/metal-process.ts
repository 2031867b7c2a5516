/** Machines of real firmware in a rack, as a process of its own on the host: told where by one JSON text, tells what they are line by line. */
import { existsSync } from 'node:fs';
import { metalPackages, rackMachine, type RackedMachine, type RackPlace } from './racked-machine.ts';
import type { RackLine } from './rack-process.ts';

export interface MetalSettings extends RackPlace {
  readonly name: string;
  /** By turns SeaBIOS with an IPMI BMC, and OVMF with a Redfish BMC. */
  readonly machines: number;
}

/** Makes them, tells of each, and switches them on. @throws Error that names missing packages. */
export async function runMetal(settings: MetalSettings, write: (text: string) => void): Promise<AsyncDisposable> {
  const missing = metalPackages.flatMap(([name, file]) => (existsSync(file) ? [] : [name]));
  if (missing.length > 0) throw new Error(`emulated machines need Debian packages that are not installed: ${missing.join(' ')}`);
  const machines: RackedMachine[] = [];
  const stop = async (): Promise<void> => {
    for (const { machine, bmc } of machines) {
      await machine.off();
      await bmc.stop();
    }
  };
  await using stack = new AsyncDisposableStack();
  stack.defer(stop);
  for (let number = 1; number <= settings.machines; number += 1) {
    const bios = number % 2 === 1;
    const one = await rackMachine(settings, number, {
      name: `vm${number}`,
      firmware: bios ? 'bios' : 'uefi',
      bmc: bios ? 'ipmi' : 'redfish',
    });
    machines.push(one);
    const { serial, mac } = one.machine.spec;
    const line: RackLine = { number, serial, macs: [mac], power_type: one.powerType, power_parameters: one.powerParameters };
    write(`machine ${JSON.stringify(line)}\n`);
  }
  for (const { machine } of machines) await machine.on();
  write(`the machines of ${settings.name} are up at ${settings.hostAddress}: power is on\n`);
  const owned = stack.move();
  return { [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
