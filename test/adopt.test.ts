// A cell that stood alone joins a hub and hands over what it has: shown first, done once however often it is asked, and nothing dangles.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sql } from 'kysely';
import { initCell, type Cell } from '../src/cell/cell.ts';
import { joinCell, type HandOverPlan, type JoinCellRequest } from '../src/cell/join-cell.ts';
import type { FirstAdmin } from '../src/global/default-documents.ts';
import { readMembership } from '../src/global/membership.ts';
import type { Client } from '../src/http/client.ts';
import { log, makeMachines, SmallFleet, type CellPlace } from './small-fleet.ts';

let fleet: SmallFleet;
beforeAll(async () => {
  fleet = await SmallFleet.open();
  const hub = fleet.atHub;
  // The hub's ids and the cell's are for other things: 2 and up are drawn in both.
  for (const name of ['hub-only', 'shared', 'contested']) await hub.call('Zones.create', {}, { name, description: `${name} at the hub` });
  await hub.call('ResourcePools.create', {}, { name: 'contested' });
  await hub.call('Tags.create', {}, { name: 'b-tag' });
  await hub.call('Users.create', {}, { username: 'ann', email: 'ann@example.org', password: 'hub-password', is_superuser: false });
  await hub.call('Users.create', {}, { username: 'eve', email: 'eve@example.org', password: 'hub-password', is_superuser: false });
  await hub.call('Maas.set_config', {}, { name: 'kernel_opts', value: 'quiet' });
});
afterAll(() => fleet[Symbol.asyncDispose]());

interface Alone {
  readonly place: CellPlace;
  readonly number: number;
  readonly admin: FirstAdmin;
  readonly keys: Readonly<Record<'ann' | 'bob' | 'eve', string>>;
  readonly machines: readonly string[];
}

let made = 0;
async function keyOf(at: Client, username: string, password: string): Promise<string> {
  const token = await at.call('Authenticate.create', {}, { username, password, consumer: 'test' });
  return [token.consumer_key, token.token_key, token.token_secret].join(':');
}

/** A cell that has lived alone for a while, and is stopped. */
async function livedAlone(): Promise<Alone> {
  const place = await fleet.place(`alone${(made += 1)}`);
  const admin = (await initCell(place.config, log, 'root'))!;
  const cell: Cell = await fleet.start(place);
  const at = fleet.client(cell.url, admin.apiKey);
  for (const [name, description] of [
    ['shared', 'shared at the hub'],
    ['contested', 'another'],
    [`own${made}`, 'mine'],
  ] as const)
    await at.call('Zones.create', {}, { name, description });
  await at.call('ResourcePools.create', {}, { name: 'contested', description: 'differs' });
  for (const name of [`a-tag${made}`, 'b-tag']) await at.call('Tags.create', {}, { name });
  await at.call('Spaces.create', {}, { name: `dmz${made}` });
  await at.call('Maas.set_config', {}, { name: 'kernel_opts', value: 'debug' });
  await at.call('Maas.set_config', {}, { name: 'maas_name', value: 'mine' });
  const password = 'cell-password';
  const people = [
    ['ann', false],
    [`bob${made}`, false],
    ['eve', true],
  ] as const;
  for (const [username, is_superuser] of people)
    await at.call('Users.create', {}, { username, email: `${username}@cell.example`, password, is_superuser });
  const [ann, bob, eve] = await Promise.all(people.map(([username]) => keyOf(at, username, password)));
  const machines = await makeMachines(cell, 4, 1024);
  await at.call('Machine.update', { system_id: machines[0]! }, { zone: `own${made}`, pool: 'contested' });
  await at.call('Machine.update', { system_id: machines[1]! }, { zone: 'contested' });
  await at.call('Tag.update_nodes', { name: `a-tag${made}` }, { add: [machines[0]!, machines[2]!] });
  await at.call('Tag.update_nodes', { name: 'b-tag' }, { add: [machines[0]!, machines[1]!] });
  const fabric = await at.call('Fabrics.create', {}, { name: 'wires' });
  await at.call('Vlans.create', { fabric_id: String(fabric.id) }, { vid: 7, name: 'dmz', space: `dmz${made}` });
  const { db } = cell.base.database;
  await db
    .updateTable('machine')
    .set({ owner: `bob${made}`, status: 10 })
    .where('system_id', '=', machines[3]!)
    .execute();
  const { number } = cell;
  await cell.close();
  return { place, number, admin, keys: { ann: ann!, bob: bob!, eve: eve! }, machines };
}

