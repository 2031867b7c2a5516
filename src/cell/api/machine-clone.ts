/** Configuring machines like another one: all of them, or none. */
import { randomUUID } from 'node:crypto';
import { fail, invalid } from '../../contract/errors.ts';
import { cellOf, isSystemId } from '../../contract/ids.ts';
import { lifecycle, stateOf } from '../../contract/lifecycle.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import { recordAll } from '../db/event-store.ts';
import { cloneNetwork, linesOf, type MachineNetwork } from '../db/interface-clone.ts';
import { holdVlans } from '../db/interface-store.ts';
import { drawIds, holdMachines, networksOf, saveNetworks, touchMachines, type HeldMachine } from '../db/machine-clone-store.ts';
import { replaceStorages, storagesOf } from '../db/storage-clone-store.ts';
import { cloneStorage, rowsOf } from '../storage/clone.ts';
import type { Storage } from '../storage/model.ts';
import type { ApiContext } from './api-context.ts';
import { refuseOtherCell, told } from './network-view.ts';

type Given = RouteParams<'Machines.clone'>;

/** States in which nobody relies on how a machine is configured, as in MAAS. */
const configurable = ['ready', 'failed_testing'];

/** What is wrong with the call by itself. @throws Failure `invalid`. */
function refuseCall({ cellName, cellNumber }: Pick<ApiContext, 'cellName' | 'cellNumber'>, given: Given): void {
  const { source, destinations, interfaces = false, storage = false } = given;
  const elsewhere = (id: string): boolean => isSystemId(id) && cellOf(id) !== cellNumber;
  const strangers = destinations
    .filter(elsewhere)
    .map((id) => `Machine ${id} is not of cell ${cellName}: machines are cloned within a cell.`);
  if (elsewhere(source)) throw invalid({ source: [`Machine ${source} is not of cell ${cellName}, as the destinations are.`] });
  if (strangers.length > 0) throw invalid({ destinations: strangers });
  if (!interfaces && !storage) throw invalid({ __all__: ['Either storage or interfaces must be true.'] });
  if (destinations.includes(source)) throw invalid({ destinations: [`Source machine ${source} cannot be a destination machine.`] });
}

const unknown = (id: string): string => `Select a valid choice. ${id} is not one of the available choices.`;

/** @throws Failure `invalid`. */
function refuseSource(source: HeldMachine | undefined, id: string): void {
  if (source === undefined) throw invalid({ source: [unknown(id)] });
  const state = stateOf(source.status);
  if (!lifecycle[state].settled)
    throw invalid({ source: [`Machine ${id} is ${lifecycle[state].name}: what it is configured like may be changing.`] });
}

function problemOf(machine: HeldMachine | undefined, id: string): string | undefined {
  if (machine === undefined) return unknown(id);
  if (machine.locked) return `Machine ${id} is locked.`;
  const state = stateOf(machine.status);
  return configurable.includes(state) ? undefined : `Machine ${id} is ${lifecycle[state].name}, not Ready or Failed testing.`;
}

interface Cloning {
  readonly source: string;
  readonly destinations: readonly string[];
}

/** The part of each machine; `refused` names what is wrong by the field that asked for it. @throws Failure `invalid`. */
function each<T>(
  field: 'interfaces' | 'storage',
  ids: readonly string[],
  part: (id: string) => T | { readonly refused: string },
): Map<string, T> {
  const refused: string[] = [];
  const parts = new Map<string, T>();
  for (const id of ids) {
    const made = part(id);
    if (typeof made === 'object' && made !== null && 'refused' in made) refused.push(`Machine ${id} ${made.refused}`);
    else parts.set(id, made);
  }
  if (refused.length > 0) throw invalid({ [field]: refused });
  return parts;
}

/** What was read of a machine whose row this transaction holds. */
function held<T>(parts: ReadonlyMap<string, T>, id: string): T {
  const part = parts.get(id);
  if (part === undefined) throw fail('conflict', { what: `machine ${id}` });
  return part;
}

async function cloneInterfaces(tx: CellDb, { source, destinations }: Cloning): Promise<void> {
  const networks = await networksOf(tx, [source, ...destinations]);
  const from = held(networks, source);
  const vids = await holdVlans(tx, [
    ...new Set([...networks.values()].flatMap(({ ports }) => ports.flatMap((port) => port.vlan_id ?? []))),
  ]);
  const draw = await drawIds(
    tx,
    destinations.reduce((sum, id) => sum + linesOf(from, held(networks, id)), 0),
  );
  const made = each<{ readonly network: MachineNetwork }>('interfaces', destinations, (id) =>
    cloneNetwork(from, held(networks, id), vids, draw),
  );
  await saveNetworks(tx, new Map([...made].map(([id, { network }]) => [id, network])));
}

async function cloneDisks(tx: CellDb, { source, destinations }: Cloning): Promise<void> {
  const storages = await storagesOf(tx, [source, ...destinations]);
  const from = held(storages, source);
  const draw = await drawIds(tx, rowsOf(from) * destinations.length);
  const make = { id: draw, uuid: randomUUID };
  const made = each<{ readonly storage: Storage }>('storage', destinations, (id) => cloneStorage(from, held(storages, id), make));
  await replaceStorages(tx, new Map([...made].map(([id, { storage }]) => [id, storage])));
}

export function machineCloneHandlers(context: ApiContext): Handlers<'Machines.clone'> {
  return {
    'Machines.clone': async ({ params, caller }) => {
      refuseOtherCell(context, params.cell);
      const given = { ...params, destinations: [...new Set(params.destinations)] };
      const { source, destinations, interfaces = false, storage = false } = given;
      refuseCall(context, given);
      await told({}, () =>
        context.database.transaction(async (tx) => {
          const machines = new Map((await holdMachines(tx, [source, ...destinations])).map((one) => [one.system_id, one]));
          refuseSource(machines.get(source), source);
          const problems = destinations.flatMap((id) => problemOf(machines.get(id), id) ?? []);
          if (problems.length > 0) throw invalid({ destinations: problems });
          if (interfaces) await cloneInterfaces(tx, given);
          if (storage) await cloneDisks(tx, given);
          await touchMachines(tx, destinations);
          const events = (kind: 'interface_changed' | 'block_device_changed', what: string) =>
            destinations.map((systemId) => ({ kind, systemId, username: caller.username, description: `${what} as of machine ${source}` }));
          await recordAll(tx, [
            ...(interfaces ? events('interface_changed', 'Interfaces') : []),
            ...(storage ? events('block_device_changed', 'Storage') : []),
          ]);
        }),
      );
    },
  };
}
