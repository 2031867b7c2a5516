import { afterEach, beforeEach, expect, test } from 'vitest';
import { oauthHeader } from '../http/oauth.ts';
import { adminKey, exampleFleet, userKey, type Fleet } from './example-fleet.ts';
import type { Front } from './front.ts';

let fleet: Fleet;
let front: Front;

beforeEach(async () => {
  fleet = await exampleFleet(3);
  front = await fleet.start();
});
afterEach(() => fleet[Symbol.asyncDispose]());

const cell = (number: number) => fleet.cells[number - 1]!;
const owners = () => fleet.cells.flatMap((one) => one.machines.map(({ owner }) => owner)).filter((owner) => owner !== '');

function allocate(fields: Record<string, string> = {}, headers: Record<string, string> = {}, init: RequestInit = {}): Promise<Response> {
  return fetch(`${front.url}/MAAS/api/2.0/machines/?op=allocate`, {
    method: 'POST',
    headers: { authorization: oauthHeader(userKey), ...headers },
    body: new URLSearchParams(fields),
    ...init,
  });
}

test('the cheapest machine of all cells, taken for the caller, exactly one', async () => {
  const reply = await allocate({ agent_name: 'juju', comment: 'hello' });
  expect([reply.status, reply.headers.get('muster-cells')]).toEqual([200, 'asked=3 answered=3']);
  expect(await reply.json()).toMatchObject({ system_id: cell(1).machines[0]!.system_id, owner: 'ann', cell: 'c1' });
  expect(owners()).toEqual(['ann']);
  const asked = cell(1).seen.find((one) => one.route === 'Machines.ask');
  const claimed = cell(1).seen.find((one) => one.route === 'Machines.claim');
  expect(asked!.fields).toEqual({});
  expect(claimed!.fields).toMatchObject({ agent_name: ['juju'], comment: ['hello'] });
});

test('a hundred callers at once get as many machines as there are, each its own', async () => {
  const replies = await Promise.all(Array.from({ length: 30 }, () => allocate()));
  const taken = await Promise.all(
    replies.filter((one) => one.status === 200).map(async (one) => ((await one.json()) as { system_id: string }).system_id),
  );
  expect(new Set(taken).size).toBe(taken.length);
  expect(owners()).toHaveLength(taken.length);
  expect(taken.length).toBeGreaterThanOrEqual(3);
  for (const refused of replies.filter((one) => one.status !== 200)) expect(refused.status).toBe(409);
});

test("nothing fits: MAAS's sentence, what each constraint ruled out in each cell, and who was absent", async () => {
  await cell(3).stop();
  const reply = await allocate({ zone: 'moon', mem: '2048' });
  expect([reply.status, reply.headers.get('retry-after')]).toEqual([409, null]);
  expect((await reply.text()).split('\n')).toEqual([
    "No available machine matches constraints: [('zone', ['moon']), ('mem', ['2048'])] (resolved to \"zone=moon mem=2048\")",
    'Cell c1: 3 ready; zone rules out 3.',
    'Cell c2: 3 ready; zone rules out 3.',
    'Absent: c3; what they have is not known.',
  ]);
  expect(reply.headers.get('muster-cells')).toBe('asked=3 answered=2 absent=c3');
});

test('constraints that no cell understands are the cells own 400', async () => {
  const reply = await allocate({ mem: 'bad' });
  expect(reply.status).toBe(400);
});

test('a machine that is named and could be in an absent cell is 503, not 409', async () => {
  await cell(3).stop();
  expect((await allocate({ name: 'nobody', zone: 'moon' })).status).toBe(503);
  expect((await allocate({ system_id: cell(3).machines[0]!.system_id })).status).toBe(503);
});

test('a claim that is refused or gets lost: the next cell', async () => {
  cell(1).faults.set('Machines.claim', 'hang');
  const reply = await allocate();
  expect(await reply.json()).toMatchObject({ cell: 'c2' });
  expect(owners()).toEqual(['ann']);
});

test('a confirm of unknown outcome is repeated at the same cell, and then told with the machine: 504, not to be repeated', async () => {
  cell(1).faults.set('Machines.confirm', 503);
  const reply = await allocate();
  expect([reply.status, reply.headers.get('retry-after'), reply.headers.get('muster-error')]).toEqual([504, null, 'unknown_outcome']);
  expect(await reply.text()).toContain(`Cell c1 took machine ${cell(1).machines[0]!.system_id}`);
  expect(cell(1).seen.filter((one) => one.route === 'Machines.confirm')).toHaveLength(3);
  expect(cell(2).seen.filter((one) => one.route !== 'Machines.ask')).toEqual([]);
});

test('a confirm that succeeds the second time is a success', async () => {
  cell(1).faults.set('Machines.confirm', 503);
  const asked = allocate();
  await expect.poll(() => cell(1).seen.some((one) => one.route === 'Machines.confirm')).toBe(true);
  cell(1).faults.clear();
  expect((await asked).status).toBe(200);
  expect(owners()).toEqual(['ann']);
});

test('a caller that goes before the confirm gets no machine', async () => {
  cell(1).faults.set('Machines.claim', 'hang');
  const gone = new AbortController();
  const asked = allocate({}, {}, { signal: gone.signal });
  await expect.poll(() => cell(1).seen.some((one) => one.route === 'Machines.claim')).toBe(true);
  gone.abort();
  await expect(asked).rejects.toThrow(/terminated|aborted/);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(fleet.cells.flatMap((one) => one.seen).some((one) => one.route === 'Machines.confirm')).toBe(false);
  expect(owners()).toEqual([]);
});

test('first: whoever answers first, without waiting for the slow', async () => {
  cell(1).faults.set('Machines.ask', 'hang');
  const before = performance.now();
  const reply = await allocate({}, { 'muster-allocate': 'first' });
  expect(reply.status).toBe(200);
  expect(performance.now() - before).toBeLessThan(750);
});

test('the same Idempotency-Key is the same machine; a stranger with that key gets another', async () => {
  const once = (await (await allocate({}, { 'idempotency-key': 'k' })).json()) as { system_id: string };
  const again = (await (await allocate({}, { 'idempotency-key': 'k' })).json()) as { system_id: string };
  expect(again.system_id).toBe(once.system_id);
  expect(owners()).toEqual(['ann']);
  const other = await allocate({}, { 'idempotency-key': 'k', authorization: oauthHeader(adminKey) });
  expect(((await other.json()) as { system_id: string }).system_id).not.toBe(once.system_id);
  await cell(2).stop();
  expect((await allocate({}, { 'idempotency-key': 'k2' })).status).toBe(503);
});

test('dry_run says which and takes none', async () => {
  const reply = await allocate({ dry_run: 'true' });
  expect(await reply.json()).toMatchObject({ system_id: cell(1).machines[0]!.system_id });
  expect(owners()).toEqual([]);
});
