/**
 * `op=stream` of events: one stream out of all cells'. Each cell is read only as fast as the client takes (a few events wait for each), and is
 * asked again from its own cursor when it breaks off. A message of the kind `cells` says who is absent whenever that changes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fail, invalid } from '../contract/errors.ts';
import type { Route } from '../contract/route.ts';
import type { LooseCall } from '../http/dispatch.ts';
import { eventParser, type ServerEvent } from '../http/event-stream.ts';
import { eventStream } from '../http/event-writer.ts';
import type { BodyReply } from '../http/reply.ts';
import { askAll, drop, musterCells, partialRefused } from './answers.ts';
import type { CellReply } from './cell-line.ts';
import { passed } from './cell-reply.ts';
import type { CellEntry } from './cell-registry.ts';
import { encodeCall, type Encoded } from './encode-call.ts';
import { formatPositions, parsePositions } from './event-cursor.ts';
import { ask, type FrontContext } from './front-context.ts';

/** Events that may wait for the client, over all cells. */
const mostWaiting = 512;
/** Milliseconds until an absent cell is asked again; grows to the second. */
const pauses = [500, 10_000] as const;

/** A bounded queue: who puts waits while it is full. */
function boundedQueue<T>(most: number) {
  const items: T[] = [];
  let takers: (() => void)[] = [];
  let putters: (() => void)[] = [];
  const wake = (list: (() => void)[]): void => list.forEach((one) => one());
  return {
    put: async (item: T): Promise<void> => {
      while (items.length >= most) await new Promise<void>((resolve) => putters.push(resolve));
      items.push(item);
      wake(takers);
      takers = [];
    },
    take: async (): Promise<T> => {
      while (items.length === 0) await new Promise<void>((resolve) => takers.push(resolve));
      const item = items.shift() as T;
      wake(putters);
      putters = [];
      return item;
    },
  };
}

/** The events of one reply, until it ends or breaks. */
async function* eventsOf(reply: CellReply): AsyncGenerator<ServerEvent> {
  const parser = eventParser();
  const decoder = new TextDecoder();
  for await (const chunk of reply.body as AsyncIterable<Uint8Array>) yield* parser.push(decoder.decode(chunk, { stream: true }));
}

type Piece = { readonly cell: CellEntry } & ({ readonly event: ServerEvent } | { readonly here: boolean });

export async function gatherStream(context: FrontContext, route: Route, call: LooseCall, cells: readonly CellEntry[]): Promise<BodyReply> {
  const last = call.request.headers['last-event-id'];
  const text = typeof last === 'string' ? last : (call.fields['after']?.at(-1) ?? '');
  const start = parsePositions(text);
  if (!start) throw invalid({ after: ['This is not the id of a message of this stream.'] });
  // What the client has been sent, and what has been taken from the cells and may still wait for it.
  const positions = new Map(start);
  const reached = new Map(start);
  const { after: _, ...rest } = call.fields;
  const encodedFor = (cell: CellEntry): Promise<Encoded> => {
    const at = reached.get(cell.number);
    return encodeCall(route, { ...call, fields: at === undefined ? rest : { ...rest, after: [at] } });
  };
  const encoded = new Map(await Promise.all(cells.map(async (cell) => [cell, await encodedFor(cell)] as const)));
  const over = new AbortController();
  const stop = () => over.abort();
  call.request.signal.addEventListener('abort', stop, { once: true });
  const answers = await askAll(context, call, cells, (cell) => encoded.get(cell)!, { signal: over.signal });
  call.reply.header('Muster-Cells', musterCells(answers));
  const [refused] = answers.refused;
  if (refused) return passed(refused);
  if (answers.absent.length > 0 && call.request.headers['muster-partial'] === 'refuse') {
    drop(answers.good);
    throw partialRefused(answers.absent);
  }
  if (answers.good.length === 0 && answers.asked.length > 0)
    throw fail('cell_absent', { cell: answers.absent.map((cell) => cell.name).join(',') });

  const queue = boundedQueue<Piece>(mostWaiting);
  const follow = async (cell: CellEntry, first: CellReply | undefined): Promise<void> => {
    let reply = first;
    let pause: number = pauses[0];
    while (!over.signal.aborted) {
      try {
        if (!reply) {
          reply = await ask(context, call, cell, await encodedFor(cell), { ms: context.gatherMs, firstByte: true, signal: over.signal });
          if (reply.status !== 200) throw new Error(`answered ${reply.status}`);
          await queue.put({ cell, here: true });
          // It was away, and where it stood is not known: whoever watches must look anew.
          if (!reached.has(cell.number)) await queue.put({ cell, event: { event: 'reset', data: '{}' } });
        }
        for await (const event of eventsOf(reply)) {
          pause = pauses[0];
          if (event.id !== undefined) reached.set(cell.number, event.id);
          await queue.put({ cell, event });
        }
      } catch {
        // Whatever it was, the cell is asked again; the client is told that it is absent.
      }
      reply?.body.destroy();
      if (reply) await queue.put({ cell, here: false });
      reply = undefined;
      await sleep(pause * (0.5 + Math.random() / 2), undefined, { signal: over.signal }).catch(() => undefined);
      pause = Math.min(pauses[1], pause * 2);
    }
  };

  async function* merged(): AsyncGenerator<ServerEvent> {
    const absent = new Set(answers.absent);
    const told = () => musterCells({ ...answers, absent: answers.asked.filter((cell) => absent.has(cell)) });
    for (const cell of answers.asked) {
      void follow(
        cell,
        answers.good.find((reply) => reply.cell === cell),
      );
    }
    for (;;) {
      const piece = await queue.take();
      if ('here' in piece) {
        if (piece.here) absent.delete(piece.cell);
        else absent.add(piece.cell);
        yield { event: 'cells', data: told(), id: formatPositions(positions) };
        continue;
      }
      const { event, cell } = piece;
      if (event.id !== undefined) positions.set(cell.number, event.id);
      yield { ...event, id: formatPositions(positions) };
    }
  }

  const reply = eventStream(merged(), call.request);
  // Ends with the client, with draining, or with a client that takes nothing.
  (reply.body as NodeJS.ReadableStream).once('close', () => {
    over.abort();
    drop(answers.good);
  });
  return reply;
}
