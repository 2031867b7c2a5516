/** What an allocation does at cells: each piece of work told as an event of `allocation.ts`. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Compile } from 'typebox/compile';
import { Claim, Offer, Settled } from '../contract/resources/machines.ts';
import { allocationOptions, allocationWays } from '../contract/resources/constraints.ts';
import { routes } from '../contract/routes.ts';
import type { LooseCall } from '../http/dispatch.ts';
import type { BodyReply } from '../http/reply.ts';
import type { Claimed, Event, Step } from './allocation.ts';
import type { CellReport } from './allocation-refusal.ts';
import { jsonOf } from './answers.ts';
import { Absent, type CellReply } from './cell-line.ts';
import { passed } from './cell-reply.ts';
import { cellNumbered, type CellEntry } from './cell-registry.ts';
import { encodeCall, type Encoded, type Fields } from './encode-call.ts';
import { ask, type AskOptions, type FrontContext } from './front-context.ts';

const isOffer = Compile(Offer);
const isClaim = Compile(Claim);
const isSettled = Compile(Settled);
/** Keys that are no constraint. */
const options: ReadonlySet<string> = new Set(Object.keys(allocationOptions));
/** Keys that are no constraint either, and that a cell judges. */
const ways: ReadonlySet<string> = new Set(Object.keys(allocationWays));
/** Milliseconds before the second of two tries at the same cell, and twice as much before the third. */
const pauseMs = 200;

type AllocationRoute = `Machines.${'ask' | 'claim' | 'confirm' | 'free_claim' | 'mark_delivered' | 'settle_key'}`;
type StepOf<D extends Step['do']> = Extract<Step, { readonly do: D }>;

/** What is known so far, besides the state machine's state. */
export interface Found {
  readonly reports: CellReport[];
  readonly asked: Set<CellEntry>;
  readonly absent: Set<CellEntry>;
  /** Cells that say that they are drained. */
  readonly drained: Set<CellEntry>;
  /** A 4xx that is about the constraints themselves: any cell would say the same. */
  refused: CellReply | undefined;
  delivered: BodyReply | undefined;
}

export function nothingFound(): Found {
  return { reports: [], asked: new Set(), absent: new Set(), drained: new Set(), refused: undefined, delivered: undefined };
}

/** The constraints among the keys of an allocation. */
export function constraintsOf(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !options.has(name) && !ways.has(name)));
}

/** The same for the same call, however it is repeated. Never the digest of a call that goes to a cell directly. */
function digestOf(fields: Fields): string {
  const given = Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify(['front', given]))
    .digest('hex');
}

function isRefusal({ status }: CellReply): boolean {
  return status >= 400 && status < 500 && status !== 401;
}

/** Let a short reply that nobody reads come to its end, so that its connection can be used again. */
function unread(reply: CellReply): void {
  reply.body.resume();
}

