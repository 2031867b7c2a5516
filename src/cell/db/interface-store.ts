/** Interfaces and their links: writes, under the lock of their machine or device. Machines with their interfaces are read in machine-read.ts. */
import { sql } from 'kysely';
import type { Insertable, Updateable } from 'kysely';
import type { CellDb } from './cell-db.ts';
import type { Port } from './interface-rules.ts';
import { lockMachine, type LockedMachine } from './machine-part-store.ts';
import { interfaceJson, type InterfaceRow } from './machine-read.ts';
import type { InterfaceTable } from './schema.ts';

/** The tags of these VLANs, by id; they stay at least until the transaction ends. Those that are not there are left out. */
export async function holdVlans(tx: CellDb, ids: readonly number[]): Promise<Map<number, number>> {
  const { rows } = await sql<{ id: number; vid: number }>`
    select id, vid from vlan where id = any (${ids as number[]}::bigint[]) order by id for key share`.execute(tx);
  return new Map(rows.map(({ id, vid }) => [id, vid]));
}

export interface OwnedInterface extends Port {
  readonly params: Readonly<Record<string, unknown>>;
  readonly tags: readonly string[];
  readonly link_connected: boolean;
  readonly interface_speed: number;
  readonly link_speed: number;
}

/** All interfaces of a node, oldest first. */
export async function portsOf(tx: CellDb, systemId: string): Promise<OwnedInterface[]> {
  const { rows } = await sql<OwnedInterface>`
    select id, name, type, mac, vlan_id, mtu, params, tags, link_connected, interface_speed, link_speed,
           array(select parent_id from interface_relation r where r.child_id = i.id order by parent_id) as parents
    from interface i where system_id = ${systemId} order by id`.execute(tx);
  return rows;
}

/** What an interface is made of from now on. New ones come before the old ones go: what is made of nothing is deleted. */
export async function setParents(tx: CellDb, id: number, parents: readonly number[]): Promise<void> {
  await sql`insert into interface_relation (parent_id, child_id) select p, ${id}::bigint from unnest(${parents as number[]}::bigint[]) p
            on conflict do nothing`.execute(tx);
  await sql`delete from interface_relation where child_id = ${id} and parent_id <> all (${parents as number[]}::bigint[])`.execute(tx);
}

/** Bring interfaces onto another VLAN, or onto none: the links that they had go. */
export async function moveInterfaces(tx: CellDb, ids: readonly number[], vlanId: number | null): Promise<void> {
  await unlink(tx, ids);
  await sql`update interface set vlan_id = ${vlanId}::bigint where id = any (${ids as number[]}::bigint[])`.execute(tx);
}

/** All links of these interfaces go. */
export async function unlink(tx: CellDb, ids: readonly number[]): Promise<void> {
  await sql`delete from interface_link where interface_id = any (${ids as number[]}::bigint[])`.execute(tx);
}

/** What is made of a card that had this MAC and took it from there has the new one as well. */
export async function inheritMac(tx: CellDb, systemId: string, from: string, to: string): Promise<void> {
  await sql`update interface set mac = ${to} where system_id = ${systemId} and mac = ${from} and type <> 'physical'`.execute(tx);
}

/** The id of the new interface; without a name it gets the next free of eth0, eth1, …. */
export async function insertInterface(
  tx: CellDb,
  nic: Omit<Insertable<InterfaceTable>, 'name'> & { readonly name: string | undefined },
): Promise<number> {
  const name = nic.name ?? (await freeName(tx, nic.system_id));
  return (
    await tx
      .insertInto('interface')
      .values({ ...nic, name })
      .returning('id')
      .executeTakeFirstOrThrow()
  ).id;
}

async function freeName(tx: CellDb, systemId: string): Promise<string> {
  const { rows } = await sql<{ name: string }>`
    select 'eth' || n as name from generate_series(0, (select count(*) from interface where system_id = ${systemId})) n
    where not exists (select from interface where system_id = ${systemId} and name = 'eth' || n) order by n limit 1`.execute(tx);
  return rows[0]?.name ?? 'eth0';
}

/** The host name of the machine or device with this MAC. */
export async function hostOfMac(db: CellDb, mac: string): Promise<string | undefined> {
  const { rows } = await sql<{ hostname: string | null }>`
    select n.hostname from interface i join node n using (system_id) where i.mac = ${mac} and i.type = 'physical'`.execute(db);
  return rows[0]?.hostname ?? undefined;
}

/** The host name of another machine or device that has a card with this MAC. */
export async function strangerWithMac(tx: CellDb, systemId: string, mac: string): Promise<string | undefined> {
  const { rows } = await sql<{ hostname: string | null }>`
    select n.hostname from interface i join node n using (system_id)
    where i.mac = ${mac} and i.type = 'physical' and i.system_id <> ${systemId}`.execute(tx);
  return rows[0] && (rows[0].hostname ?? 'a controller');
}

