/** Finding and making machines. A machine is identified by SMBIOS UUID, serial and any known MAC together (architecture §3). */
import { sql } from 'kysely';
import { systemIdOf, type SystemId } from '../../contract/ids.ts';
import type { CellDb } from './cell-db.ts';
import { record } from './event-store.ts';
import { openFinding } from './finding-store.ts';

export interface Identity {
  readonly macs: readonly string[];
  /** Empty when the firmware gives none. */
  readonly hardwareUuid: string;
  readonly serial: string;
}

/** Vendors ship boards with these for a UUID; they identify nothing. */
const worthless = /^(0{8}-(0{4}-){3}0{12}|f{8}-(f{4}-){3}f{12}|03000200-0400-0500-0006-000700080009|)$/i;

/** A UUID that tells machines apart, in lower case; null for none and for the well-known dummies. */
export function usableUuid(uuid: string): string | null {
  return worthless.test(uuid) || !/^[0-9a-fA-F-]{36}$/.test(uuid) ? null : uuid.toLowerCase();
}

/** Machines that this identity may be, each once: by any MAC, then by UUID. More than one is for an operator to look at. */
export async function findByIdentity(db: CellDb, identity: Identity): Promise<SystemId[]> {
  const macs = identity.macs.map((mac) => mac.toLowerCase());
  const { rows } = await sql<{ system_id: string }>`
    select distinct system_id from (
      select system_id from interface where mac = any (${macs}::text[]) and type = 'physical'
      union all
      select system_id from machine where hardware_uuid = ${usableUuid(identity.hardwareUuid)}) found`.execute(db);
  return rows.map((row) => row.system_id).toSorted();
}

/** The machine behind a MAC address. */
export async function findByMac(db: CellDb, mac: string): Promise<SystemId | undefined> {
  const { rows } = await sql<{
    system_id: string;
  }>`select system_id from interface where mac = ${mac.toLowerCase()} and type = 'physical'`.execute(db);
  return rows[0]?.system_id;
}

/** The next free system_id of this cell; numbers that would spell only digits are passed over. */
export async function drawSystemId(db: CellDb): Promise<SystemId> {
  for (;;) {
    const { rows } = await sql<{ cell: number; n: number }>`
      select number as cell, nextval('machine_number') as n from cell_identity`.execute(db);
    const row = rows[0];
    if (!row) throw new Error('this database has no cell identity');
    const id = systemIdOf(row.cell, row.n);
    if (id !== undefined) return id;
  }
}

export interface NewInterface {
  readonly name: string;
  readonly mac: string;
  readonly vlanId: number | null;
}

export interface NewMachine {
  readonly systemId: SystemId;
  readonly hostname: string;
  readonly domainId: number;
  readonly architecture: string;
  readonly description: string;
  readonly hardwareUuid: string | null;
  readonly serial: string | null;
  readonly firmware: '' | 'bios' | 'uefi';
  readonly interfaces: readonly NewInterface[];
  readonly bootMac: string | undefined;
}

/** Make a machine in state New. @throws UniqueViolation when its name or a MAC is taken. */
export async function insertMachine(
  tx: CellDb,
  machine: NewMachine,
  by: { kind: 'machine_created' | 'machine_enlisted'; username?: string },
): Promise<void> {
  await tx
    .insertInto('machine')
    .values({
      system_id: machine.systemId,
      hostname: machine.hostname,
      domain_id: machine.domainId,
      architecture: machine.architecture,
      description: machine.description,
      hardware_uuid: machine.hardwareUuid,
      serial: machine.serial,
      firmware: machine.firmware,
    })
    .execute();
  // One statement for all of them: the caller of an enlistment chooses how many there are.
  const bootMac = (machine.bootMac ?? machine.interfaces[0]?.mac)?.toLowerCase();
  const cards =
    machine.interfaces.length === 0
      ? []
      : await tx
          .insertInto('interface')
          .values(
            machine.interfaces.map((nic) => ({
              system_id: machine.systemId,
              name: nic.name,
              mac: nic.mac.toLowerCase(),
              vlan_id: nic.vlanId,
            })),
          )
          .returning(['id', 'mac'])
          .execute();
  const boot = cards.find((card) => card.mac === bootMac);
  if (boot) await tx.updateTable('machine').set({ boot_interface_id: boot.id }).where('system_id', '=', machine.systemId).execute();
  await record(tx, {
    kind: by.kind,
    systemId: machine.systemId,
    ...(by.username === undefined ? {} : { username: by.username }),
    description: `${machine.hostname} (${machine.interfaces.map((nic) => nic.mac).join(', ')})`,
  });
}

/** Two records for one machine: a finding for each pair, never "resolved" by the program. */
export async function reportDuplicates(tx: CellDb, ids: readonly SystemId[], what: string): Promise<void> {
  const [first, ...others] = ids;
  for (const other of others) {
    await openFinding(tx, {
      kind: 'duplicate_machine',
      subject: other,
      systemId: other,
      data: { what, system_id: other, other: first ?? '' },
    });
  }
}
