import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { encodePacket, parsePacket, type TftpPacket } from './tftp-packet.ts';
import { startTftp, type TftpOptions, type TftpRequest, type TftpServer } from './tftp-server.ts';

const run = promisify(execFile);
const loader = Buffer.alloc(180_000, 'the loader ');
const open: TftpServer[] = [];
let seen: TftpRequest[] = [];

async function serve(options: Partial<TftpOptions> = {}) {
  seen = [];
  const server = await startTftp({
    addresses: ['127.0.0.1'],
    port: 0,
    files: new Map([
      ['snponly.efi', loader],
      ['empty', Buffer.alloc(0)],
      ['even', Buffer.alloc(1024, 7)],
    ]),
    onRequest: (request) => seen.push(request),
    ...options,
  });
  open.push(server);
  return server;
}
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

/** Sends each packet to the server's main port and gives what comes back within `ms`, with its source port. */
async function exchange(port: number, packets: readonly Uint8Array[], ms = 300, reply?: (packet: TftpPacket) => Uint8Array | undefined) {
  const socket = createSocket('udp4');
  const got: { packet: TftpPacket; port: number }[] = [];
  socket.on('message', (bytes, from) => {
    const parsed = parsePacket(bytes);
    if (!('packet' in parsed)) throw new Error(parsed.malformed);
    got.push({ packet: parsed.packet, port: from.port });
    const answer = reply?.(parsed.packet);
    if (answer) socket.send(answer, from.port, from.address);
  });
  for (const packet of packets) socket.send(packet, port, '127.0.0.1');
  await new Promise((resolve) => setTimeout(resolve, ms));
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return got;
}
const read = (file: string, options: Record<string, string> = {}): Buffer =>
  encodePacket({ op: 'read', file, mode: 'octet', options: new Map(Object.entries(options)) });
const ends = () => seen.filter((request) => request.phase === 'end');

test.each([
  ['127.0.0.1', []],
  ['127.0.0.1', ['--tftp-blksize', '8192']],
  ['127.0.0.1', ['--tftp-no-options']],
  ['::1', ['--tftp-blksize', '8192']],
])('curl fetches a loader from %s %j', async (address, flags) => {
  const server = await serve({ addresses: [address] });
  const host = address.includes(':') ? `[${address}]` : address;
  const { stdout } = await run('curl', ['-sS', '-m', '10', ...flags, `tftp://${host}:${server.addresses[0]!.port}/snponly.efi`], {
    encoding: 'buffer',
    maxBuffer: 1e6,
  });
  expect(stdout.equals(loader)).toBe(true);
  await expect.poll(() => ends().length, { timeout: 3000 }).toBe(1);
  expect(ends()[0]).toMatchObject({ address, file: 'snponly.efi', outcome: 'sent', bytes: loader.length });
});

test('empty files and whole multiples of the block size end with an empty block', async () => {
  const server = await serve();
  const port = server.addresses[0]!.port;
  for (const [file, size] of [
    ['empty', 0],
    ['even', 1024],
  ] as const) {
    const got = await exchange(port, [read(file)], 300, (packet) =>
      packet.op === 'data' ? encodePacket({ op: 'ack', block: packet.block }) : undefined,
    );
    const data = got.flatMap(({ packet }) => (packet.op === 'data' ? [packet.data.length] : []));
    expect(data.reduce((sum, length) => sum + length, 0)).toBe(size);
    expect(data.at(-1)).toBe(0);
  }
});

test('names that are not in the table are refused, whatever they look like', async () => {
  const server = await serve();
  const names = ['../../etc/passwd', '/etc/passwd', '..', 'grub/grub.cfg', 'snponly.efi/../x', 'SNPONLY.EFI', '__proto__', 'constructor'];
  const got = await exchange(
    server.addresses[0]!.port,
    names.map((name) => read(name)),
  );
  expect(got.map(({ packet }) => packet)).toEqual(names.map(() => ({ op: 'error', code: 1, message: 'no such loader' })));
  expect(ends().every((request) => request.outcome === 'refused')).toBe(true);
});

