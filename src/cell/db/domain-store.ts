/** DNS domains: writes. Reads are in network-read.ts. */
import { sql } from 'kysely';
import type { Insertable, Updateable } from 'kysely';
import type { CellDb } from './cell-db.ts';
import type { DomainTable } from './schema.ts';

export async function insertDomain(tx: CellDb, domain: Insertable<DomainTable>): Promise<number> {
  return (await tx.insertInto('domain').values(domain).returning('id').executeTakeFirstOrThrow()).id;
}

/** False when there is none with this id. */
export async function updateDomain(tx: CellDb, id: number, set: Updateable<DomainTable>): Promise<boolean> {
  if (Object.keys(set).length === 0)
    return (await tx.selectFrom('domain').select('id').where('id', '=', id).executeTakeFirst()) !== undefined;
  return (await tx.updateTable('domain').set(set).where('id', '=', id).executeTakeFirst()).numUpdatedRows === 1n;
}

/** Make it the one default; false when it is gone. Two at once would each see the old default: hence the lock. */
export async function setDefaultDomain(tx: CellDb, id: number): Promise<boolean> {
  await sql`lock table domain in share row exclusive mode`.execute(tx);
  await sql`update domain set is_default = false where is_default and id <> ${id}`.execute(tx);
  return (await sql`update domain set is_default = true where id = ${id}`.execute(tx)).numAffectedRows === 1n;
}

/** Machines, devices and controllers in a domain, and names that were made in it. */
export async function useOfDomain(tx: CellDb, id: number): Promise<{ readonly nodes: number; readonly resources: number }> {
  const { rows } = await sql<{ nodes: number; resources: number }>`
    select (select count(*) from node where domain_id = ${id}) as nodes, (select count(*) from dns_resource where domain_id = ${id}) as resources`.execute(
    tx,
  );
  return rows[0] ?? { nodes: 0, resources: 0 };
}

/** The serial number that all zones have next. */
export async function setZoneSerial(tx: CellDb, serial: number): Promise<void> {
  await sql`insert into zone_serial (serial) values (${serial}) on conflict (one) do update set serial = excluded.serial`.execute(tx);
}

/** Only when it is not the default, nor has a machine or device in it. */
export async function deleteDomain(tx: CellDb, id: number): Promise<boolean> {
  const { numAffectedRows } = await sql`
    delete from domain d where d.id = ${id} and not d.is_default and not exists (select from node n where n.domain_id = d.id)`.execute(tx);
  return numAffectedRows === 1n;
}
