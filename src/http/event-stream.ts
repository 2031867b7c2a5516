/** Server-sent events (WHATWG HTML §9.2): writing and reading the format. Pure, for servers and browsers; `event-writer.ts` sends them. */

export interface ServerEvent {
  /** Where to go on after a break: browsers send it back as `Last-Event-ID`. */
  readonly id?: string;
  /** Kind of event; `message` when left out. */
  readonly event?: string;
  readonly data: string;
  /** Milliseconds to wait before connecting again. */
  readonly retry?: number;
}

/** The most characters one event may have; a longer one is an error, not a reason to run out of memory. */
const longestEvent = 1 << 20;
const oneLine = /[\r\n\0]/;

/** An event as it is sent. @throws RangeError when id or kind would break the format. */
export function encodeEvent(event: ServerEvent): string {
  if (oneLine.test(event.id ?? '') || oneLine.test(event.event ?? '')) throw new RangeError('id and event must be one line');
  const lines = [];
  if (event.id !== undefined) lines.push(`id: ${event.id}`);
  if (event.event !== undefined) lines.push(`event: ${event.event}`);
  if (event.retry !== undefined) lines.push(`retry: ${Math.floor(event.retry)}`);
  for (const line of event.data.split(/\r\n|\r|\n/)) lines.push(`data: ${line}`);
  return `${lines.join('\n')}\n\n`;
}

/** Sent when nothing happens, so that proxies and readers know that the stream lives. */
export const heartbeat = ':\n\n';

/** Feed it text as it comes; it gives the events that became complete. The id of an event carries over to the next, as in browsers. */
export interface EventParser {
  /** @throws RangeError when an event is longer than 1 Mi characters. */
  push(chunk: string): ServerEvent[];
}

export function eventParser(): EventParser {
  let rest = '';
  let first = true;
  let lastId: string | undefined;
  let event = '';
  let retry: number | undefined;
  let data: string[] = [];
  let size = 0;

  const dispatch = (found: ServerEvent[]): void => {
    if (data.length > 0) {
      found.push({
        data: data.join('\n'),
        event: event === '' ? 'message' : event,
        ...(lastId === undefined ? {} : { id: lastId }),
        ...(retry === undefined ? {} : { retry }),
      });
    }
    event = '';
    retry = undefined;
    data = [];
    size = 0;
  };

  const readLine = (line: string, found: ServerEvent[]): void => {
    if (line === '') return dispatch(found);
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') data.push(value);
    else if (name === 'event') event = value;
    else if (name === 'id' && !value.includes('\0')) lastId = value;
    else if (name === 'retry' && /^\d{1,9}$/.test(value)) retry = Number(value);
  };

  return {
    push: (chunk) => {
      const found: ServerEvent[] = [];
      rest += chunk;
      if (first && rest !== '') {
        rest = rest.replace(/^\uFEFF/, '');
        first = false;
      }
      let start = 0;
      for (;;) {
        const end = rest.slice(start).search(/[\r\n]/) + start;
        // A carriage return at the very end may be half of a CRLF: wait for what follows.
        if (end < start || (rest[end] === '\r' && end === rest.length - 1)) break;
        size += end - start;
        if (size > longestEvent) throw new RangeError('an event is too long');
        readLine(rest.slice(start, end), found);
        start = end + (rest[end] === '\r' && rest[end + 1] === '\n' ? 2 : 1);
      }
      rest = rest.slice(start);
      if (size + rest.length > longestEvent) throw new RangeError('an event is too long');
      return found;
    },
  };
}

/** The events of a reply's body, until it ends. Stop by breaking out of the loop. @throws RangeError on an event that is too long. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const parser = eventParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read())
      yield* parser.push(decoder.decode(part.value, { stream: true }));
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
