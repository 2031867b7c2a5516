import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { oauthHeader } from '../http/oauth.ts';
import { homesOf } from './ask-order.ts';
import { adminKey, exampleFleet, userKey, type ExampleCell, type Fleet } from './example-fleet.ts';
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
    "No available machine matches constraints: [('zone', ['moon']), ('mem', ['2048'])] (resolved to \"zone=moon mem=2048.0\")",
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
  // And the cell is told at once, before the claim would have freed itself.
  await expect.poll(() => cell(1).over.size).toBe(1);
});

test('first: whoever answers first, without waiting for the slow', async () => {
  cell(1).faults.set('Machines.ask', 'hang');
  const before = performance.now();
  const reply = await allocate({}, { 'muster-allocate': 'first' });
  expect(reply.status).toBe(200);
  expect(performance.now() - before).toBeLessThan(750);
});

/** Allocate with a key, at any front. */
const keyed = (key: string, at: Front = front, fields: Record<string, string> = {}): Promise<Response> =>
  fetch(`${at.url}/MAAS/api/2.0/machines/?op=allocate`, {
    method: 'POST',
    headers: { authorization: oauthHeader(userKey), 'idempotency-key': key },
    body: new URLSearchParams(fields),
  });
const idOf = async (reply: Response | Promise<Response>): Promise<string> =>
  ((await (await reply).json()) as { system_id: string }).system_id;
const homeOf = (key: string): ExampleCell => homesOf(fleet.cells, 'ann', key)[0]!;
/** A key whose home is this cell. */
const keyOf = (number: number): string => Array.from({ length: 1_000 }, (_, n) => `key-${n}`).find((key) => homeOf(key).number === number)!;

describe('an Idempotency-Key', () => {
  test('is one machine, however often and at whichever front it is sent; a stranger with that key gets another', async () => {
    const other = await fleet.start();
    const once = await idOf(keyed('k'));
    expect([await idOf(keyed('k')), await idOf(keyed('k', other))]).toEqual([once, once]);
    expect(owners()).toEqual(['ann']);
    const stranger = await allocate({}, { 'idempotency-key': 'k', authorization: oauthHeader(adminKey) });
    expect(await idOf(stranger)).not.toBe(once);
  });

  test('at two fronts at the same moment: one machine, also where each would take another cell', async () => {
    const other = await fleet.start({ allocate: 'first' });
    for (const key of ['p', 'q', 'r']) {
      const ids = await Promise.all([front, other, front, other].map((at) => idOf(keyed(key, at))));
      expect(new Set(ids).size).toBe(1);
    }
    expect(owners()).toEqual(['ann', 'ann', 'ann']);
    // Whoever lost has freed what it had claimed.
    await expect
      .poll(() => fleet.cells.flatMap((one) => one.machines).filter((one) => one.owner === '' && one.claim !== undefined))
      .toEqual([]);
  });

  test('that was used with other constraints is noticed', async () => {
    await keyed('k', front, { mem: '1' });
    const reply = await keyed('k', front, { mem: '2' });
    expect([reply.status, reply.headers.get('muster-error')]).toEqual([409, 'idempotency_mismatch']);
    expect(owners()).toEqual(['ann']);
  });

  test('outlives a front that died between claim and confirm: the next front finds its claim', async () => {
    cell(1).faults.set('Machines.confirm', 'hang');
    const lost = keyed('k').catch(() => undefined);
    await expect.poll(() => cell(1).seen.some((one) => one.route === 'Machines.confirm')).toBe(true);
    await front.close(0);
    await lost;
    cell(1).faults.clear();
    const other = await fleet.start();
    expect(await idOf(keyed('k', other))).toBe(cell(1).machines[0]!.system_id);
    expect(owners()).toEqual(['ann']);
  });

  test('waits for the cell that keeps it, and for no other', async () => {
    await cell(2).stop();
    const refused = await keyed(keyOf(2));
    expect([refused.status, refused.headers.get('muster-error'), refused.headers.get('retry-after')]).toEqual([503, 'cell_absent', '10']);
    expect((await keyed(keyOf(3))).status).toBe(200);
    expect(owners()).toEqual(['ann']);
  });

  test('is not answered past a home that refuses the question: nobody else knows what it stands for', async () => {
    const key = keyOf(2);
    const once = await idOf(keyed(key));
    cell(2).faults.set('Machines.ask', 400);
    const refused = await keyed(key);
    expect([refused.status, refused.headers.get('muster-error')]).toEqual([503, 'cell_absent']);
    for (const one of fleet.cells) one.faults.set('Machines.ask', 400);
    expect((await keyed(key)).status).toBe(400);
    for (const one of fleet.cells) one.faults.clear();
    fleet.mark('c2', 'drained');
    expect(await idOf(keyed(key))).toBe(once);
    expect(owners()).toEqual(['ann']);
  });

  test('that cannot be settled takes nothing', async () => {
    const key = keyOf(3);
    cell(3).faults.set('Machines.settle_key', 503);
    expect((await keyed(key)).status).toBe(503);
    await expect.poll(() => cell(1).over.size).toBe(1);
    expect(fleet.cells.flatMap((one) => one.seen).some((one) => one.route === 'Machines.confirm')).toBe(false);
    cell(3).faults.clear();
    expect((await keyed(key)).status).toBe(200);
  });
});

