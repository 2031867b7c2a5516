/** Fabrics and VLANs: writes. Reads of VLANs are in network-read.ts. Callers hold the lock of network-guard.ts. */
import { sql } from 'kysely';
import type { Insertable, Updateable } from 'kysely';
import type { CellDb } from './cell-db.ts';
import type { FabricTable, VlanTable } from './schema.ts';

export interface FabricRow {
  readonly id: number;
  readonly name: string;
  readonly class_type: string | null;
}

/** All fabrics, oldest first: the first is the default one. */
export async function readFabrics(db: CellDb): Promise<FabricRow[]> {
  return db.selectFrom('fabric').select(['id', 'name', 'class_type']).orderBy('id').execute();
}

/** With its untagged VLAN. Without a name it is the lowest `fabric-N` that is free. */
export async function insertFabric(
  tx: CellDb,
  fabric: { readonly name: string | undefined; readonly description: string; readonly classType: string | null },
): Promise<number> {
  const { rows } = await sql<{ id: number }>`
    with made as (
      insert into fabric (name, description, class_type)
      select coalesce(${fabric.name ?? null}::text, (
               select 'fabric-' || n from generate_series(0, (select count(*) from fabric)) n
               where not exists (select from fabric f where f.name = 'fabric-' || n) order by n limit 1)),
             ${fabric.description}, ${fabric.classType}
      returning id),
    untagged as (insert into vlan (fabric_id, vid, name) select id, 0, 'untagged' from made)
    select id from made`.execute(tx);
  return rows[0]?.id ?? 0;
}

/** The default fabric, made when the cell has none. */
export async function ensureFabric(tx: CellDb): Promise<void> {
  const known = await tx.selectFrom('fabric').select('id').limit(1).executeTakeFirst();
  if (!known) await insertFabric(tx, { name: undefined, description: '', classType: null });
}

export async function updateFabric(tx: CellDb, id: number, set: Updateable<FabricTable>): Promise<boolean> {
  if (Object.keys(set).length === 0)
    return (await tx.selectFrom('fabric').select('id').where('id', '=', id).executeTakeFirst()) !== undefined;
  return (await tx.updateTable('fabric').set(set).where('id', '=', id).executeTakeFirst()).numUpdatedRows === 1n;
}

/** The fabric and its VLANs. @throws the foreign key's error when something is still on one of them. */
export async function deleteFabric(tx: CellDb, id: number): Promise<void> {
  await tx.deleteFrom('vlan').where('fabric_id', '=', id).execute();
  await tx.deleteFrom('fabric').where('id', '=', id).execute();
}

export async function insertVlan(tx: CellDb, vlan: Insertable<VlanTable>): Promise<number> {
  return (await tx.insertInto('vlan').values(vlan).returning('id').executeTakeFirstOrThrow()).id;
}

export async function updateVlan(tx: CellDb, id: number, set: Updateable<VlanTable>): Promise<void> {
  if (Object.keys(set).length > 0) await tx.updateTable('vlan').set(set).where('id', '=', id).execute();
}

export async function deleteVlan(tx: CellDb, id: number): Promise<void> {
  await tx.deleteFrom('vlan').where('id', '=', id).execute();
}

export interface VlanUse {
  readonly subnets: readonly string[];
  readonly interfaces: number;
  readonly relayed: number;
}

/** What is on these VLANs: subnets by CIDR, interfaces, and other VLANs that are relayed by them. */
export async function useOfVlans(tx: CellDb, ids: readonly number[]): Promise<VlanUse> {
  const { rows } = await sql<VlanUse>`
    with these as (select unnest(${ids as number[]}::bigint[]) as id)
    select array(select cidr::text from subnet where vlan_id in (select id from these) order by cidr) as subnets,
           (select count(*) from interface where vlan_id in (select id from these)) as interfaces,
           (select count(*) from vlan where relay_vlan_id in (select id from these) and id not in (select id from these)) as relayed`.execute(
    tx,
  );
  return rows[0] ?? { subnets: [], interfaces: 0, relayed: 0 };
}

/** Does one of the VLAN's subnets have a dynamic range? */
export async function hasDynamicRange(tx: CellDb, vlanId: number): Promise<boolean> {
  const { rows } = await sql`
    select from ip_range r join subnet s on s.id = r.subnet_id where s.vlan_id = ${vlanId} and r.type = 'dynamic' limit 1`.execute(tx);
  return rows.length > 0;
}
