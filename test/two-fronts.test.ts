// Two fronts over two cells with real databases: the same Idempotency-Key at both at the same moment, and what becomes of callers that go.
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Cell } from '../src/cell/cell.ts';
import type { Front } from '../src/front/front.ts';
import { ApiError } from '../src/http/client.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import { makeMachines, SmallFleet } from './small-fleet.ts';

// A machine that is busy with everything else as well.
vi.setConfig({ testTimeout: 120_000 });

let fleet: SmallFleet;
let cells: Cell[];
let fronts: Front[];

beforeAll(async () => {
  fleet = await SmallFleet.open();
  cells = [(await fleet.openCell('north')).cell, (await fleet.openCell('south')).cell];
  fronts = [await fleet.openFront('f1'), await fleet.openFront('f2')];
  // Forty calls claim at once, of which thirty lose and free theirs: either cell alone has enough for all.
  for (const cell of cells) await makeMachines(cell, 45, 4096);
  const heard = () => cells.every((cell) => ['f1', 'f2'].every((name) => cell.global.reader.named('front', name) !== undefined));
  const client = fleet.client(fronts[1]!.url);
  const reached = async () => heard() && (await client.call('Machines.summary', {}, {})).machines === 90;
  await vi.waitUntil(reached, { timeout: 30_000, interval: 100 });
}, 180_000);
afterAll(() => fleet[Symbol.asyncDispose]());

/** How many machines are claimed and not confirmed, over all cells. */
async function unconfirmed(): Promise<number> {
  const counts = await Promise.all(
    cells.map(async (cell) => {
      const { rows } = await sql<{ n: number }>`select count(*) as n from machine where confirm_by is not null`.execute(
        cell.base.database.db,
      );
      return Number(rows[0]?.n);
    }),
  );
  return counts.reduce((sum, n) => sum + n, 0);
}

const allocated = async (): Promise<string[]> =>
  (await fleet.client(fronts[0]!.url).call('Machines.list_allocated', {}, {})).map((machine) => machine.system_id);

/** As a client with a key does it: 503 is asked again, for the key sees to it that this is safe. */
async function allocate(front: Front, key: string): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    try {
      return (await fleet.client(front.url).call('Machines.allocate', {}, {}, { idempotencyKey: key })).system_id;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 503 || tries === 20) throw error;
      await sleep(500);
    }
  }
}

test('ten keys, each four times at two fronts at the same moment: ten machines, each key its own, and nothing stays claimed', async () => {
  const keys = Array.from({ length: 10 }, (_, n) => `key-${n}`);
  const asked = keys.flatMap((key) => [0, 1, 0, 1].map((at) => ({ key, at })));
  const taken = await Promise.all(
    asked.map(async ({ key, at }) => {
      return { key, id: await allocate(fronts[at]!, key) };
    }),
  );
  const byKey = new Map(keys.map((key) => [key, new Set(taken.filter((one) => one.key === key).map(({ id }) => id))]));
  expect([...byKey.values()].map((ids) => ids.size)).toEqual(keys.map(() => 1));
  expect(new Set(taken.map(({ id }) => id)).size).toBe(10);
  // Losers free what they had claimed, long before it would free itself.
  await expect.poll(unconfirmed, { timeout: 10_000 }).toBe(0);
  expect(new Set(await allocated())).toEqual(new Set(taken.map(({ id }) => id)));
  // Again, and after the machine was released: still the same one, as it is now.
  const [first] = taken;
  await fleet.client(fronts[0]!.url).call('Machine.release', { system_id: first!.id }, {});
  expect(await allocate(fronts[1]!, first!.key)).toBe(first!.id);
  const other = fleet.client(fronts[1]!.url).call('Machines.allocate', {}, { mem: [1] }, { idempotencyKey: first!.key });
  await expect(other).rejects.toMatchObject({ code: 'idempotency_mismatch' });
});

test('callers that go at any moment leave no claim behind, and what they never heard of is listed', async () => {
  const before = new Set(await allocated());
  for (let round = 0; round < 12; round += 1) {
    const gone = new AbortController();
    const asked = fetch(`${fronts[round % 2]!.url}/MAAS/api/2.0/machines/?op=allocate`, {
      method: 'POST',
      headers: { authorization: oauthHeader(fleet.admin.apiKey) },
      signal: gone.signal,
    });
    await sleep(round * 3);
    gone.abort();
    await asked.then((reply) => reply.text()).catch(() => undefined);
  }
  await expect.poll(unconfirmed, { timeout: 10_000 }).toBe(0);
  // Whoever was not told of his machine finds it here, a minute later as far as the cells' rows say.
  const untold: string[] = [];
  for (const cell of cells) {
    const { rows } = await sql<{ system_id: string }>`
      update claim set since = now() - interval '2 minutes' where state = 'kept' and delivered is null returning system_id`.execute(
      cell.base.database.db,
    );
    untold.push(...rows.map((row) => row.system_id));
  }
  const listed = async () =>
    (await fleet.client(fronts[0]!.url).call('Findings.read', {}, { kind: ['undelivered_allocation'] }))
      .map(({ subject }) => subject)
      .toSorted();
  await expect.poll(listed, { timeout: 15_000 }).toEqual(untold.toSorted());
  const now = await allocated();
  expect(untold.filter((id) => !now.includes(id) || before.has(id))).toEqual([]);
});
