/** Small files that all processes of the cell share, sealed with the secret.key that each of them has. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';
import type { SecretKey } from './secret-key.ts';

/** The file's text; undefined when none is kept. @throws WrongSecretKey */
export async function readSharedFile(db: CellDb, key: SecretKey, name: string): Promise<string | undefined> {
  const { rows } = await sql<{ sealed: Buffer }>`select sealed from cell_shared_file where name = ${name}`.execute(db);
  return rows[0] && key.open(rows[0].sealed).toString('utf8');
}

/** Keep this text. */
export async function keepSharedFile(db: CellDb, key: SecretKey, name: string, text: string): Promise<void> {
  const sealed = key.seal(Buffer.from(text, 'utf8'));
  await sql`
    insert into cell_shared_file (name, sealed) values (${name}, ${sealed})
    on conflict (name) do update set sealed = excluded.sealed, changed = now()`.execute(db);
}
