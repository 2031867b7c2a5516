/** Names in DNS domains, their addresses and records. The names of machines and devices are read, not kept, here. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

export interface DnsRecordRow {
  readonly id: number;
  readonly rrtype: string;
  readonly rrdata: string;
  readonly ttl: number | null;
}

export interface DnsAddressRow {
  readonly ip: string;
  /** As PostgreSQL writes it into JSON. */
  readonly created: string;
  readonly subnet_id: number | null;
  /** `user`, the mode of the link that has it, or null. */
  readonly kind: string | null;
  readonly owner: string | null;
}

export interface DnsResourceRow {
  readonly id: number;
  readonly domain_id: number;
  readonly domain: string;
  readonly name: string;
  readonly address_ttl: number | null;
  readonly addresses: readonly DnsAddressRow[];
  readonly records: readonly DnsRecordRow[];
}

export interface DnsChoice {
  readonly id?: number | undefined;
  readonly domainId?: number | undefined;
  readonly name?: string | undefined;
  /** In capitals. */
  readonly rrtype?: string | undefined;
  readonly recordId?: number | undefined;
}

/** Names with all that they say, by domain and name: one statement. */
export async function readDnsResources(db: CellDb, choice: DnsChoice = {}): Promise<DnsResourceRow[]> {
  const { id = null, domainId = null, name = null, rrtype = null, recordId = null } = choice;
  const { rows } = await sql<DnsResourceRow>`
    select r.id, r.domain_id, d.name as domain, r.name, r.address_ttl,
      (select coalesce(jsonb_agg(a order by a.ip), '[]') from (
         select host(a.ip) as ip, a.created, (select s.id from subnet s where a.ip <<= s.cidr) as subnet_id,
                case when u.id is not null then 'user' else l.mode end as kind, u.owner
         from dns_address a left join ip_address u on u.ip = a.ip left join interface_link l on l.ip = a.ip where a.resource_id = r.id) a) as addresses,
      (select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'rrtype', c.rrtype, 'rrdata', c.rrdata, 'ttl', c.ttl) order by c.rrtype, c.id), '[]')
         from dns_record c where c.resource_id = r.id) as records
    from dns_resource r join domain d on d.id = r.domain_id
    where (${id}::bigint is null or r.id = ${id}) and (${domainId}::bigint is null or r.domain_id = ${domainId}) and (${name}::text is null or r.name = ${name})
      and (${recordId}::bigint is null or exists (select from dns_record c where c.resource_id = r.id and c.id = ${recordId}))
      and (${rrtype}::text is null or case ${rrtype}
             when 'A' then exists (select from dns_address a where a.resource_id = r.id and family(a.ip) = 4)
             when 'AAAA' then exists (select from dns_address a where a.resource_id = r.id and family(a.ip) = 6)
             else exists (select from dns_record c where c.resource_id = r.id and c.rrtype = ${rrtype}) end)
    order by r.domain_id, r.name`.execute(db);
  return rows;
}

export interface NodeNameRow {
  readonly name: string;
  readonly domain: string;
  readonly ttl: number | null;
  readonly system_id: string;
  readonly node_type: number;
  readonly ips: readonly string[];
}

/** Names of machines and devices that have an address: what follows from them by itself. */
export async function readNodeNames(db: CellDb, { domainId, name }: DnsChoice): Promise<NodeNameRow[]> {
  const { rows } = await sql<NodeNameRow>`
    select lower(n.hostname) as name, d.name as domain, d.ttl, n.system_id, n.node_type, array_agg(host(l.ip) order by l.ip) as ips
    from node n join domain d on d.id = n.domain_id join interface i on i.system_id = n.system_id join interface_link l on l.interface_id = i.id
    where l.ip is not null and (${domainId ?? null}::bigint is null or n.domain_id = ${domainId ?? null})
      and (${name ?? null}::text is null or lower(n.hostname) = ${name ?? null})
    group by n.system_id, n.hostname, n.node_type, n.domain_id, d.name, d.ttl order by n.domain_id, lower(n.hostname)`.execute(db);
  return rows;
}

