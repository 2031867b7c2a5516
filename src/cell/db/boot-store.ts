/** The facts that a boot is decided by, in one statement, and the log of what was asked and answered. */
import { sql } from 'kysely';
import type { BootPurpose } from '../../contract/operation.ts';
import type { CellDb } from './cell-db.ts';

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
}

/** Who asks: by MAC, else by UUID. `matches` above one means that the machine cannot be told: the caller treats it as unsure. */
export async function bootFacts(db: CellDb, asker: { mac: string | undefined; uuid: string | undefined; address: string }): Promise<BootRow> {
  const { rows } = await sql<BootRow>`
    with found as (
      select system_id, 1 as how from interface where mac = ${asker.mac ?? null}
      union
      select system_id, 2 from machine where hardware_uuid = ${asker.uuid ?? null}),
    chosen as (select system_id from found order by how limit 1)
    select m.system_id, m.status, m.locked, m.moved_to is not null as moved, m.ephemeral,
           (select count(distinct system_id)::int from found) as matches, t.nonce, t.purpose,
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

export interface BootRequest {
  readonly systemId?: string;
  readonly mac?: string;
  readonly address: string;
  readonly protocol: 'dhcp' | 'tftp' | 'http';
  readonly path: string;
  readonly answer: string;
}

/** Append to the boot log, many in one statement. */
export async function logBootRequests(db: CellDb, requests: readonly BootRequest[]): Promise<void> {
  if (requests.length === 0) return;
  await db
    .insertInto('boot_request')
    .values(
      requests.map((one) => ({
        system_id: one.systemId ?? null,
        mac: one.mac ?? null,
        address: one.address,
        protocol: one.protocol,
        path: one.path.slice(0, 1024),
        answer: one.answer.slice(0, 1024),
      })),
    )
    .execute();
}

/** Trim the boot log. */
export async function trimBootLog(db: CellDb, olderThanDays: number): Promise<void> {
  await sql`delete from boot_request where at < now() - ${olderThanDays} * interval '1 day'`.execute(db);
}
