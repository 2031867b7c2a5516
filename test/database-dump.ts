// A logical dump of a whole database and putting it back, as pg_dump and pg_restore do: rows and sequences, in one snapshot each.
import pg from 'pg';

/** Table or sequence → its rows as JSON text, or its position. */
export interface DatabaseDump {
  readonly tables: ReadonlyMap<string, string>;
  readonly sequences: ReadonlyMap<string, { readonly last_value: string; readonly is_called: boolean }>;
}

async function within<T>(url: string, begin: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(begin);
    const value = await work(client);
    await client.query('commit');
    return value;
  } finally {
    await client.end();
  }
}

async function namesOf(client: pg.Client, kind: 'r' | 'S'): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select quote_ident(relname) as name from pg_class where relkind = $1 and relnamespace = 'public'::regnamespace order by 1`,
    [kind],
  );
  return rows.map(({ name }) => name);
}

/** `url`: as `DATABASE_URL` says it. Others may go on writing. */
export function dumpDatabase(url: string): Promise<DatabaseDump> {
  return within(url, 'begin isolation level repeatable read read only', async (client) => {
    const tables = new Map<string, string>();
    for (const name of await namesOf(client, 'r')) {
      const { rows } = await client.query<{ all: string }>(`select coalesce(json_agg(t), '[]')::text as all from ${name} t`);
      tables.set(name, rows[0]!.all);
    }
    const sequences = new Map<string, { last_value: string; is_called: boolean }>();
    for (const name of await namesOf(client, 'S')) {
      const { rows } = await client.query<{ last_value: string; is_called: boolean }>(`select last_value::text, is_called from ${name}`);
      sequences.set(name, rows[0]!);
    }
    return { tables, sequences };
  });
}

/** Everything is as it was then, whoever is connected. Needs a superuser, as a restore with foreign keys does. */
export async function restoreDatabase(url: string, dump: DatabaseDump): Promise<void> {
  await within(url, 'begin', async (client) => {
    await client.query('set local session_replication_role = replica');
    await client.query(`truncate ${[...dump.tables.keys()].join(', ')}`);
    for (const [name, rows] of dump.tables)
      await client.query(`insert into ${name} overriding system value select * from json_populate_recordset(null::${name}, $1::json)`, [
        rows,
      ]);
    for (const [name, { last_value, is_called }] of dump.sequences)
      await client.query('select setval($1::regclass, $2::bigint, $3)', [name, last_value, is_called]);
  });
}
