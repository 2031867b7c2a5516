/**
 * One read transfer as a pure state machine: what was agreed, what is acknowledged, what to send next. Sockets and clocks are
 * tftp-server.ts's. Blocks are counted from 1 without end here; on the wire they roll over at 65,536 (as RFC 7440 §4 has it).
 */
import { encodePacket, tftpError, type TftpPacket } from './tftp-packet.ts';

export interface TransferLimits {
  /** Largest blksize granted. 1468 + 4 (TFTP) + 8 (UDP) + 20 (IPv4) = 1500: one Ethernet frame; use 1448 over IPv6. */
  readonly largestBlock: number;
  readonly largestWindow: number;
  /** First wait for an answer; doubles up to 8 s unless the client named its own (RFC 2349). */
  readonly firstTimeoutMs: number;
  readonly retries: number;
}

export const defaultLimits: TransferLimits = { largestBlock: 1468, largestWindow: 16, firstTimeoutMs: 1000, retries: 5 };
const longestTimeoutMs = 8000;

export interface Transfer {
  readonly file: Uint8Array;
  readonly blockSize: number;
  readonly window: number;
  /** The accepted options, to be sent until they are acknowledged; undefined when none were asked for. */
  readonly offer: ReadonlyMap<string, string> | undefined;
  readonly blocks: number;
  readonly acknowledged: number;
  readonly sent: number;
  readonly timeoutMs: number;
  readonly backsOff: boolean;
  readonly retriesLeft: number;
  readonly retries: number;
  /** The acknowledged block for which a repeated ACK has already made us send again: once, never more (sorcerer's apprentice). */
  readonly resentAfter: number;
}

export type TransferOutcome = 'sent' | 'aborted' | 'timed-out';

export interface Step {
  readonly transfer: Transfer;
  readonly send: readonly Buffer[];
  readonly outcome?: TransferOutcome;
  /** The client's own words when it gave up. */
  readonly reason?: string;
}

function integer(text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

/** Agrees on options (unknown or senseless ones are left out of the answer, RFC 2347) and sends the first packets. */
export function beginTransfer(file: Uint8Array, asked: ReadonlyMap<string, string>, limits: TransferLimits = defaultLimits): Step {
  const offer = new Map<string, string>();
  const block = integer(asked.get('blksize'), 8, 65464);
  if (block !== undefined) offer.set('blksize', String(Math.min(block, limits.largestBlock)));
  const window = integer(asked.get('windowsize'), 1, 65535);
  if (window !== undefined) offer.set('windowsize', String(Math.min(window, limits.largestWindow)));
  const timeout = integer(asked.get('timeout'), 1, 255);
  if (timeout !== undefined) offer.set('timeout', String(timeout));
  if (integer(asked.get('tsize'), 0, Number.MAX_SAFE_INTEGER) !== undefined) offer.set('tsize', String(file.length));
  const blockSize = Number(offer.get('blksize') ?? 512);
  const transfer: Transfer = {
    file,
    blockSize,
    window: Number(offer.get('windowsize') ?? 1),
    offer: offer.size ? offer : undefined,
    // A last block shorter than the rest ends the file, so a multiple of the block size needs an empty one.
    blocks: Math.floor(file.length / blockSize) + 1,
    acknowledged: offer.size ? -1 : 0,
    sent: offer.size ? -1 : 0,
    timeoutMs: timeout === undefined ? limits.firstTimeoutMs : timeout * 1000,
    backsOff: timeout === undefined,
    retriesLeft: limits.retries,
    retries: limits.retries,
    resentAfter: -2,
  };
  return sendWindow(transfer);
}

/** From block −1 (nothing agreed yet) the window is the OACK; after that it is the next `window` blocks. */
function sendWindow(transfer: Transfer): Step {
  if (transfer.acknowledged < 0) {
    return { transfer: { ...transfer, sent: 0 }, send: [encodePacket({ op: 'oack', options: transfer.offer ?? new Map() })] };
  }
  const last = Math.min(transfer.acknowledged + transfer.window, transfer.blocks);
  const send: Buffer[] = [];
  for (let block = transfer.acknowledged + 1; block <= last; block += 1) {
    const from = (block - 1) * transfer.blockSize;
    send.push(encodePacket({ op: 'data', block, data: transfer.file.subarray(from, from + transfer.blockSize) }));
  }
  return { transfer: { ...transfer, sent: last }, send };
}

function acknowledge(transfer: Transfer, wire: number): Step {
  const quiet: Step = { transfer, send: [] };
  if (transfer.acknowledged < 0) {
    if (wire !== 0) return quiet;
    return sendWindow({ ...transfer, acknowledged: 0, retriesLeft: transfer.retries });
  }
  const block = transfer.acknowledged + ((wire - transfer.acknowledged) & 0xffff);
  if (block > transfer.sent) return quiet; // old, or never sent
  if (block === transfer.acknowledged) {
    // With a window it may mean that the window's first block was lost (RFC 7440 §4); without one it is only a late copy.
    if (transfer.window === 1 || transfer.resentAfter === block || transfer.sent === block) return quiet;
    return sendWindow({ ...transfer, resentAfter: block });
  }
  const next = { ...transfer, acknowledged: block, retriesLeft: transfer.retries };
  return block === transfer.blocks ? { transfer: next, send: [], outcome: 'sent' } : sendWindow(next);
}

/** What an arriving packet does. Data, requests and OACKs on a transfer's port are ignored. */
export function receive(transfer: Transfer, packet: TftpPacket): Step {
  if (packet.op === 'ack') return acknowledge(transfer, packet.block);
  // Firmware asks for tsize, then ends with error 8 «User aborted»: that is how it probes the size.
  if (packet.op === 'error') return { transfer, send: [], outcome: 'aborted', reason: `error ${packet.code} ${packet.message}`.trim() };
  return { transfer, send: [] };
}

/** Nothing came for `timeoutMs`: send the window again, more patiently each time, and give up in the end. */
export function expire(transfer: Transfer): Step {
  if (transfer.retriesLeft === 0) {
    return {
      transfer,
      send: [encodePacket({ op: 'error', code: tftpError.undefined, message: 'no answer, giving up' })],
      outcome: 'timed-out',
    };
  }
  const timeoutMs = transfer.backsOff ? Math.min(transfer.timeoutMs * 2, longestTimeoutMs) : transfer.timeoutMs;
  return sendWindow({ ...transfer, timeoutMs, retriesLeft: transfer.retriesLeft - 1 });
}

/** Bytes of the file that the client has acknowledged. */
export function bytesSent(transfer: Transfer): number {
  return Math.max(0, Math.min(transfer.acknowledged * transfer.blockSize, transfer.file.length));
}
