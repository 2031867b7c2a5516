/** Interfaces and their links: writes, under the machine's lock (machine-part-store.ts). Reads are in machine-read.ts. */
import { sql } from 'kysely';
import type { Insertable, Updateable } from 'kysely';
import type { CellDb } from './cell-db.ts';
import type { InterfaceTable } from './schema.ts';

/** Is there such a VLAN? It stays at least until the transaction ends. */
export async function holdVlan(tx: CellDb, id: number): Promise<boolean> {
  const { rows } = await sql`select from vlan where id = ${id} for key share`.execute(tx);
  return rows.length > 0;
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

export interface OwnedInterface {
  readonly id: number;
  readonly name: string;
  readonly vlan_id: number | null;
}

/** An interface of this machine; undefined when it has none with this id. */
export async function interfaceOf(tx: CellDb, systemId: string, id: number): Promise<OwnedInterface | undefined> {
  return tx
    .selectFrom('interface')
    .select(['id', 'name', 'vlan_id'])
    .where('id', '=', id)
    .where('system_id', '=', systemId)
    .executeTakeFirst();
}

/** The host name of the machine with this MAC. */
export async function hostOfMac(db: CellDb, mac: string): Promise<string | undefined> {
  const { rows } = await sql<{ hostname: string }>`
    select m.hostname from interface i join machine m using (system_id) where i.mac = ${mac} and i.type = 'physical'`.execute(db);
  return rows[0]?.hostname;
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

/** The link that a machine's default route goes by: of the boot interface first, then of the oldest, whose subnet has a router. */
export async function defaultRoute(tx: CellDb, systemId: string, family: 4 | 6): Promise<number | undefined> {
  const { rows } = await sql<{ id: number }>`
    select l.id from interface_link l
    join interface i on i.id = l.interface_id join subnet s on s.id = l.subnet_id join machine m on m.system_id = i.system_id
    where i.system_id = ${systemId} and l.mode <> 'link_up' and family(s.gateway_ip) = ${family}
    order by (i.id = m.boot_interface_id) desc nulls last, i.id, l.id limit 1`.execute(tx);
  return rows[0]?.id;
}
