import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { Server } from 'node:http';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { BootFacts } from '../../contract/boot.ts';
import { bootAsker } from './boot-asker.ts';
import { listenForBoots } from './boot-listener.scenario.ts';
import { byteRange } from './byte-range.ts';
import { createBootHandler, decideBoot, type BootFound, type BootLogEntry } from './http-boot.ts';
import { startScript } from './ipxe.ts';

const kernel = Buffer.from('the kernel, byte by byte');
const sha256 = createHash('sha256').update(kernel).digest('hex');
const loader = Buffer.from('a loader');
const deploying: BootFacts = {
  machine: { state: 'deploying', locked: false, movedAway: false, ephemeral: false },
  ticket: { purpose: 'deploy' },
  enlists: false,
  unsure: false,
};
const whole: BootFound = {
  facts: deploying,
  systemId: 'abc3467',
  nonce: '0123456789abcdef'.repeat(2),
  environment: { kernel: { sha256, name: 'vmlinuz' }, initrd: { sha256, name: 'initrd.img' } },
  parameters: [['console', 'ttyS0,115200']],
};
const serviceUrl = 'http://10.77.0.1:5240';
const serviceUrls = [serviceUrl];

let server: Server;
let base = '';
let log: BootLogEntry[] = [];
let find: () => Promise<BootFound>;
let lastKnown: () => BootFound | undefined = () => undefined;

beforeEach(async () => {
  log = [];
  find = async () => whole;
  lastKnown = () => undefined;
  ({ server, base } = await listenForBoots(
    createBootHandler({
      serviceUrls,
      factsWithinMs: 60,
      loaders: new Map([
        ['snponly.efi', { name: 'snponly.efi', bytes: loader, sha256: createHash('sha256').update(loader).digest('hex') }],
      ]),
      doors: {
        findBoot: () => find(),
        lastKnown: () => lastKnown(),
        openFile: async (digest) =>
          digest === sha256 ? { size: kernel.length, read: (first, last) => Readable.from([kernel.subarray(first, last + 1)]) } : undefined,
        log: (entry) => log.push(entry),
      },
    }),
    '127.0.0.1',
    0,
  ));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const query = '?mac=52-54-00-00-00-01&platform=efi&uuid=x&serial=&arch=x86_64&try=1';

test('a live ticket: its environment, with the nonce, where to call, and nothing else', async () => {
  const text = await (await fetch(`${base}/boot/script.ipxe${query}`)).text();
  expect(text).toContain(
    `kernel --name vmlinuz /boot/file/${sha256}/vmlinuz initrd=initrd.img muster_url=${serviceUrl} muster_purpose=deploy muster_nonce=${whole.nonce} BOOTIF=01-52-54-00-00-00-01 console=ttyS0,115200 || goto again`,
  );
  expect(log).toEqual([
    {
      protocol: 'http',
      address: '127.0.0.1',
      mac: '52:54:00:00:00:01',
      systemId: 'abc3467',
      path: '/boot/script.ipxe',
      answer: 'environment deploy',
      because: 'live ticket',
    },
  ]);
});

test('enlistment carries no nonce', async () => {
  find = async () => ({ ...whole, facts: { enlists: true, unsure: false } });
  const text = await (await fetch(`${base}/boot/script.ipxe${query}`)).text();
  expect(text).toContain('muster_purpose=enlist BOOTIF=');
  expect(text).not.toContain('nonce');
});

test.each([
  ['the database is away', () => Promise.reject(new Error('away')), 'the facts could not be read: away'],
  ['the database is slow', () => new Promise<BootFound>(() => undefined), 'no facts within 60 ms'],
  ['no environment yet', async () => ({ facts: deploying, nonce: whole.nonce! }), 'the cell has no amd64 environment yet'],
  ['no nonce', async () => ({ ...whole, nonce: '' }), 'no nonce for deploy'],
  ['a hostile kernel option', async () => ({ ...whole, parameters: [['x', '$(reboot)']] as const }), 'kernel parameter x has a value'],
])('%s: ask again, and after a minute the local disk', async (_, facts, because) => {
  find = facts;
  expect(await (await fetch(`${base}/boot/script.ipxe${query}`)).text()).toContain('chain --autofree --replace /boot/start.ipxe');
  expect(await (await fetch(`${base}/boot/script.ipxe${query.replace('try=1', 'try=12')}`)).text()).toContain('/boot/loader/local.efi');
  expect(log.map(({ answer }) => answer)).toEqual(['retry', 'local']);
  expect(log[0]!.because).toContain(because);
});

test('the facts cannot be read: what was last known is answered, and the log says so', async () => {
  find = () => Promise.reject(new Error('away'));
  lastKnown = () => whole;
  expect(await (await fetch(`${base}/boot/script.ipxe${query}`)).text()).toContain(`muster_nonce=${whole.nonce}`);
  expect(log[0]).toMatchObject({ answer: 'environment deploy', because: 'live ticket, as last known: the facts could not be read: away' });
  lastKnown = () => undefined;
  expect(await (await fetch(`${base}/boot/script.ipxe${query}`)).text()).not.toContain('muster_');
});

test('whoever asks and however: no environment without a ticket, no nonce in any other answer', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom('mac', 'platform', 'uuid', 'serial', 'arch', 'try'),
        fc.oneof(fc.string(), fc.constantFrom('52-54-00-00-00-01', '${mac}', 'a\nboot', 'efi')),
      ),
      (params) => {
        const { ticket: _, ...facts } = deploying;
        const asker = bootAsker(new URLSearchParams(params), '10.0.0.1');
        const { text, answer } = decideBoot(asker, { ...whole, facts }, serviceUrls);
        expect(answer).toBe('local');
        expect(text).not.toContain(whole.nonce);
        const withTicket = decideBoot(asker, whole, serviceUrls).text;
        expect(withTicket.split('\n').length).toBe(10);
        expect(withTicket).not.toContain('$');
      },
    ),
  );
});

