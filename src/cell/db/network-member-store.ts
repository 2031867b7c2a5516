/** Which machines and devices are on which networks. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

/** Ids of the subnets that all of these nodes are linked to. */
export async function subnetsOfNodes(db: CellDb, systemIds: readonly string[]): Promise<number[]> {
  const { rows } = await sql<{ subnet_id: number }>`
    select l.subnet_id from interface_link l join interface i on i.id = l.interface_id
    where l.subnet_id is not null and i.system_id = any (${systemIds as string[]})
    group by l.subnet_id having count(distinct i.system_id) = ${systemIds.length}`.execute(db);
  return rows.map((row) => row.subnet_id);
}

/** MACs of interfaces on a VLAN, each once, by the names of their nodes. */
export async function macsOnVlan(db: CellDb, vlanId: number): Promise<string[]> {
  const { rows } = await sql<{ mac: string }>`
    select i.mac from interface i join node n on n.system_id = i.system_id where i.vlan_id = ${vlanId} and i.mac is not null
    group by i.mac order by min(lower(n.hostname)), i.mac`.execute(db);
  return rows.map((row) => row.mac);
}
