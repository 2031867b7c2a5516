/** `allocate`: carries out what `allocation.ts` decides. Exactly one machine is taken, or none, or the caller is told which one is in doubt. */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Compile } from 'typebox/compile';
import { fail, type Failure } from '../contract/errors.ts';
import { Claim, Offer } from '../contract/resources/machines.ts';
import { allocationOptions } from '../contract/resources/constraints.ts';
import { routes } from '../contract/routes.ts';
import type { LooseCall } from '../http/dispatch.ts';
import type { BodyReply } from '../http/reply.ts';
import { beginAllocation, step, type Event, type Policy, type Step } from './allocation.ts';
import { refusalText, type CellReport } from './allocation-refusal.ts';
import { askAll, drop, jsonOf, musterCells, namesOf, partialRefused } from './answers.ts';
import { Absent, type CellReply } from './cell-line.ts';
import { passed } from './cell-reply.ts';
import type { CellEntry } from './cell-registry.ts';
import { encodeCall, type Encoded, type Fields } from './encode-call.ts';
import { ask, forward, type FrontContext, type Reach } from './front-context.ts';
import { targetsOf } from './reach-gather.ts';

const isOffer = Compile(Offer);
const isClaim = Compile(Claim);
/** Constraints that name one machine: where it could be in an absent cell, "nothing fits" would be a lie. */
const naming = ['system_id', 'name'];
/** Keys that are no constraint. */
const options: ReadonlySet<string> = new Set([...Object.keys(allocationOptions), 'verbose']);
/** Milliseconds between two confirms at the same cell. */
const confirmPauseMs = 200;

function without(fields: Fields, names: ReadonlySet<string>): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.has(name)));
}

function encode(route: (typeof routes)['Machines.ask' | 'Machines.claim' | 'Machines.confirm'], fields: Fields): Promise<Encoded> {
  return encodeCall(route, { path: {}, fields, files: [], body: undefined });
}

/** What is known so far, besides the state machine's state. */
interface Found {
  readonly reports: CellReport[];
  readonly absent: Set<CellEntry>;
  /** A 4xx that is about the constraints themselves: any cell would say the same. */
  refused: CellReply | undefined;
  delivered: BodyReply | undefined;
}

