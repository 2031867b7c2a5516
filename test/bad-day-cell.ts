// One real cell with its own PostgreSQL for tests of bad days, and the calls that machines make of it from their own addresses. One file of
// tests has one such cell: it is opened and closed by the file's hooks.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { expect } from 'vitest';
import { freePort, simulatedImages, type ServedImages } from '../e2e/sim-cell.ts';
import { startCell, type Cell } from '../src/cell/cell.ts';
import type { CellConfig } from '../src/cell/config.ts';
import { ensureRackSubnet } from '../src/cell/db/cell-identity.ts';
import { Authority } from '../src/global/authority.ts';
import { createFirstAdmin } from '../src/global/default-documents.ts';
import { createClient, type Client } from '../src/http/client.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import { ask as askFrom } from '../src/sim/web.ts';
import { answerOf, bootIdOf, keyOf } from './machine-cell.ts';

export const folder = mkdtempSync(join(tmpdir(), 'muster-bad-days-'));
/** Machines call from here; the cell knows it as a network that enlists. */
export const network = '127.43';
export const log = pino({ level: 'silent' });
export let images: ServedImages;
export let config: CellConfig;
export let cell: Cell;
export let admin: Client;
export let adminKey: string;

export const configOf = async (name: string, more: Partial<CellConfig> = {}): Promise<CellConfig> => ({
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

/** Start it, with an admin and images for simulated machines. */
export async function openBadDays(): Promise<void> {
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
}

export async function closeBadDays(): Promise<void> {
  await cell?.close();
  await images?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
}

export async function until(what: string, holds: () => Promise<boolean>, withinMs = 20_000): Promise<void> {
  for (const end = Date.now() + withinMs; !(await holds()); await sleep(50))
    if (Date.now() > end) throw new Error(`${what}: not within ${withinMs} ms`);
}

export type Answer = { status: number; text: string; headers: Readonly<Record<string, unknown>>; ms: number };

/** A request as a machine at `from` sends it. */
export async function send(
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

export const agent = '/MAAS/metadata/agent/';
export const signed = (key: string) => ({ authorization: oauthHeader(key) });
export const bootScript = (from: string, mac: string) => send(from, `/boot/script.ipxe?mac=${mac.replaceAll(':', '-')}&platform=pcbios`);
export const nonceIn = (script: string): string => /muster_nonce=([0-9a-f]{32})/.exec(script)?.[1] ?? '';
export const findings = async (): Promise<string[]> =>
  ((await admin.call('Findings.read', {}, {})) as { kind: string }[]).map((one) => one.kind);
export const disk = (signatures = '') =>
  `name=vda&serial=DISK1&wwn=&size=8589934592&block_size=512&model=x&signatures=${signatures}&marker=`;

export let count = 0;
export function newcomer() {
  count += 1;
  return { mac: `52:54:00:43:00:${count.toString(16).padStart(2, '0')}`, from: `${network}.0.${count}` };
}
export async function enlist({ mac, from }: { mac: string; from: string }): Promise<Answer> {
  return send(from, `${agent}enlist`, [
    ['boot_id', bootIdOf()],
    ['mac', mac],
    ['architecture', 'amd64'],
    ['firmware', 'bios'],
  ]);
}

/** Through the whole commissioning, as an agent does it: a Ready machine with one disk that was blank. */
export async function readyMachine() {
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
  const printed: Readonly<Record<string, string>> = {
    '50-muster-inventory': JSON.stringify(inventory),
    '60-muster-lshw': '<?xml version="1.0"?><list><node id="a" class="system"/></list>',
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
    form.append(`${name}.out`, new Blob([printed[name] ?? 'fine']), `${name}.out`);
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

export async function checkedIn(machine: { mac: string; from: string }) {
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

export const becomes = (systemId: string, state: string) =>
  until(
    `${systemId} becomes ${state}`,
    async () => ((await admin.call('Machine.read', { system_id: systemId }, {})) as { status_name: string }).status_name === state,
  );