describe('whom to ask', () => {
  const asked = (): string[] => fleet.cells.filter((one) => one.seen.some(({ route }) => route === 'Machines.ask')).map(({ name }) => name);

  test('a sample, which widens until one fits', async () => {
    const narrow = await fleet.start({ ask_sample: 1 });
    const ask = (fields: Record<string, string> = {}) =>
      fetch(`${narrow.url}/MAAS/api/2.0/machines/?op=allocate`, {
        method: 'POST',
        headers: { authorization: oauthHeader(userKey) },
        body: new URLSearchParams(fields),
      });
    const reply = await ask();
    expect([reply.status, reply.headers.get('muster-cells')]).toEqual([200, 'asked=1 answered=1']);
    expect(asked()).toHaveLength(1);
    for (const machine of [...cell(1).machines, ...cell(3).machines]) machine.owner = 'bob';
    for (const machine of cell(2).machines) machine.owner = '';
    expect(await (await ask()).json()).toMatchObject({ cell: 'c2' });
    for (const machine of cell(2).machines) machine.owner = 'bob';
    const none = await ask();
    expect([none.status, none.headers.get('muster-cells')]).toEqual([409, 'asked=3 answered=3']);
    expect((await none.text()).split('\n')).toHaveLength(4);
  });

  test('all at once where a few machines are named', async () => {
    const narrow = await fleet.start({ ask_sample: 1 });
    const reply = await fetch(`${narrow.url}/MAAS/api/2.0/machines/?op=allocate`, {
      method: 'POST',
      headers: { authorization: oauthHeader(userKey) },
      body: new URLSearchParams({ zone: 'far' }),
    });
    expect([reply.status, asked()]).toEqual([200, ['c1', 'c2', 'c3']]);
  });

  test('not a cell that does not answer, is out or is drained; each is named', async () => {
    fleet.mark('c1', 'drained');
    await cell(2).stop();
    for (let n = 0; n < 3; n += 1) await fetch(`${front.url}/MAAS/api/2.0/machines/`, { headers: { authorization: oauthHeader(userKey) } });
    const reply = await allocate();
    expect(reply.headers.get('muster-cells')).toBe('asked=2 answered=1 absent=c2 drained=c1');
    expect(await reply.json()).toMatchObject({ cell: 'c3' });
    expect(asked()).toEqual(['c3']);
  });
});

test('spread=cell: where the caller holds the fewest', async () => {
  const cells: unknown[] = [];
  for (let n = 0; n < 6; n += 1) cells.push(((await (await allocate({ spread: 'cell' })).json()) as { cell: string }).cell);
  expect(cells.slice(0, 3).toSorted()).toEqual(['c1', 'c2', 'c3']);
  expect(cells.slice(3).toSorted()).toEqual(['c1', 'c2', 'c3']);
});

test('the cell is told when the caller has its reply, and of nothing that nobody got', async () => {
  await (await allocate()).text();
  const told = () => fleet.cells.flatMap((one) => one.seen).filter((one) => one.route === 'Machines.mark_delivered').length;
  await expect.poll(told).toBe(1);
  for (const one of fleet.cells) one.faults.set('Machines.confirm', 503);
  expect((await allocate()).status).toBe(504);
  expect(told()).toBe(1);
});

test('dry_run says which and takes none', async () => {
  const reply = await allocate({ dry_run: 'true' });
  expect(await reply.json()).toMatchObject({ system_id: cell(1).machines[0]!.system_id });
  expect(owners()).toEqual([]);
});