/** Events of work that runs at the same time, taken one by one. */
function mailbox() {
  const waiting: Event[] = [];
  let wake: (() => void) | undefined;
  return {
    put: (event: Event): void => {
      waiting.push(event);
      wake?.();
    },
    take: async (): Promise<Event> => {
      while (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return waiting.shift()!;
    },
  };
}

/** The effects of the protocol at cells, each told as an event. */
function effects(context: FrontContext, call: LooseCall, found: Found, claim: string) {
  const constraints = without(call.fields, options);
  const told = <T>(value: T | undefined, name: string): Record<string, readonly string[]> =>
    value === undefined ? {} : { [name]: [String(value)] };

  const askCell = async (cell: CellEntry): Promise<Event> => {
    try {
      const reply = await ask(context, call, cell, await encode(routes['Machines.ask'], constraints), {
        ms: context.gatherMs,
        firstByte: true,
      });
      if (reply.status >= 400 && reply.status < 500 && reply.status !== 401) {
        found.refused?.body.destroy();
        found.refused = reply;
        return { kind: 'offer', cell: cell.name, offer: { cost: null } };
      }
      const offer = reply.status === 200 ? await jsonOf(reply) : undefined;
      if (!isOffer.Check(offer)) throw new Absent(cell, true, `answered ${reply.status}`);
      found.reports.push({ cell: cell.name, ready: offer.ready, ruledOut: offer.ruled_out });
      return { kind: 'offer', cell: cell.name, offer: { cost: offer.best?.cost ?? null } };
    } catch (error) {
      if (error instanceof Absent) found.absent.add(cell);
      return { kind: 'no_offer', cell: cell.name };
    }
  };

  const claimAt = async (cell: CellEntry): Promise<Event> => {
    const fields = {
      ...constraints,
      claim: [claim],
      ...told(call.fields['agent_name']?.at(-1), 'agent_name'),
      ...told(call.fields['comment']?.at(-1), 'comment'),
    };
    try {
      const reply = await ask(context, call, cell, await encode(routes['Machines.claim'], fields));
      if (reply.status >= 400 && reply.status < 500) {
        reply.body.destroy();
        return { kind: 'claim_refused', cell: cell.name };
      }
      const claimed = reply.status === 200 ? await jsonOf(reply) : undefined;
      if (!isClaim.Check(claimed)) throw new Absent(cell, true, `answered ${reply.status}`);
      return { kind: 'claimed', cell: cell.name, machine: claimed.system_id };
    } catch (error) {
      if (error instanceof Absent) found.absent.add(cell);
      return { kind: 'claim_unknown', cell: cell.name };
    }
  };

  const confirmAt = async (cell: CellEntry, attempt: number): Promise<Event> => {
    if (attempt > 1) await sleep(confirmPauseMs * attempt);
    try {
      // Not the caller's signal: once it is on its way, what became of it is worth knowing.
      const signal = new AbortController().signal;
      const reply = await ask(context, call, cell, await encode(routes['Machines.confirm'], { claim: [claim] }), { signal });
      if (reply.status === 200) {
        found.delivered = passed(reply, Buffer.from(JSON.stringify(await jsonOf(reply))));
        return { kind: 'confirmed', cell: cell.name };
      }
      reply.body.destroy();
      const refused = reply.status >= 400 && reply.status < 500 && reply.status !== 401;
      return { kind: refused ? 'confirm_refused' : 'confirm_unknown', cell: cell.name };
    } catch {
      return { kind: 'confirm_unknown', cell: cell.name };
    }
  };
  return { askCell, claimAt, confirmAt, constraints };
}

/** Walk the protocol to its end. */
async function walk(
  context: FrontContext,
  call: LooseCall,
  cells: readonly CellEntry[],
  { policy, claim }: { readonly policy: Policy; readonly claim: string },
  found: Found,
): Promise<Step> {
  const byName = new Map(cells.map((cell) => [cell.name, cell]));
  const { askCell, claimAt, confirmAt } = effects(context, call, found, claim);
  const mail = mailbox();
  const begin = (work: Promise<Event>): void => void work.then(mail.put, () => undefined);
  call.request.signal.addEventListener('abort', () => mail.put({ kind: 'gone' }), { once: true });
  let state = beginAllocation(policy, [...byName.keys()]);
  for (const cell of cells) begin(askCell(cell));
  for (;;) {
    const [next, todo] = step(
      state,
      call.request.signal.aborted && state.phase.name !== 'confirming' ? { kind: 'gone' } : await mail.take(),
    );
    state = next;
    if (todo.do === 'claim') begin(claimAt(byName.get(todo.cell)!));
    else if (todo.do === 'confirm') begin(confirmAt(byName.get(todo.cell)!, todo.attempt));
    else if (todo.do !== 'wait') return todo;
  }
}

/** A UUID for the claim: of the caller and its Idempotency-Key where there is one, so that the same call repeated is the same claim. */
function claimOf({ caller, request }: LooseCall): string {
  if (request.idempotencyKey === undefined || caller.kind !== 'user') return randomUUID();
  const hash = createHash('sha256').update(`${caller.userId}\n${request.idempotencyKey}`).digest('hex');
  return [hash.slice(0, 8), hash.slice(8, 12), hash.slice(12, 16), hash.slice(16, 20), hash.slice(20, 32)].join('-');
}

/** What an earlier call with the same key took. @throws Failure `partial_refused` when a cell that may have it is absent. */
async function delivered(
  context: FrontContext,
  call: LooseCall,
  cells: readonly CellEntry[],
  claim: string,
): Promise<BodyReply | undefined> {
  if (call.request.idempotencyKey === undefined) return undefined;
  const encoded = await encode(routes['Machines.confirm'], { claim: [claim] });
  const answers = await askAll(context, call, cells, () => encoded);
  const [good, ...others] = answers.good;
  drop([...answers.refused, ...others]);
  if (good) return passed(good);
  if (answers.absent.length > 0) throw partialRefused(answers.absent);
  return undefined;
}

function policyOf(call: Pick<LooseCall, 'request'>, usual: Policy): Policy {
  const asked = call.request.headers['muster-allocate'];
  return asked === 'first' || asked === 'best' ? asked : usual;
}

/** The header `Muster-Allocate: first` or `best` overrides the front's own policy. */
export function reachAllocate(usual: Policy): Reach {
  return async (context, _, call) => {
    const all = targetsOf(context, { names: ['system_id'] }, call);
    const cells = all.filter((cell) => !cell.out);
    const found: Found = { reports: [], absent: new Set(), refused: undefined, delivered: undefined };
    if (['1', 'true', 'on', 'yes'].includes(call.fields['dry_run']?.at(-1)?.toLowerCase() ?? '')) return dryRun(context, call, cells);
    const claim = claimOf(call);
    const before = await delivered(context, call, cells, claim);
    if (before) return before;
    const end =
      cells.length === 0
        ? { do: 'nothing_fits' as const, unsure: false }
        : await walk(context, call, cells, { policy: policyOf(call, usual), claim }, found);
    const absent = cells.filter((cell) => found.absent.has(cell));
    call.reply.header('Muster-Cells', musterCells({ asked: cells, absent, out: all.filter((cell) => cell.out) }));
    // Where others knew what to do, a cell that refused is behind and says nothing of the constraints.
    const refused = found.reports.length === 0 && end.do === 'nothing_fits' ? found.refused : undefined;
    if (!refused) found.refused?.body.destroy();
    if (end.do === 'deliver' && found.delivered) return found.delivered;
    if (end.do === 'give_up') throw fail('unknown_outcome', { cell: end.cell, system_id: end.machine });
    if (end.do === 'abandon') throw call.request.signal.reason;
    if (refused) return passed(refused);
    throw nothingFits(call, end.do === 'nothing_fits' && end.unsure, found, absent);
  };
}

function nothingFits(call: LooseCall, unsure: boolean, found: Found, absent: readonly CellEntry[]): Failure {
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
      without(call.fields, options),
      reports,
      absent.map((cell) => cell.name),
    ),
  });
}

/** Which machine would it be? The cell with the cheapest match says it. */
async function dryRun(context: FrontContext, call: LooseCall, cells: readonly CellEntry[]): Promise<BodyReply> {
  const found: Found = { reports: [], absent: new Set(), refused: undefined, delivered: undefined };
  const { askCell } = effects(context, call, found, randomUUID());
  const offers = await Promise.all(cells.map(async (cell) => ({ cell, event: await askCell(cell) })));
  const fitting = offers
    .flatMap(({ cell, event }) => (event.kind === 'offer' && event.offer.cost !== null ? [{ cell, cost: event.offer.cost }] : []))
    .sort((a, b) => a.cost - b.cost);
  const [best] = fitting;
  if (best) return forward(context, routes['Machines.allocate'], call, best.cell);
  if (found.refused) return passed(found.refused);
  throw nothingFits(call, false, found, [...found.absent]);
}
