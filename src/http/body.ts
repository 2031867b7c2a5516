/** Reading a request's body into memory, up to a limit. */
import type { IncomingMessage } from 'node:http';
import { fail } from '../contract/errors.ts';
import type { Failure } from '../contract/errors.ts';

/** True when the request announces a body. */
export function hasBody(message: IncomingMessage): boolean {
  const length = message.headers['content-length'];
  return message.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/**
 * The whole body.
 * @throws Failure `too_large` beyond `limit` bytes (the rest is read and dropped, so that the client can read its answer), `bad_request` when
 *   the client breaks off, `unsupported_media` when it is compressed.
 */
export function readBody(message: IncomingMessage, limit: number): Promise<Buffer> {
  const encoding = message.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return Promise.reject(fail('unsupported_media', { type: encoding }));
  if (Number(message.headers['content-length'] ?? 0) > limit) {
    message.resume();
    return Promise.reject(fail('too_large', { limit }));
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const stop = (failure: Failure): void => {
      message.off('data', onData);
      message.resume();
      reject(failure);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limit) return stop(fail('too_large', { limit }));
      chunks.push(chunk);
    };
    message.on('data', onData);
    message.once('end', () => resolve(Buffer.concat(chunks)));
    message.once('error', () => stop(fail('bad_request', { reason: 'The request broke off.' })));
    message.once('close', () => stop(fail('bad_request', { reason: 'The request broke off.' })));
  });
}
