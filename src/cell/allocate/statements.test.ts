/** What an allocation costs the database, by count: `npm run bench -- smoke` says what that makes in allocations a second. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cellApi, type CellApi, type Fields } from '../../../test/cell-api.ts';
import { preparedOnce } from '../../postgres/prepared-statements.ts';

let cell: CellApi;
beforeAll(async () => {
  cell = await cellApi();
  await cell.fleet(40, (n) => ({ cpu_count: 1 + (n % 3) }));
});
afterAll(() => cell.close());

async function costOf(op: string, fields: Fields = {}, headers: Record<string, string> = {}) {
  const { value, statements, transactions } = await cell.database.countStatements(() =>
    cell.askCell('ann', 'POST', `machines/?op=${op}`, fields, headers),
  );
  expect(value.status).toBe(200);
  return { statements, transactions };
}

test('two statements and no transaction: take and tell, then the machine with the networks it is shown in', async () => {
  const { statements, transactions } = await costOf('allocate', { cpu_count: '1', mem: '512' });
  expect(transactions).toBe(0);
  expect(statements).toEqual([
    expect.stringMatching(/for update of m skip locked[^]*insert into event/),
    expect.stringMatching(/as vlans[^]*from machine m where m\.system_id = \$1/),
  ]);
  // Each is planned once a connection, not once a call.
  expect(statements.filter((statement) => !statement.includes(preparedOnce))).toEqual([]);
});

test('with a key, two more to remember it, in one transaction', async () => {
  const { statements, transactions } = await costOf('allocate', {}, { 'idempotency-key': 'once' });
  expect([statements.length, transactions]).toEqual([4, 1]);
});

test('through a front: ask is one statement, claim two, confirm what the reply needs as well', async () => {
  expect(await costOf('ask')).toMatchObject({ statements: { length: 1 }, transactions: 0 });
  const claim = randomUUID();
  expect(await costOf('claim', { claim })).toMatchObject({ statements: { length: 2 }, transactions: 1 });
  expect(await costOf('confirm', { claim })).toMatchObject({ statements: { length: 2 }, transactions: 0 });
});
