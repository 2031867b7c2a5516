import { afterEach, beforeEach, expect, test } from 'vitest';
import { pino } from 'pino';
import { createClient } from '../http/client.ts';
import { oauthHeader } from '../http/oauth.ts';
import { adminKey, exampleFleet, userKey, type Fleet } from './example-fleet.ts';
import { startFront, type Front } from './front.ts';

let fleet: Fleet;
let front: Front;

async function openFront(cells: Fleet['cells']): Promise<Front> {
  const config = {
    folder: '/nowhere',
    listen: ['127.0.0.1'],
    port: 0,
    cells: cells.map(({ name, number, url }) => ({ name, number, url })),
    gather_ms: 800,
    call_ms: 1200,
    hub_ms: 500,
    allocate: 'best' as const,
    ask_sample: 8,
    retries: 0.1,
    connections: 4,
  };
  return startFront({ config, version: '1', log: pino({ level: 'silent' }) });
}

beforeEach(async () => {
  fleet = await exampleFleet(2);
  front = await openFront(fleet.cells);
});
afterEach(async () => {
  await front.close(0);
  await fleet[Symbol.asyncDispose]();
});

test('without a hub the cells judge: the caller own signature goes on, nothing else', async () => {
  const header = oauthHeader(adminKey);
  const reply = await fetch(`${front.url}/MAAS/api/2.0/machines/`, { headers: { authorization: header, 'x-other': 'y' } });
  expect([reply.status, reply.headers.get('muster-cells')]).toEqual([200, 'asked=2 answered=2']);
  const seen = fleet.cells[1]!.seen.at(-1)!;
  expect(seen.headers['authorization']).toContain('token-admin');
  expect(seen.headers).not.toHaveProperty('x-other');
  expect(seen.headers).not.toHaveProperty('muster-assertion');
});

test('a wrong key is refused, as is nobody; with the first cell away the second is asked', async () => {
  const client = createClient({ url: front.url, key: 'consumer:token-admin:wrong' });
  await expect(client.call('Machines.summary', {}, {})).rejects.toMatchObject({ status: 401 });
  expect((await fetch(`${front.url}/MAAS/api/2.0/machines/`)).status).toBe(401);
  await fleet.cells[0]!.stop();
  expect(await createClient({ url: front.url, key: adminKey }).call('Users.whoami', {}, {})).toMatchObject({ username: 'admin' });
});

test('what is global belongs to the only cell; with several, the URL must say which', async () => {
  const client = createClient({ url: front.url, key: adminKey });
  await expect(client.call('Zones.create', {}, { name: 'z' })).rejects.toMatchObject({ status: 400 });
  expect(await client.call('Zones.create', {}, { name: 'z' }, { cell: 'c2' })).toMatchObject({ cell: 'c2' });
  await using alone = await openFront(fleet.cells.slice(0, 1));
  expect(await createClient({ url: alone.url, key: adminKey }).call('Zones.create', {}, { name: 'z' })).toMatchObject({ cell: 'c1' });
});

test('machines are allocated without a hub, too; a key is one machine at two such fronts, and not the same for two people', async () => {
  await using other = await openFront(fleet.cells);
  const allocate = async (at: Front, key: string, person: string): Promise<string> => {
    const client = createClient({ url: at.url, key: person });
    return (await client.call('Machines.allocate', {}, {}, { idempotencyKey: key })).system_id;
  };
  const ids = await Promise.all([front, other, front, other].map((at) => allocate(at, 'k', adminKey)));
  expect(new Set(ids).size).toBe(1);
  expect(await allocate(other, 'k', userKey)).not.toBe(ids[0]);
  expect(fleet.cells.flatMap(({ machines }) => machines.filter(({ owner }) => owner !== '').map(({ owner }) => owner)).toSorted()).toEqual([
    'admin',
    'ann',
  ]);
});

test('creating needs the name of a cell where there are several', async () => {
  const client = createClient({ url: front.url, key: adminKey });
  await expect(client.call('Fabrics.create', {}, { name: 'f' })).rejects.toMatchObject({ code: 'unplaced' });
  expect(await client.call('Fabrics.create', {}, { name: 'f', cell: 'c2' })).toMatchObject({ cell: 'c2' });
});