export interface NewDnsResource {
  readonly domain_id: number;
  readonly name: string;
  readonly address_ttl: number | null;
}

/** @throws UniqueViolation `dns_resource_domain_id_name_key`. */
export async function insertDnsResource(tx: CellDb, resource: NewDnsResource): Promise<number> {
  return (await tx.insertInto('dns_resource').values(resource).returning('id').executeTakeFirstOrThrow()).id;
}

/** The id of this name, made when there is none; its row is locked. */
export async function ensureDnsResource(tx: CellDb, domainId: number, name: string): Promise<number> {
  const { rows } = await sql<{ id: number }>`
    insert into dns_resource (domain_id, name) values (${domainId}, ${name})
    on conflict (domain_id, name) do update set name = excluded.name returning id`.execute(tx);
  return rows[0]?.id ?? 0;
}

export async function updateDnsResource(tx: CellDb, id: number, set: Partial<NewDnsResource>): Promise<void> {
  if (Object.keys(set).length > 0) await tx.updateTable('dns_resource').set(set).where('id', '=', id).execute();
}

export async function deleteDnsResource(tx: CellDb, id: number): Promise<boolean> {
  return (await tx.deleteFrom('dns_resource').where('id', '=', id).executeTakeFirst()).numDeletedRows === 1n;
}

/** Nobody else changes what this name says until the transaction ends; false when there is none. */
export async function lockDnsResource(tx: CellDb, id: number): Promise<boolean> {
  return (await sql`select from dns_resource where id = ${id} for update`.execute(tx)).rows.length === 1;
}

export async function addDnsAddress(tx: CellDb, resourceId: number, ip: string): Promise<void> {
  await sql`insert into dns_address (resource_id, ip) values (${resourceId}, ${ip}::inet) on conflict do nothing`.execute(tx);
}

/** These addresses and no others; those that were there keep their age. */
export async function setDnsAddresses(tx: CellDb, resourceId: number, ips: readonly string[]): Promise<void> {
  await sql`delete from dns_address where resource_id = ${resourceId} and ip <> all (${ips as string[]}::inet[])`.execute(tx);
  await sql`
    insert into dns_address (resource_id, ip) select ${resourceId}::bigint, unnest(${ips as string[]}::inet[]) on conflict do nothing`.execute(
    tx,
  );
}

/** An address that was given back has no name any more; names that say nothing else go. */
export async function deleteDnsAddresses(tx: CellDb, ip: string): Promise<void> {
  const { rows } = await sql<{ resource_id: number }>`delete from dns_address where ip = ${ip}::inet returning resource_id`.execute(tx);
  for (const { resource_id } of rows) await deleteIfEmpty(tx, resource_id);
}

export async function insertDnsRecord(tx: CellDb, resourceId: number, record: Omit<DnsRecordRow, 'id'>): Promise<number> {
  const values = { resource_id: resourceId, ...record };
  return (await tx.insertInto('dns_record').values(values).returning('id').executeTakeFirstOrThrow()).id;
}

export async function updateDnsRecord(tx: CellDb, id: number, set: Omit<DnsRecordRow, 'id'>): Promise<boolean> {
  return (await tx.updateTable('dns_record').set(set).where('id', '=', id).executeTakeFirst()).numUpdatedRows === 1n;
}

/** The record, and its name when that says nothing any more. False when there is no such record. */
export async function deleteDnsRecord(tx: CellDb, id: number): Promise<boolean> {
  const gone = await tx.deleteFrom('dns_record').where('id', '=', id).returning('resource_id').executeTakeFirst();
  if (!gone) return false;
  await deleteIfEmpty(tx, gone.resource_id);
  return true;
}

async function deleteIfEmpty(tx: CellDb, id: number): Promise<void> {
  await sql`
    delete from dns_resource r where r.id = ${id} and not exists (select from dns_address a where a.resource_id = r.id)
      and not exists (select from dns_record c where c.resource_id = r.id)`.execute(tx);
}
