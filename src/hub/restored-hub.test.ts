// A hub whose database was put back to an older dump: noticed by itself, with the hub stopped and under running processes; and what happens
// when nothing of the hub's own can notice it.
import { copyFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dumpDatabase, restoreDatabase } from '../../test/database-dump.ts';
import { eventually, openHubFleet, type HubFleet } from '../../test/hub-fleet.ts';
import type { FrontGlobal } from '../global/front-global.ts';
import type { CallRequest } from '../http/handler.ts';
import { parseKey } from '../http/oauth.ts';
import { beginHubEpoch } from './init.ts';

let fleet: HubFleet;
beforeEach(async () => {
  fleet = await openHubFleet();
});
afterEach(() => fleet[Symbol.asyncDispose]());

const addZone = async (name: string): Promise<number> => {
  const reply = await fleet.api('zones/', { form: { name } });
  expect(reply.status).toBe(200);
  return ((await reply.json()) as { id: number }).id;
};
const addKey = async (name: string): Promise<string> => {
  const reply = await fleet.api('account/?op=create_authorisation_token', { form: { name } });
  const token = (await reply.json()) as Record<string, string>;
  return `${token['consumer_key']}:${token['token_key']}:${token['token_secret']}`;
};
const accepts = async (front: FrontGlobal, key: string): Promise<boolean> => {
  try {
    const request = { headers: {}, address: '192.0.2.9' } as unknown as CallRequest;
    await front.authenticate(request, { ...parseKey(key)!, timestamp: 1, nonce: 'n' });
    return true;
  } catch {
    return false;
  }
};
const names = (front: FrontGlobal): string[] =>
  front.reader
    .list('zone')
    .map((zone) => zone.name)
    .sort();
const restart = async (): Promise<void> => {
  const { port } = new URL(fleet.hub.url);
  fleet.hub = await fleet.start('hub-1', Number(port));
};

test('stopped, restored, started: a higher epoch, and everybody replaces what it has by the snapshot; what came after the dump is refused', async () => {
  const joined = await fleet.join('front', 'f-1');
  await using front = fleet.front(joined);
  await front.replication.caughtUp(5_000);
  await addZone('before');
  const keyBefore = await addKey('before');
  const dump = await dumpDatabase(fleet.database.url);
  const idAfter = await addZone('after');
  const keyAfter = await addKey('after');
  await fleet.api('zones/before/', { method: 'PUT', form: { description: 'changed' } });
  expect([await accepts(front, keyBefore), await accepts(front, keyAfter)]).toEqual([true, true]);
  await fleet.hub.close(0);
  await restoreDatabase(fleet.database.url, dump);
  await restart();

  await eventually('the snapshot', () => !names(front).includes('after') && front.replication.revisions().access.epoch === 2);
  expect(names(front)).toEqual(['before', 'default']);
  expect(front.reader.named('zone', 'before')?.description).toBe('');
  expect([await accepts(front, keyBefore), await accepts(front, keyAfter)]).toEqual([true, false]);
  expect(front.replication.revisions().config.epoch).toBe(2);
  // Ids that were given in the lost time never come to mean something else.
  expect(await addZone('new')).toBeGreaterThan(idAfter + 1_000);
  expect(names(front)).toContain('new');
  expect(joined.findings).toEqual([]);

  // A second process with a mark of its own, of before the restore, does not begin yet another one.
  const again = await fleet.start('hub-2');
  expect(again.authority.memory.revision('config').epoch).toBe(2);
});

test('restored under two running processes: both go on in one new epoch', async () => {
  const sibling = await fleet.start('hub-2');
  const joined = [await fleet.join('front', 'f-1'), await fleet.join('front', 'f-2')];
  await using one = fleet.front(joined[0]!);
  await using two = fleet.front(joined[1]!, [sibling.url]);
  await Promise.all([one, two].map((front) => front.replication.caughtUp(5_000)));
  const dump = await dumpDatabase(fleet.database.url);
  await addZone('lost-1');
  await addZone('lost-2');
  await restoreDatabase(fleet.database.url, dump);
  // Both are written to at once, each with a memory that is ahead of the database.
  const made = await Promise.all([
    fleet.api('zones/', { form: { name: 'new-1' } }),
    fleet.api('zones/', { form: { name: 'new-2' }, at: sibling }),
  ]);
  expect(made.map((reply) => reply.status)).toEqual([200, 200]);
  for (const front of [one, two]) {
    await eventually('the same zones', () => names(front).join() === 'default,new-1,new-2');
    expect(front.replication.revisions().config).toEqual(fleet.hub.authority.memory.revision('config'));
  }
  expect(fleet.hub.authority.memory.revision('config').epoch).toBe(2);
  expect(joined.flatMap(({ findings }) => findings)).toEqual([]);
});

test('restored together with its data folder, so that nothing tells: replicas refuse the other history, loudly, until a new epoch is begun', async () => {
  const joined = await fleet.join('front', 'f-1');
  await using front = fleet.front(joined);
  await front.replication.caughtUp(5_000);
  const folder = joinPath(fleet.folder, 'hub-1');
  await fleet.hub.close(0);
  const dump = await dumpDatabase(fleet.database.url);
  for (const file of ['epoch', 'revisions']) await copyFile(joinPath(folder, file), joinPath(fleet.folder, `kept-${file}`));
  await restart();
  for (const name of ['a', 'b', 'c']) await addZone(name);
  await eventually('the zones', () => names(front).join() === 'a,b,c,default');
  await fleet.hub.close(0);
  await restoreDatabase(fleet.database.url, dump);
  for (const file of ['epoch', 'revisions']) await copyFile(joinPath(fleet.folder, `kept-${file}`), joinPath(folder, file));
  await restart();

  // First the hub is behind the replica, then it has come as far on another way, then farther.
  await eventually('a finding', () => joined.findings.length > 0);
  expect(joined.findings[0]).toMatchObject({
    kind: 'refused_batch',
    subject: 'config',
    data: { reason: expect.stringContaining('./muster hub new-epoch') as string },
  });
  for (const name of ['x', 'y', 'z', 'more']) {
    await fleet.hub.authority.write('config', 'test', async (draft) => {
      const id = await draft.drawId();
      draft.put('zone', id, { id, name, description: '' });
    });
    joined.findings.length = 0;
    await eventually('another finding', () => joined.findings.length > 0);
    expect(names(front).join()).toBe('a,b,c,default');
  }
  // The access stream, which lost nothing, goes on.
  expect(await accepts(front, await addKey('still'))).toBe(true);

  await fleet.hub.close(0);
  const config = {
    folder,
    database_url: fleet.database.url,
    address: '127.0.0.1',
    port: 0,
    plain_address: '127.0.0.1',
    allow_plain: false,
  };
  expect(await beginHubEpoch(config, pino({ level: 'silent' }))).toBe(2);
  await restart();
  await eventually('the snapshot', () => names(front).join() === 'default,more,x,y,z');
});
