/**
 * The live stream of events, with reconnection. The browser reconnects a broken stream itself and says where it stood; what it gives up on
 * (an error status) is tried again here. While nobody looks at the page the stream is closed: a browser has six connections to one origin,
 * for all its tabs together.
 */
import type { Static } from 'typebox';
import type { Change } from '../src/contract/resources/events.ts';
import { readCellsAsked, streamUrl, type CellsAsked } from './api.ts';

export type LiveState = 'connecting' | 'live' | 'broken';
export type ChangeSeen = Static<typeof Change>;

export interface LiveListener {
  change(change: ChangeSeen): void;
  /** What happened meanwhile is not known: read everything anew. */
  reset(): void;
  /** At a front: a cell went away or came back. */
  cells(asked: CellsAsked): void;
  state(state: LiveState): void;
}

const pauses = [1000, 30_000] as const;

/** Follow the events until the returned function is called. */
export function followEvents(listener: LiveListener): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let pause: number = pauses[0];
  let last = '';

  const close = (): void => {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  };
  const open = (): void => {
    close();
    if (document.visibilityState === 'hidden') return;
    listener.state('connecting');
    const opened = new EventSource(streamUrl(last));
    source = opened;
    const on = (name: string, handle: (data: string) => void): void =>
      opened.addEventListener(name, (event: MessageEvent<string>) => {
        if (event.lastEventId !== '') last = event.lastEventId;
        handle(event.data);
      });
    on('change', (data) => listener.change(JSON.parse(data) as ChangeSeen));
    on('reset', () => listener.reset());
    on('cells', (data) => {
      const asked = readCellsAsked(data);
      if (asked) listener.cells(asked);
    });
    opened.onopen = () => {
      pause = pauses[0];
      listener.state('live');
      // From now on: what came before is for the lists to say.
      if (last === '') listener.reset();
    };
    opened.onerror = () => {
      listener.state('broken');
      if (opened.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(open, pause * (0.5 + Math.random() / 2));
      pause = Math.min(pauses[1], pause * 2);
    };
  };
  const seen = (): void => {
    if (document.visibilityState === 'hidden') close();
    else if (source === undefined) open();
  };
  document.addEventListener('visibilitychange', seen);
  open();
  return () => {
    document.removeEventListener('visibilitychange', seen);
    close();
  };
}
