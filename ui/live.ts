/** Events turned into what must be read again. The one place where the stream meets the query cache. */
import type { QueryClient } from '@tanstack/react-query';
import { personQuery } from './session.ts';
import { followEvents, type ChangeSeen, type LiveState } from './event-source.ts';
import { refreshRows } from './machine-list.ts';

/** Milliseconds in which events are gathered before anything is read: a rack that boots makes hundreds a second. */
const gatherFor = 300;
/** Counts over whole cells cost more than rows. */
const countEvery = 2000;

/** Do `work` at most once in `ms`, with everything that was added meanwhile. */
function batched<T>(ms: number, work: (items: readonly T[]) => unknown): { add(item: T): void; stop(): void } {
  const items = new Set<T>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const run = (): void => {
    timer = undefined;
    const taken = [...items];
    items.clear();
    void work(taken);
  };
  return {
    add: (item) => {
      items.add(item);
      timer ??= setTimeout(run, ms);
    },
    stop: () => clearTimeout(timer),
  };
}

/** Keep everything that is on the page as fresh as the events are. Ends with the returned function. */
export function keepLive(queries: QueryClient, onState: (state: LiveState) => void): () => void {
  const machines = batched<string>(gatherFor, async (ids) => {
    await refreshRows(queries, ids);
    await Promise.all(ids.map((id) => queries.invalidateQueries({ queryKey: ['machine', id] })));
  });
  const counts = batched<'cells' | 'findings'>(countEvery, (kinds) =>
    Promise.all(kinds.map((kind) => queries.invalidateQueries({ queryKey: [kind] }))),
  );
  const onChange = (change: ChangeSeen): void => {
    if (change.system_id !== null) machines.add(change.system_id);
    counts.add('cells');
    if (change.kind.startsWith('finding_')) counts.add('findings');
  };
  const everything = (): void => {
    for (const name of ['machines', 'machine', 'cells', 'findings']) void queries.invalidateQueries({ queryKey: [name] });
  };
  const stop = followEvents({
    change: onChange,
    reset: everything,
    cells: everything,
    state: (state) => {
      onState(state);
      // A stream that is refused may mean that the session has ended.
      if (state === 'broken') void queries.invalidateQueries({ queryKey: personQuery.queryKey });
    },
  });
  return () => {
    stop();
    machines.stop();
    counts.stop();
  };
}