export function allocateEffects(context: FrontContext, call: LooseCall, found: Found) {
  const constraints = Object.fromEntries(Object.entries(call.fields).filter(([name]) => !options.has(name)));
  const request = digestOf(call.fields);
  const keyed = call.request.idempotencyKey !== undefined;
  const spread = call.fields['spread']?.at(-1) || undefined;
  const given = (...names: string[]): Fields =>
    Object.fromEntries(names.flatMap((name) => (call.fields[name] === undefined ? [] : [[name, call.fields[name]]])));
  const encode = (id: AllocationRoute, fields: Fields): Promise<Encoded> =>
    encodeCall(routes[id], { path: {}, fields, files: [], body: undefined });
  const send = async (cell: CellEntry, id: AllocationRoute, fields: Fields, how: AskOptions = {}): Promise<CellReply> =>
    ask(context, call, cell, await encode(id, fields), how);
  // Not the caller's signal: once it is on its way, what became of it is worth knowing.
  const lasting = (): AskOptions => ({ signal: new AbortController().signal });

  /** Tell a cell something that nobody waits for. */
  const tell = (cell: CellEntry, id: AllocationRoute, claim: string): void => {
    const attempt = async (): Promise<void> => unread(await send(cell, id, { claim: [claim] }, lasting()));
    attempt().catch((error: unknown) => context.log.debug({ err: error, cell: cell.name, claim }, `${id} got lost`));
  };

  const settledBy = (offer: { readonly settled?: { cell: number; claim: string; system_id: string; request: string } }) => {
    if (!offer.settled) return {};
    const { cell, claim, system_id, request: digest } = offer.settled;
    return { settled: { cell: nameOf(cell), claim, machine: system_id, same: digest === request } };
  };
  const nameOf = (number: number): string => cellNumbered(context.registry, number)?.name ?? `number ${number}`;

  return {
    ask: async (cell: CellEntry): Promise<Event> => {
      found.asked.add(cell);
      try {
        const fields = { ...constraints, ...(spread === undefined ? {} : given('spread', 'agent_name')) };
        const reply = await send(cell, 'Machines.ask', fields, { ms: context.gatherMs, firstByte: true, keyed });
        if (isRefusal(reply)) {
          if (reply.headers['muster-error'] === 'drained') {
            found.drained.add(cell);
            unread(reply);
          } else {
            found.refused?.body.destroy();
            found.refused = reply;
          }
          // A key's home that refuses the question has not said what the key stands for.
          return keyed ? { kind: 'no_offer', cell: cell.name } : { kind: 'offer', cell: cell.name, offer: { cost: null } };
        }
        const offer = reply.status === 200 ? await jsonOf(reply) : undefined;
        if (!isOffer.Check(offer)) throw new Absent(cell, true, `answered ${reply.status}`);
        if (offer.drained === true) found.drained.add(cell);
        else found.reports.push({ cell: cell.name, ready: offer.ready, ruledOut: offer.ruled_out });
        const offered = { cost: offer.best?.cost ?? null, ...(offer.groups ? { groups: offer.groups } : {}) };
        return { kind: 'offer', cell: cell.name, offer: offered, ...settledBy(offer) };
      } catch (error) {
        if (error instanceof Absent) found.absent.add(cell);
        return { kind: 'no_offer', cell: cell.name };
      }
    },

    claim: async (cell: CellEntry, { claim, group }: StepOf<'claim'>): Promise<Event> => {
      const within = spread === undefined || group === undefined ? {} : { [spread]: [group] };
      try {
        const fields = { ...constraints, ...within, claim: [claim], ...given('agent_name', 'comment') };
        const reply = await send(cell, 'Machines.claim', fields);
        if (isRefusal(reply)) {
          unread(reply);
          return { kind: 'claim_refused', claim };
        }
        const claimed = reply.status === 200 ? await jsonOf(reply) : undefined;
        if (!isClaim.Check(claimed)) throw new Absent(cell, true, `answered ${reply.status}`);
        return { kind: 'claimed', claim, machine: claimed.system_id };
      } catch (error) {
        if (error instanceof Absent) found.absent.add(cell);
        return { kind: 'claim_unknown', claim };
      }
    },

    settle: async (home: CellEntry, at: CellEntry, { claimed, insteadOf, attempt }: StepOf<'settle'>): Promise<Event> => {
      const { claim, machine } = claimed;
      const unknown = { kind: 'settle_unknown', claim, attempt } as const;
      if (attempt > 1) await sleep(pauseMs * (attempt - 1));
      try {
        const fields = { cell: [String(at.number)], claim: [claim], system_id: [machine], request: [request] };
        const instead = insteadOf === undefined ? {} : { instead_of: [insteadOf] };
        const reply = await send(
          home,
          'Machines.settle_key',
          { ...fields, ...instead },
          { ...lasting(), ms: context.gatherMs, keyed: true },
        );
        if (reply.headers['muster-error'] === 'idempotency_mismatch') {
          unread(reply);
          return { kind: 'settle_mismatch', claim };
        }
        const settled = reply.status === 200 ? await jsonOf(reply) : undefined;
        if (!isSettled.Check(settled)) {
          found.absent.add(home);
          return unknown;
        }
        const winner: Claimed = { cell: nameOf(settled.cell), claim: settled.claim, machine: settled.system_id };
        return { kind: 'settled', claim, winner };
      } catch {
        found.absent.add(home);
        return unknown;
      }
    },

    /** `cell` undefined: it is not part of the fleet any more. */
    confirm: async (cell: CellEntry | undefined, { claim, attempt }: StepOf<'confirm'>): Promise<Event> => {
      const unknown = { kind: 'confirm_unknown', claim, attempt } as const;
      if (!cell || cell.out) return unknown;
      if (attempt > 1) await sleep(pauseMs * attempt);
      try {
        const reply = await send(cell, 'Machines.confirm', { claim: [claim], ...given('verbose') }, lasting());
        if (reply.status === 200) {
          const body = Buffer.from(JSON.stringify(await jsonOf(reply)));
          found.delivered = passed(reply, body);
          void call.reply.sent.then((whole) => (whole ? tell(cell, 'Machines.mark_delivered', claim) : undefined));
          return { kind: 'confirmed', claim };
        }
        unread(reply);
        return reply.headers['muster-error'] === 'claim_refused' ? { kind: 'confirm_refused', claim } : unknown;
      } catch {
        return unknown;
      }
    },

    free: (cell: CellEntry, { claim }: StepOf<'free'>): void => tell(cell, 'Machines.free_claim', claim),
  };
}