test('writes are refused; what is no request is not answered at all; a malformed request is', async () => {
  const server = await serve();
  const port = server.addresses[0]!.port;
  const write = encodePacket({ op: 'write', file: 'snponly.efi', mode: 'octet', options: new Map() });
  expect((await exchange(port, [write])).map(({ packet }) => packet)).toEqual([
    { op: 'error', code: 2, message: 'this server is read-only' },
  ]);
  const noise = [
    encodePacket({ op: 'ack', block: 1 }),
    encodePacket({ op: 'error', code: 4, message: 'x' }),
    Buffer.from([0, 77, 1, 2]),
    Buffer.alloc(0),
  ];
  expect(await exchange(port, noise)).toEqual([]);
  expect((await exchange(port, [Buffer.from('\0\x01snponly.efi')])).map(({ packet }) => packet)).toEqual([
    { op: 'error', code: 4, message: 'malformed: a string without its end' },
  ]);
});

test('a stranger on a transfer’s port gets error 5 and disturbs nothing', async () => {
  const server = await serve();
  let told: TftpPacket[] = [];
  const got = await exchange(server.addresses[0]!.port, [read('even')], 500, (packet) => {
    if (packet.op !== 'data') return undefined;
    return encodePacket({ op: 'ack', block: packet.block });
  });
  expect(got.length).toBe(3);
  const slow = createSocket('udp4');
  const transferPort = await new Promise<number>((resolve) => {
    slow.once('message', (_, from) => resolve(from.port));
    slow.send(read('even'), server.addresses[0]!.port, '127.0.0.1');
  });
  told = (await exchange(transferPort, [encodePacket({ op: 'ack', block: 1 })])).map(({ packet }) => packet);
  expect(told).toEqual([{ op: 'error', code: 5, message: 'unknown transfer ID' }]);
  const next = await new Promise<TftpPacket | undefined>((resolve) => {
    slow.once('message', (bytes) => {
      const parsed = parsePacket(bytes);
      resolve('packet' in parsed ? parsed.packet : undefined);
    });
    slow.send(encodePacket({ op: 'ack', block: 1 }), transferPort, '127.0.0.1');
  });
  expect(next).toMatchObject({ op: 'data', block: 2 });
  slow.close();
});

test('transfers are bounded for one address', async () => {
  const server = await serve({ transfersPerAddress: 2 });
  const port = server.addresses[0]!.port;
  const all = (await Promise.all([1, 2, 3, 4].map(() => exchange(port, [read('even')])))).flat();
  expect(all.filter(({ packet }) => packet.op === 'data').length).toBe(2);
  expect(all.filter(({ packet }) => packet.op === 'error' && packet.message.startsWith('too many')).length).toBe(2);
});

test('a silent client is retried and given up, and said so', async () => {
  const server = await serve({ limits: { firstTimeoutMs: 20, retries: 2 } });
  const got = await exchange(server.addresses[0]!.port, [read('even')], 500);
  expect(got.map(({ packet }) => packet.op)).toEqual(['data', 'data', 'data', 'error']);
  expect(ends()[0]).toMatchObject({ outcome: 'timed-out', bytes: 0 });
});

test('a taken port is an error that names it, and nothing stays open', async () => {
  const server = await serve();
  const port = server.addresses[0]!.port;
  await expect(startTftp({ addresses: ['127.0.0.2', '127.0.0.1'], port, files: new Map(), onRequest: () => undefined })).rejects.toThrow(
    `TFTP cannot listen on 127.0.0.1 port ${port}: EADDRINUSE`,
  );
  const again = await startTftp({ addresses: ['127.0.0.2'], port, files: new Map(), onRequest: () => undefined });
  await again.close();
});
