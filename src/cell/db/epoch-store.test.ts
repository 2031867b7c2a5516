/** A database that has gone back in time, another cell's, or sealed with another key: nothing goes on by itself. */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootIdOf, image, keyOf, machineCell, type MachineCell } from '../../../test/machine-cell.ts';
import { openEpoch, writeMark } from '../../postgres/epoch-file.ts';
import { parseMark } from '../../postgres/epoch.ts';
import { claimDatabase, numberOfDatabase, WrongDatabase } from './cell-identity.ts';
import { parkEverything } from './epoch-store.ts';
import { intendVerb } from './power-store.ts';
import { makeSecretKey, readSecretKey, WrongSecretKey } from './secret-key.ts';

let cell: MachineCell;
const folder = mkdtempSync(join(tmpdir(), 'muster-epoch-'));
beforeAll(async () => {
  cell = await machineCell();
});
afterAll(async () => {
  await cell.close();
  rmSync(folder, { recursive: true, force: true });
});

test('a database behind its mark: tickets, credentials, verbs and operations end, every machine is locked and boots its own disk', async () => {
  const file = join(folder, 'epoch');
  const { database } = cell;
  {
    await using first = await openEpoch(database, { file, onRestored: parkEverything });
    expect(first.decision.kind).toBe('fresh');
  }
  const [busy, ready, deployed] = [
    await cell.addMachine({ status: 10, owner: 'ann', image }),
    await cell.addMachine({ status: 4 }),
    await cell.addMachine({ status: 6, owner: 'ann' }),
  ];
  const operation = await cell.start(busy, 'deploy');
  await cell.settle();
  const nonce = await cell.nonceOf(busy);
  const key = keyOf(
    (
      await cell.form('/MAAS/metadata/agent/check-in', [
        ['nonce', nonce],
        ['boot_id', bootIdOf()],
        ['mac', busy.mac],
      ])
    ).text,
  );
  await database.transaction((tx) => intendVerb(tx, { systemId: ready.systemId, verb: 'on', requestedBy: 'x' }));
  expect((await cell.get(`/boot/script.ipxe?mac=${ready.mac}`)).text).toContain('off.lkrn');
  {
    await using same = await openEpoch(database, { file, onRestored: parkEverything });
    expect(same.decision.kind).toBe('same');
  }
  // The mark says that more had happened than this database knows of.
  const mark = parseMark(readFileSync(file, 'utf8'));
  writeMark(file, { ...mark, id: mark.id + 1000 });
  {
    await using restored = await openEpoch(database, { file, onRestored: parkEverything });
    expect(restored.decision).toMatchObject({ kind: 'restored', epoch: mark.epoch + 1 });
  }
  const row = await database.db.selectFrom('operation').select(['outcome', 'error']).where('id', '=', operation).executeTakeFirstOrThrow();
  expect([row.outcome, row.error]).toEqual(['failed', expect.stringContaining('the database was restored')]);
  expect(await cell.statusOf(busy)).toBe('broken');
  expect(await database.db.selectFrom('power_verb').select('id').where('state', 'in', ['live', 'hands']).execute()).toEqual([]);
  expect((await cell.get('/MAAS/metadata/latest/maas-scripts', { key })).status).toBe(401);
  for (const machine of [busy, ready, deployed])
    expect((await cell.get(`/boot/script.ipxe?mac=${machine.mac}`)).text, machine.mac).toContain('sanboot');
  const locked = await database.db
    .selectFrom('machine')
    .select(['status', 'locked'])
    .where('system_id', '=', deployed.systemId)
    .executeTakeFirstOrThrow();
  expect(locked).toEqual({ status: 6, locked: true });
  expect(await cell.findings()).toEqual(['restored_database']);
  await cell.settle();
  expect(await database.db.selectFrom('ticket').select('nonce').where('voided', 'is', null).where('spent', 'is', null).execute()).toEqual(
    [],
  );
});

test('a damaged epoch file is not guessed at, a missing one counts as restored', async () => {
  const file = join(folder, 'other-epoch');
  writeFileSync(file, '{"epoch":1');
  await expect(openEpoch(cell.database, { file, onRestored: parkEverything })).rejects.toThrow(/epoch file is damaged\. Remove it/);
  rmSync(file);
  await using opened = await openEpoch(cell.database, { file, onRestored: parkEverything });
  expect(opened.decision).toMatchObject({ kind: 'restored', why: 'there is a database but no epoch file' });
});

test('another secret.key and another number are refused, and say what to do', async () => {
  const { db } = cell.database;
  const own = { number: 17, name: 'c17', keyFingerprint: cell.secretKey.fingerprint };
  await claimDatabase(db, own);
  expect(await numberOfDatabase(db)).toBe(17);
  const wrongKey = claimDatabase(db, { ...own, keyFingerprint: makeSecretKey(randomBytes(32)).fingerprint });
  await expect(wrongKey).rejects.toThrow(WrongDatabase);
  await expect(wrongKey).rejects.toThrow(/sealed with another secret\.key .* restore the secret\.key that belongs to it/);
  const wrongNumber = claimDatabase(db, { ...own, number: 18, name: 'c18' });
  await expect(wrongNumber).rejects.toThrow('this database belongs to cell c17 (number 17), not to c18 (number 18)');
});

test('secret.key: made once with mode 0600, the same afterwards; readable by others or cut short it is refused', async () => {
  const one = await readSecretKey(folder);
  const path = join(folder, 'secret.key');
  expect([statSync(path).mode & 0o777, statSync(path).size]).toEqual([0o600, 32]);
  expect((await readSecretKey(folder)).fingerprint).toBe(one.fingerprint);
  expect(readFileSync(path).toString('latin1')).not.toContain(one.fingerprint);
  chmodSync(path, 0o640);
  await expect(readSecretKey(folder)).rejects.toThrow(`${path} can be read by others: run chmod 600 ${path}`);
  chmodSync(path, 0o600);
  writeFileSync(path, randomBytes(31));
  await expect(readSecretKey(folder)).rejects.toThrow(/has 31 bytes; a secret key has 32\. Restore it/);
});

test('two first starts at once make one key, also beside the half of a first start that was killed', async () => {
  const fresh = mkdtempSync(join(folder, 'first-'));
  writeFileSync(join(fresh, 'secret.key.0011'), 'half');
  const [one, two] = await Promise.all([readSecretKey(fresh), readSecretKey(fresh)]);
  expect(one.fingerprint).toBe(two.fingerprint);
  expect((await readSecretKey(fresh)).fingerprint).toBe(one.fingerprint);
});

test('what was sealed opens with the same key only, and a changed byte is noticed', () => {
  const [key, other] = [makeSecretKey(randomBytes(32)), makeSecretKey(randomBytes(32))];
  const sealed = key.seal(Buffer.from('calvin'));
  expect(key.open(sealed).toString()).toBe('calvin');
  expect(key.seal(Buffer.from('calvin')).equals(sealed)).toBe(false);
  expect(() => other.open(sealed)).toThrow(WrongSecretKey);
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Buffer.from(sealed);
    changed[at]! ^= 1;
    expect(() => key.open(changed)).toThrow(WrongSecretKey);
  }
  for (const cut of [0, 1, 12, 27, 28]) expect(() => key.open(sealed.subarray(0, cut))).toThrow(WrongSecretKey);
});
