/**
 * A hand-made DHCP client for tests: `node dhcp-client.scenario.ts MAC ARCH USERCLASS [request|ADDRESS]` in the client's network namespace.
 * `request` goes on from offer to lease; an address is a lease that it has, which it asks anybody to prolong (INIT-REBOOT, RFC 2131 §4.3.2).
 * Prints the answer as JSON, or null when nobody answered within 10 s.
 */
import { createSocket } from 'node:dgram';

const [mac = '', arch = '', userClass = '', request] = process.argv.slice(2);
const hardware = Buffer.from(mac.replaceAll(':', ''), 'hex');
const option = (code: number, ...bytes: number[]): Buffer => Buffer.from([code, bytes.length, ...bytes]);

function message(type: number, more: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(240);
  head.set([1, 1, 6, 0]);
  head.set(hardware.subarray(2, 6), 4);
  head.writeUInt16BE(0x8000, 10); // answer by broadcast: this socket has no other way to hear it
  hardware.copy(head, 28);
  head.writeUInt32BE(0x63825363, 236);
  const options = [option(53, type), option(55, 1, 3, 6, 12, 15, 42, 66, 67, 175), ...more];
  if (arch)
    options.push(option(93, 0, Number(arch)), option(60, ...Buffer.from(Number(arch) === 16 ? 'HTTPClient:Arch:00016' : 'PXEClient')));
  if (userClass) options.push(option(77, ...Buffer.from(userClass)));
  return Buffer.concat([head, ...options, Buffer.from([255]), Buffer.alloc(60)]);
}

function read(bytes: Buffer) {
  const options = new Map<number, Buffer>();
  for (let i = 240; i < bytes.length && bytes[i] !== 255;) {
    if (bytes[i] === 0) i += 1;
    else {
      options.set(bytes[i]!, bytes.subarray(i + 2, i + 2 + bytes[i + 1]!));
      i += 2 + bytes[i + 1]!;
    }
  }
  const dotted = (at: number): string => [...bytes.subarray(at, at + 4)].join('.');
  return {
    type: options.get(53)?.[0],
    address: dotted(16),
    next: dotted(20),
    file: bytes.subarray(108, 236).toString('latin1').split('\0')[0] || options.get(67)?.toString('latin1') || '',
    vendor: options.get(60)?.toString('latin1') ?? '',
    hostname: options.get(12)?.toString('latin1') ?? '',
    tftp: options.get(66)?.toString('latin1') ?? '',
    ipxe: options.get(175)?.toString('hex') ?? '',
    server: options.get(54),
    hardware: bytes.subarray(28, 34),
  };
}

const socket = createSocket({ type: 'udp4', reuseAddr: true });
const finish = (answer: unknown): void => {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
  process.exit(0);
};
setTimeout(() => finish(null), 10_000);
socket.on('message', (bytes) => {
  const answer = read(bytes);
  if (!answer.hardware.equals(hardware)) return;
  const { server, hardware: _, ...told } = answer;
  if (answer.type === 2 && request === 'request' && server) {
    const wanted = option(50, ...answer.address.split('.').map(Number));
    socket.send(message(3, [wanted, option(54, ...server)]), 67, '255.255.255.255');
  } else finish({ ...told, from: server ? [...server].join('.') : '' });
});
socket.bind(68, '0.0.0.0', () => {
  socket.setBroadcast(true);
  const lease = request === undefined || request === '' || request === 'request' ? undefined : request;
  const asked = lease === undefined ? message(1, []) : message(3, [option(50, ...lease.split('.').map(Number))]);
  const ask = (): void => socket.send(asked, 67, '255.255.255.255');
  ask();
  setInterval(ask, 1000);
});
