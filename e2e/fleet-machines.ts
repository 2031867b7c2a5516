/** The machines of a fleet under test: enlisted, told how they are switched, and commissioned, each cell by its own API. */
import type { Client } from '../src/http/client.ts';
import type { FleetMachine } from '../src/sim/fleet.ts';
import type { Fleet, FleetCell } from './fleet.ts';
import { machinesOf, until } from './sim-cell.ts';

export interface KnownMachine {
  readonly systemId: string;
  readonly hostname: string;
  readonly cell: string;
  readonly simulated: FleetMachine;
}

/** Switch them all on and bring them to Ready. @throws Error that says what was seen last. */
export async function prepareMachines(fleet: Fleet): Promise<KnownMachine[]> {
  const perCell = await Promise.all(fleet.cells.map((cell) => prepareCell(cell, fleet.client(cell.name))));
  return perCell.flat();
}

async function prepareCell({ name, rack }: FleetCell, client: Client): Promise<KnownMachine[]> {
  for (const { machine } of rack.machines) machine.pressPower();
  const look = () => machinesOf(client);
  const wanted = rack.machines.length;
  const seen = await until(
    `enlisting in ${name}`,
    60_000,
    look,
    (list) => list.length === wanted,
    (list) => `${list.length} of ${wanted}`,
  );
  await Promise.all(
    seen.map(async ({ system_id, macs }) => {
      const simulated = macs.map((mac) => rack.find(mac)).find((one) => one !== undefined);
      if (simulated === undefined) throw new Error(`${system_id} of ${name} is none of its rack`);
      await client.call(
        'Machine.update',
        { system_id },
        { power_type: 'redfish', power_parameters: { ...simulated.power.power_parameters } },
      );
      await client.call('Machine.commission', { system_id }, {});
    }),
  );
  await until(
    `commissioning in ${name}`,
    90_000,
    look,
    (list) => list.every((one) => one.status_name === 'Ready'),
    (list) => list.map((one) => `${one.system_id} ${one.status_name} ${one.error}`).join(', '),
  );
  const machines = await client.call('Machines.read', {}, {});
  return machines.map(({ system_id, hostname, interface_set }) => {
    const simulated = interface_set.map((card) => rack.find(card.mac_address ?? '')).find((one) => one !== undefined);
    if (simulated === undefined) throw new Error(`${system_id} of ${name} is none of its rack`);
    return { systemId: system_id, hostname, cell: name, simulated };
  });
}
