/** Fifty cells of which some hang: what everybody else notices. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { oauthHeader } from '../http/oauth.ts';
import { exampleFleet, userKey, type Fleet } from './example-fleet.ts';
import type { Front } from './front.ts';

const size = 50;
let fleet: Fleet;
let front: Front;

beforeAll(async () => {
  fleet = await exampleFleet(size);
  front = await fleet.start({ gather_ms: 2_000, call_ms: 2_000 });
});
afterAll(() => fleet[Symbol.asyncDispose]());

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${front.url}/MAAS/api/2.0/${path}`, { headers: { authorization: oauthHeader(userKey) }, ...init });
const askedAt = (names: readonly string[]): number =>
  fleet.cells.filter(({ name }) => names.includes(name)).reduce((sum, { seen }) => sum + seen.length, 0);

test('cells that hang are named once their time is over, and from the fourth time on nobody waits for them or asks them', async () => {
  const hung = ['c7', 'c20', 'c33'];
  const gone = 'c41';
  for (const cell of fleet.cells.filter(({ name }) => hung.includes(name))) cell.faults.set('all', 'hang');
  await fleet.cells.find(({ name }) => name === gone)!.stop();
  const header = 'asked=50 answered=46 absent=c7,c20,c33,c41';
  for (let n = 0; n < 3; n += 1) {
    const reply = await ask('machines/');
    expect([reply.status, reply.headers.get('muster-cells')]).toEqual([200, header]);
    expect((await reply.json()) as unknown[]).toHaveLength(46 * 3);
  }
  // Their breakers are open: the same answer at once, and no more requests there.
  const before = askedAt(hung);
  const began = performance.now();
  for (let n = 0; n < 3; n += 1) expect((await ask('machines/')).headers.get('muster-cells')).toBe(header);
  expect(performance.now() - began).toBeLessThan(6_000);
  const taken = await Promise.all(Array.from({ length: 20 }, () => ask('machines/?op=allocate', { method: 'POST' })));
  expect(taken.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
  for (const reply of taken) expect(reply.headers.get('muster-cells')).toContain('absent=c7,c20,c33,c41');
  expect(new Set(await Promise.all(taken.map(async (reply) => ((await reply.json()) as { system_id: string }).system_id))).size).toBe(20);
  expect(askedAt(hung)).toBe(before);
});
