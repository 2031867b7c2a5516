/** Machines' bodies from the database, one or a page of them. */
import { fail, invalid } from '../../contract/errors.ts';
import { isSystemId } from '../../contract/ids.ts';
import { Machine } from '../../contract/resources/machine.ts';
import { allParts, readMachine, readMachines, type MachineParts, type MachineRow } from '../db/machine-read.ts';
import { streamMachines, type Selection } from '../db/machine-stream.ts';
import { readNetworksLately } from '../db/network-read.ts';
import type { ApiContext } from './api-context.ts';
import { machineBody, type BodyFacts, type MachineBody } from './machine-body.ts';
import { networkBodies } from './network-body.ts';

/** The longest page that is read by one statement and held whole, in machines: about half a megabyte. */
const readWhole = 100;

type Reads = Pick<ApiContext, 'database' | 'global' | 'cellName'>;

async function bodyFacts({ database, global, cellName }: Reads): Promise<BodyFacts> {
  return { global, cellName, networks: networkBodies(await readNetworksLately(database.db), global) };
}

/** The bodies of these machines, in this order; those that are gone are left out. */
export async function machineBodies(context: Reads, ids: readonly string[]): Promise<MachineBody[]> {
  const facts = await bodyFacts(context);
  const rows = await readMachines(context.database.db, ids);
  return rows.map((row) => machineBody(row, facts));
}

/** @throws Failure `not_found`. */
export async function machineBodyOf(context: Reads, systemId: string): Promise<MachineBody> {
  const { database, global, cellName } = context;
  const { machine, networks } = isSystemId(systemId) ? await readMachine(database.db, systemId) : {};
  if (!machine || !networks) throw fail('not_found', { what: 'Machine' });
  return machineBody(machine, { global, cellName, networks: networkBodies(networks, global) });
}

const always = ['system_id', 'resource_uri'];
const ofInterfaces = new Set(['interface_set', 'boot_interface', 'ip_addresses', 'default_gateways']);
const ofDisks = new Set([
  'blockdevice_set',
  'physicalblockdevice_set',
  'virtualblockdevice_set',
  'boot_disk',
  'storage',
  'volume_groups',
  'raids',
  'bcaches',
  'cache_sets',
  'special_filesystems',
]);
const ofScripts = /(^|_)(commissioning|testing|test|installation)_(status(_name)?|result_id)$/;

/** What `fields=` asks for. @throws Failure `invalid` for a field that machines do not have. */
export function chosenFields(text: string | undefined): { readonly names: readonly string[] | undefined; readonly parts: MachineParts } {
  if (text === undefined) return { names: undefined, parts: allParts };
  const names = [...new Set([...always, ...text.split(',')])];
  const unknown = names.filter((name) => !Object.hasOwn(Machine.properties, name));
  if (unknown.length > 0) throw invalid({ fields: [`A machine has no field ${unknown.join(', ')}.`] });
  const parts = {
    interfaces: names.some((name) => ofInterfaces.has(name)),
    disks: names.some((name) => ofDisks.has(name)),
    scripts: names.some((name) => ofScripts.test(name)),
  };
  return { names, parts };
}

/**
 * Pages of bodies of these machines: as many statements for ten as for 100,000, one for the machines and one for the networks. A short page
 * that is known by its ids is read at once.
 */
export async function* machinePages(
  context: Reads,
  selection: Selection,
  { names, parts }: ReturnType<typeof chosenFields>,
): AsyncGenerator<readonly unknown[]> {
  const facts = await bodyFacts(context);
  for await (const rows of machineRows(context, selection, parts)) {
    const bodies = rows.map((row) => machineBody(row, facts));
    yield names === undefined
      ? bodies
      : bodies.map((body) => Object.fromEntries(names.map((name) => [name, body[name as keyof MachineBody]])));
  }
}

async function* machineRows({ database }: Reads, selection: Selection, parts: MachineParts): AsyncGenerator<readonly MachineRow[]> {
  if (!('ids' in selection) || selection.ids.length > readWhole) yield* streamMachines(database, selection, parts);
  else if (selection.ids.length > 0) yield await readMachines(database.db, selection.ids, parts);
}
