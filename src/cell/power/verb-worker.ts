/**
 * Carries power verbs out: claims a due row, asks the pure decision (`verb.ts`) for the one next thing, commits that it is about to happen,
 * does it at the BMC, and writes what came of it. Killed anywhere, another worker reads an `open` outcome and observes instead of repeating.
 */
import type { Database } from '../../postgres/database.ts';
import { LostRace } from '../db/cell-db.ts';
import type { CellTables } from '../db/schema.ts';
import {
  aboutToSend,
  bootsInFlight,
  claimVerbs,
  endVerb,
  nextBootEnded,
  releaseVerb,
  saveHealth,
  saveReading,
  sendEnded,
  type DueVerb,
} from '../db/power-store.ts';
import { bootSlots } from './boot-slot.ts';
import type { PowerFailureKind, PowerTarget } from './driver.ts';
import { callBmc, drivers, verbLeaseMs, type PowerCall, type PowerOutcome } from './execute.ts';
import { afterCall, freshHealth, type BmcHealth } from './health.ts';
import { decideVerb, verbLimits, type VerbDecision, type VerbFacts } from './verb.ts';
import type { PowerTypeName } from '../../contract/power-types.ts';

/** What the power room needs from the rest of the cell. */
export interface PowerDoor {
  /** The machine's settings in the clear, at the moment of a call; undefined when it has none. */
  targetOf(systemId: string): Promise<{ type: PowerTypeName; target: PowerTarget } | undefined>;
  /** Called at named points so that a test can kill the process there. */
  killPoint(name: string): void;
}

export interface PowerWorkerOptions {
  readonly database: Database<CellTables>;
  readonly door: PowerDoor;
  /** How many machines may be starting at once in this cell. */
  readonly bootSlots: number;
  /** Left out: that of {@link verbLimits}. */
  readonly slowestBmcMs?: number;
  readonly signal: AbortSignal;
}

/** Do what is due now, at most `limit` verbs side by side. Returns how many were taken. */
export async function workOnVerbs(options: PowerWorkerOptions, limit = 32): Promise<number> {
  const due = await options.database.transaction((tx) => claimVerbs(tx, limit, verbLeaseMs), { retryable: true });
  if (due.length === 0) return 0;
  const startedAt = await bootsInFlight(options.database.db);
  await Promise.all(due.map((verb) => workOnVerb(options, verb, startedAt)));
  return due.length;
}

async function workOnVerb(options: PowerWorkerOptions, verb: DueVerb, startedAt: readonly number[]): Promise<void> {
  try {
    await step(options, verb, startedAt);
  } catch (error) {
    if (!(error instanceof LostRace)) throw error;
    await options.database.transaction((tx) => releaseVerb(tx, verb, 0, 'live', ''));
  }
}

async function step(options: PowerWorkerOptions, verb: DueVerb, startedAt: readonly number[]): Promise<void> {
  const { database, door } = options;
  const bmc = await door.targetOf(verb.system_id);
  if (!bmc) return database.transaction((tx) => endVerb(tx, verb, 'failed', 'the machine has no power settings'));
  const health = { ...freshHealth, ...verb.health } as BmcHealth;
  const limits = { ...verbLimits, ...(options.slowestBmcMs === undefined ? {} : { slowestBmcMs: options.slowestBmcMs }) };
  const facts = factsOf(verb, bmc.type, health, bootSlots(startedAt, options.bootSlots, verb.now));
  const decision = patient(verb, bmc.type, decideVerb(facts, limits));
  door.killPoint(`power_${decision.kind}:before`);
  const next = await carryOut(options, verb, bmc, health, decision);
  door.killPoint(`power_${decision.kind}:after-effect`);
  await database.transaction((tx) =>
    next.end ? endVerb(tx, verb, next.end, next.text) : releaseVerb(tx, verb, next.dueIn, next.hands ? 'hands' : 'live', next.text),
  );
  door.killPoint(`power_${decision.kind}:after-commit`);
}

/** How often a machine is looked at that is about to switch itself off, in milliseconds. */
const lookEvery = 1_500;

/** No order before its time: until then the machine is asked, where it can be. */
function patient(verb: DueVerb, type: PowerTypeName, decision: VerbDecision): VerbDecision {
  if (decision.kind !== 'send' || verb.not_before === null || verb.now >= verb.not_before) return decision;
  const seen = verb.power_state_at ?? -Infinity;
  if (!drivers[type].capabilities.query) return { kind: 'wait', until: verb.not_before, why: 'It is about to do it by itself.' };
  if (verb.now - seen >= lookEvery) return { kind: 'query' };
  return { kind: 'wait', until: Math.min(verb.not_before, seen + lookEvery), why: 'It is about to do it by itself.' };
}

