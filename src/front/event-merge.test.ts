import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readEvents, type ServerEvent } from '../http/event-stream.ts';
import { oauthHeader } from '../http/oauth.ts';
import { formatPositions, parsePositions } from './event-cursor.ts';
import { adminKey, exampleFleet, type Fleet } from './example-fleet.ts';
import type { Front } from './front.ts';

let fleet: Fleet;
let front: Front;

beforeEach(async () => {
  fleet = await exampleFleet(2);
  front = await fleet.start();
});
afterEach(() => fleet[Symbol.asyncDispose]());

async function open(after?: string): Promise<Response> {
  const query = new URLSearchParams({ op: 'stream', ...(after === undefined ? {} : { after }) });
  return fetch(`${front.url}/MAAS/api/2.0/events/?${query}`, { headers: { authorization: oauthHeader(adminKey) } });
}

/** Reads until `count` events of the cells have come. */
async function read(reply: Response, count: number): Promise<ServerEvent[]> {
  const found: ServerEvent[] = [];
  for await (const event of readEvents(reply.body!)) {
    found.push(event);
    if (found.filter((one) => one.event === 'change').length >= count) break;
  }
  return found;
}

const change = (data: string): ServerEvent => ({ event: 'change', data });
const dataOf = (events: ServerEvent[]) => events.filter((event) => event.event === 'change').map((event) => event.data);

test('one stream of all cells, each event once, and it goes on from any id', async () => {
  const [one, two] = fleet.cells;
  for (let n = 0; n < 50; n += 1) {
    one!.events.push(change(`one-${n}`));
    two!.events.push(change(`two-${n}`));
  }
  const reply = await open();
  expect(reply.headers.get('muster-cells')).toBe('asked=2 answered=2');
  const first = await read(reply, 37);
  const rest = await read(await open(first.at(-1)!.id), 63);
  const all = [...dataOf(first), ...dataOf(rest)];
  expect(new Set(all).size).toBe(100);
  expect(all.filter((data) => data.startsWith('one-'))).toEqual(Array.from({ length: 50 }, (_, n) => `one-${n}`));
});

test('an absent cell is named; the others go on', async () => {
  const [one, two] = fleet.cells;
  await two!.stop();
  one!.events.push(change('one'));
  const reply = await open();
  expect(reply.headers.get('muster-cells')).toBe('asked=2 answered=1 absent=c2');
  expect(dataOf(await read(reply, 1))).toEqual(['one']);
});

test('a cell that breaks off is told of', async () => {
  const [one, two] = fleet.cells;
  one!.events.push(change('one'));
  const reply = await open();
  const reading = read(reply, 2);
  await two!.stop();
  await new Promise((resolve) => setTimeout(resolve, 200));
  one!.events.push(change('more'));
  const events = await reading;
  expect(events.find((event) => event.event === 'cells')?.data).toBe('asked=2 answered=1 absent=c2');
  expect(dataOf(events)).toEqual(['one', 'more']);
});

test('the cursor holds when a cell drops out and when it returns: its events are not lost', async () => {
  const [one, two] = fleet.cells;
  one!.events.push(change('one-0'));
  two!.events.push(change('two-0'));
  const whole = await read(await open(), 2);
  two!.faults.set('Events.stream', 503);
  one!.events.push(change('one-1'));
  two!.events.push(change('two-1'));
  const without = await open(whole.at(-1)!.id);
  expect(without.headers.get('muster-cells')).toBe('asked=2 answered=1 absent=c2');
  const part = await read(without, 1);
  expect(dataOf(part)).toEqual(['one-1']);
  two!.faults.clear();
  one!.events.push(change('one-2'));
  expect(dataOf(await read(await open(part.at(-1)!.id), 2)).toSorted()).toEqual(['one-2', 'two-1']);
});

test('a client that takes nothing holds up the cells, not the memory', async () => {
  const [one] = fleet.cells;
  for (let n = 0; n < 20_000; n += 1) one!.events.push(change(`${n} ${'x'.repeat(4_000)}`));
  const reply = await open();
  let before = -1;
  await expect.poll(() => before === (before = one!.sent.events), { interval: 300, timeout: 10_000 }).toBe(true);
  // 80 MB of events wait; what has left is in sockets' buffers, and a few hundred in the front.
  expect(one!.sent.events).toBeGreaterThan(0);
  expect(one!.sent.events).toBeLessThan(10_000);
  await reply.body!.cancel();
});

describe('the cursor', () => {
  test('any positions survive being written', () => {
    const positions = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 13_823 }), fc.string()), { selector: ([number]) => number });
    fc.assert(
      fc.property(positions, (entries) => {
        expect(parsePositions(formatPositions(new Map(entries)))).toEqual(new Map(entries));
      }),
    );
  });

  test('anything else is refused, never a crash', async () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^(\d+:[%a-z]*,?)+$/)), (text) => {
        const found = parsePositions(text);
        if (found !== undefined && text !== '') expect(found.size).toBeGreaterThan(0);
      }),
    );
    expect((await open('nonsense')).status).toBe(400);
  });
});
