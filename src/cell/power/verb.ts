// Which single thing to do next for a power verb (architecture §6.4). Pure: facts in, decision out; the reconciler asks again
// after every effect. Three rules above all: unknown is never off; a BMC that can be asked gets `on` only after it has just
// said off; `off` and `cycle` are not repeated once the machine has booted since they were first sent.
import type { NextBoot, PowerCapabilities, PowerFailureKind, PowerReading } from './driver.ts';
import { earliestCommand, earliestQuery, pauseMs, settingsRefused } from './health.ts';
import type { BmcHealth } from './health.ts';
import type { BootSlots } from './boot-slot.ts';

export type PowerVerb = 'on' | 'off' | 'cycle';

/**
 * A command of this verb that was committed before it was sent. `open`: no result was ever written, because the process that
 * sent it died; as good as `unknown`. `not-done`: it certainly had no effect, for the reason in `failure`.
 */
export interface SentCommand {
  readonly call: PowerVerb;
  readonly at: number;
  readonly outcome: 'open' | 'accepted' | 'unknown' | 'not-done';
  readonly failure?: PowerFailureKind;
}

export interface VerbFacts {
  readonly verb: PowerVerb;
  readonly capabilities: PowerCapabilities;
  /**
   * What the machine shall start from; whether that was ordered since the last command (or turned out unsupported), and how
   * often it failed since.
   */
  readonly nextBoot: { readonly device: NextBoot; readonly ordered: boolean; readonly failures: number } | undefined;
  /** `power_off_mode` is soft: ask the operating system first, then cut the power. */
  readonly softOff: boolean;
  readonly reading: PowerReading | undefined;
  /**
   * The last command, and how many this verb has sent, whatever came of them. Ordering the next boot is none. A verb that
   * replaces another one inherits that one's last command (`sends` is 0): it is waited out, since it may still act, and counts
   * for nothing else.
   */
  readonly sent: SentCommand | undefined;
  readonly sends: number;
  /** Boots of the machine seen since the first command (of this verb or inherited; for hands: since the verb was asked for). */
  readonly boots: number;
  /** A person has said that it is done. */
  readonly handsDone: boolean;
  readonly health: BmcHealth;
  readonly slots: BootSlots;
  /** 0 to 1, drawn by the caller. */
  readonly jitter: number;
  readonly now: number;
}

export type RefusalCode = 'settings-refused' | 'unsupported' | 'boot-seen' | 'gave-up';

export type VerbDecision =
  | { readonly kind: 'query' }
  | { readonly kind: 'send'; readonly call: 'on' | 'cycle' }
  | { readonly kind: 'send'; readonly call: 'off'; readonly how: 'hard' | 'soft' }
  | { readonly kind: 'send'; readonly call: 'next-boot'; readonly device: NextBoot }
  | { readonly kind: 'wait'; readonly until: number; readonly why: string }
  | { readonly kind: 'done'; readonly why: string }
  | { readonly kind: 'refuse'; readonly code: RefusalCode; readonly why: string }
  | { readonly kind: 'ask-hands'; readonly ask: PowerVerb };

export interface VerbLimits {
  /** After a command the slowest BMC may still act, or still show the old state, for this long. */
  readonly slowestBmcMs: number;
  /** How old a reading may be that a command relies on. */
  readonly freshMs: number;
  /** How often to look while waiting for an effect. */
  readonly pollMs: number;
  /** An operating system gets this long to shut down. */
  readonly softOffMs: number;
  /** A cycle passes through off; this long after it, off means that it stayed there. */
  readonly cycleOffMs: number;
  /** With pauses of 2, 4, … 128 s between them, eight commands to a BMC that says "not now" take over 4 min. */
  readonly mostSends: number;
  /** The installed boot order is network first anyway, so a BMC that keeps failing at this does not stop the verb. */
  readonly mostNextBootFailures: number;
}

/** Measured elsewhere: BMC resets take 90 to 200 s and more (peers.md §5). */
export const verbLimits: VerbLimits = {
  slowestBmcMs: 200_000,
  freshMs: 15_000,
  pollMs: 5_000,
  softOffMs: 120_000,
  cycleOffMs: 30_000,
  mostSends: 8,
  mostNextBootFailures: 4,
};

/** The one next thing to do for a verb. Every `wait` ends after `now`. */
export function decideVerb(facts: VerbFacts, limits: VerbLimits = verbLimits): VerbDecision {
  if (!facts.capabilities.command) return decideByHand(facts);
  const own = facts.sends > 0 ? facts.sent : undefined;
  if (own !== undefined && facts.boots > 0 && facts.verb !== 'off') return { kind: 'done', why: 'The machine has booted since.' };
  if (own?.outcome === 'not-done' && own.failure === 'unsupported')
    return { kind: 'refuse', code: 'unsupported', why: `The BMC cannot do ${own.call}.` };
  const decision = facts.capabilities.query ? decideByState(facts, limits) : decideBlind(facts, limits);
  if (decision.kind !== 'query' && decision.kind !== 'send') return decision;
  if (settingsRefused(facts.health, facts.now))
    return {
      kind: 'refuse',
      code: 'settings-refused',
      why: 'The BMC turned these settings down twice; asking again could lock the account.',
    };
  const until = decision.kind === 'query' ? earliestQuery(facts.health, facts.jitter) : earliestSend(facts);
  return until > facts.now ? { kind: 'wait', until, why: 'The BMC gets a pause.' } : decision;
}

