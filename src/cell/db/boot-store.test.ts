/** What a boot is decided by, from real rows through the real handler: who asks, and which ticket it may see. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { machineCell, type MachineCell, type TestMachine } from '../../../test/machine-cell.ts';
import { bootFacts, logBootRequests } from './boot-store.ts';

let cell: MachineCell;
beforeAll(async () => {
  cell = await machineCell();
});
afterAll(() => cell.close());

const script = async (query: string, address = '10.99.0.50'): Promise<string> => {
  const { text } = await cell.get(`/boot/script.ipxe?${query}`, { address });
  const nonce = /muster_purpose=(\w+)/.exec(text)?.[1];
  return nonce ?? (text.includes('sanboot') ? 'local' : text.includes('off.lkrn') ? 'off' : 'retry');
};
const byMac = (machine: TestMachine) => script(`mac=${machine.mac.replaceAll(':', '-')}`);
const set = (machine: TestMachine, columns: string) =>
  sql`update machine set ${sql.raw(columns)} where system_id = ${machine.systemId}`.execute(cell.database.db);

test('a ticket is seen until it is claimed, spent, void, expired, used up, or its operation is over', async () => {
  const machine = await cell.addMachine();
  expect(await byMac(machine)).toBe('off');
  const id = await cell.start(machine, 'commission');
  expect(await byMac(machine)).toBe('local');
  await cell.settle();
  // Firmware asks twice: serving a script changes nothing.
  expect([await byMac(machine), await byMac(machine)]).toEqual(['commission', 'commission']);
  const nonce = await cell.nonceOf(machine);
  for (const gone of ['claimed = now()', 'spent = now()', 'voided = now()', "expires = now() - interval '1 s'", 'boots = boots_allowed']) {
    const undo = gone.startsWith('expires')
      ? "expires = now() + interval '1 h'"
      : gone.startsWith('boots')
        ? 'boots = 0'
        : `${gone.split(' ')[0]} = null`;
    await sql`update ticket set ${sql.raw(gone)} where nonce = ${nonce}`.execute(cell.database.db);
    expect([gone, await byMac(machine)]).toEqual([gone, 'local']);
    await sql`update ticket set ${sql.raw(undo)} where nonce = ${nonce}`.execute(cell.database.db);
    expect(await byMac(machine)).toBe('commission');
  }
  await sql`update operation set abort_asked = true where id = ${id}`.execute(cell.database.db);
  expect(await byMac(machine)).toBe('local');
});

test('locked and moved away stand above any ticket; states without one are as the table says', async () => {
  const machine = await cell.addMachine();
  await cell.start(machine, 'commission');
  await cell.settle();
  await set(machine, 'locked = true');
  expect(await byMac(machine)).toBe('local');
  await set(machine, "locked = false, moved_to = 'c18'");
  expect(await byMac(machine)).toBe('local');
  const idle = await cell.addMachine();
  for (const [status, answer] of [
    [0, 'off'],
    [2, 'off'],
    [4, 'off'],
    [22, 'off'],
    [6, 'local'],
    [10, 'local'],
    [8, 'local'],
    [11, 'local'],
    [7, 'local'],
    [9, 'local'],
    [16, 'rescue'],
  ] as const) {
    await set(idle, `status = ${status}`);
    expect([status, await byMac(idle)]).toEqual([status, answer]);
  }
});

test('who asks: by MAC, else by UUID; a MAC of one and the UUID of another is nobody for sure', async () => {
  const [one, two] = [await cell.addMachine(), await cell.addMachine()];
  await cell.start(one, 'commission');
  await cell.settle();
  const { hardware_uuid: uuid } = await cell.database.db
    .selectFrom('machine')
    .select('hardware_uuid')
    .where('system_id', '=', one.systemId)
    .executeTakeFirstOrThrow();
  expect(await script(`uuid=${uuid!.toUpperCase()}`)).toBe('commission');
  expect(await script(`mac=52-54-00-fe-fe-fe&uuid=${uuid}`)).toBe('commission');
  expect((await bootFacts(cell.database.db, { mac: two.mac, uuid: uuid!, address: '10.99.0.50' })).matches).toBe(2);
  expect(await script(`mac=${two.mac}&uuid=${uuid}`)).toBe('local');
});

test('an unknown machine: enlisted where its VLAN enlists, the local disk everywhere else', async () => {
  const query = 'mac=52-54-00-fe-fe-01';
  expect([await script(query), await script(query, '192.0.2.1'), await script('mac=nonsense')]).toEqual(['enlist', 'local', 'enlist']);
  await sql`update vlan set enlists = false`.execute(cell.database.db);
  expect(await script(query)).toBe('local');
  await sql`update vlan set enlists = true`.execute(cell.database.db);
});

test('the boot log takes many in one statement and cuts what is too long', async () => {
  const { db } = cell.database;
  const many = Array.from(
    { length: 50 },
    (_, n) => ({ address: '10.99.0.9', protocol: 'tftp', path: `/${n}${'x'.repeat(3000)}`, answer: 'file' }) as const,
  );
  const { statements } = await cell.database.countStatements(() => logBootRequests(db, many));
  expect(statements).toHaveLength(1);
  const { rows } = await sql<{
    length: number;
    level: number;
  }>`select length(description), level from event where type = 'loader_request'`.execute(db);
  expect([rows.length, new Set(rows.map((row) => row.level))]).toEqual([50, new Set([10])]);
  expect(rows[0]!.length).toBeLessThan(1200);
  await logBootRequests(db, []);
});
