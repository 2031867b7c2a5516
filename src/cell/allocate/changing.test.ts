/** A machine whose disks are being changed at the moment of an allocation: what is matched is what it has when it is taken. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { cellApi, type CellApi } from '../../../test/cell-api.ts';
import type { CellDb } from '../db/cell-db.ts';

let cell: CellApi;
let systemId: string;
beforeAll(async () => {
  cell = await cellApi({ asked: 'cell' });
  [systemId = ''] = await cell.fleet(1);
});
afterAll(() => cell.close());

beforeEach(async () => {
  const { db } = cell.database;
  await sql`delete from filesystem`.execute(db);
  await sql`delete from block_device`.execute(db);
  await sql`insert into block_device (system_id, name, size) select ${systemId}, 'sd' || n, 100e9 from unnest('{a,b}'::text[]) n`.execute(
    db,
  );
  await sql`update machine set status = 4, owner = null, storage_layout = 'blank',
    boot_disk_id = (select id from block_device where name = 'sda')`.execute(db);
});

/** Allocate while somebody changes the machine's disks and has not committed yet. */
async function allocateDuring(change: (tx: CellDb) => Promise<unknown>) {
  let asked: ReturnType<CellApi['ask']> | undefined;
  await cell.database.transaction(async (tx) => {
    await sql`update machine set updated = now(), generation = generation + 1 where system_id = ${systemId}`.execute(tx);
    await change(tx);
    asked = cell.ask('ann', 'POST', 'machines/?op=allocate', { storage: 'root:50,data:50' });
    const waiting = async (): Promise<number> => {
      const { rows } = await sql<{ n: number }>`select count(*) as n from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`.execute(cell.database.db);
      return rows[0]?.n ?? 0;
    };
    await expect.poll(waiting, { timeout: 10_000 }).toBe(1);
  });
  if (!asked) throw new Error('nothing was asked');
  return asked;
}

test('a disk that has come into use meanwhile is not given out', async () => {
  const reply = await allocateDuring((tx) =>
    sql`insert into filesystem (system_id, block_device_id, fstype, uuid) select system_id, id, 'ext4', 'u' from block_device where name = 'sdb'`.execute(
      tx,
    ),
  );
  expect(reply.status, reply.text).toBe(409);
  expect(reply.text).toContain('ruled out by storage 1');
});

test('a disk that has come meanwhile counts, and labels name what is there now', async () => {
  const reply = await allocateDuring(async (tx) => {
    await sql`delete from block_device where name = 'sdb'`.execute(tx);
    await sql`insert into block_device (system_id, name, size) values (${systemId}, 'sdc', 200e9)`.execute(tx);
  });
  expect(reply.status, reply.text).toBe(200);
  const { rows } = await sql<{ id: number; name: string }>`select id, name from block_device order by name`.execute(cell.database.db);
  expect(reply.json()['constraints_by_type']).toEqual({ storage: { root: [rows[0]?.id], data: [rows[1]?.id] } });
});
