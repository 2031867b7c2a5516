/** A device that boots from the network (docs/compatibility.md): its local disk, also where unknown machines are enlisted. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemIdOf } from '../src/contract/ids.ts';
import { machineCell, type MachineCell } from './machine-cell.ts';

let cell: MachineCell;
beforeAll(async () => {
  cell = await machineCell();
});
afterAll(() => cell.close());

test('boots its local disk', async () => {
  const { db } = cell.database;
  const id = systemIdOf(17, 5_000) ?? '';
  const script = async (mac: string) => (await cell.get(`/boot/script.ipxe?mac=${mac}`, { address: '10.99.0.50' })).text;
  expect(await script('52-54-00-fe-fe-07')).toContain('muster_purpose=enlist');
  const domain = await db.selectFrom('domain').select('id').limit(1).executeTakeFirstOrThrow();
  await sql`insert into device (system_id, hostname, domain_id, owner) values (${id}, 'printer', ${domain.id}, 'ann')`.execute(db);
  await sql`insert into interface (system_id, name, mac) values (${id}, 'eth0', '52:54:00:fe:fe:07')`.execute(db);
  const own = await script('52-54-00-fe-fe-07');
  expect([own.includes('sanboot'), own.includes('muster_purpose')]).toEqual([true, false]);
});
