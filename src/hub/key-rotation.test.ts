import { sign } from 'node:crypto';
import { copyFile, mkdir, readFile, rm, rmdir } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join as joinPath } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, openHubFleet, type HubFleet } from '../../test/hub-fleet.ts';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { ownTls } from '../global/certificate.ts';
import type { GlobalTables } from '../global/db/global-tables.ts';
import { readOrigin } from '../global/db/document-store.ts';
import { openJoinedGlobal } from '../global/joined-global.ts';
import { keyFileIn, readMembership, writeMembership } from '../global/membership.ts';
import { globalMigrations } from '../global/migrations.ts';
import { pinnedFetch } from '../global/pinned-fetch.ts';
import { fingerprintOf, generateSigningKey } from '../global/signing-key.ts';
import type { CallRequest } from '../http/handler.ts';
import type { Database } from '../postgres/database.ts';
import type { HubTables } from './db/hub-tables.ts';
import { openHubKey } from './hub-key.ts';
import type { Hub } from './hub.ts';

let fleet: HubFleet;
let cellDatabase: TestDatabase<GlobalTables>;
beforeAll(async () => {
  fleet = await openHubFleet();
  cellDatabase = await testDatabase<GlobalTables>([globalMigrations]);
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await cellDatabase.drop();
});

const rotate = async (at?: Hub): Promise<string> => {
  const reply = await fleet.api('hub-key/?op=rotate', { method: 'POST', ...(at ? { at } : {}) });
  expect(reply.status).toBe(200);
  return ((await reply.json()) as { fingerprint: string }).fingerprint;
};
let zones = 0;
const addZone = async (): Promise<string> => {
  zones += 1;
  const reply = await fleet.api('zones/', { form: { name: `z-${zones}` } });
  expect([reply.status, await reply.text()]).toMatchObject([200, expect.any(String) as string]);
  return `z-${zones}`;
};
const openCell = async (joined: Awaited<ReturnType<HubFleet['join']>>) =>
  openJoinedGlobal({
    database: cellDatabase,
    name: joined.membership.name,
    keyFile: keyFileIn(joined.folder),
    membership: (await readMembership(joined.folder))!,
    version: '1.2.3',
    usage: { inUse: async () => undefined, transfer: async () => undefined },
    spaces: { networksOf: async () => ({ vlans: [], subnets: [] }) },
    findings: { report: (finding) => void joined.findings.push(finding) },
    onTrouble: () => undefined,
  });
/** A browser with this cookie. */
const holding = (session: string): CallRequest =>
  ({ headers: { cookie: `muster_session=${session}` }, address: '192.0.2.9' }) as unknown as CallRequest;

async function signIn(): Promise<string> {
  const body = new URLSearchParams({ username: 'admin', password: fleet.admin.password });
  const reply = await fetch(`${fleet.hub.plainUrl}/MAAS/accounts/session/`, { method: 'POST', body });
  expect(reply.status).toBe(200);
  return ((await reply.json()) as { session: string }).session;
}

