/**
 * The planner: from what is so, the one next step of an operation. Pure, and the only place where the order of work is decided; the
 * executor (`carry-out.ts`) has no opinion. It remembers nothing: after kill -9 anywhere another worker reads the same rows and comes to
 * the same step, so every step must be safe to repeat (architecture §6.1).
 *
 * Times are milliseconds of the database's clock.
 */
import { operations, type OperationKind } from '../../contract/operation.ts';

export interface TicketFacts {
  readonly nonce: string;
  readonly issued: number;
  readonly expires: number;
  readonly checkedIn?: number;
  readonly claimed?: number;
  readonly heartbeat?: number;
  readonly spent?: number;
  readonly outcome?: 'done' | 'failed';
  readonly detail: string;
  readonly voided: boolean;
  readonly voidReason?: string;
}

export interface VerbFacts {
  readonly verb: 'on' | 'off' | 'cycle';
  readonly state: 'live' | 'hands' | 'done' | 'failed' | 'closed';
  readonly intended: number;
  readonly ended?: number;
  readonly nonce?: string;
  readonly error: string;
}

export interface OperationFacts {
  readonly kind: OperationKind;
  readonly started: number;
  readonly deadline: number;
  readonly abortAsked: boolean;
  readonly now: number;
  /** `hands`: nobody but a person can switch this machine. `queryable`: the driver can say on or off. */
  readonly power: {
    readonly hands: boolean;
    readonly queryable: boolean;
    readonly state: 'on' | 'off' | 'unknown' | 'error';
    readonly at?: number;
  };
  /** The newest ticket of this operation, and how many it has had. */
  readonly ticket?: TicketFacts;
  readonly tickets: number;
  /** The newest power verb of this operation. */
  readonly verb?: VerbFacts;
  /** Is the image that this deployment is pinned to in the cell's store? True for operations without an image. */
  readonly imageReady: boolean;
  /** Does the image tell us when it has booted (cloud-init)? */
  readonly imageReports: boolean;
  /** Does the running DHCP configuration name this machine? */
  readonly dhcpApplied: boolean;
  readonly scriptsFailed: number;
  /** Has the installed system fetched its user-data with its system credential? */
  readonly systemSeen: boolean;
  /** When did the machine last check in for rescue, if it did since this operation started? */
  readonly rescueSeen: boolean;
}

export type Step =
  | { readonly do: 'fetch_image' }
  | { readonly do: 'issue_ticket' }
  | { readonly do: 'void_ticket'; readonly reason: string }
  | { readonly do: 'apply_dhcp' }
  | { readonly do: 'power'; readonly verb: 'on' | 'off' | 'cycle'; readonly nextBoot?: 'network'; readonly patience?: number }
  | { readonly do: 'wait'; readonly for: Waiting; readonly until: number }
  | { readonly do: 'finish'; readonly outcome: 'done' | 'failed' | 'aborted'; readonly error: string };

export type Waiting = 'power' | 'hands' | 'check_in' | 'agent' | 'system' | 'rescue';

/** How many tickets one operation may use: the first and two more after "did not netboot" or a silent agent. */
export const ticketsAllowed = 3;
/** From the power verb's end to the agent's check-in. Firmware that tries every NIC needs up to 5 min each (Cloudflare, peers.md §3). */
export const netbootWithin = 15 * 60_000;
/** An agent reports at least every 30 s; ten minutes of silence means that it is gone. */
export const silentAfter = 10 * 60_000;
/** The ephemeral environment powers itself off; for this long the cell only looks. */
export const offGrace = 10_000;
/** An operation looks again at least this often, notified or not. */
export const lookAgain = 15_000;

/** The next step of the operation. Total: every combination of facts has an answer, and none waits for ever. */
export function plan(facts: OperationFacts): Step {
  if (facts.abortAsked) return abort(facts);
  if (facts.now >= facts.deadline && !waitsForHands(facts)) return finish('failed', `timed out: ${describeWait(facts)}`);
  switch (facts.kind) {
    case 'commission':
    case 'test':
    case 'deploy':
    case 'erase':
      return bootStep(facts);
    case 'release':
    case 'exit_rescue':
      return offThen(facts, facts.started, finish('done', ''));
    case 'rescue':
      return rescueStep(facts);
  }
}

/** True while only a person's hands can move this operation on: its clock starts at first contact. */
export function waitsForHands(facts: OperationFacts): boolean {
  if (!facts.power.hands) return false;
  return operations[facts.kind].within > 0 && facts.ticket?.checkedIn === undefined && !facts.rescueSeen && bootsSomething(facts.kind);
}

function bootsSomething(kind: OperationKind): boolean {
  return kind === 'rescue' || 'boots' in operations[kind];
}

function abort(facts: OperationFacts): Step {
  if (facts.ticket && !facts.ticket.voided && facts.ticket.spent === undefined) return { do: 'void_ticket', reason: 'aborted' };
  if (facts.now >= facts.deadline) return finish('aborted', 'aborted; the machine may still be on');
  return offThen(facts, facts.started, finish('aborted', ''));
}

