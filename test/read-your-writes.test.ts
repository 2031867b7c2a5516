// What one front has answered, another front and every cell know at once: 1,000 times, no miss. And wrong passwords through a front are
// counted by the client's address.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../src/http/client.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import type { Cell } from '../src/cell/cell.ts';
import type { Front } from '../src/front/front.ts';
import { eventually } from './hub-fleet.ts';
import { makeMachines, SmallFleet } from './small-fleet.ts';

let fleet: SmallFleet;
let fronts: Front[];
let cells: Cell[];
let machines: string[];

beforeAll(async () => {
  fleet = await SmallFleet.open();
  cells = [(await fleet.openCell('north')).cell, (await fleet.openCell('south')).cell];
  fronts = [await fleet.openFront('f1'), await fleet.openFront('f2')];
  machines = [...(await makeMachines(cells[0]!, lanes / 2, 4096)), ...(await makeMachines(cells[1]!, lanes / 2, 4096))];
  await eventually('both cells know both fronts', () => cells.every(({ global }) => global.reader.list('front').length === 2));
}, 60_000);
afterAll(() => fleet[Symbol.asyncDispose]());

const lanes = 8;
const perLane = 125;

/** A write through one front. Whoever has not applied it yet is named in `lagging`. */
async function write(front: Front, path: string, form: Record<string, string>): Promise<{ body: Record<string, string>; lagging: string }> {
  const reply = await fetch(`${front.url}/MAAS/api/2.0/${path}`, {
    method: 'POST',
    headers: { authorization: oauthHeader(fleet.admin.apiKey) },
    body: new URLSearchParams(form),
  });
  if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${await reply.text()}`);
  return { body: (await reply.json()) as Record<string, string>, lagging: reply.headers.get('muster-lagging') ?? '' };
}

/** Uses of what was just made: of a zone by a machine's cell and by the other front, of a key by the other front and by a cell itself. */
const uses = [
  async (n: number, made: Front, other: Front) => {
    const name = `zone-${n}`;
    const { lagging } = await write(made, 'zones/', { name });
    const client = fleet.client(other.url);
    const { zone } = await client.call('Machine.update', { system_id: machines[n % lanes]! }, { zone: name });
    expect(zone.name).toBe(name);
    return lagging;
  },
  async (n: number, made: Front, other: Front) => {
    const { body, lagging } = await write(made, 'account/?op=create_authorisation_token', { name: `key-${n}` });
    const key = `${body['consumer_key']}:${body['token_key']}:${body['token_secret']}`;
    const at = n % 4 < 2 ? other.url : cells[n % 2]!.url;
    expect((await createClient({ url: at, key }).call('Users.whoami', {}, {})).username).toBe('admin');
    return lagging;
  },
] as const;

test('1,000 writes through one front, each used at once through the other or at a cell', { timeout: 180_000 }, async () => {
  let lagging = 0;
  const misses: string[] = [];
  const began = performance.now();
  const lane = async (first: number): Promise<void> => {
    for (let n = first; n < lanes * perLane; n += lanes) {
      const [made, other] = n % 3 === 0 ? [fronts[1]!, fronts[0]!] : [fronts[0]!, fronts[1]!];
      // Not by the lane's number, which decides about n % 2.
      const use = uses[Math.floor(n / lanes) % uses.length]!;
      await use(n, made, other).then(
        (named) => void (lagging += named === '' ? 0 : 1),
        (error: unknown) => misses.push(`${n}: ${String(error)}`),
      );
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, first) => lane(first)));
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(`1,000 writes, each used elsewhere at once, in ${seconds.toFixed(1)} s; ${lagging} answered with Muster-Lagging\n`);
  expect(misses).toEqual([]);
  // On a machine that has nothing else to do, none; each of them waited two seconds.
  expect(lagging).toBeLessThan(100);
});

test('a member that does not apply is named after two seconds, and nobody is held up by it afterwards', async () => {
  const { db } = fleet.hubDatabase;
  await db
    .insertInto('replica_progress' as never)
    .values({ role: 'cell', name: 'south', process: 'stuck' } as never)
    .execute();
  const began = performance.now();
  const { lagging } = await write(fronts[0]!, 'tags/', { name: 'late' });
  expect([lagging, performance.now() - began > 1_900]).toEqual(['south', true]);
  // It was told by name; everybody else has it.
  expect((await fleet.client(fronts[1]!.url).call('Tags.read', {}, {})).map((tag) => tag.name)).toContain('late');
  await db
    .deleteFrom('replica_progress' as never)
    .where('process' as never, '=', 'stuck' as never)
    .execute();
  expect((await write(fronts[0]!, 'tags/', { name: 'in-time' })).lagging).toBe('');
});

describe('wrong passwords through a front', () => {
  /** A proxy on the front's machine says whom it serves. */
  const signIn = async (front: Front, address: string, username: string, password: string): Promise<number> => {
    const reply = await fetch(`${front.url}/MAAS/accounts/session/`, {
      method: 'POST',
      headers: { 'x-forwarded-for': address },
      body: new URLSearchParams({ username, password }),
    });
    await reply.body?.cancel();
    return reply.status;
  };

  test('of one client stop that client, and nobody else behind the same front', { timeout: 60_000 }, async () => {
    const wrong = [];
    for (let n = 0; n < 12; n += 1) wrong.push(await signIn(fronts[n % 2]!, '203.0.113.66', fleet.admin.username, `guess ${n}`));
    expect(wrong).toEqual([...Array<number>(10).fill(403), 429, 429]);
    expect(await signIn(fronts[0]!, '203.0.113.66', fleet.admin.username, fleet.admin.password)).toBe(429);
    expect(await signIn(fronts[0]!, '203.0.113.7', fleet.admin.username, fleet.admin.password)).toBe(200);
    expect(await signIn(fronts[1]!, '203.0.113.8', fleet.admin.username, fleet.admin.password)).toBe(200);
  });

  test('a client cannot say itself where it is', async () => {
    const reply = await fetch(`${fronts[0]!.url}/MAAS/accounts/session/`, {
      method: 'POST',
      headers: { 'x-forwarded-for': '203.0.113.66', 'muster-client': 'x.y' },
      body: new URLSearchParams({ username: fleet.admin.username, password: fleet.admin.password }),
    });
    expect(reply.status).toBe(429);
  });
});