test('files: HEAD with its length, GET, one range, If-None-Match; curl resumes', async () => {
  const url = `${base}/boot/file/${sha256}/vmlinuz`;
  const head = await fetch(url, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-length'), head.headers.get('accept-ranges'), head.headers.get('etag')]).toEqual([
    200,
    String(kernel.length),
    'bytes',
    `"${sha256}"`,
  ]);
  expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(kernel)).toBe(true);
  const part = await fetch(url, { headers: { range: 'bytes=4-9' } });
  expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([206, `bytes 4-9/${kernel.length}`, 'kernel']);
  const behind = await fetch(url, { headers: { range: 'bytes=999-' } });
  expect([behind.status, behind.headers.get('content-range')]).toEqual([416, `bytes */${kernel.length}`]);
  expect((await fetch(url, { headers: { 'if-none-match': `"${sha256}"` } })).status).toBe(304);
  const { stdout } = await promisify(execFile)('curl', ['-sS', '-m', '5', '-r', '-4', url]);
  expect(stdout).toBe('byte'.slice(-4));
});

test('loaders, the start script, and nothing else', async () => {
  expect(await (await fetch(`${base}/boot/loader/snponly.efi`)).text()).toBe('a loader');
  expect((await fetch(`${base}/boot/loader/snponly.efi`, { method: 'HEAD' })).headers.get('content-length')).toBe('8');
  expect(await (await fetch(`${base}/boot/start.ipxe`)).text()).toBe(startScript());
  for (const path of [
    '/boot/',
    '/boot/loader/nope',
    '/boot/loader/..%2f..%2fetc%2fpasswd',
    `/boot/file/${'0'.repeat(64)}/x`,
    '/boot/file/../../etc/passwd',
    `/boot/file/${sha256}/../x`,
    '/boot/loader/__proto__',
  ]) {
    expect((await fetch(base + path)).status).toBe(404);
  }
  expect((await fetch(`${base}/boot/start.ipxe`, { method: 'POST' })).status).toBe(405);
});

test('any Range header is whole, inside the file, or unsatisfiable', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.tuple(fc.nat(30), fc.nat(30)).map(([a, b]) => `bytes=${a}-${b}`),
        fc.nat(30).map((n) => `bytes=-${n}`),
      ),
      fc.nat(20),
      (header, size) => {
        const range = byteRange(header, size);
        if (typeof range === 'string') return;
        expect(range.first).toBeGreaterThanOrEqual(0);
        expect(range.first).toBeLessThanOrEqual(range.last);
        expect(range.last).toBeLessThan(size);
      },
    ),
    { numRuns: 1000 },
  );
});
