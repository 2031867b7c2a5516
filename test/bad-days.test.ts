/** Bad input and bad days, on a real cell with its own PostgreSQL: each a clear error, and nothing that was acknowledged is lost. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, simulatedImages, startCellProcess, type ServedImages } from '../e2e/sim-cell.ts';
import { migrationsOfCell } from '../src/cell/cell-database.ts';
import { startCell, type Cell } from '../src/cell/cell.ts';
import type { CellConfig } from '../src/cell/config.ts';
import { ensureRackSubnet } from '../src/cell/db/cell-identity.ts';
import { readLoaders } from '../src/cell/netboot/loaders.ts';
import { Authority } from '../src/global/authority.ts';
import { createFirstAdmin } from '../src/global/default-documents.ts';
import { createClient, type Client } from '../src/http/client.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import { ask as askFrom } from '../src/sim/web.ts';
import { answerOf, bootIdOf, keyOf } from './machine-cell.ts';
import { testDatabase } from './postgres.ts';

const folder = mkdtempSync(join(tmpdir(), 'muster-bad-days-'));
/** Machines call from here; the cell knows it as a network that enlists. */
const network = '127.43';
const log = pino({ level: 'silent' });
let images: ServedImages;
let config: CellConfig;
let cell: Cell;
let admin: Client;
let adminKey: string;

const configOf = async (name: string, more: Partial<CellConfig> = {}): Promise<CellConfig> => ({
  name,
  site: 'muster',
  folder: join(folder, name),
  images: images.folder,
  service_address: '127.0.0.1',
  port: await freePort(),
  listen: [],
  rack: [],
  dhcp: false,
  tftp_port: 0,
  lease_seconds: 600,
  image_sources: [images.source],
  kernel_parameters: 'console=ttyS0',
  boot_slots: 64,
  keep_events_days: 30,
  ...more,
});

beforeAll(async () => {
  images = await simulatedImages(join(folder, 'images'), 1);
  config = await configOf('bad');
  cell = await startCell({ config, version: '0', log });
  await cell.base.database.transaction((tx) => ensureRackSubnet(tx, `${network}.255.254/16`, false));
  const first = await createFirstAdmin(await Authority.open(cell.base.database));
  adminKey = first!.apiKey;
  admin = createClient({ url: cell.url, key: adminKey });
  await until(
    'the cell knows the admin and the images',
    async () => (await admin.call('BootResources.read', {}, {}).catch(() => [])).length >= 2,
  );
}, 120_000);
afterAll(async () => {
  await cell?.close();
  await images?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function until(what: string, holds: () => Promise<boolean>, withinMs = 20_000): Promise<void> {
  for (const end = Date.now() + withinMs; !(await holds()); await sleep(50))
    if (Date.now() > end) throw new Error(`${what}: not within ${withinMs} ms`);
}

type Answer = { status: number; text: string; headers: Readonly<Record<string, unknown>>; ms: number };

/** A request as a machine at `from` sends it. */
async function send(
  from: string,
  path: string,
  form?: readonly (readonly [string, string])[],
  headers: Record<string, string> = {},
): Promise<Answer> {
  const began = performance.now();
  const reply = await askFrom({
    method: form === undefined ? 'GET' : 'POST',
    url: `${cell.url}${path}`,
    from,
    headers: { ...headers, ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }) },
    ...(form === undefined ? {} : { body: Buffer.from(new URLSearchParams(form.map(([name, value]) => [name, value])).toString()) }),
    signal: AbortSignal.timeout(20_000),
  });
  return { status: reply.status, text: reply.body.toString(), headers: reply.headers, ms: performance.now() - began };
}

const agent = '/MAAS/metadata/agent/';
const signed = (key: string) => ({ authorization: oauthHeader(key) });
const bootScript = (from: string, mac: string) => send(from, `/boot/script.ipxe?mac=${mac.replaceAll(':', '-')}&platform=pcbios`);
const nonceIn = (script: string): string => /muster_nonce=([0-9a-f]{32})/.exec(script)?.[1] ?? '';
const findings = async (): Promise<string[]> => ((await admin.call('Findings.read', {}, {})) as { kind: string }[]).map((one) => one.kind);
const disk = (signatures = '') => `name=vda&serial=DISK1&wwn=&size=8589934592&block_size=512&model=x&signatures=${signatures}&marker=`;

let count = 0;
function newcomer() {
  count += 1;
  return { mac: `52:54:00:43:00:${count.toString(16).padStart(2, '0')}`, from: `${network}.0.${count}` };
}
async function enlist({ mac, from }: { mac: string; from: string }): Promise<Answer> {
  return send(from, `${agent}enlist`, [
    ['boot_id', bootIdOf()],
    ['mac', mac],
    ['architecture', 'amd64'],
    ['firmware', 'bios'],
  ]);
}

