/** Hosts that processes of the cell saw on its networks. What is seen is no change of the cell: there are no events of it. */
import { sql, type RawBuilder } from 'kysely';
import type { CellDb } from './cell-db.ts';

export interface SeenHost {
  readonly ip: string;
  /** Lower case with colons. */
  readonly mac: string;
  readonly interface: string;
  readonly hostname: string;
}

export interface NeighbourRow extends SeenHost {
  readonly id: number;
  /** As a rack controller. */
  readonly observer: string;
  readonly last_seen: Date;
  /** Of the subnet that it is in. */
  readonly fabric: string | null;
  readonly vid: number | null;
}

/** Days after which a host that is not seen any more is forgotten, and how many are kept at most. */
const keepDays = 30;
const most = 20_000;

/** Write down what is there now: one statement, rows in one order so that two processes do not stop each other. */
export async function saveNeighbours(db: CellDb, observer: string, hosts: readonly SeenHost[]): Promise<void> {
  if (hosts.length > 0) {
    await sql`
      insert into neighbour (ip, mac, interface, observer, hostname)
      select distinct on (h.ip::inet, h.mac) h.ip::inet, h.mac, h.interface, ${observer}, h.hostname
      from jsonb_to_recordset(${JSON.stringify(hosts)}::jsonb) as h (ip text, mac text, interface text, hostname text)
      order by h.ip::inet, h.mac, h.hostname desc
      on conflict (ip, mac) do update set last_seen = now(), interface = excluded.interface, observer = excluded.observer,
        hostname = case excluded.hostname when '' then neighbour.hostname else excluded.hostname end`.execute(db);
  }
  await sql`
    delete from neighbour where last_seen < now() - make_interval(days => ${keepDays})
      or id in (select id from neighbour order by last_seen desc offset ${most})`.execute(db);
}

export interface NeighbourChoice {
  readonly id?: number;
  readonly unknownMac?: boolean;
  readonly unknownIp?: boolean;
}

const noMac = sql`not exists (select from interface i where i.mac = n.mac)`;
/** Nobody was given it: neither a machine, a user, nor DHCP's own reservation. */
const noIp = sql`not exists (select from interface_link l where l.ip = n.ip) and not exists (select from ip_address a where a.ip = n.ip)
  and not exists (select from reserved_ip r where r.ip = n.ip)`;

/** Newest first. */
export async function readNeighbours(db: CellDb, { id, unknownMac = false, unknownIp = false }: NeighbourChoice): Promise<NeighbourRow[]> {
  const conditions: RawBuilder<unknown>[] = [
    sql`(${id ?? null}::bigint is null or n.id = ${id ?? null})`,
    ...(unknownMac ? [noMac] : []),
    ...(unknownIp ? [noIp] : []),
  ];
  const { rows } = await sql<NeighbourRow>`
    select n.id, host(n.ip) as ip, n.mac, n.interface, n.hostname, n.observer, n.last_seen, f.name as fabric, v.vid
    from neighbour n left join subnet s on n.ip <<= s.cidr left join vlan v on v.id = s.vlan_id left join fabric f on f.id = v.fabric_id
    where ${sql.join(conditions, sql` and `)} order by n.last_seen desc, n.id desc`.execute(db);
  return rows;
}

/** How many were forgotten. */
export async function deleteNeighbours(tx: CellDb, only: { readonly ip?: string; readonly mac?: string } = {}): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from neighbour where (${only.ip ?? null}::inet is null or ip = ${only.ip ?? null}::inet) and (${only.mac ?? null}::text is null or mac = ${only.mac ?? null})`.execute(
    tx,
  );
  return Number(numAffectedRows ?? 0n);
}
