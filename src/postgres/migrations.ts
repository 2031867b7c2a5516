import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { explainError } from './database-errors.ts';

/** One room's migrations: its folder of `0001-name.sql` files and the table that says which were applied. */
export type MigrationSet = {
  /** A folder URL that ends in `/`: `new URL('./migrations/', import.meta.url)`. */
  readonly folder: URL;
  /** `cell_migration`, `hub_migration`: its own for each room. */
  readonly table: string;
};

export type Migration = {
  readonly number: number;
  readonly name: string;
  readonly text: string;
  readonly checksum: string;
  /** Marked `--! breaking`: a program that does not know it must not run on the schema. */
  readonly breaking: boolean;
};

/** The schema and this program do not fit together: the message says which file and why. */
export class MigrationRefused extends Error {
  override name = 'MigrationRefused';
}

/** Reads a set's files in order. Throws `MigrationRefused` for a name without a number or a number used twice. */
export function readMigrations(folder: URL): Migration[] {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .toSorted();
  const migrations = files.map((name) => {
    const number = /^(\d{4})-[a-z0-9-]+\.sql$/.exec(name)?.[1];
    if (number === undefined) throw new MigrationRefused(`${name}: a migration is named like 0001-what-it-does.sql.`);
    const text = readFileSync(new URL(name, folder), 'utf8').replaceAll('\r\n', '\n');
    const checksum = createHash('sha256').update(text).digest('hex');
    return { number: Number(number), name, text, checksum, breaking: /^--! breaking\b/m.test(text) };
  });
  const twice = migrations.find((migration, at) => migrations[at - 1]?.number === migration.number);
  if (twice !== undefined) throw new MigrationRefused(`${twice.name}: another migration has the same number.`);
  return migrations;
}

/** What the migration table says about one migration. */
export type AppliedMigration = Pick<Migration, 'number' | 'name' | 'checksum' | 'breaking'>;

/**
 * What is to be applied. Refuses an applied file that was edited since, a file numbered below what is
 * applied already, and a newer schema with a breaking change. A newer schema without one is fine:
 * versions N and N−1 run side by side.
 */
export function planMigrations(files: readonly Migration[], applied: readonly AppliedMigration[]): Migration[] {
  const highest = Math.max(0, ...applied.map((row) => row.number));
  for (const row of applied) {
    const file = files.find((candidate) => candidate.number === row.number);
    if (file === undefined && row.breaking) {
      throw new MigrationRefused(
        `The database has migration ${row.name}, which this version does not know and which breaks it. Run the newer version.`,
      );
    }
    if (file !== undefined && file.checksum !== row.checksum) {
      throw new MigrationRefused(
        `${file.name} was applied as something else (${row.name}, ${row.checksum.slice(0, 12)}…). Never edit an applied migration: add a new one.`,
      );
    }
  }
  const pending = files.filter((file) => !applied.some((row) => row.number === file.number));
  const late = pending.find((file) => file.number < highest);
  if (late !== undefined)
    throw new MigrationRefused(`${late.name} comes too late: migration ${highest} is applied already. Give it a higher number.`);
  return pending;
}

/**
 * Applies what is missing, set after set, each file in one transaction. Returns the names applied by us.
 *
 * The row is inserted before the file runs: a second starter waits on that row's key and, when we
 * commit, finds that there is nothing to do; if we roll back, it applies the file itself.
 */
export async function migrate(connection: pg.ClientConfig, sets: readonly MigrationSet[]): Promise<string[]> {
  const client = new pg.Client(connection);
  client.on('error', () => undefined);
  const done: string[] = [];
  try {
    await client.connect();
    for (const set of sets) {
      const table = client.escapeIdentifier(set.table);
      await createTable(client, table);
      const files = readMigrations(set.folder);
      const { rows } = await client.query<AppliedMigration>(`select number, name, checksum, breaking from ${table}`);
      for (const migration of planMigrations(files, rows)) {
        if (await apply(client, table, migration)) done.push(migration.name);
      }
    }
    return done;
  } catch (error) {
    throw explainError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function apply(client: pg.Client, table: string, migration: Migration): Promise<boolean> {
  await client.query('begin');
  try {
    const { rowCount } = await client.query(
      `insert into ${table} (number, name, checksum, breaking) values ($1, $2, $3, $4) on conflict do nothing`,
      [migration.number, migration.name, migration.checksum, migration.breaking],
    );
    if (rowCount === 1) await client.query(migration.text);
    await client.query('commit');
    return rowCount === 1;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw new MigrationRefused(`${migration.name} failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** `create table if not exists` by several at once fails for some on the catalogue: they find it made when they look again. */
async function createTable(client: pg.Client, table: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.query(`create table if not exists ${table} (
        number int primary key,
        name text not null,
        checksum text not null,
        breaking boolean not null,
        applied timestamptz not null default now()
      )`);
      return;
    } catch (error) {
      // 23505 unique_violation, 42710 duplicate_object, 42P07 duplicate_table.
      const raced = error instanceof pg.DatabaseError && ['23505', '42710', '42P07'].includes(error.code ?? '');
      if (!raced || attempt === 5) throw error;
    }
  }
}