/** Through the whole commissioning, as an agent does it: a Ready machine with one disk that was blank. */
async function readyMachine() {
  const machine = newcomer();
  const { SYSTEM_ID: systemId = '' } = answerOf((await enlist(machine)).text);
  await admin.call('Machine.update', { system_id: systemId }, { power_type: 'manual' });
  await admin.call('Machine.commission', { system_id: systemId }, {});
  const { nonce, boot, key } = await checkedIn(machine);
  const inventory = {
    schema: 1,
    architecture: 'amd64',
    firmware: 'bios',
    system: {},
    mainboard: {},
    bios: {},
    cpu: { count: 2 },
    memory_mib: 1024,
    disks: [{ name: 'vda', serial: 'DISK1', size: 8_589_934_592, block_size: 512 }],
    interfaces: [{ name: 'eth0', mac: machine.mac, boot: true }],
  };
  const results = await cell.base.database.db
    .selectFrom('script_result')
    .select(['id', 'name'])
    .where('system_id', '=', systemId)
    .execute();
  for (const { id, name } of results) {
    const form = new FormData();
    for (const [field, value] of Object.entries({ op: 'signal', status: 'WORKING', exit_status: '0', name, script_result_id: String(id) }))
      form.append(field, value);
    form.append(`${name}.out`, new Blob([name === '50-muster-inventory' ? JSON.stringify(inventory) : 'fine']), `${name}.out`);
    const packed = new Response(form);
    const headers = { ...signed(key), 'content-type': packed.headers.get('content-type')! };
    const body = new Uint8Array(await packed.arrayBuffer());
    const signal = await askFrom({
      method: 'POST',
      url: `${cell.url}/MAAS/metadata/latest/`,
      from: machine.from,
      headers,
      body,
      signal: AbortSignal.timeout(10_000),
    });
    expect(signal.status, signal.body.toString()).toBe(200);
  }
  await send(
    machine.from,
    `${agent}spend`,
    [
      ['boot_id', boot],
      ['outcome', 'done'],
      ['disk', disk()],
    ],
    signed(key),
  );
  await becomes(systemId, 'Ready');
  return { ...machine, systemId, spentNonce: nonce };
}

async function checkedIn(machine: { mac: string; from: string }) {
  let nonce = '';
  await until('a boot script with a nonce', async () => (nonce = nonceIn((await bootScript(machine.from, machine.mac)).text)) !== '');
  const boot = bootIdOf();
  const answer = await send(machine.from, `${agent}check-in`, [
    ['nonce', nonce],
    ['boot_id', boot],
    ['mac', machine.mac],
  ]);
  expect(answer.status, answer.text).toBe(200);
  return { nonce, boot, key: keyOf(answer.text) };
}

const becomes = (systemId: string, state: string) =>
  until(
    `${systemId} becomes ${state}`,
    async () => ((await admin.call('Machine.read', { system_id: systemId }, {})) as { status_name: string }).status_name === state,
  );

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
      network: '127.44.255.254/16',
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

test('PostgreSQL is killed (-9) under load: 503 with Retry-After, boots are told to wait, nothing acknowledged is lost, and it goes on by itself', async () => {
  const deploying = await readyMachine();
  await admin.call('Machine.deploy', { system_id: deploying.systemId }, { distro_series: '1' });
  let nonce = '';
  await until('a ticket', async () => (nonce = nonceIn((await bootScript(deploying.from, deploying.mac)).text)) !== '');
  const { embedded, database } = cell.base;
  const acknowledged: string[] = [];
  const refused: Answer[] = [];
  const odd: Answer[] = [];
  const scripts: Answer[] = [];
  let isOver = false;
  const judge = (answer: Answer): void => {
    if (answer.status === 503) refused.push(answer);
    else if (answer.status !== 200) odd.push(answer);
  };
  const writers = Array.from({ length: 6 }, async (_, n) => {
    for (let k = 0; !isOver; k += 1) {
      const mac = `52:54:00:44:${n.toString(16).padStart(2, '0')}:${(k & 255).toString(16).padStart(2, '0')}`;
      const answer = await enlist({ mac, from: `${network}.1.${n}` });
      if (answer.status === 200) acknowledged.push(answerOf(answer.text)['SYSTEM_ID']!);
      judge(answer);
      await sleep(20);
    }
  });
  const readers = Array.from({ length: 2 }, async () => {
    while (!isOver) {
      judge(await send('127.0.0.1', '/MAAS/api/2.0/machines/?hostname=nobody', undefined, signed(adminKey)));
      await sleep(20);
    }
  });
  const boots = (async () => {
    while (!isOver) {
      scripts.push(await bootScript(deploying.from, deploying.mac));
      await sleep(20);
    }
  })();
  await sleep(500);
  const before = acknowledged.length;
  // The watcher starts it again within a second or two; killed three times it is away for longer.
  for (let n = 0; n < 3; n += 1) {
    embedded!.kill();
    await sleep(700);
  }
  await until('it answers again', async () => (await send('127.0.0.1', '/readyz')).status === 200, 30_000);
  await sleep(500);
  isOver = true;
  await Promise.all([...writers, ...readers, boots]);

  expect([before > 0, acknowledged.length > before, refused.length > 0]).toEqual([true, true, true]);
  expect(odd.map((one) => `${one.status} ${one.text.slice(0, 200)}`)).toEqual([]);
  for (const one of refused) expect([one.headers['muster-error'], one.headers['retry-after']]).toEqual(['database_away', '2']);
  const there = new Set((await database.db.selectFrom('machine').select('system_id').execute()).map((row) => row.system_id));
  expect(acknowledged.filter((id) => !there.has(id))).toEqual([]);
  // A boot script is an environment only from a row that was read; else it is "wait and ask again".
  const waits = scripts.filter(({ text }) => !text.includes(nonce));
  expect(waits.length).toBeGreaterThan(0);
  for (const { status, text } of waits) expect([status, text.includes('muster_')]).toEqual([200, false]);
  // 0.5 s for the facts, and what two busy cores add.
  expect(Math.max(...waits.map((one) => one.ms))).toBeLessThan(1500);
  expect(nonceIn((await bootScript(deploying.from, deploying.mac)).text)).toBe(nonce);
  // Operations, and the wake-ups that drive them, work again.
  await checkedIn(deploying);
  await admin.call('Machine.abort', { system_id: deploying.systemId }, {});
  await becomes(deploying.systemId, 'Allocated');
}, 90_000);
