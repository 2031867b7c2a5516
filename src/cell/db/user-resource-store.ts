/** What a user has in this cell: machines, and ranges of addresses. Both know their user by name. */
import { sql } from 'kysely';
import { wakesFollowers } from '../../postgres/wake-after-commit.ts';
import type { CellDb } from './cell-db.ts';
import { recording } from './event-store.ts';

export interface UserResources {
  readonly machines: number;
  readonly ip_ranges: number;
}

export async function countResources(db: CellDb, username: string): Promise<UserResources> {
  const { rows } = await sql<UserResources>`
    select (select count(*) from machine where owner = ${username}) as machines,
           (select count(*) from ip_range where owner = ${username}) as ip_ranges`.execute(db);
  return rows[0] ?? { machines: 0, ip_ranges: 0 };
}

/**
 * Give everything of one user to another, in one statement with its events, however much it is. Done again, it finds nothing left to do.
 * `by`: who asked. Whoever judged a machine by its owner at the same moment loses the race: the generation rises.
 */
export async function transferResources(
  db: CellDb,
  { from, to, by }: { readonly from: string; readonly to: string; readonly by: string },
): Promise<UserResources> {
  const told = { kind: 'machine_updated', username: by, description: `owner: ${from} to ${to}` } as const;
  const { rows } = await sql<UserResources>`
    with changed as (
      update machine set owner = ${to}, generation = generation + 1, updated = now()
      where system_id in (select m.system_id from machine m where m.owner = ${from} order by m.system_id for update)
      returning system_id
    ), ranges as (
      update ip_range set owner = ${to} where owner = ${from} returning id
    ), told as (${recording('changed', [told])})
    select (select count(*) from changed) as machines, (select count(*) from ranges) as ip_ranges ${sql.raw(wakesFollowers)}`.execute(db);
  return rows[0] ?? { machines: 0, ip_ranges: 0 };
}
