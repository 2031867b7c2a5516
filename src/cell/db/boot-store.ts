/** The facts that a boot is decided by, in one statement, and the log of what was asked and answered. */
import { sql } from 'kysely';
import type { BootPurpose } from '../../contract/operation.ts';
import type { CellDb } from './cell-db.ts';
import { recordAll } from './event-store.ts';

export interface BootRow {
  readonly system_id: string | null;
  readonly status: number | null;
  readonly locked: boolean | null;
  readonly moved: boolean | null;
  readonly ephemeral: boolean | null;
  readonly matches: number;
  readonly nonce: string | null;
  readonly purpose: BootPurpose | null;
  readonly enlists: boolean | null;
  readonly tag_ids: readonly number[];
}

/** Who asks: by the MAC of a card, else by UUID. `matches` above one means that the machine cannot be told: the caller treats it as unsure. */
export async function bootFacts(
  db: CellDb,
  asker: { mac: string | undefined; uuid: string | undefined; address: string },
): Promise<BootRow> {
  const { rows } = await sql<BootRow>`
    with found as (
      select system_id, 1 as how from interface where mac = ${asker.mac ?? null} and type = 'physical'
      union
      select system_id, 2 from machine where hardware_uuid = ${asker.uuid ?? null}),
    chosen as (select system_id from found order by how limit 1)
    select m.system_id, m.status, m.locked, m.moved_to is not null as moved, m.ephemeral,
           (select count(distinct system_id)::int from found) as matches, t.nonce, t.purpose,
           array(select tag_id from machine_tag g where g.system_id = m.system_id) as tag_ids,
           (select v.enlists from subnet s join vlan v on v.id = s.vlan_id where s.cidr >>= ${asker.address}::inet
            order by masklen(s.cidr) desc limit 1) as enlists
    from (select 1) one left join chosen c on true left join machine m on m.system_id = c.system_id
    left join lateral (
      select t.nonce, t.purpose from ticket t join operation o on o.id = t.operation_id
      where t.system_id = m.system_id and t.spent is null and t.voided is null and t.expires > now() and t.boots < t.boots_allowed
        and t.claimed is null and o.outcome = 'live' and not o.abort_asked) t on true`.execute(db);
  const row = rows[0];
  if (!row) throw new Error('the boot facts statement gave no row');
  return row;
}

/** What is known of every card at this moment, for when the database cannot be asked: one statement. */
export async function allBootFacts(db: CellDb): Promise<(Omit<BootRow, 'matches' | 'enlists'> & { readonly mac: string })[]> {
  const { rows } = await sql<Omit<BootRow, 'matches' | 'enlists'> & { mac: string }>`
    select i.mac, m.system_id, m.status, m.locked, m.moved_to is not null as moved, m.ephemeral, t.nonce, t.purpose,
           array(select tag_id from machine_tag g where g.system_id = m.system_id) as tag_ids
    from interface i join machine m on m.system_id = i.system_id
    left join lateral (
      select t.nonce, t.purpose from ticket t join operation o on o.id = t.operation_id
      where t.system_id = m.system_id and t.spent is null and t.voided is null and t.expires > now() and t.boots < t.boots_allowed
        and t.claimed is null and o.outcome = 'live' and not o.abort_asked) t on true
    where i.mac is not null and i.type = 'physical'`.execute(db);
  return rows;
}

export interface BootRequest {
  readonly systemId?: string;
  readonly mac?: string;
  readonly address: string;
  readonly protocol: 'dhcp' | 'tftp' | 'http';
  readonly path: string;
  readonly answer: string;
}

/** The boot log is part of the events: many in one statement, at level DEBUG. */
export async function logBootRequests(db: CellDb, requests: readonly BootRequest[]): Promise<void> {
  await recordAll(
    db,
    requests.map(({ systemId, mac, address, protocol, path, answer }) => ({
      kind: protocol === 'tftp' ? 'loader_request' : 'boot_request',
      ...(systemId === undefined ? {} : { systemId }),
      description: `${protocol} ${path.slice(0, 1024)} from ${address}${mac === undefined ? '' : ` (${mac})`}: ${answer.slice(0, 1024)}`,
      data: { protocol, address, path: path.slice(0, 1024), answer: answer.slice(0, 1024), ...(mac === undefined ? {} : { mac }) },
    })),
  );
}
