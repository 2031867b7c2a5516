// Whole histories: decisions against a BMC that is slow, forgetful and sometimes silent, and whose machine boots when switched on.
import fc from 'fast-check';
import { assert, expect, test } from 'vitest';
import type { PowerFailureKind, PowerReading } from './driver.ts';
import type { PowerOutcome } from './execute.ts';
import { afterCall, freshHealth } from './health.ts';
import { decideVerb, verbLimits } from './verb.ts';
import type { PowerVerb, SentCommand, VerbFacts } from './verb.ts';

/** What the BMC makes of one call. `acts`: after how many ms it has effect, if at all. */
interface Mood {
  readonly says: 'ok' | 'busy' | 'silent' | 'unreachable' | 'unknown-state';
  readonly acts: number | undefined;
  readonly takes: number;
  readonly boots: boolean;
  readonly crash: boolean;
}

const mood: fc.Arbitrary<Mood> = fc.record({
  says: fc.constantFrom('ok', 'ok', 'ok', 'busy', 'silent', 'unreachable', 'unknown-state'),
  acts: fc.constantFrom(0, 0, 3_000, 90_000, undefined),
  takes: fc.integer({ min: 20, max: 20_000 }),
  boots: fc.boolean(),
  crash: fc.boolean(),
});

/** What the verb before this one sent and when it acts, both in ms from the start. */
interface Legacy {
  readonly call: PowerVerb;
  readonly ago: number;
  readonly acts: number | undefined;
  readonly outcome: 'open' | 'accepted' | 'unknown';
}

const legacy: fc.Arbitrary<Legacy> = fc.record({
  call: fc.constantFrom('on', 'off', 'cycle'),
  ago: fc.integer({ min: 1, max: 60_000 }),
  acts: fc.constantFrom(0, 3_000, 90_000, undefined),
  // An accepted cycle is given 30 s, so one that acts later is outside what the rules promise.
  outcome: fc.constantFrom('open', 'unknown'),
});

function live(verb: PowerVerb, startsOn: boolean, moods: readonly Mood[], left?: Legacy) {
  let now = 1_000_000;
  let draw = 0;
  let machineOn = startsOn;
  let bootAt: number | undefined;
  const effects: { at: number; to: boolean; boots: boolean }[] = [];
  let facts: VerbFacts = {
    verb,
    capabilities: { query: true, command: true, nextBoot: false },
    nextBoot: undefined,
    softOff: false,
    reading: undefined,
    sent: undefined,
    sends: 0,
    boots: 0,
    handsDone: false,
    health: freshHealth,
    slots: { free: 1, nextAt: undefined },
    jitter: 0.5,
    now,
  };
  const settle = () => {
    effects.sort((a, b) => a.at - b.at);
    for (let next = effects[0]; next !== undefined && next.at <= now; next = effects[0]) {
      effects.shift();
      if (next.to && !machineOn && next.boots) bootAt = next.at + 20_000;
      if (!next.to) bootAt = undefined;
      machineOn = next.to;
    }
    if (bootAt !== undefined && bootAt <= now && machineOn) {
      bootAt = undefined;
      if (facts.sent !== undefined) facts = { ...facts, boots: facts.boots + 1 };
    }
  };
  const order = (call: PowerVerb, at: number, boots: boolean) => {
    if (call !== 'on') effects.push({ at, to: false, boots: false });
    if (call !== 'off') effects.push({ at: at + 2_000, to: true, boots });
  };
  if (left !== undefined) {
    facts = { ...facts, sent: { call: left.call, at: now - left.ago, outcome: left.outcome } };
    if (left.acts !== undefined) order(left.call, now + left.acts, true);
  }
  const end = now + 6 * 3_600_000;
  for (let step = 0; step < 5_000 && now < end; step++) {
    settle();
    facts = { ...facts, now };
    const decision = decideVerb(facts);
    if (decision.kind === 'done' || decision.kind === 'refuse') {
      const switches = effects.map((effect) => effect.to);
      return { decision, facts, machineOn, inTheEndOn: switches.at(-1) ?? machineOn };
    }
    if (decision.kind === 'ask-hands') throw new Error('no hands here');
    if (decision.kind === 'wait') {
      assert(decision.until > now);
      now = Math.ceil(decision.until);
      continue;
    }
    const m: Mood = moods[draw++] ?? { says: 'ok', acts: 0, takes: 50, boots: true, crash: false };
    if (decision.kind === 'query') {
      now += m.takes;
      settle();
      const failed = m.says === 'unreachable' || m.says === 'silent' || m.says === 'busy';
      const state = failed ? 'error' : m.says === 'unknown-state' ? 'unknown' : machineOn ? 'on' : 'off';
      const reading: PowerReading = { state, at: now, evidence: state };
      const outcome: PowerOutcome = { kind: 'reading', reading, ...(failed ? { failure: 'unreachable' as const } : {}), tookMs: m.takes };
      facts = { ...facts, reading, health: afterCall(facts.health, outcome, now) };
      continue;
    }
    if (decision.call === 'next-boot') throw new Error('not asked for');
    if (decision.call === 'on') assert(facts.reading?.state === 'off');
    else assert(facts.sends === 0 || facts.boots === 0);
    const { call } = decision;
    const sent: SentCommand = { call, at: now, outcome: 'open' };
    const failure: PowerFailureKind | undefined =
      m.says === 'busy' || m.says === 'unreachable' ? m.says : m.says === 'silent' ? 'unknown-outcome' : undefined;
    if (failure !== 'busy' && failure !== 'unreachable' && m.acts !== undefined) order(call, now + m.acts, m.boots);
    facts = { ...facts, sent, sends: facts.sends + 1 };
    now += m.takes;
    if (m.crash) continue; // killed before the result was written: the row stays open
    const evidence = m.says;
    const outcome: PowerOutcome = failure
      ? { kind: 'failed', failure, evidence, tookMs: m.takes }
      : { kind: 'accepted', evidence, tookMs: m.takes };
    const came = failure === undefined ? 'accepted' : failure === 'unknown-outcome' ? 'unknown' : 'not-done';
    facts = { ...facts, sent: { ...sent, outcome: came }, health: afterCall(facts.health, outcome, now) };
  }
  throw new Error('no end in six hours');
}

test('every history ends; what is done was seen, and lasts whatever was sent before', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<PowerVerb>('on', 'off', 'cycle'),
      fc.boolean(),
      fc.array(mood, { maxLength: 40 }),
      fc.option(legacy, { nil: undefined }),
      (verb, startsOn, moods, left) => {
        const { decision, facts, inTheEndOn } = live(verb, startsOn, moods, left);
        expect(facts.sends).toBeLessThanOrEqual(verbLimits.mostSends);
        if (decision.kind !== 'done') return;
        const seen = facts.reading?.state;
        assert(verb === 'off' ? seen === 'off' : seen === 'on' || facts.boots > 0);
        assert(inTheEndOn === (verb !== 'off'), 'it did not last');
      },
    ),
    { numRuns: 4000 },
  );
});

test('a BMC that is well does it at the first go', () => {
  for (const verb of ['on', 'off', 'cycle'] as const) {
    const { decision, facts, machineOn } = live(verb, verb !== 'on', []);
    expect(decision.kind).toBe('done');
    expect(facts.sends).toBe(1);
    expect(machineOn).toBe(verb !== 'off');
  }
});