/** A BMC that answers questions and turns commands down must get its pauses too, so they are counted per verb as well. */
function earliestSend(facts: VerbFacts): number {
  const { sent, sends, health, jitter } = facts;
  const turnedDown = sends > 0 && sent?.outcome === 'not-done' ? sent.at + pauseMs(sends, jitter) : -Infinity;
  return Math.max(earliestCommand(health, jitter), turnedDown);
}

function decideByHand(facts: VerbFacts): VerbDecision {
  if (facts.handsDone) return { kind: 'done', why: 'Somebody says it is done.' };
  if (facts.verb !== 'off' && facts.boots > 0) return { kind: 'done', why: 'The machine has booted since it was asked for.' };
  return { kind: 'ask-hands', ask: facts.verb };
}

/** For BMCs that can be asked. */
function decideByState(facts: VerbFacts, limits: VerbLimits): VerbDecision {
  const { verb, reading, sent, sends, now } = facts;
  // A boot ends the doubt about an inherited on or cycle.
  const cameTrue = sends === 0 && facts.boots > 0 && sent?.call !== 'off';
  const mayHaveActed = sent !== undefined && sent.outcome !== 'not-done' && !cameTrue;
  // A reading from before the last command says nothing about after it; one from the future is from another clock.
  const usable = reading !== undefined && reading.at <= now && (sent === undefined || reading.at > sent.at);
  if (!usable || reading.at < now - limits.freshMs) return { kind: 'query' };
  if (reading.state === 'error') return { kind: 'query' };
  const observing = mayHaveActed && now < sent.at + patience(facts, sent, reading, limits);
  // The opposite was sent by the verb that this one replaces: what is seen now may not last.
  const contrary = sends === 0 && observing && (sent.call === 'off') !== (verb === 'off');
  if (contrary) return look(reading, limits, now);
  if (verb === 'off') {
    if (reading.state === 'off') return { kind: 'done', why: reading.evidence };
    return observing ? look(reading, limits, now) : sendOff(facts, limits);
  }
  if (reading.state === 'unknown') return look(reading, limits, now);
  if (reading.state === 'on') {
    if (verb === 'on') return { kind: 'done', why: reading.evidence };
    if (sends > 0 && mayHaveActed && (sent.outcome === 'accepted' || sent.call === 'on')) return { kind: 'done', why: reading.evidence };
    return observing ? look(reading, limits, now) : sendStart(facts, limits, 'cycle');
  }
  return observing ? look(reading, limits, now) : sendStart(facts, limits, 'on');
}

/** How long after a command its effect may still come. */
function patience(facts: VerbFacts, sent: SentCommand, reading: PowerReading, limits: VerbLimits): number {
  if (sent.outcome !== 'accepted') return limits.slowestBmcMs;
  if (sent.call !== 'cycle' && sent.call === reading.state) return 0;
  if (sent.call === 'cycle') return limits.cycleOffMs;
  if (sent.call === 'off' && facts.softOff && facts.sends === 1) return limits.softOffMs;
  return limits.slowestBmcMs;
}

function look(reading: PowerReading, limits: VerbLimits, now: number): VerbDecision {
  const until = reading.at + limits.pollMs;
  return until > now ? { kind: 'wait', until, why: `Waiting for the effect; last seen: ${reading.evidence}` } : { kind: 'query' };
}

/** For BMCs that take orders and cannot be asked: an accepted order is all there will ever be. */
function decideBlind(facts: VerbFacts, limits: VerbLimits): VerbDecision {
  const { verb, sent, now } = facts;
  if (facts.sends > 0 && sent?.outcome === 'accepted') return { kind: 'done', why: 'The BMC accepted the order; it cannot be asked.' };
  const until = sent === undefined || sent.outcome === 'not-done' || sent.outcome === 'accepted' ? now : sent.at + limits.slowestBmcMs;
  if (until > now) return { kind: 'wait', until, why: 'Whether the order arrived is unknown; the slowest BMC may still act.' };
  return verb === 'off' ? sendOff(facts, limits) : sendStart(facts, limits, verb);
}

function sendOff(facts: VerbFacts, limits: VerbLimits): VerbDecision {
  if (facts.sends > 0 && facts.boots > 0)
    return { kind: 'refuse', code: 'boot-seen', why: 'The machine has booted since off was sent; the order no longer fits.' };
  if (facts.sends >= limits.mostSends) return gaveUp(facts);
  return { kind: 'send', call: 'off', how: facts.softOff && facts.sends === 0 ? 'soft' : 'hard' };
}

function sendStart(facts: VerbFacts, limits: VerbLimits, call: 'on' | 'cycle'): VerbDecision {
  if (facts.sends >= limits.mostSends) return gaveUp(facts);
  const { nextBoot, slots, now } = facts;
  if (slots.free < 1) return { kind: 'wait', until: slotAt(slots, now, limits, facts.jitter), why: 'Enough other machines are starting.' };
  const orderable = facts.capabilities.nextBoot && nextBoot !== undefined && nextBoot.failures < limits.mostNextBootFailures;
  if (orderable && !nextBoot.ordered) return { kind: 'send', call: 'next-boot', device: nextBoot.device };
  return { kind: 'send', call };
}

/** Check-ins free slots before their time, so look again soon in any case. */
function slotAt(slots: BootSlots, now: number, limits: VerbLimits, jitter: number): number {
  const soon = now + limits.pollMs * (1 + jitter);
  return slots.nextAt !== undefined && slots.nextAt > now ? Math.min(soon, slots.nextAt) : soon;
}

function gaveUp(facts: VerbFacts): VerbDecision {
  return {
    kind: 'refuse',
    code: 'gave-up',
    why: `${facts.sends} orders had no effect; last seen: ${facts.reading?.evidence ?? 'nothing'}.`,
  };
}
