/** Whose database this is: number, name and the secret key that sealed it; and the networks that the cell's own rack interfaces are on. */
import { sql } from 'kysely';
import { idOf } from '../../contract/ids.ts';
import type { CellDb } from './cell-db.ts';

export interface CellIdentity {
  readonly number: number;
  readonly name: string;
  readonly keyFingerprint: string;
}

/** The database belongs to another cell or was sealed with another secret.key: starting on it would do harm. */
export class WrongDatabase extends Error {
  override readonly name = 'WrongDatabase';
}

/** Write the identity into an empty database, or check it. @throws WrongDatabase with what to do. */
export async function claimDatabase(db: CellDb, identity: CellIdentity): Promise<void> {
  const made = await sql`
    insert into cell_identity (number, name, key_fingerprint) values (${identity.number}, ${identity.name}, ${identity.keyFingerprint})
    on conflict do nothing`.execute(db);
  // MAAS's integer event ids carry the cell too, so that a front can merge them.
  if (made.numAffectedRows === 1n) await sql.raw(`alter table event alter column id restart with ${idOf(identity.number, 1)}`).execute(db);
  const found = await db.selectFrom('cell_identity').selectAll().executeTakeFirstOrThrow();
  if (found.key_fingerprint !== identity.keyFingerprint) {
    throw new WrongDatabase(
      `this database was sealed with another secret.key than the one in the data folder of ${identity.name}: restore the secret.key that belongs to it`,
    );
  }
  if (found.number !== identity.number) {
    throw new WrongDatabase(
      `this database belongs to cell ${found.name} (number ${found.number}), not to ${identity.name} (number ${identity.number})`,
    );
  }
}

/** The number that an existing database has; undefined for a fresh one. */
export async function numberOfDatabase(db: CellDb): Promise<number | undefined> {
  return (await db.selectFrom('cell_identity').select('number').executeTakeFirst())?.number;
}

/** The default domain, made when there is none. */
export async function ensureDomain(db: CellDb, name: string): Promise<void> {
  await sql`insert into domain (name, is_default) select ${name}, true where not exists (select from domain where is_default) on conflict do nothing`.execute(
    db,
  );
}

/**
 * A subnet that the cell's own interface is on, made when nobody has made it: fabric, untagged VLAN and subnet. With `dhcp` the upper half of
 * the subnet becomes a dynamic range and DHCP is switched on. What an operator has changed since is left alone.
 */
export async function ensureRackSubnet(tx: CellDb, address: string, dhcp: boolean): Promise<void> {
  // Two processes of the cell that start at once must not both make it.
  await sql`lock table subnet in share row exclusive mode`.execute(tx);
  const known = await sql<{ id: number }>`
    select id from subnet where cidr >>= ${address}::inet order by masklen(cidr) desc limit 1`.execute(tx);
  if (known.rows[0]) return reserveOwnAddress(tx, known.rows[0].id, address);
  const fabric = await sql<{ id: number }>`
    insert into fabric (name) select 'fabric-' || count(*) from fabric returning id`.execute(tx);
  const vlan = await sql<{ id: number }>`
    insert into vlan (fabric_id, vid, name, dhcp_on) values (${fabric.rows[0]?.id}, 0, 'untagged', ${dhcp}) returning id`.execute(tx);
  const subnet = await sql<{ id: number }>`
    insert into subnet (vlan_id, cidr, name)
    values (${vlan.rows[0]?.id}, network(${address}::inet), network(${address}::inet)::text) returning id`.execute(tx);
  await reserveOwnAddress(tx, subnet.rows[0]?.id ?? 0, address);
  if (!dhcp) return;
  await sql`
    insert into ip_range (subnet_id, type, start_ip, end_ip, comment)
    select ${subnet.rows[0]?.id}, 'dynamic', host(network(a) + (2 ^ (31 - masklen(a)))::bigint)::inet, host(broadcast(a) - 1)::inet, 'made at the first start'
    from (select ${address}::inet as a) x where masklen(a) <= 28`.execute(tx);
}

/** The cell's own address, each process', is no machine's: unless a range has it already, in which somebody has put it. */
async function reserveOwnAddress(tx: CellDb, subnetId: number, address: string): Promise<void> {
  await sql`
    insert into ip_range (subnet_id, type, start_ip, end_ip, comment)
    select ${subnetId}, 'reserved', a, a, 'the cell itself' from (select host(${address}::inet)::inet as a) own
    where not exists (select from ip_range where subnet_id = ${subnetId} and a between start_ip and end_ip)
      and not exists (select from interface_link where ip = a)`.execute(tx);
}
