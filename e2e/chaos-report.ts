/** The table at the end of a run: what was struck when, how long the fleet took to go around it and to take it back, and what went on meanwhile. */
import type { Asked, History, Listed } from './chaos-history.ts';

export interface Struck {
  readonly name: string;
  readonly away: readonly string[];
  readonly from: number;
  /** Healed. */
  readonly to: number;
  /** Until all of the fleet answered again. */
  readonly back: number;
}

interface Line {
  readonly blow: string;
  readonly at: string;
  readonly away: string;
  readonly around: string;
  readonly back: string;
  readonly ok: string;
  readonly refused: string;
  readonly failed: string;
  readonly allocated: string;
  readonly deployed: string;
}

const seconds = (ms: number | undefined): string => (ms === undefined ? '-' : `${(ms / 1000).toFixed(1)} s`);

/** How long it took until every front that lives said so in a list, or every caller had an answer elsewhere; undefined where neither applies. */
function aroundOf(history: History, { away, from, to }: Struck): number | undefined {
  const isWhile = ({ at }: Listed | Asked): boolean => at >= from && at <= to;
  const links = away.map((name) => name.split('>'));
  const cells = [...new Set(links.flat().filter((name) => /^c\d+$/.test(name)))];
  const isCut = (via: string): boolean => links.every((ends) => ends.length === 1) || links.some((ends) => ends.includes(via));
  const lists = history.listed.filter((one) => isWhile(one) && !away.includes(one.via) && isCut(one.via));
  if (cells.length > 0) {
    const firsts = [...Map.groupBy(lists, ({ via }) => via).values()].map((list) =>
      list.find(({ absent }) => cells.every((cell) => absent.includes(cell))),
    );
    const times = firsts.flatMap((first) => (first ? [first.until - from] : []));
    return times.length === 0 ? undefined : Math.max(...times);
  }
  const failures = history.asked.filter(
    (asked) => isWhile(asked) && asked.status === 0 && away.includes(asked.via) && asked.who.startsWith('t'),
  );
  const gaps = failures.flatMap((failure) => {
    const next = history.asked.find(
      ({ who, at, status, via }) => who === failure.who && at >= failure.until && status !== 0 && !away.includes(via),
    );
    return next ? [next.until - failure.at] : [];
  });
  return gaps.length === 0 ? undefined : Math.max(...gaps);
}

function lineOf(history: History, struck: Struck, started: number): Line {
  const { name, from, to, back } = struck;
  const during = history.asked.filter(({ at }) => at >= from && at <= back);
  const isOk = ({ status, code }: Asked): boolean => (status >= 200 && status < 300) || code === 'none_available';
  const refused = during.filter(({ status }) => status === 503 || status === 504).length;
  const ok = during.filter(isOk).length;
  const count = (time: 'acknowledged' | 'deployed'): string =>
    String(history.allocations.filter((one) => one[time] >= from && one[time] <= back).length);
  return {
    blow: name,
    at: seconds(from - started),
    away: seconds(to - from),
    around: seconds(aroundOf(history, struck)),
    back: seconds(back - to),
    ok: String(ok),
    refused: String(refused),
    failed: String(during.length - ok - refused),
    allocated: count('acknowledged'),
    deployed: count('deployed'),
  };
}

const heads: Readonly<Record<keyof Line, string>> = {
  blow: 'struck',
  at: 'at',
  away: 'away',
  around: 'routed around',
  back: 'all back after',
  ok: 'ok',
  refused: 'refused',
  failed: 'no answer',
  allocated: 'allocated',
  deployed: 'deployed',
};

/** The table and a line of sums, as text. */
export function reportOf(history: History, struck: readonly Struck[], started: number): string {
  const lines: Line[] = [heads as Line, ...struck.map((one) => lineOf(history, one, started))];
  const names = Object.keys(heads) as (keyof Line)[];
  const widths = names.map((name) => Math.max(...lines.map((line) => line[name].length)));
  const table = lines.map((line) =>
    names.map((name, at) => (at === 0 ? line[name].padEnd(widths[at]!) : line[name].padStart(widths[at]!))).join('  '),
  );
  const sum = (what: (one: History['allocations'][number]) => boolean): number => history.allocations.filter(what).length;
  return [
    ...table,
    '',
    `${history.asked.length} requests, ${history.listed.length} whole lists, ${history.lookedUp.length} look-ups answered`,
    `${sum((one) => one.acknowledged > 0)} allocations acknowledged, ${sum((one) => one.outcome === 'nothing')} times nothing fitted, ${sum((one) => one.outcome === 'unknown')} of unknown outcome`,
    `${sum((one) => one.deployed > 0)} deployments finished, ${sum((one) => one.releaseAcknowledged > 0)} machines released, ${sum((one) => one.deployed > 0 && one.releaseAsked === 0)} deployed to the end and looked at for touches`,
    ...(history.written.length === 0 ? [] : [`${history.written.length} global writes acknowledged`]),
  ].join('\n');
}
