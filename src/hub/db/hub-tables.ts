/** The tables of `migrations/0001-hub.sql` as Kysely sees them, with those of global config. */
import type { ColumnType, Generated, Kysely } from 'kysely';
import type { GlobalTables } from '../../global/db/global-tables.ts';

export type Role = 'cell' | 'front';

export interface HubTables extends GlobalTables {
  join_token: {
    hash: string;
    role: Role;
    name: string;
    number: number;
    made_at: Generated<Date>;
    made_by: string;
    expires_at: ColumnType<Date, Date, Date>;
    used_by_key: string | null;
    rejoins: Generated<boolean>;
    replace_key: Generated<boolean>;
  };
  given_number: { role: Role; number: number; name: string; drawn: boolean; epoch: number; given_at: Generated<Date> };
  replica_progress: {
    role: Role;
    name: string;
    process: string;
    version: Generated<string>;
    access_epoch: Generated<number>;
    access_n: Generated<number>;
    config_epoch: Generated<number>;
    config_n: Generated<number>;
    seen_at: Generated<Date>;
  };
  hub_key_rotation: {
    from_key: string;
    to_key: string;
    announcement: string;
    sealed_key: string | null;
    at: Generated<Date>;
    by: string;
  };
  member_version: { role: Role; name: string; version: string; seen_at: Generated<Date> };
}

export type HubDb = Kysely<HubTables>;

/** The same transaction, seen as far as global config goes. */
export function asGlobalTransaction(tx: HubDb): Kysely<GlobalTables> {
  return tx as unknown as Kysely<GlobalTables>;
}