async function request({ place }: Alone, given: Partial<JoinCellRequest> = {}): Promise<JoinCellRequest> {
  const { config, database } = place;
  const { token, fingerprint } = await fleet.hub.invite('cell', config.name);
  const ownUrl = `http://127.0.0.1:${config.port}`;
  return { url: fleet.hub.url, token, fingerprint, folder: config.folder, databaseUrl: database.url, ownUrl, ...given };
}

const adopting = (confirm: (plan: HandOverPlan) => boolean) => ({ adopt: { key: fleet.admin.apiKey, confirm } });

describe('a cell with things of its own', () => {
  let alone: Alone;
  beforeAll(async () => {
    alone = await livedAlone();
  });

  test('does not join by the way, and says what would be lost and what to do', async () => {
    const asked = await request(alone);
    await expect(joinCell(asked, log)).rejects.toThrow(/has of its own: user root, .* and 5 more\..*--adopt/);
    expect(await readMembership(alone.place.config.folder)).toBeUndefined();
    expect(fleet.hub.authority.memory.named('cell', alone.place.config.name)).toBeUndefined();
  });

  test('nor does it start when it was made to join some other way', async () => {
    const asked = await request(alone);
    const { join } = await import('../src/global/join.ts');
    await join({ ...asked, role: 'cell', number: alone.number });
    await expect(fleet.start(alone.place)).rejects.toThrow('--adopt');
  });

  test('shows what would become of everything, and changes nothing', async () => {
    const plans: HandOverPlan[] = [];
    const before = fleet.hub.authority.memory.revision('access');
    const asked = await request(
      alone,
      adopting((plan) => (plans.push(plan), false)),
    );
    expect(await joinCell(asked, log)).toBeUndefined();
    const outcomes = Object.fromEntries(plans[0]!.items.map(({ kind, name, outcome }) => [`${kind} ${name}`, outcome]));
    expect(outcomes).toMatchObject({
      'zone default': 'same',
      'zone shared': 'same',
      'zone contested': 'conflict',
      'zone own1': 'create',
      'pool contested': 'conflict',
      'tag a-tag1': 'create',
      'tag b-tag': 'same',
      'space dmz1': 'create',
      'setting kernel_opts': 'conflict',
      'setting maas_name': 'create',
      'user ann': 'same',
      'user bob1': 'create',
      'user eve': 'conflict',
      'user root': 'create',
      'token ann: test': 'create',
      'token bob1: test': 'create',
      'token eve: test': 'left',
    });
    expect(plans[0]!.items.find(({ name }) => name === 'root')!.detail).toContain('administrator of the whole fleet');
    expect(JSON.stringify(plans)).not.toContain('scrypt');
    expect(fleet.hub.authority.memory.revision('access')).toEqual(before);
    // The token was not used for it.
    expect(await joinCell({ ...asked, ...adopting(() => false) }, log)).toBeUndefined();
  });

  test('hands it over: number, machines, users, keys and names are the same, under ids of the hub', async () => {
    const { machines, keys, number, place } = alone;
    const joined = await joinCell(
      await request(
        alone,
        adopting(() => true),
      ),
      log,
    );
    expect(joined).toMatchObject({ membership: { number, name: place.config.name }, letGo: { zone: 0, pool: 0, tag: 0, space: 0 } });
    const cell = await fleet.start(place);
    expect(cell.number).toBe(number);
    const at = fleet.client(cell.url, alone.admin.apiKey);
    const read = (index: number) => at.call('Machine.read', { system_id: machines[index]! }, {});
    expect(await read(0)).toMatchObject({ zone: { name: 'own1', description: 'mine' }, pool: { name: 'contested', description: '' } });
    expect((await read(0)).tag_names.toSorted()).toEqual(['a-tag1', 'b-tag']);
    expect(await read(1)).toMatchObject({ zone: { name: 'contested', description: 'contested at the hub' }, tag_names: ['b-tag'] });
    expect(await read(2)).toMatchObject({ zone: { name: 'default' }, tag_names: ['a-tag1'] });
    expect(await read(3)).toMatchObject({ owner: 'bob1', zone: { name: 'default' } });
    const [vlan] = (await at.call('Fabrics.read', {}, {})).flatMap((fabric) => fabric.vlans).filter(({ vid }) => vid === 7);
    expect(vlan).toMatchObject({ space: 'dmz1' });
    // What a key is good for: bob's and ann's everywhere, eve's nowhere, root's for everything.
    const whoami = (key: string, url: string) => fleet.client(url, key).call('Users.whoami', {}, {});
    for (const url of [cell.url, fleet.hub.plainUrl!]) {
      expect(await whoami(keys.bob, url)).toMatchObject({ username: 'bob1', is_superuser: false });
      expect(await whoami(keys.ann, url)).toMatchObject({ username: 'ann', email: 'ann@example.org' });
      expect(await whoami(alone.admin.apiKey, url)).toMatchObject({ username: 'root', is_superuser: true });
      await expect(whoami(keys.eve, url)).rejects.toMatchObject({ status: 401 });
    }
    // Passwords too: bob's came along, ann's is the hub's.
    await keyOf(fleet.client(fleet.hub.plainUrl!), 'bob1', 'cell-password');
    await keyOf(fleet.client(fleet.hub.plainUrl!), 'ann', 'hub-password');
    await expect(keyOf(fleet.client(fleet.hub.plainUrl!), 'ann', 'cell-password')).rejects.toMatchObject({ status: 403 });
    expect((await sql`select from password_verifier`.execute(place.database.db)).rows).toHaveLength(0);
    expect(await at.call('Maas.get_config', {}, { name: 'kernel_opts' })).toBe('quiet');
    expect(await at.call('Maas.get_config', {}, { name: 'maas_name' })).toBe('mine');
    await cell.close();
  });

  test('cannot hand over while it runs, or twice', async () => {
    const cell = await fleet.start(alone.place);
    await expect(
      joinCell(
        await request(
          alone,
          adopting(() => true),
        ),
        log,
      ),
    ).rejects.toThrow('is running');
    await cell.close();
    const revision = fleet.hub.authority.memory.revision('access');
    let asked = 0;
    const again = await joinCell(
      await request(
        alone,
        adopting(() => (asked += 1) > 0),
      ),
      log,
    );
    expect([again?.membership.number, asked]).toEqual([alone.number, 0]);
    expect(fleet.hub.authority.memory.revision('access')).toEqual(revision);
  });
});

