/** Machines' bodies from the database, one or a page of them. */
import { fail, invalid } from '../../contract/errors.ts';
import { isSystemId } from '../../contract/ids.ts';
import { Machine } from '../../contract/resources/machine.ts';
import { allParts, readMachine, readMachines, type MachineParts } from '../db/machine-read.ts';
import { readNetworksLately } from '../db/network-read.ts';
import type { ApiContext } from './api-context.ts';
import { machineBody, type BodyFacts, type MachineBody } from './machine-body.ts';
import { networkBodies } from './network-body.ts';

/** Machines read by one statement: their bodies are about 5 kB each. */
export const machinesAtOnce = 500;
/**
 * The first two pages of a list that has more than one: nothing is sent before the second is read (json-list.ts), and a front waits two
 * seconds for the first byte. Twenty cells on two busy cores sent it after 2.3 s with pages of 500.
 */
const machinesAtFirst = 50;

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
const ofDisks = new Set(['blockdevice_set', 'physicalblockdevice_set', 'boot_disk', 'storage']);
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

/** Pages of bodies of these machines: one statement a page, and one for the networks. */
export async function* machinePages(
  context: Reads,
  ids: readonly string[],
  { names, parts }: ReturnType<typeof chosenFields>,
): AsyncGenerator<readonly unknown[]> {
  if (ids.length === 0) return;
  const facts = await bodyFacts(context);
  const isLong = ids.length > machinesAtOnce;
  for (let at = 0, page = 0; at < ids.length; page += 1) {
    const wanted = ids.slice(at, at + (isLong && page < 2 ? machinesAtFirst : machinesAtOnce));
    at += wanted.length;
    const rows = await readMachines(context.database.db, wanted, parts);
    const bodies = rows.map((row) => machineBody(row, facts));
    yield names === undefined
      ? bodies
      : bodies.map((body) => Object.fromEntries(names.map((name) => [name, body[name as keyof MachineBody]])));
  }
}
