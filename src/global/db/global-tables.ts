/** The tables of `migrations/` as Kysely sees them. */
import type { ColumnType, Generated } from 'kysely';
import type { Database } from '../../postgres/database.ts';

type Json = ColumnType<Record<string, unknown>, string, string>;

interface Position {
  stream: 'access' | 'config';
  epoch: number;
  n: number;
}

export interface DocumentRow extends Position {
  kind: string;
  id: string;
  retired: boolean;
  body: Json;
}

export interface GlobalTables {
  global_revision: Position & { mark: Generated<string> };
  global_document: DocumentRow;
  global_change: DocumentRow & { at: Generated<Date>; by: string; mark: Generated<string> };
  global_origin: { one: Generated<boolean>; hub_key: string; rotations: string[] };
  password_verifier: { user_id: number; verifier: string };
  image_import_lease: { one: Generated<boolean>; holder: string | null; until: Date; finished: Date | null };
  client_secret: { provider_id: number; secret: string };
}

/** The same pool, seen as far as global config goes. Kysely's schema parameter is invariant, so a wider schema needs saying so. */
export function asGlobalDatabase<Schema>(database: Database<Schema>): Database<GlobalTables> {
  return database as unknown as Database<GlobalTables>;
}