describe('killed in the middle', () => {
  class Killed extends Error {}
  test.each(['joined', 'imported', 'adopted'])('after it has %s: the same command again finishes it, nothing twice', async (point) => {
    const alone = await livedAlone();
    const n = made;
    const kill = (name: string): void => {
      if (name === point) throw new Killed(name);
    };
    const asked = await request(
      alone,
      adopting(() => true),
    );
    await expect(joinCell({ ...asked, killPoint: kill }, log)).rejects.toThrow(Killed);
    const joined = await joinCell(asked, log);
    expect(joined?.membership.number).toBe(alone.number);
    const { memory } = fleet.hub.authority;
    const named = (kind: 'zone' | 'tag' | 'user', name: string) =>
      memory.entries(kind).filter(([, body]) => ('username' in body ? body.username : body.name) === name);
    expect([named('zone', `own${n}`), named('tag', `a-tag${n}`), named('user', `bob${n}`)].map((found) => found.length)).toEqual([1, 1, 1]);
    const cell = await fleet.start(alone.place);
    const at = fleet.client(cell.url, alone.keys.bob);
    expect(await at.call('Machine.read', { system_id: alone.machines[0]! }, {})).toMatchObject({ zone: { name: `own${n}` } });
    await cell.close();
  });
});

describe('what is refused', () => {
  let alone: Alone;
  beforeEach(async () => {
    alone = await livedAlone();
  });

  test('a name that is not its own, a key that is no admin’s, bodies that are none; nothing has happened then', async () => {
    const other = await fleet.hub.invite('cell', 'another-name');
    const asked = await request(
      alone,
      adopting(() => true),
    );
    await expect(joinCell({ ...asked, token: other.token }, log)).rejects.toThrow('This token is for a cell called another-name');
    const adopt = { key: alone.admin.apiKey, confirm: () => true };
    await expect(joinCell({ ...asked, adopt }, log)).rejects.toMatchObject({ status: 401 });
    const hub = fleet.atHub;
    for (const body of ['', '{', '[]', '{"cell":"x"}', '{"cell":"x","documents":[{"kind":"cell","id":"1","body":{}}]}'])
      await expect(hub.call('GlobalObjects.import', {}, {}, { body })).rejects.toMatchObject({ status: 400 });
    const ann = fleet.client(fleet.hub.plainUrl!, await keyOf(fleet.client(fleet.hub.plainUrl!), 'ann', 'hub-password'));
    await expect(ann.call('GlobalObjects.plan', {}, {}, { body: '{"cell":"x","documents":[]}' })).rejects.toMatchObject({ status: 403 });
    expect(fleet.hub.authority.memory.named('user', `bob${made}`)).toBeUndefined();
    const cell = await fleet.start(alone.place);
    expect(await fleet.client(cell.url, alone.keys.bob).call('Users.whoami', {}, {})).toMatchObject({ username: `bob${made}` });
    await cell.close();
  });

  test('a number that somebody else has', async () => {
    await fleet.join('squatter', 'cell', { number: alone.number });
    await expect(
      joinCell(
        await request(
          alone,
          adopting(() => true),
        ),
        log,
      ),
    ).rejects.toMatchObject({
      message: `Number ${alone.number} is in use: it was given to cell squatter.`,
    });
    expect(fleet.hub.authority.memory.named('user', `bob${made}`)).toBeUndefined();
  });

  test('rows that named something which is gone get the default, and are counted', async () => {
    const { db } = alone.place.database;
    await db.updateTable('machine').set({ zone_id: 4_242, pool_id: 4_242 }).where('system_id', '=', alone.machines[2]!).execute();
    await db.insertInto('machine_tag').values({ system_id: alone.machines[2]!, tag_id: 4_242 }).execute();
    const joined = await joinCell(
      await request(
        alone,
        adopting(() => true),
      ),
      log,
    );
    expect(joined?.letGo).toEqual({ zone: 1, pool: 1, tag: 1, space: 0 });
    const cell = await fleet.start(alone.place);
    // Its own keys are good from the first moment; the hub's other ones when it has heard of them.
    const at = fleet.client(cell.url, alone.admin.apiKey);
    expect(await at.call('Machine.read', { system_id: alone.machines[2]! }, {})).toMatchObject({
      zone: { name: 'default' },
      pool: { name: 'default' },
      tag_names: [`a-tag${made}`],
    });
    await cell.close();
  });
});

test('a cell with nothing of its own joins without ado, and keeps the number it drew', async () => {
  const place = await fleet.place('plain');
  const before = await fleet.start(place);
  const { number } = before;
  await before.close();
  const { token, fingerprint } = await fleet.hub.invite('cell', 'plain');
  const { config, database } = place;
  const joined = await joinCell({ url: fleet.hub.url, token, fingerprint, folder: config.folder, databaseUrl: database.url }, log);
  expect(joined?.membership).toMatchObject({ number, name: 'plain' });
  const after = await fleet.start(place);
  expect(after.number).toBe(number);
  await after.close();
});
