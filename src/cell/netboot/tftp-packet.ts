/**
 * TFTP on the wire: RFC 1350 (packets), 2347 (options), 2348 (blksize), 2349 (timeout, tsize), 7440 (windowsize).
 * Pure: any bytes become a packet or a reason why they are none; nothing here throws on outside bytes.
 */

export const tftpError = {
  undefined: 0,
  notFound: 1,
  accessViolation: 2,
  illegalOperation: 4,
  unknownTransfer: 5,
  optionRefused: 8,
} as const;

export type TftpPacket =
  | { readonly op: 'read' | 'write'; readonly file: string; readonly mode: string; readonly options: ReadonlyMap<string, string> }
  | { readonly op: 'data'; readonly block: number; readonly data: Uint8Array }
  | { readonly op: 'ack'; readonly block: number }
  | { readonly op: 'error'; readonly code: number; readonly message: string }
  | { readonly op: 'oack'; readonly options: ReadonlyMap<string, string> };

export type Parsed = { readonly packet: TftpPacket } | { readonly malformed: string };

/** RFC 2347 puts the longest request at 512 bytes. */
const longestRequest = 512;

const printable = /^[\x20-\x7e]*$/;

/** Zero-terminated strings until the end; undefined when the last one has no end. */
function strings(bytes: Uint8Array): string[] | undefined {
  const found: string[] = [];
  let start = 0;
  while (start < bytes.length) {
    const end = bytes.indexOf(0, start);
    if (end < 0) return undefined;
    found.push(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1'));
    start = end + 1;
  }
  return found;
}

/** Names are case-insensitive, and each may come once (RFC 2347). */
function optionsOf(pairs: readonly string[]): ReadonlyMap<string, string> | string {
  if (pairs.length % 2) return 'an option without a value';
  const options = new Map<string, string>();
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i]!.toLowerCase();
    if (options.has(name)) return `the option ${JSON.stringify(name)} twice`;
    options.set(name, pairs[i + 1]!);
  }
  return options;
}

function parseRequest(op: 'read' | 'write', rest: Uint8Array): Parsed {
  if (rest.length + 2 > longestRequest) return { malformed: `a request of ${rest.length + 2} bytes` };
  const fields = strings(rest);
  if (!fields) return { malformed: 'a string without its end' };
  const [file, mode, ...pairs] = fields;
  if (!file || mode === undefined) return { malformed: 'a request without file name or mode' };
  if (!fields.every((field) => printable.test(field))) return { malformed: 'a request with unprintable characters' };
  const options = optionsOf(pairs);
  return typeof options === 'string' ? { malformed: options } : { packet: { op, file, mode: mode.toLowerCase(), options } };
}

/** Reads one datagram. Never throws. */
export function parsePacket(bytes: Uint8Array): Parsed {
  if (bytes.length < 4) return { malformed: `only ${bytes.length} bytes` };
  const opcode = (bytes[0]! << 8) | bytes[1]!;
  const number = (bytes[2]! << 8) | bytes[3]!;
  switch (opcode) {
    case 1:
      return parseRequest('read', bytes.subarray(2));
    case 2:
      return parseRequest('write', bytes.subarray(2));
    case 3:
      return { packet: { op: 'data', block: number, data: bytes.subarray(4) } };
    case 4:
      return { packet: { op: 'ack', block: number } };
    case 5: {
      // Firmware is sloppy about the terminating zero of an error text; the code is what matters.
      const text = Buffer.from(bytes.subarray(4)).toString('latin1').split('\0', 1)[0]!;
      return { packet: { op: 'error', code: number, message: text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200) } };
    }
    case 6: {
      const pairs = strings(bytes.subarray(2));
      const options = pairs ? optionsOf(pairs) : 'a string without its end';
      return typeof options === 'string' ? { malformed: options } : { packet: { op: 'oack', options } };
    }
    default:
      return { malformed: `the unknown opcode ${opcode}` };
  }
}

const opcodes = { read: 1, write: 2, data: 3, ack: 4, error: 5, oack: 6 } as const;

function zeroEnded(fields: Iterable<string>): Buffer {
  return Buffer.from(`${[...fields].join('\0')}\0`, 'latin1');
}

function pairsOf(options: ReadonlyMap<string, string>): string[] {
  return [...options].flat();
}

/** The datagram of a packet; block numbers are taken modulo 65,536. */
export function encodePacket(packet: TftpPacket): Buffer {
  const head = Buffer.alloc(packet.op === 'read' || packet.op === 'write' || packet.op === 'oack' ? 2 : 4);
  head.writeUInt16BE(opcodes[packet.op], 0);
  switch (packet.op) {
    case 'read':
    case 'write':
      return Buffer.concat([head, zeroEnded([packet.file, packet.mode, ...pairsOf(packet.options)])]);
    case 'oack':
      return packet.options.size ? Buffer.concat([head, zeroEnded(pairsOf(packet.options))]) : head;
    case 'data':
      head.writeUInt16BE(packet.block & 0xffff, 2);
      return Buffer.concat([head, packet.data]);
    case 'ack':
      head.writeUInt16BE(packet.block & 0xffff, 2);
      return head;
    case 'error':
      head.writeUInt16BE(packet.code, 2);
      return Buffer.concat([head, zeroEnded([packet.message])]);
  }
}
