/**
 * What a cell refuses because of how the hub says that it stands: drained, it takes nothing new; retired, it changes nothing any more and
 * serves on with the last state it knows. What its machines ask of it goes on in either. Read off the contract: what a drained cell refuses is
 * what can answer `drained`.
 */
import { fail, type Failure } from '../contract/errors.ts';
import type { Route } from '../contract/route.ts';
import { routes, type RouteReply } from '../contract/routes.ts';
import type { GlobalReader } from '../global/document.ts';
import type { CellState } from '../global/member-state.ts';

/** How often a cell looks whether the hub has refused it; its own replica tells it at once. */
const lookMs = 5_000;

/** Calls `tell` once when the cell is seen to be retired, and again where that failed. */
export function watchRetirement(state: () => CellState, onChange: GlobalReader['onChange'], tell: () => Promise<void>): Disposable {
  let told = false;
  const look = (): void => {
    if (told || state() !== 'retired') return;
    told = true;
    tell().catch(() => (told = false));
  };
  const timer = setInterval(look, lookMs).unref();
  const ended = onChange(look);
  look();
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      ended();
    },
  };
}

/** Why this route is refused to people and programs; undefined: it is not. Pure. */
export function refusalOf(
  route: Pick<Route, 'errors' | 'method' | 'policy' | 'base'>,
  state: CellState,
  cell: string,
): Failure | undefined {
  if (state === 'drained' && route.errors.includes('drained')) return fail('drained', { cell });
  const byPeople = route.policy === 'user' || route.policy === 'admin';
  const changes = route.base === 'api' && route.method !== 'GET' && byPeople;
  return state === 'retired' && changes ? fail('retired', { what: `Cell ${cell}` }) : undefined;
}

/** A drained cell's offer: nothing to take, but what the caller's key stands for, which its home alone can say. */
async function drainedOffer(offer: Promise<RouteReply<'Machines.ask'>>): Promise<RouteReply<'Machines.ask'>> {
  const { groups: _, ...rest } = await offer;
  return { ...rest, best: null, drained: true };
}

/** The same handlers, each behind that question. */
export function guardStanding<H extends object>(handlers: H, cell: string, state: () => CellState): H {
  const table: Readonly<Record<string, Route | undefined>> = routes;
  const guarded = Object.entries(handlers as Record<string, (call: unknown) => unknown>).map(([id, handle]) => {
    const route = table[id];
    const refuse = (call: unknown): unknown => {
      const refusal = route && refusalOf(route, state(), cell);
      if (refusal) throw refusal;
      if (id !== 'Machines.ask' || state() !== 'drained') return handle(call);
      return drainedOffer(handle(call) as Promise<RouteReply<'Machines.ask'>>);
    };
    return [id, refuse] as const;
  });
  return Object.fromEntries(guarded) as H;
}
