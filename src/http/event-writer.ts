/**
 * A reply of server-sent events from any async source. It pulls: the source is asked for the next event only when the client's socket has
 * room, so a slow client costs one buffer and never the source's memory. Ends when the client goes, the program drains, or the source ends.
 */
import { Readable } from 'node:stream';
import { encodeEvent, heartbeat } from './event-stream.ts';
import type { ServerEvent } from './event-stream.ts';
import type { CallRequest } from './handler.ts';
import { stream } from './reply.ts';
import type { BodyReply } from './reply.ts';

export interface EventStreamOptions {
  /** Milliseconds of silence before a heartbeat. */
  readonly heartbeatMs?: number;
  /** A client that takes nothing for so long is cut off. */
  readonly stalledMs?: number;
}

/** Bytes that may wait for a slow client. */
const highWater = 65_536;

/** The reply for a `stream` route. `source` is closed (`return()`) when the stream ends for whatever reason. */
export function eventStream(
  source: AsyncIterable<ServerEvent>,
  request: Pick<CallRequest, 'signal' | 'draining'>,
  { heartbeatMs = 15_000, stalledMs = 60_000 }: EventStreamOptions = {},
): BodyReply {
  const iterator = source[Symbol.asyncIterator]();
  let pulling = false;
  let wanted = false;
  let lastSent = Date.now();
  let blockedSince: number | undefined;

  const body = new Readable({
    highWaterMark: highWater,
    read: () => {
      wanted = true;
      blockedSince = undefined;
      void pull();
    },
    destroy: (error, done) => {
      clearInterval(timer);
      // Not awaited: a generator that waits for its next event returns only after it.
      iterator.return?.().catch(() => undefined);
      done(error);
    },
  });
  const push = (text: string): void => {
    lastSent = Date.now();
    wanted = body.push(text);
    if (!wanted) blockedSince ??= lastSent;
  };
  const pull = async (): Promise<void> => {
    if (pulling) return;
    pulling = true;
    try {
      while (wanted && !body.destroyed && !body.readableEnded) {
        const next = await iterator.next();
        if (body.destroyed || ended) return;
        if (next.done === true) return void end();
        push(encodeEvent(next.value));
      }
    } catch (error) {
      body.destroy(error instanceof Error ? error : new Error(String(error)));
    } finally {
      pulling = false;
    }
  };
  let ended = false;
  const end = (): void => {
    if (ended || body.destroyed) return;
    ended = true;
    clearInterval(timer);
    body.push(null);
    iterator.return?.().catch(() => undefined);
  };
  const tick = (): void => {
    const now = Date.now();
    if (blockedSince !== undefined && now - blockedSince >= stalledMs) body.destroy(new Error('the client takes nothing'));
    else if (blockedSince === undefined && !ended && now - lastSent >= heartbeatMs) push(heartbeat);
  };
  const timer = setInterval(tick, Math.max(10, Math.min(heartbeatMs, stalledMs) / 4));
  timer.unref();
  if (request.draining.aborted) end();
  request.draining.addEventListener('abort', end, { once: true });
  request.signal.addEventListener('abort', () => body.destroy(), { once: true });
  body.once('close', () => request.draining.removeEventListener('abort', end));
  // At once, so that the client sees its stream open before anything happens.
  if (!ended) push(heartbeat);
  return { ...stream(body, 'text/event-stream; charset=utf-8'), headers: { 'cache-control': 'no-store', 'x-accel-buffering': 'no' } };
}