test('everybody who is connected follows at once, remembers it, and hears the next write; TLS is pinned to the new key', async () => {
  const joined = await fleet.join('front', 'f-1');
  const joinedCell = await fleet.join('cell', 'c-1');
  await using front = fleet.front(joined);
  await using cell = await openCell(joinedCell);
  await Promise.all([front, cell].map((one) => one.replication.caughtUp(5_000)));
  const session = await signIn();
  const before = fleet.hub.fingerprint;
  const after = await rotate();
  expect(after).not.toBe(before);
  expect(fleet.hub.fingerprint).toBe(after);
  const name = await addZone();
  for (const one of [front, cell]) await eventually('the zone', () => one.reader.named('zone', name) !== undefined);
  for (const { folder } of [joined, joinedCell]) expect(fingerprintOf((await readMembership(folder))!.hubKey)).toBe(after);
  expect(fingerprintOf((await readOrigin(cellDatabase.db))!.hubKey)).toBe(after);
  expect([...joined.findings, ...joinedCell.findings]).toEqual([]);

  await using old = pinnedFetch(before);
  await expect(old.fetch(`${fleet.hub.url}/healthz`, {})).rejects.toThrow('fetch failed');
  await using present = pinnedFetch(after);
  expect((await present.fetch(`${fleet.hub.url}/healthz`, {})).status).toBe(200);

  // A session of before lives until it ends, everywhere, and is renewed with the new key.
  for (const one of [front, cell]) expect(await one.authenticate(holding(session), undefined)).toMatchObject({ username: 'admin' });
  const renewed = await fetch(`${fleet.hub.plainUrl}/MAAS/accounts/session/`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${session}`, origin: fleet.hub.plainUrl! },
  });
  expect(renewed.status).toBe(200);
  expect(((await renewed.json()) as { session: string }).session).not.toBe(session);
});

test('who was away during several changes follows them all on return, in memory and in PostgreSQL, and keeps what it had', async () => {
  const joined = await fleet.join('front', 'f-away');
  const joinedCell = await fleet.join('cell', 'c-away');
  {
    await using cell = await openCell(joinedCell);
    await cell.replication.caughtUp(5_000);
  }
  const first = fleet.hub.fingerprint;
  await rotate();
  await rotate();
  const last = await rotate();
  const name = await addZone();
  expect(first).not.toBe(last);
  await using front = fleet.front(joined);
  await using cell = await openCell(joinedCell);
  // Good from the first moment: the documents are those of before.
  expect(cell.reader.named('user', 'admin')).toBeDefined();
  for (const one of [front, cell]) await eventually('the zone', () => one.reader.named('zone', name) !== undefined);
  expect((await readMembership(joined.folder))!.rotations).toHaveLength(3);
  expect([...joined.findings, ...joinedCell.findings]).toEqual([]);
});

test('killed right after the membership was written, before the database was: it goes on where it stood', async () => {
  const joined = await fleet.join('cell', 'c-killed');
  {
    await using cell = await openCell(joined);
    await cell.replication.caughtUp(5_000);
  }
  const { rows } = { rows: await cellDatabase.db.selectFrom('global_origin').selectAll().execute() };
  const membershipBefore = (await readMembership(joined.folder))!;
  await rotate();
  {
    await using cell = await openCell(joined);
    await eventually('following', async () => fingerprintOf((await readOrigin(cellDatabase.db))!.hubKey) === fleet.hub.fingerprint);
    expect(cell.reader.list('zone').length).toBeGreaterThan(1);
  }
  const revisions = await cellDatabase.db.selectFrom('global_revision').selectAll().execute();
  // The database as it was before the change; the membership as it is after.
  await cellDatabase.db.updateTable('global_origin').set({ hub_key: rows[0]!.hub_key, rotations: rows[0]!.rotations }).execute();
  {
    await using cell = await openCell(joined);
    expect(cell.reader.named('user', 'admin')).toBeDefined();
    expect(await cellDatabase.db.selectFrom('global_revision').selectAll().execute()).toEqual(revisions);
    expect(fingerprintOf((await readOrigin(cellDatabase.db))!.hubKey)).toBe(fleet.hub.fingerprint);
  }
  // And the other way round: another process of the cell has told the database, this one's membership is of before.
  await writeMembership(joined.folder, membershipBefore);
  {
    await using cell = await openCell(joined);
    expect(cell.reader.named('user', 'admin')).toBeDefined();
    expect(await cellDatabase.db.selectFrom('global_revision').selectAll().execute()).toEqual(revisions);
    expect(fingerprintOf((await readMembership(joined.folder))!.hubKey)).toBe(fleet.hub.fingerprint);
  }
  expect(joined.findings).toEqual([]);
});

describe('two processes of the hub', () => {
  test('share the change; one that was away for it takes it over when it comes back', async () => {
    const sibling = await fleet.start('hub-2');
    const joined = await fleet.join('front', 'f-two');
    await using front = fleet.front(joined, [sibling.url, fleet.hub.url]);
    await front.replication.caughtUp(5_000);
    const after = await rotate();
    const took = await eventually('the sibling', () => sibling.fingerprint === after);
    process.stdout.write(`the other process of the hub had the new key after ${Math.round(took)} ms\n`);
    const name = await addZone();
    await eventually('the zone', () => front.reader.named('zone', name) !== undefined);
    expect(joined.findings).toEqual([]);

    await sibling.close(0);
    await rotate();
    const last = await rotate();
    const back = await fleet.start('hub-2');
    expect(back.fingerprint).toBe(last);
    await back.close(0);
  });

  test('one that was away for more than a day cannot have the key, and says what to do', async () => {
    const away = joinPath(fleet.folder, 'hub-3');
    const sibling = await fleet.start('hub-3');
    await sibling.close(0);
    await rotate();
    await fleet.database.db
      .updateTable('hub_key_rotation' as never)
      .set({ sealed_key: null } as never)
      .execute();
    await expect(fleet.start('hub-3')).rejects.toThrow('Copy signing-key.pem');
    await copyFile(joinPath(fleet.folder, 'hub-1/signing-key.pem'), joinPath(away, 'signing-key.pem'));
    const back = await fleet.start('hub-3');
    expect(back.fingerprint).toBe(fleet.hub.fingerprint);
    await back.close(0);
  });
});

test('killed between the commit and the new file, the hub takes over its own change at the next start; the chain outlives the database', async () => {
  const sibling = await fleet.start('hub-4');
  const folder = joinPath(fleet.folder, 'hub-4');
  const old = await readFile(joinPath(folder, 'signing-key.pem'), 'utf8');
  await sibling.close(0);
  await copyFile(joinPath(folder, 'signing-key.pem'), joinPath(folder, 'kept'));
  const after = await rotate();
  expect(await readFile(joinPath(folder, 'signing-key.pem'), 'utf8')).toBe(old);
  await rm(joinPath(folder, 'key-rotations'), { force: true });
  const back = await fleet.start('hub-4');
  expect(back.fingerprint).toBe(after);
  const keys = () => fetch(`${back.plainUrl}/replica/keys/`).then((reply) => reply.text());
  const chain = (await keys()).trim().split('\n');
  expect(chain.length).toBeGreaterThan(3);
  await back.close(0);
  // The database goes back to before every change.
  await fleet.database.db.deleteFrom('hub_key_rotation' as never).execute();
  const restored = await fleet.start('hub-4');
  expect((await (await fetch(`${restored.plainUrl}/replica/keys/`)).text()).trim().split('\n').toSorted()).toEqual(chain.toSorted());
  await restored.close(0);
});

test('killed between the commit and the new file and off for more than a day, the hub still has its new key; rows behind it are dropped', async () => {
  const sibling = await fleet.start('hub-5');
  const before = fleet.hub.fingerprint;
  await sibling.close(0);
  const after = await rotate();
  expect(after).not.toBe(before);
  // hub-5 has the old key file; nobody runs that could have taken the row's key, as of a hub of one process.
  await sql`update hub_key_rotation set at = at - interval '2 days'`.execute(fleet.database.db);
  const back = await fleet.start('hub-5');
  expect(back.fingerprint).toBe(after);
  const { rows } = await sql`select 1 from hub_key_rotation where sealed_key is not null`.execute(fleet.database.db);
  expect(rows).toEqual([]);
  await back.close(0);
});

test('trimming keeps the sealed key of a change that this folder could not take over, until it could', async () => {
  const folder = joinPath(fleet.folder, 'hub-6');
  await (await fleet.start('hub-6')).close(0);
  const key = await openHubKey(folder, fleet.database as unknown as Database<HubTables>);
  // A folder stands where the new file would be written.
  const inTheWay = joinPath(folder, `signing-key.pem.${process.pid}.new`);
  await mkdir(inTheWay);
  const after = await rotate();
  await sql`update hub_key_rotation set at = at - interval '2 days'`.execute(fleet.database.db);
  await expect(key.forget()).rejects.toThrow('EISDIR');
  const sealed = async () =>
    (await sql`select 1 from hub_key_rotation where sealed_key is not null`.execute(fleet.database.db)).rows.length;
  expect(await sealed()).toBe(1);
  await rmdir(inTheWay);
  await key.forget();
  expect(fingerprintOf(key.present().text)).toBe(after);
  expect(await sealed()).toBe(0);
});

test('somebody else at the address, with a chain that one key has not signed, is not followed and becomes a finding', async () => {
  const joined = await fleet.join('front', 'f-thief');
  const thief = generateSigningKey();
  const payload = Buffer.from(JSON.stringify({ from: joined.membership.hubKey, to: thief.text, at: 1 })).toString('base64url');
  const signature = sign(null, Buffer.from(`muster rotation\n${payload}`), thief.privateKey).toString('base64url');
  const asked: string[] = [];
  const server = createServer(ownTls(thief, 'thief'), (request, response) => {
    asked.push(String(request.url));
    response.end(`${[payload, signature, signature].join('.')}\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  {
    await using front = fleet.front(joined, [`https://127.0.0.1:${(server.address() as AddressInfo).port}`]);
    await eventually('a finding', () => joined.findings.length > 0);
    expect(front.trust.now().hubKey).toBe(joined.membership.hubKey);
    expect(front.reader.list('user')).toEqual([]);
  }
  expect(joined.findings[0]).toMatchObject({ kind: 'refused_batch', subject: 'hub key' });
  // It learned nothing: not even a poll, with its signed header, was sent.
  expect(new Set(asked)).toEqual(new Set(['/replica/keys/']));
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test('only an admin changes the key', async () => {
  const { status } = await fetch(`${fleet.hub.plainUrl}/MAAS/api/2.0/hub-key/?op=rotate`, { method: 'POST' });
  expect(status).toBe(401);
  const body = (await (await fleet.api('hub-key/')).json()) as { fingerprint: string; former: unknown[] };
  expect(body.fingerprint).toBe(fleet.hub.fingerprint);
  expect(body.former.length).toBeGreaterThan(3);
});
