/** Which program version each cell and front runs, as their polls say. */
import { sql } from 'kysely';
import type { HubDb, Role } from './hub-tables.ts';
import type { Poller } from './progress-store.ts';

export interface MemberVersion {
  readonly role: Role;
  readonly name: string;
  readonly version: string;
}

/** What a member says now; a text without a digit in front is no version. */
export async function noteVersion(db: HubDb, { role, name }: Poller, version: string): Promise<void> {
  await db
    .insertInto('member_version')
    .values({ role, name, version })
    .onConflict((conflict) => conflict.columns(['role', 'name']).doUpdateSet({ version, seen_at: sql<Date>`now()` }))
    .execute();
}

/** Of each connected process (a cell may have several, on the way from one version to the next), and of members that are away the last one. */
export async function readVersions(db: HubDb): Promise<MemberVersion[]> {
  const { rows } = await sql<MemberVersion>`
    with connected as (
      select role, name, version from replica_progress where seen_at > now() - interval '30 seconds'
    )
    select role, name, version from connected
    union
    select role, name, version from member_version
    where not exists (select from connected where connected.role = member_version.role and connected.name = member_version.name)`.execute(
    db,
  );
  return rows;
}
