// Prints the MAC address of everyone who asks for an address on this network (RFC 2131 section 2), and answers nobody.
import { createSocket } from 'node:dgram';

const socket = createSocket({ type: 'udp4', reuseAddr: true });
socket.on('message', (packet) => {
  if (packet[0] !== 1 || packet.length < 240) return;
  const mac = [...packet.subarray(28, 34)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  process.stdout.write(`${mac}\n`);
});
socket.bind(67, '0.0.0.0');