function bootStep(facts: OperationFacts): Step {
  if (!facts.imageReady) return { do: 'fetch_image' };
  const ticket = facts.ticket;
  if (!ticket || ticket.voided) {
    if (facts.tickets >= ticketsAllowed)
      return finish('failed', `gave up after ${facts.tickets} boots: ${ticket?.voidReason ?? 'no boot'}`);
    return { do: 'issue_ticket' };
  }
  if (ticket.spent !== undefined) return afterSpent(facts, ticket, ticket.spent);
  if (facts.now >= ticket.expires)
    return { do: 'void_ticket', reason: ticket.checkedIn === undefined ? 'did not netboot' : 'ticket expired' };
  if (ticket.checkedIn !== undefined) {
    const until = Math.max(ticket.checkedIn, ticket.claimed ?? 0, ticket.heartbeat ?? 0) + silentAfter;
    if (facts.now >= until) return { do: 'void_ticket', reason: 'the agent fell silent' };
    return wait('agent', facts, until);
  }
  if (!facts.dhcpApplied) return { do: 'apply_dhcp' };
  return networkBoot(facts, ticket.nonce);
}

/** Bring the machine to a new boot from the network, exactly once per ticket (or per rescue). */
function networkBoot(facts: OperationFacts, nonce: string | undefined): Step {
  const verb = facts.verb && facts.verb.nonce === nonce && facts.verb.verb !== 'off' ? facts.verb : undefined;
  if (!verb) return startBoot(facts);
  switch (verb.state) {
    case 'live':
      return wait('power', facts, facts.now + lookAgain);
    case 'hands':
      return wait('hands', facts, facts.now + lookAgain);
    case 'failed':
      return nonce === undefined ? finish('failed', `power: ${verb.error}`) : { do: 'void_ticket', reason: `power: ${verb.error}` };
    case 'done':
    case 'closed': {
      const until = (verb.ended ?? verb.intended) + netbootWithin;
      if (facts.now < until) return wait(nonce === undefined ? 'rescue' : 'check_in', facts, until);
      return nonce === undefined ? finish('failed', 'did not netboot') : { do: 'void_ticket', reason: 'did not netboot' };
    }
  }
}

/**
 * One verb for "boot afresh, from the network": `cycle`, which the power room sends as `on` when the machine is confirmed off. By hand there
 * is only switching on.
 */
function startBoot(facts: OperationFacts): Step {
  return { do: 'power', verb: facts.power.hands ? 'on' : 'cycle', nextBoot: 'network' };
}

function afterSpent(facts: OperationFacts, ticket: TicketFacts, spent: number): Step {
  if (ticket.outcome !== 'done') return finish('failed', ticket.detail || 'the agent reported failure');
  if (facts.kind === 'deploy') {
    if (facts.systemSeen || !facts.imageReports) return finish('done', '');
    return wait('system', facts, facts.deadline);
  }
  const result = facts.scriptsFailed > 0 ? finish('failed', `${facts.scriptsFailed} script(s) failed`) : finish('done', '');
  return offThen(facts, spent, result, offGrace);
}

/** Make sure that the machine is off, with evidence from after `since` where the driver can tell, then do `next`. */
function offThen(facts: OperationFacts, since: number, next: Step, patience = 0): Step {
  if (facts.power.hands || confirmedOff(facts, since)) return next;
  const off = facts.verb?.verb === 'off' && facts.verb.intended >= since ? facts.verb : undefined;
  if (!off) return { do: 'power', verb: 'off', ...(patience > 0 ? { patience } : {}) };
  if (isLive(off)) return wait('power', facts, facts.now + lookAgain);
  if (off.state === 'failed' && !(next.do === 'finish' && next.outcome === 'aborted')) return finish('failed', `power: ${off.error}`);
  return next;
}

function rescueStep(facts: OperationFacts): Step {
  if (facts.rescueSeen) return finish('done', '');
  if (!facts.dhcpApplied) return { do: 'apply_dhcp' };
  return networkBoot(facts, undefined);
}

function isLive(verb: VerbFacts): boolean {
  return verb.state === 'live' || verb.state === 'hands';
}

function confirmedOff(facts: OperationFacts, since: number): boolean {
  return facts.power.state === 'off' && facts.power.at !== undefined && facts.power.at >= since;
}

function finish(outcome: 'done' | 'failed' | 'aborted', error: string): Step {
  return { do: 'finish', outcome, error };
}

function wait(what: Waiting, facts: OperationFacts, until: number): Step {
  const end = waitsForHands(facts) ? until : Math.min(until, facts.deadline);
  return { do: 'wait', for: what, until: Math.max(Math.min(end, facts.now + lookAgain), facts.now + 1) };
}

function describeWait(facts: OperationFacts): string {
  const ticket = facts.ticket;
  if (!facts.imageReady) return 'the image did not arrive';
  if (!ticket || ticket.voided) return ticket?.voidReason ?? 'nothing was booted';
  if (ticket.spent !== undefined) return facts.kind === 'deploy' ? 'the installed system did not report' : 'the machine did not power off';
  return ticket.checkedIn === undefined ? 'the machine did not netboot' : 'the agent did not finish';
}
