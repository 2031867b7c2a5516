/** What a user has in this cell: machines, devices, addresses and ranges of addresses. They know their user by name. */
import { sql } from 'kysely';
import { wakesFollowers } from '../../postgres/wake-after-commit.ts';
import type { CellDb } from './cell-db.ts';
import { recording } from './event-store.ts';

export interface UserResources {
  readonly machines: number;
  readonly devices: number;
  readonly ip_ranges: number;
  readonly ip_addresses: number;
}

const nothing: UserResources = { machines: 0, devices: 0, ip_ranges: 0, ip_addresses: 0 };

export async function countResources(db: CellDb, username: string): Promise<UserResources> {
  const { rows } = await sql<UserResources>`
    select (select count(*) from machine where owner = ${username}) as machines,
           (select count(*) from device where owner = ${username}) as devices,
           (select count(*) from ip_range where owner = ${username}) as ip_ranges,
           (select count(*) from ip_address where owner = ${username}) as ip_addresses`.execute(db);
  return rows[0] ?? nothing;
}

/**
 * Give everything of one user to another, in one statement with its events, however much it is. Done again, it finds nothing left to do.
 * `by`: who asked. Whoever judged a machine by its owner at the same moment loses the race: the generation rises.
 */
export async function transferResources(
  db: CellDb,
  { from, to, by }: { readonly from: string; readonly to: string; readonly by: string },
): Promise<UserResources> {
  const told = { username: by, description: `owner: ${from} to ${to}` };
  const { rows } = await sql<UserResources>`
    with changed as (
      update machine set owner = ${to}, generation = generation + 1, updated = now()
      where system_id in (select m.system_id from machine m where m.owner = ${from} order by m.system_id for update)
      returning system_id
    ), devices as (
      update device set owner = ${to}, updated = now()
      where system_id in (select d.system_id from device d where d.owner = ${from} order by d.system_id for update)
      returning system_id
    ), ranges as (
      update ip_range set owner = ${to} where owner = ${from} returning id
    ), addresses as (
      update ip_address set owner = ${to} where owner = ${from} returning id
    ), told as (${recording('changed', [{ kind: 'machine_updated', ...told }])}), told_too as (${recording('devices', [{ kind: 'device_updated', ...told }])})
    select (select count(*) from changed) as machines, (select count(*) from devices) as devices, (select count(*) from ranges) as ip_ranges,
           (select count(*) from addresses) as ip_addresses ${sql.raw(wakesFollowers)}`.execute(db);
  return rows[0] ?? nothing;
}
