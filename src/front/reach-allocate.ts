/** `allocate`: carries out what `allocation.ts` decides. Exactly one machine is taken, or none, or the caller is told which one is in doubt. */
import { randomUUID } from 'node:crypto';
import { fail, type Failure } from '../contract/errors.ts';
import { spreads } from '../contract/resources/constraints.ts';
import { routes } from '../contract/routes.ts';
import type { LooseCall } from '../http/dispatch.ts';
import type { BodyReply } from '../http/reply.ts';
import { allocateEffects, constraintsOf, nothingFound, type Found } from './allocate-effects.ts';
import { beginAllocation, step, type End, type Event, type Plan, type Policy, type Step } from './allocation.ts';
import { refusalText } from './allocation-refusal.ts';
import { musterCells, namesOf, partialRefused } from './answers.ts';
import { homesOf, shuffled } from './ask-order.ts';
import { passed } from './cell-reply.ts';
import { cellNamed, type CellEntry } from './cell-registry.ts';
import { forward, type FrontContext, type Reach } from './front-context.ts';
import { targetsOf } from './reach-gather.ts';
import { ranked } from './spread.ts';

/** Constraints that name one machine: where it could be in an absent cell, "nothing fits" would be a lie. */
const naming = ['system_id', 'name'];
/** Constraints that few machines of few cells meet: a sample would mostly miss them, so all cells are asked at once. */
const networks = ['subnets', 'vlans', 'fabrics', 'fabric_classes', 'interfaces'];
const narrow = [...naming, ...networks, 'zone', 'pool', 'tags', 'spread', 'storage', 'devices'];

export interface AllocateOptions {
  readonly policy: Policy;
  /** Cells to ask at first, at random; 0 asks all. */
  readonly sample: number;
}

/** Events of work that runs at the same time, taken one by one. */
function mailbox() {
  const waiting: Event[] = [];
  let broken: { readonly error: unknown } | undefined;
  let wake: (() => void) | undefined;
  return {
    put: (event: Event): void => {
      waiting.push(event);
      wake?.();
    },
    /** What nobody foresaw ends the call; a claim that is under way frees itself. */
    fail: (error: unknown): void => {
      broken ??= { error };
      wake?.();
    },
    take: async (): Promise<Event> => {
      while (waiting.length === 0 && !broken) await new Promise<void>((resolve) => (wake = resolve));
      if (broken) throw broken.error;
      return waiting.shift()!;
    },
  };
}

function isEnd(todo: Step): todo is End {
  return !['ask', 'claim', 'settle', 'confirm', 'free'].includes(todo.do);
}

/** Walk the protocol to its end. */
async function walk(context: FrontContext, call: LooseCall, plan: Plan, found: Found): Promise<End> {
  const effects = allocateEffects(context, call, found);
  const cellOf = (name: string): CellEntry | undefined => cellNamed(context.registry, name);
  const mail = mailbox();
  const begin = (work: Promise<Event>): void => void work.then(mail.put, mail.fail);
  /** `cell` was known when it was asked; should it have left the registry since, it does not answer. */
  const at = (name: string, work: (cell: CellEntry) => Promise<Event>, absent: Event): void => {
    const cell = cellOf(name);
    begin(cell ? work(cell) : Promise.resolve(absent));
  };
  const carryOut = (todo: Exclude<Step, End>): void => {
    if (todo.do === 'ask') for (const cell of todo.cells) at(cell, effects.ask, { kind: 'no_offer', cell });
    else if (todo.do === 'claim') at(todo.cell, (cell) => effects.claim(cell, todo), { kind: 'claim_unknown', claim: todo.claim });
    else if (todo.do === 'confirm') begin(effects.confirm(cellOf(todo.cell), todo));
    else if (todo.do === 'settle') {
      const { claimed, attempt } = todo;
      const taken = cellOf(claimed.cell);
      const unknown: Event = { kind: 'settle_unknown', claim: claimed.claim, attempt };
      at(todo.home, (home) => (taken ? effects.settle(home, taken, todo) : Promise.resolve(unknown)), unknown);
    } else {
      const cell = cellOf(todo.cell);
      if (cell) effects.free(cell, todo);
    }
  };
  call.request.signal.addEventListener('abort', () => mail.put({ kind: 'gone' }), { once: true });
  let [state, todos] = beginAllocation(plan);
  for (;;) {
    for (const todo of todos) {
      if (isEnd(todo)) return todo;
      carryOut(todo);
    }
    const gone = call.request.signal.aborted && state.phase.name !== 'confirming';
    [state, todos] = step(state, gone ? { kind: 'gone' } : await mail.take());
  }
}

function policyOf(call: Pick<LooseCall, 'request'>, usual: Policy): Policy {
  const asked = call.request.headers['muster-allocate'];
  return asked === 'first' || asked === 'best' ? asked : usual;
}

