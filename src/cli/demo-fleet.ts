/** What the demo does to its machines, by the API alone: enlisted, told how to switch them, commissioned, deployed, and counted again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, type Client } from '../http/client.ts';
import type { RackMachine } from './simulated-rack.ts';
import type { Story } from './story.ts';

/** A machine of the API, as far as the demo looks. */
export interface Seen {
  readonly system_id: string;
  readonly hostname: string;
  readonly status_name: string;
  readonly cell: string;
  readonly macs: readonly string[];
  readonly note: string;
}

export async function listMachines(client: Client): Promise<Seen[]> {
  const machines = await client.call('Machines.read', {}, {});
  return machines.map(({ system_id, hostname, status_name, cell, interface_set, operation, status_message }) => ({
    system_id,
    hostname,
    status_name,
    cell,
    macs: interface_set.map((card) => card.mac_address ?? ''),
    note: operation?.note ?? status_message ?? '',
  }));
}

/** Looks every half second until `done` is content. Tells of progress. @throws Error that names what is not there yet. */
export async function waitFor(
  client: Client,
  story: Story,
  word: string,
  wanted: number,
  isThere: (machine: Seen) => boolean,
  seconds: number,
  settled: (machine: Seen) => boolean = isThere,
): Promise<Seen[]> {
  const until = Date.now() + seconds * 1000;
  let told = 0;
  for (;;) {
    const machines = await listMachines(client);
    const there = machines.filter(isThere);
    if (there.length !== told && (there.length === wanted || there.length - told >= Math.max(1, Math.floor(wanted / 4)))) {
      told = there.length;
      story.tell(`${word}: ${there.length} of ${wanted}`);
    }
    if (machines.filter(settled).length >= wanted) return machines;
    if (Date.now() > until) {
      const late = machines
        .filter((machine) => !settled(machine))
        .map((machine) => `${machine.hostname} of ${machine.cell} (${machine.status_name}: ${machine.note})`);
      throw new Error(
        `${word}: only ${there.length} of ${wanted} after ${seconds} s. Waiting for: ${late.join(', ') || 'machines that never asked'}`,
      );
    }
    await sleep(500);
  }
}

/** `work` for all, at most `atOnce` at one time. */
export async function forAll<T>(items: readonly T[], atOnce: number, work: (item: T, index: number) => Promise<void>): Promise<void> {
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) await work(item, index);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Give each machine its BMC, and commission it. Through both fronts in turn. */
export async function commissionAll(fronts: readonly Client[], machines: readonly Seen[], rack: readonly RackMachine[]): Promise<void> {
  await forAll(machines, 6, async ({ system_id, macs }, index) => {
    const client = fronts[index % fronts.length]!;
    const hardware = rack.find((one) => one.macs.some((mac) => macs.includes(mac)));
    if (!hardware) throw new Error(`${system_id} is none of the machines of the racks`);
    await client.call('Machine.update', { system_id }, { power_type: hardware.powerType, power_parameters: hardware.powerParameters });
    await client.call('Machine.commission', { system_id }, {});
  });
}

export interface Deployment {
  readonly system_id: string;
  readonly hostname: string;
  readonly cell: string;
  /** Index of the front that it went through. */
  readonly front: number;
}

/** Allocate one of `candidates` through a front, and deploy `series` on it. */
export async function deployOne(
  fronts: readonly Client[],
  front: number,
  candidates: readonly string[],
  series: string,
): Promise<Deployment> {
  const client = fronts[front % fronts.length]!;
  const { system_id, hostname, cell } = await client.call('Machines.allocate', {}, { system_id: [...candidates] });
  await client.call('Machine.deploy', { system_id }, { distro_series: series });
  return { system_id, hostname, cell, front: front % fronts.length };
}

/** How many of them are Deployed, read through the fronts that they did not go through. */
export async function countThroughOtherFronts(fronts: readonly Client[], deployments: readonly Deployment[]): Promise<number> {
  const states = await Promise.all(
    deployments.map(({ system_id, front }) => fronts[(front + 1) % fronts.length]!.call('Machine.read', { system_id }, {})),
  );
  return states.filter(({ status_name }) => status_name === 'Deployed').length;
}

/** How many are Deployed in the cells' own databases: each cell asked itself, without a front. */
export async function countInCells(urls: readonly string[], key: string): Promise<number> {
  const counts = await Promise.all(urls.map((url) => createClient({ url, key }).call('Machines.summary', {}, {})));
  return counts.reduce((sum, { by_status }) => sum + (by_status['deployed'] ?? by_status['Deployed'] ?? 0), 0);
}
