// Names of domains are unique in the fleet: the hub reserves them, whichever cell wants one and however many want it at once.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Cell } from '../src/cell/cell.ts';
import type { Client } from '../src/http/client.ts';
import { SmallFleet } from './small-fleet.ts';

let fleet: SmallFleet;
let client: Client;
let north: Cell;
beforeAll(async () => {
  fleet = await SmallFleet.open();
  ({ cell: north } = await fleet.openCell('north'));
  const { cell: south } = await fleet.openCell('south');
  const front = await fleet.openFront('f1');
  client = fleet.client(front.url);
  for (let tries = 0; tries < 500 && ![north, south].every((cell) => cell.global.reader.named('front', 'f1')); tries += 1) await sleep(20);
}, 60_000);
afterAll(() => fleet[Symbol.asyncDispose]());

const names = async () => (await client.call('DomainNames.read', {}, {})).map(({ name, cell }) => `${name} ${cell}`);

test('created in a cell it is reserved for it, and for nobody else', async () => {
  const made = await client.call('Domains.create', {}, { name: 'Lab.Example', cell: 'north' });
  expect(await names()).toEqual(['lab.example north']);
  await expect(client.call('Domains.create', {}, { name: 'lab.example', cell: 'south' })).rejects.toMatchObject({
    code: 'in_use',
    text: 'The domain name lab.example is in use: cell north.',
  });
  // The cell refuses a second one itself, and its reservation stays.
  await expect(client.call('Domains.create', {}, { name: 'lab.example', cell: 'north' })).rejects.toMatchObject({ status: 400 });
  expect(await names()).toEqual(['lab.example north']);
  // Machines go to where their domain is.
  const given = { architecture: 'amd64/generic', power_type: 'manual', commission: false };
  expect(await client.call('Machines.create', {}, { ...given, mac_addresses: ['52:54:00:00:00:01'], domain: 'lab.example' })).toMatchObject(
    {
      cell: 'north',
    },
  );
  await client.call('Domain.update', { id: String(made.id) }, { name: 'new.example' });
  expect(await names()).toEqual(['new.example north']);
  await client.call('Domain.update', { id: String(made.id) }, { ttl: 60 });
  await expect(client.call('Domain.delete', { id: String(made.id) }, {})).rejects.toMatchObject({ code: 'in_use' });
  expect(await names()).toEqual(['new.example north']);
});

test('of two that want a name at once one gets it', async () => {
  const wants = ['north', 'south'].map((cell) =>
    client.call('Domains.create', {}, { name: 'raced.example', cell }).then(
      () => cell,
      () => undefined,
    ),
  );
  const got = (await Promise.all(wants)).filter((cell) => cell !== undefined);
  expect(got).toHaveLength(1);
  expect(await names()).toContain(`raced.example ${got[0]}`);
  const [domain] = (await client.call('Domains.read', {}, {})).filter(({ name }) => name === 'raced.example');
  await client.call('Domain.delete', { id: String(domain!.id) }, {});
  expect(await names()).not.toContain(`raced.example ${got[0]}`);
  const other = got[0] === 'north' ? 'south' : 'north';
  await client.call('Domains.create', {}, { name: 'raced.example', cell: other });
  expect(await names()).toContain(`raced.example ${other}`);
});

test('a cell’s own default name is its own', async () => {
  await expect(client.call('Domains.create', {}, { name: 'south.site', cell: 'north' })).rejects.toMatchObject({ code: 'in_use' });
});

test('a joined cell that is asked directly names the hub; one URL of the front is as good as another', async () => {
  const direct = fleet.client(north.url);
  await expect(direct.call('Domains.create', {}, { name: 'direct.example' })).rejects.toMatchObject({ code: 'hub_owned' });
  await expect(direct.call('Domains.create', {}, { name: 'raced.example' })).rejects.toBeDefined();
  await client.call('DomainNames.create', {}, { name: 'direct.example', cell: 'north' });
  await direct.call('Domains.create', {}, { name: 'direct.example' });
  const front = (await client.call('Fronts.read', {}, {}))[0]!;
  expect(front.name).toBe('f1');
  await expect(client.call('DomainNames.create', {}, { name: 'x.example', cell: 'nowhere' })).rejects.toMatchObject({ status: 400 });
});
