/**
 * The machines that are alive in a large fleet, all in one process of their own, so that they do not disturb who measures. Started by
 * {@link startRacks}; run as a program it builds the racks that it is told of, says how their BMCs are reached, and ends with its parent.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { createFleet, type AddressPlan, type Fleet } from '../src/sim/fleet.ts';
import { machineModel } from '../src/sim/machine-model.ts';

export interface RackWanted {
  readonly seed: string;
  /** The number of its first machine in the whole fleet. */
  readonly first: number;
  readonly machines: number;
  readonly cellUrl: string;
  readonly addresses: AddressPlan;
}

export interface BmcAccess {
  readonly power_address: string;
  readonly power_user: string;
  readonly power_pass: string;
}

export interface RackProcess extends AsyncDisposable {
  readonly pid: number;
  /** Of the nth machine of a rack; undefined where none is alive. */
  powerOf(rack: number, machine: number): BmcAccess | undefined;
}

/** Simulated seconds a second: a whole deployment takes about one. */
const speed = 300;

/** @throws Error when the process ends before its racks are up. */
export async function startRacks(wanted: readonly RackWanted[]): Promise<RackProcess> {
  const child: ChildProcess = fork(import.meta.filename, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = new Promise<never>((_, reject) => child.once('exit', (code) => reject(new Error(`the racks ended with ${code}`))));
  // Once they are up, their end is the cells' to notice.
  ended.catch(() => undefined);
  const told = new Promise<BmcAccess[][]>((resolve) => child.once('message', (message) => resolve(message as BmcAccess[][])));
  child.send(wanted);
  const access = await Promise.race([told, ended]);
  return {
    pid: child.pid ?? 0,
    powerOf: (rack, machine) => access[rack]?.[machine],
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended.catch(() => undefined);
    },
  };
}

async function runRacks(wanted: readonly RackWanted[]): Promise<void> {
  const fleets: Fleet[] = [];
  for (const { seed, first, machines, cellUrl, addresses } of wanted) {
    const hardware = ({ number }: { readonly number: number }) => machineModel(seed, first + number);
    fleets.push(await createFleet({ seed: `${seed}/${first}`, machines, cellUrl, addresses, speed, hardware, bootFiles: 'first-bytes' }));
  }
  process.send?.(fleets.map((fleet) => fleet.machines.map(({ power }) => power.power_parameters)));
}

if (process.argv[1] === import.meta.filename) {
  process.once('message', (message) => void runRacks(message as RackWanted[]));
  process.once('disconnect', () => process.exit(0));
}
