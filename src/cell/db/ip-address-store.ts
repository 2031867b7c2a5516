/** Addresses that users took, reserved IPs, and all addresses that somebody has. Writes are made under the subnet's lock (network-guard.ts). */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

export interface HeldAddress {
  readonly ip: string;
  /** `user`, or the mode of the link that has it; null when it is only a name's. */
  readonly kind: string | null;
  readonly created: Date;
  readonly subnet_id: number | null;
  readonly owner: string | null;
  readonly mac: string | null;
  readonly interface_id: number | null;
  readonly system_id: string | null;
}

export interface AddressChoice {
  readonly ip?: string | undefined;
  /** Whose; left out: everybody's, with those of machines. */
  readonly owner?: string | undefined;
}

/** Addresses that users took, and without an owner those that machines and devices have, lowest first. */
export async function readAddresses(db: CellDb, { ip, owner }: AddressChoice): Promise<HeldAddress[]> {
  const { rows } = await sql<HeldAddress>`
    select host(a.ip) as ip, kind, created, subnet_id, owner, mac, interface_id, system_id from (
      select ip, 'user' as kind, created, subnet_id, owner, mac, null::bigint as interface_id, null as system_id from ip_address
      where ${owner ?? null}::text is null or owner = ${owner ?? null}
      union all
      select l.ip, l.mode, l.created, l.subnet_id, null, null, l.interface_id, i.system_id
      from interface_link l join interface i on i.id = l.interface_id where l.ip is not null and ${owner ?? null}::text is null) a
    where ${ip ?? null}::inet is null or a.ip = ${ip ?? null}::inet
    order by a.ip`.execute(db);
  return rows;
}

export interface NewAddress {
  readonly subnet_id: number;
  readonly ip: string;
  readonly owner: string;
  readonly mac: string | null;
}

export async function insertAddress(tx: CellDb, address: NewAddress): Promise<void> {
  await tx.insertInto('ip_address').values(address).execute();
}

/** What this MAC has in the subnet already: an address of a machine, one that a user took for it, or a reserved IP. */
export async function addressesOfMac(tx: CellDb, subnetId: number, mac: string): Promise<string[]> {
  const { rows } = await sql<{ ip: string }>`
    select host(ip) as ip from (
      select l.ip from interface_link l join interface i on i.id = l.interface_id where l.subnet_id = ${subnetId} and i.mac = ${mac} and l.ip is not null
      union select ip from ip_address where subnet_id = ${subnetId} and mac = ${mac}
      union select ip from reserved_ip where subnet_id = ${subnetId} and mac = ${mac}) a
    order by a.ip`.execute(tx);
  return rows.map((row) => row.ip);
}

/** Give back what a user took; `owner` left out: whoever it was. False when there is none. */
export async function deleteAddress(tx: CellDb, ip: string, owner?: string): Promise<boolean> {
  const { numAffectedRows } = await sql`
    delete from ip_address where ip = ${ip}::inet and (${owner ?? null}::text is null or owner = ${owner ?? null})`.execute(tx);
  return numAffectedRows === 1n;
}

export interface LinkHolder {
  readonly link_id: number;
  readonly system_id: string;
  readonly hostname: string;
  /** Null for a device. */
  readonly status: number | null;
}

/** The link that has this address, and its machine or device, whose row is locked. */
export async function lockLinkOf(tx: CellDb, ip: string): Promise<LinkHolder | undefined> {
  const { rows: links } = await sql<{ link_id: number; system_id: string }>`
    select l.id as link_id, i.system_id from interface_link l join interface i on i.id = l.interface_id where l.ip = ${ip}::inet`.execute(
    tx,
  );
  const [link] = links;
  if (link === undefined) return undefined;
  await sql`select from machine where system_id = ${link.system_id} for update`.execute(tx);
  const { rows } = await sql<LinkHolder>`
    select l.id as link_id, n.system_id, n.hostname, m.status
    from interface_link l join interface i on i.id = l.interface_id join node n on n.system_id = i.system_id left join machine m on m.system_id = n.system_id
    where l.ip = ${ip}::inet`.execute(tx);
  return rows[0];
}

export async function deleteLink(tx: CellDb, id: number): Promise<void> {
  await tx.deleteFrom('interface_link').where('id', '=', id).execute();
}

export interface ReservedIpRow {
  readonly id: number;
  readonly subnet_id: number;
  readonly ip: string;
  readonly mac: string;
  readonly comment: string;
}

/** All reserved IPs, or the one with this id, by id. */
export async function readReservedIps(db: CellDb, id?: number): Promise<ReservedIpRow[]> {
  const { rows } = await sql<ReservedIpRow>`
    select id, subnet_id, host(ip) as ip, mac, comment from reserved_ip
    where ${id ?? null}::bigint is null or id = ${id ?? null} order by id`.execute(db);
  return rows;
}

/** @throws UniqueViolation `reserved_ip_ip_key`, `reserved_ip_subnet_id_mac_key`. */
export async function insertReservedIp(tx: CellDb, row: Omit<ReservedIpRow, 'id'>): Promise<number> {
  return (await tx.insertInto('reserved_ip').values(row).returning('id').executeTakeFirstOrThrow()).id;
}

export async function updateReservedIp(tx: CellDb, id: number, comment: string): Promise<boolean> {
  return (await tx.updateTable('reserved_ip').set({ comment }).where('id', '=', id).executeTakeFirst()).numUpdatedRows === 1n;
}

export async function deleteReservedIp(tx: CellDb, id: number): Promise<boolean> {
  return (await tx.deleteFrom('reserved_ip').where('id', '=', id).executeTakeFirst()).numDeletedRows === 1n;
}