interface Next {
  readonly end?: 'done' | 'failed';
  readonly dueIn: number;
  readonly hands?: boolean;
  readonly text: string;
}

/** Hands are slow: an operation that waits for them is woken by the boot it waits for, not by this. */
const lookAtHandsEvery = 60_000;

async function carryOut(
  options: PowerWorkerOptions,
  verb: DueVerb,
  bmc: { type: PowerTypeName; target: PowerTarget },
  health: BmcHealth,
  decision: VerbDecision,
): Promise<Next> {
  switch (decision.kind) {
    case 'done':
      return { end: 'done', dueIn: 0, text: decision.why };
    case 'refuse':
      return { end: 'failed', dueIn: 0, text: decision.why };
    case 'wait':
      return { dueIn: Math.max(50, decision.until - verb.now), text: decision.why };
    case 'ask-hands':
      return { dueIn: lookAtHandsEvery, hands: true, text: `please switch the machine ${decision.ask === 'off' ? 'off' : 'on'} by hand` };
    case 'query': {
      const outcome = await call(options, verb, bmc, health, { kind: 'state' });
      if (outcome.kind === 'reading')
        await saveReading(options.database.db, verb.system_id, outcome.reading.state, outcome.reading.evidence);
      return { dueIn: 0, text: '' };
    }
    case 'send':
      return send(options, verb, bmc, health, decision);
  }
}

async function send(
  options: PowerWorkerOptions,
  verb: DueVerb,
  bmc: { type: PowerTypeName; target: PowerTarget },
  health: BmcHealth,
  decision: VerbDecision & { kind: 'send' },
): Promise<Next> {
  const { db } = options.database;
  if (decision.call === 'next-boot') {
    const outcome = await call(options, verb, bmc, health, { kind: 'next-boot', device: decision.device });
    // A BMC that cannot choose is as good as ordered: the installed boot order is network first.
    await nextBootEnded(db, verb, outcome.kind === 'accepted' || failureOf(outcome) === 'unsupported');
    return { dueIn: 0, text: outcome.kind === 'failed' ? outcome.evidence : '' };
  }
  await aboutToSend(db, verb, decision.call);
  options.door.killPoint(`power_send:committed`);
  const outcome = await call(
    options,
    verb,
    bmc,
    health,
    decision.call === 'off' ? { kind: 'off', how: decision.how } : { kind: decision.call },
  );
  const failure = failureOf(outcome);
  const evidence = outcome.kind === 'reading' ? outcome.reading.evidence : outcome.evidence;
  await sendEnded(db, verb, failure === undefined ? 'accepted' : failure === 'unknown-outcome' ? 'unknown' : 'not-done', failure, evidence);
  return { dueIn: 200, text: evidence };
}

async function call(
  options: PowerWorkerOptions,
  verb: DueVerb,
  bmc: { type: PowerTypeName; target: PowerTarget },
  health: BmcHealth,
  what: PowerCall,
): Promise<PowerOutcome> {
  const began = performance.now();
  const outcome = await callBmc(bmc, what, { clock: Date.now, signal: options.signal });
  // In the database's time, from the end of the call: a pause after a 20 s time-out must not be over already.
  const now = verb.now + (performance.now() - began);
  if (verb.bmc_id !== null) await saveHealth(options.database.db, verb.bmc_id, afterCall(health, outcome, now));
  return outcome;
}

function failureOf(outcome: PowerOutcome): PowerFailureKind | undefined {
  return outcome.kind === 'accepted' ? undefined : outcome.failure;
}

function factsOf(verb: DueVerb, type: PowerTypeName, health: BmcHealth, slots: VerbFacts['slots']): VerbFacts {
  const { sent, sent_call: call, sent_outcome: outcome, sent_failure: failure } = verb;
  return {
    verb: verb.verb,
    capabilities: drivers[type].capabilities,
    nextBoot:
      verb.next_boot === null ? undefined : { device: verb.next_boot, ordered: verb.next_boot_ordered, failures: verb.next_boot_failures },
    softOff: verb.soft,
    reading: verb.power_state_at === null ? undefined : { state: verb.power_state, at: verb.power_state_at, evidence: verb.power_evidence },
    sent:
      sent === null || call === null || outcome === null
        ? undefined
        : { call, at: sent, outcome, ...(failure === null ? {} : { failure: failure as PowerFailureKind }) },
    sends: verb.sends,
    boots: verb.boots,
    handsDone: false,
    health,
    slots,
    jitter: Math.random(),
    now: verb.now,
  };
}
