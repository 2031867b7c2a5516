/** Bad input and bad days, on a real cell with its own PostgreSQL: each a clear error, and nothing is written that may not be. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, startCellProcess } from '../e2e/sim-cell.ts';
import { migrationsOfCell } from '../src/cell/cell-database.ts';
import { startCell } from '../src/cell/cell.ts';
import { readLoaders } from '../src/cell/netboot/loaders.ts';
import {
  admin,
  agent,
  bootScript,
  checkedIn,
  closeBadDays,
  config,
  configOf,
  disk,
  enlist,
  findings,
  folder,
  images,
  log,
  network,
  newcomer,
  openBadDays,
  readyMachine,
  send,
  signed,
} from './bad-day-cell.ts';
import { bootIdOf } from './machine-cell.ts';
import { testDatabase } from './postgres.ts';

beforeAll(openBadDays, 120_000);
afterAll(closeBadDays);

describe('machines', () => {
  test('an unknown MAC is enlisted on a VLAN that enlists, and boots its own disk anywhere else', async () => {
    const machine = newcomer();
    expect((await bootScript(machine.from, machine.mac)).text).toContain('muster_purpose=enlist');
    expect((await bootScript('127.0.0.9', machine.mac)).text).toContain('sanboot');
    expect(
      (
        await send('127.0.0.9', `${agent}enlist`, [
          ['boot_id', bootIdOf()],
          ['mac', machine.mac],
          ['architecture', 'amd64'],
        ])
      ).status,
    ).toBe(403);
    expect((await enlist(machine)).status).toBe(200);
    expect((await bootScript(machine.from, machine.mac)).text).toContain('off.lkrn');
  });

  test('a wrong nonce, a nonce from elsewhere, a second boot id, foreign data: refused, found, and nothing written', async () => {
    const machine = await readyMachine();
    const late = await send(machine.from, `${agent}check-in`, [
      ['nonce', machine.spentNonce],
      ['boot_id', bootIdOf()],
      ['mac', machine.mac],
    ]);
    expect([late.status, late.headers['muster-error']]).toEqual([403, 'forbidden']);
    await admin.call('Machine.deploy', { system_id: machine.systemId }, { distro_series: '1' });
    const { nonce, boot, key } = await checkedIn(machine);
    expect(
      (
        await send(machine.from, `${agent}check-in`, [
          ['nonce', randomBytes(16).toString('hex')],
          ['boot_id', boot],
          ['mac', machine.mac],
        ])
      ).status,
    ).toBe(403);
    // The same boot, and the credential it got, from another address.
    expect(
      (
        await send(`${network}.9.9`, `${agent}check-in`, [
          ['nonce', nonce],
          ['boot_id', boot],
          ['mac', machine.mac],
        ])
      ).status,
    ).toBe(403);
    expect(
      (
        await send(
          `${network}.9.9`,
          `${agent}claim`,
          [
            ['boot_id', boot],
            ['disk', disk()],
          ],
          signed(key),
        )
      ).status,
    ).toBe(401);
    const foreign = await send(
      machine.from,
      `${agent}claim`,
      [
        ['boot_id', boot],
        ['disk', disk('crypto_LUKS')],
      ],
      signed(key),
    );
    expect([foreign.status, foreign.headers['muster-error']]).toEqual([409, 'claim_refused']);
    expect(foreign.text).toContain('crypto_LUKS');
    const claim = await send(
      machine.from,
      `${agent}claim`,
      [
        ['boot_id', boot],
        ['disk', disk()],
      ],
      signed(key),
    );
    expect([claim.status, claim.text.split('\n')[1]]).toEqual([200, "disk 'target' 'DISK1' '8589934592'"]);
    const second = await send(machine.from, `${agent}check-in`, [
      ['nonce', nonce],
      ['boot_id', bootIdOf()],
      ['mac', machine.mac],
    ]);
    expect(second.status).toBe(403);
    expect(
      (
        await send(
          machine.from,
          `${agent}claim`,
          [
            ['boot_id', bootIdOf()],
            ['disk', disk()],
          ],
          signed(key),
        )
      ).status,
    ).toBe(403);
    // The first boot is not disturbed by any of this.
    expect(
      (
        await send(
          machine.from,
          `${agent}claim`,
          [
            ['boot_id', boot],
            ['disk', disk()],
          ],
          signed(key),
        )
      ).text,
    ).toBe(claim.text);
    expect(new Set(await findings())).toEqual(new Set(['wrong_nonce', 'nonce_from_elsewhere', 'second_boot_id', 'foreign_data']));
  });
});

test.each([
  'OAuth',
  'OAuth x',
  'OAuth oauth_token="a", oauth_token="b"',
  'OAuth oauth_token="%ZZ"',
  'OAuth oauth_token="%00", oauth_consumer_key="a", oauth_signature="%26a", oauth_signature_method="PLAINTEXT", oauth_timestamp="1", oauth_nonce="1"',
  'OAuth oauth_token="a", oauth_consumer_key="b", oauth_signature="%26c", oauth_signature_method="HMAC-SHA1", oauth_timestamp="1", oauth_nonce="1"',
  'OAuth oauth_token="a", oauth_consumer_key="b", oauth_signature="c", oauth_signature_method="PLAINTEXT", oauth_timestamp="1", oauth_nonce="1"',
  'OAuth oauth_token="a", oauth_consumer_key="b", oauth_signature="%26c", oauth_signature_method="PLAINTEXT", oauth_timestamp="x", oauth_nonce="1"',
  `OAuth oauth_token="${'a'.repeat(5000)}"`,
  'Basic YTpi',
  'Bearer a.b.c',
  'Bearer ',
])('a credential that is none (%#) is 400 or 401 with a sentence, never a crash', async (header) => {
  for (const path of ['/MAAS/api/2.0/machines/', '/MAAS/metadata/latest/meta-data/']) {
    const answer = await send('127.0.0.1', path, undefined, { authorization: header });
    expect([400, 401], `${path} ${answer.status}`).toContain(answer.status);
    expect(answer.text.length).toBeGreaterThan(10);
    expect(answer.text).not.toMatch(/internal|\bat \w+ \(/i);
  }
});

describe('starting', () => {
  test('a taken port: the error names address, port and what to do, and everything is let go', async () => {
    await using database = await testDatabase(migrationsOfCell);
    const squatter = createServer();
    await new Promise<void>((done) => squatter.listen(0, '127.0.0.1', done));
    const { port } = squatter.address() as AddressInfo;
    const taken = await configOf('taken', { port, database_url: database.url });
    await expect(startCell({ config: taken, version: '0', log })).rejects.toThrow(
      `Cannot listen on 127.0.0.1 port ${port} (EADDRINUSE). Something else listens there: stop it, or choose another port.`,
    );
    await new Promise((done) => squatter.close(done));
    // Nothing of the first try is in the way.
    await using again = await startCell({ config: taken, version: '0', log });
    expect(again.url).toBe(`http://127.0.0.1:${port}`);
  });

  test('another secret.key: refused with what to do', async () => {
    await using database = await testDatabase(migrationsOfCell);
    const own = await configOf('sealed', { database_url: database.url });
    await (await startCell({ config: own, version: '0', log })).close();
    rmSync(join(own.folder, 'secret.key'));
    await expect(startCell({ config: own, version: '0', log })).rejects.toThrow(
      /sealed with another secret\.key .*restore the secret\.key that belongs to it/,
    );
    await expect(startCell({ config: { ...own, folder: join(folder, 'elsewhere') }, version: '0', log })).rejects.toThrow(
      /another secret\.key/,
    );
  });

  test('a second process on the same data folder names the first one’s pid', async () => {
    await expect(startCell({ config: { ...config, port: await freePort() }, version: '0', log })).rejects.toThrow(
      `The data folder ${join(config.folder, 'postgres')} is in use by process ${process.pid} (this one). Stop that process, or choose another data folder.`,
    );
    const settings = {
      folder: config.folder,
      images: images.folder,
      port: await freePort(),
      imageSources: [],
      network: '127.46.255.254/16',
      killPoint: '',
      nth: 0,
      killPostgres: false,
    };
    await expect(startCellProcess(settings)).rejects.toThrow(new RegExp(`in use by process ${process.pid}\\. Stop that process`));
    expect((await admin.call('Version.read', {}, {})) as object).toBeTruthy();
  });

  test('a missing Debian package is named with the command that installs it', async () => {
    await expect(readLoaders(join(folder, 'nothing'))).rejects.toThrow(
      /comes with the Debian package ([a-z0-9-]+)\. Run: apt-get install \1$/,
    );
  });

  test('a database that is not there', async () => {
    const nowhere = await configOf('nowhere', { database_url: `postgres://muster@127.0.0.1:${await freePort()}/cell` });
    await expect(startCell({ config: nowhere, version: '0', log })).rejects.toThrow(/PostgreSQL is away: .*ECONNREFUSED/);
  });
});
