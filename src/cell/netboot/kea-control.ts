/** Kea's control socket: one JSON command a connection on a unix socket, one JSON answer. */
import { createConnection } from 'node:net';
import type { Json } from './dhcp-snippet.ts';

export interface KeaAnswer {
  /** 0 success, 1 error, 2 unsupported, 3 empty. */
  readonly result: number;
  readonly text: string;
  readonly arguments: unknown;
}

/** Answers may be large (10,000 reservations: 2.1 MB), not endless. */
const largest = 256 * 1024 * 1024;

/** Reads Kea's answer. @throws Error for anything that is none. */
export function parseAnswer(body: string): KeaAnswer {
  const value: unknown = JSON.parse(body);
  if (typeof value !== 'object' || value === null || !('result' in value) || typeof value.result !== 'number') {
    throw new Error(`Kea answered something that is no answer: ${body.slice(0, 200)}`);
  }
  const text = 'text' in value && typeof value.text === 'string' ? value.text : '';
  return { result: value.result, text, arguments: 'arguments' in value ? value.arguments : undefined };
}

/**
 * Sends one command and reads its answer.
 * @throws Error when there is no socket, no whole answer within `withinMs`, or something that is no answer.
 */
export function keaCommand(socketPath: string, command: string, args?: Json, withinMs = 30_000): Promise<KeaAnswer> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath);
    const parts: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => socket.destroy(new Error(`Kea did not answer ${command} within ${withinMs} ms`)), withinMs);
    socket.on('connect', () => socket.write(JSON.stringify(args === undefined ? { command } : { command, arguments: args })));
    socket.on('data', (part: Buffer) => {
      size += part.length;
      if (size > largest) socket.destroy(new Error(`Kea's answer to ${command} is larger than ${largest} bytes`));
      else parts.push(part);
    });
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    // Kea closes the connection after its answer.
    socket.on('close', () => {
      clearTimeout(timer);
      try {
        resolve(parseAnswer(Buffer.concat(parts).toString('utf8')));
      } catch (error) {
        reject(error as Error);
      }
    });
  });
}