/** Whom to ask in which order, and who is left out from the start. */
function planOf(context: FrontContext, call: LooseCall, { policy, sample }: AllocateOptions, found: Found): Plan {
  const { caller, request, fields } = call;
  const there = context.registry.list().filter((cell) => !cell.out);
  const key = request.idempotencyKey;
  const homes = key === undefined || caller.kind !== 'user' ? [] : homesOf(there, caller.username, key);
  const targets = targetsOf(context, { names: ['system_id'] }, call).filter((cell) => !cell.out && !cell.drained);
  const usable = targets.filter((cell) => context.line.usable(cell));
  for (const cell of targets) if (!usable.includes(cell)) found.absent.add(cell);
  // After the home, the one that was it before the newest cell joined: it may know the key.
  const first = homes.slice(0, 2);
  const cells = [...first, ...shuffled(usable.filter((cell) => !first.includes(cell)))];
  const isNarrow = narrow.some((name) => Object.hasOwn(fields, name));
  const claims: string[] = [];
  return {
    policy: policyOf(call, policy),
    cells: cells.map((cell) => cell.name),
    sample: isNarrow || sample === 0 ? cells.length : Math.max(sample, first.length),
    spread: spreads.find((one) => one === fields['spread']?.at(-1)),
    home: homes[0]?.name,
    claimId: (n) => (claims[n] ??= randomUUID()),
  };
}

/** The header `Muster-Allocate: first` or `best` overrides the front's own policy. */
export function reachAllocate(options: AllocateOptions): Reach {
  return async (context, _, call) => {
    const all = targetsOf(context, { names: ['system_id'] }, call);
    const found = nothingFound();
    if (call.params['dry_run'] === true) return dryRun(context, call, found);
    const end = await walk(context, call, planOf(context, call, options, found), found);
    call.reply.header('Muster-Cells', cellsHeader(all, found));
    // Where others knew what to do, a cell that refused is behind and says nothing of the constraints.
    const nothing = end.do === 'nothing_fits' || end.do === 'key_absent';
    const refused = found.reports.length === 0 && nothing ? found.refused : undefined;
    if (!refused) found.refused?.body.destroy();
    if (end.do === 'deliver' && found.delivered) return found.delivered;
    if (end.do === 'give_up') throw fail('unknown_outcome', { cell: end.cell, system_id: end.machine });
    if (refused) return passed(refused);
    if (end.do === 'key_absent') throw fail('cell_absent', { cell: end.home });
    if (end.do === 'key_mismatch') throw fail('idempotency_mismatch');
    if (end.do === 'abandon') throw call.request.signal.reason;
    throw nothingFits(call, end.do === 'nothing_fits' && end.unsure, found);
  };
}

/** Who was asked, and who is absent, out or drained. */
function cellsHeader(all: readonly CellEntry[], found: Found): string {
  return musterCells({
    asked: inOrder(new Set([...found.asked, ...found.absent])),
    absent: inOrder(found.absent),
    out: all.filter((cell) => cell.out),
    drained: all.filter((cell) => !cell.out && (cell.drained || found.drained.has(cell))),
  });
}

function inOrder(cells: ReadonlySet<CellEntry>): CellEntry[] {
  return [...cells].sort((a, b) => a.number - b.number);
}

function nothingFits(call: LooseCall, unsure: boolean, found: Found): Failure {
  const absent = inOrder(found.absent);
  const named = naming.some((name) => Object.hasOwn(call.fields, name));
  if (absent.length > 0 && (named || call.request.headers['muster-partial'] === 'refuse')) return partialRefused(absent);
  // Nobody answered at all, or a claim got lost that will free itself: the same call may well succeed in a moment.
  if (found.reports.length === 0 && absent.length > 0) return fail('cell_absent', { cell: namesOf(absent) });
  if (unsure && absent.length > 0 && found.reports.some((report) => absent.some((cell) => cell.name === report.cell))) {
    return fail('cell_absent', { cell: namesOf(absent) });
  }
  const reports = found.reports.toSorted((a, b) => (a.cell < b.cell ? -1 : 1));
  return fail('none_available', {
    text: refusalText(
      constraintsOf(call.fields),
      reports,
      absent.map((cell) => cell.name),
    ),
  });
}

/** Which machine would it be? The cell that would be claimed at first says it. */
async function dryRun(context: FrontContext, call: LooseCall, found: Found): Promise<BodyReply> {
  const effects = allocateEffects(context, call, found);
  const { cells, spread } = planOf(context, call, { policy: 'best', sample: 0 }, found);
  const events = await Promise.all(cells.flatMap((name) => cellNamed(context.registry, name) ?? []).map(effects.ask));
  const offers = new Map(events.flatMap((event) => (event.kind === 'offer' ? [[event.cell, event.offer] as const] : [])));
  const [best] = ranked(offers, spread);
  const cell = best && cellNamed(context.registry, best.cell);
  if (cell) {
    const within = spread === undefined || best.group === undefined ? {} : { [spread]: [best.group] };
    return forward(context, routes['Machines.allocate'], call, cell, { ...call, fields: { ...call.fields, ...within } });
  }
  if (found.refused) return passed(found.refused);
  throw nothingFits(call, false, found);
}