export async function updateInterface(tx: CellDb, id: number, set: Updateable<InterfaceTable>): Promise<void> {
  if (Object.keys(set).length > 0) await tx.updateTable('interface').set(set).where('id', '=', id).execute();
}

export async function deleteInterface(tx: CellDb, id: number): Promise<void> {
  await tx.deleteFrom('interface').where('id', '=', id).execute();
}

export interface NewLink {
  readonly interface_id: number;
  readonly mode: 'auto' | 'dhcp' | 'static' | 'link_up';
  readonly subnet_id: number | null;
  readonly ip: string | null;
}

/** @throws UniqueViolation `interface_link_by_ip` when somebody has the address. */
export async function insertLink(tx: CellDb, link: NewLink): Promise<number> {
  return (await tx.insertInto('interface_link').values(link).returning('id').executeTakeFirstOrThrow()).id;
}

export async function linksOf(tx: CellDb, interfaceId: number): Promise<(NewLink & { readonly id: number })[]> {
  return tx
    .selectFrom('interface_link')
    .select(['id', 'interface_id', 'mode', 'subnet_id', 'ip'])
    .where('interface_id', '=', interfaceId)
    .orderBy('id')
    .execute();
}

/** All links of an interface, or one of them; returns how many went. */
export async function deleteLinks(tx: CellDb, interfaceId: number, id?: number): Promise<number> {
  let removal = tx.deleteFrom('interface_link').where('interface_id', '=', interfaceId);
  if (id !== undefined) removal = removal.where('id', '=', id);
  return Number((await removal.executeTakeFirst()).numDeletedRows);
}

/** The links of a node whose subnets have a router, the oldest first. */
export async function gatewayLinks(
  tx: CellDb,
  systemId: string,
): Promise<{ readonly id: number; readonly interface_id: number; readonly family: 4 | 6 }[]> {
  const { rows } = await sql<{ id: number; interface_id: number; family: 4 | 6 }>`
    select l.id, l.interface_id, family(s.gateway_ip) as family
    from interface_link l join interface i on i.id = l.interface_id join subnet s on s.id = l.subnet_id
    where i.system_id = ${systemId} and l.mode <> 'link_up' and s.gateway_ip is not null order by l.id`.execute(tx);
  return rows;
}

/** From now on the default route of one family goes by this link. */
export async function chooseGateway(tx: CellDb, systemId: string, family: 4 | 6, linkId: number): Promise<void> {
  await tx
    .insertInto('default_gateway')
    .values({ system_id: systemId, family, link_id: linkId })
    .onConflict((conflict) => conflict.columns(['system_id', 'family']).doUpdateSet({ link_id: linkId }))
    .execute();
}

export async function forgetGateways(tx: CellDb, systemId: string): Promise<void> {
  await tx.deleteFrom('default_gateway').where('system_id', '=', systemId).execute();
}

/** The interfaces of a machine, device or controller as they are shown; undefined when there is no such node. */
export async function readInterfaces(db: CellDb, systemId: string): Promise<InterfaceRow[] | undefined> {
  const { rows } = await sql<{ interfaces: InterfaceRow[] }>`
    select ${interfaceJson} as interfaces from node m where m.system_id = ${systemId}`.execute(db);
  return rows[0]?.interfaces;
}

/** Those of several nodes, each node's together: one statement, however many. */
export async function readInterfacesOf(db: CellDb, systemIds: readonly string[]): Promise<InterfaceRow[][]> {
  const { rows } = await sql<{ interfaces: InterfaceRow[] }>`
    select ${interfaceJson} as interfaces from node m where m.system_id = any (${systemIds as string[]}::text[])`.execute(db);
  return rows.map((row) => row.interfaces);
}

export interface LockedNode {
  readonly system_id: string;
  /** Undefined for a device. */
  readonly machine: LockedMachine | undefined;
  readonly owner: string | null;
}

/** A machine or device whose row is locked, so that nobody else changes its interfaces or its state; undefined when there is none. */
export async function lockNode(tx: CellDb, systemId: string): Promise<LockedNode | undefined> {
  const machine = await lockMachine(tx, systemId);
  if (machine) return { system_id: systemId, machine, owner: machine.owner };
  const device = await tx
    .updateTable('device')
    .set({ updated: sql<Date>`now()` })
    .where('system_id', '=', systemId)
    .returning('owner')
    .executeTakeFirst();
  return device && { system_id: systemId, machine: undefined, owner: device.owner };
}
