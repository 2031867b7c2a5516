import fc from 'fast-check';
import { assert, describe, expect, test } from 'vitest';
import { afterCall, freshHealth } from './health.ts';
import type { PowerOutcome } from './execute.ts';
import { decideVerb, verbLimits } from './verb.ts';
import type { SentCommand, VerbFacts } from './verb.ts';

const now = 1_000_000;
const asked = { query: true, command: true, nextBoot: true };

function facts(change: Partial<VerbFacts> = {}): VerbFacts {
  return {
    verb: 'on',
    capabilities: asked,
    nextBoot: undefined,
    softOff: false,
    reading: undefined,
    sent: undefined,
    sends: 0,
    boots: 0,
    handsDone: false,
    health: freshHealth,
    slots: { free: 1, nextAt: undefined },
    jitter: 0,
    now,
    ...change,
  };
}

const off = { state: 'off', at: now - 10, evidence: 'off' } as const;
const on = { state: 'on', at: now - 10, evidence: 'on' } as const;

describe('a power verb', () => {
  test('asks before it switches on', () => {
    expect(decideVerb(facts())).toEqual({ kind: 'query' });
    expect(decideVerb(facts({ reading: off }))).toEqual({ kind: 'send', call: 'on' });
    expect(decideVerb(facts({ reading: on }))).toMatchObject({ kind: 'done' });
    expect(decideVerb(facts({ reading: { ...off, at: now - verbLimits.freshMs - 1 } }))).toEqual({ kind: 'query' });
    expect(decideVerb(facts({ reading: { state: 'unknown', at: now - 10, evidence: 'PoweringOn' } }))).toMatchObject({ kind: 'wait' });
  });

  test('orders the next boot before the start, and goes on when the BMC keeps failing at that', () => {
    const nextBoot = { device: 'network', ordered: false, failures: 0 } as const;
    expect(decideVerb(facts({ reading: off, nextBoot }))).toEqual({ kind: 'send', call: 'next-boot', device: 'network' });
    expect(decideVerb(facts({ reading: off, nextBoot: { ...nextBoot, ordered: true } }))).toEqual({ kind: 'send', call: 'on' });
    expect(decideVerb(facts({ reading: off, nextBoot: { ...nextBoot, failures: 4 } }))).toEqual({ kind: 'send', call: 'on' });
  });

  test('waits out the slowest BMC after an unknown outcome, then tries again', () => {
    const sent: SentCommand = { call: 'on', at: now - 20_000, outcome: 'unknown' };
    expect(decideVerb(facts({ reading: off, sent, sends: 1 }))).toMatchObject({ kind: 'wait' });
    expect(decideVerb(facts({ reading: off, sent: { ...sent, at: now - 200_001 }, sends: 1 }))).toEqual({ kind: 'send', call: 'on' });
    expect(decideVerb(facts({ reading: { ...off, at: sent.at }, sent, sends: 1 }))).toEqual({ kind: 'query' });
  });

  test('never cycles a second time once the machine has booted', () => {
    const sent: SentCommand = { call: 'cycle', at: now - 300_000, outcome: 'unknown' };
    expect(decideVerb(facts({ verb: 'cycle', reading: on, sent, sends: 1 }))).toEqual({ kind: 'send', call: 'cycle' });
    expect(decideVerb(facts({ verb: 'cycle', reading: on, sent, sends: 1, boots: 1 }))).toMatchObject({ kind: 'done' });
  });

  test('a cycle that left the machine off ends with on', () => {
    const sent: SentCommand = { call: 'cycle', at: now - 31_000, outcome: 'accepted' };
    expect(decideVerb(facts({ verb: 'cycle', reading: off, sent, sends: 1 }))).toEqual({ kind: 'send', call: 'on' });
    expect(decideVerb(facts({ verb: 'cycle', reading: off }))).toEqual({ kind: 'send', call: 'on' });
  });

  test('off: soft first where wanted, then hard; void once the machine has booted', () => {
    const sent: SentCommand = { call: 'off', at: now - 121_000, outcome: 'accepted' };
    expect(decideVerb(facts({ verb: 'off', reading: on, softOff: true }))).toEqual({ kind: 'send', call: 'off', how: 'soft' });
    expect(decideVerb(facts({ verb: 'off', reading: on, softOff: true, sent, sends: 1 }))).toEqual({
      kind: 'send',
      call: 'off',
      how: 'hard',
    });
    const old = { ...sent, at: now - 300_000 };
    expect(decideVerb(facts({ verb: 'off', reading: on, sent: old, sends: 1, boots: 1 }))).toMatchObject({
      kind: 'refuse',
      code: 'boot-seen',
    });
    expect(decideVerb(facts({ verb: 'off', reading: off, sent: old, sends: 1, boots: 1 }))).toMatchObject({ kind: 'done' });
  });

  test('waits out what the verb before it sent', () => {
    const sent: SentCommand = { call: 'off', at: now - 20_000, outcome: 'unknown' };
    expect(decideVerb(facts({ reading: on, sent }))).toMatchObject({ kind: 'wait' });
    expect(decideVerb(facts({ reading: off, sent }))).toMatchObject({ kind: 'wait' });
    expect(decideVerb(facts({ reading: off, sent: { ...sent, outcome: 'accepted' } }))).toEqual({ kind: 'send', call: 'on' });
    expect(decideVerb(facts({ reading: on, sent: { ...sent, outcome: 'accepted' } }))).toMatchObject({ kind: 'wait' });
    const started: SentCommand = { call: 'on', at: now - 20_000, outcome: 'accepted' };
    expect(decideVerb(facts({ verb: 'off', reading: on, sent: started }))).toMatchObject({ kind: 'send', call: 'off' });
    expect(decideVerb(facts({ verb: 'off', reading: on, sent: { ...started, outcome: 'open' } }))).toMatchObject({ kind: 'wait' });
    expect(decideVerb(facts({ verb: 'off', reading: on, sent: { ...started, outcome: 'open' }, boots: 1 }))).toMatchObject({
      kind: 'send',
      call: 'off',
    });
    expect(decideVerb(facts({ verb: 'cycle', reading: on, sent: started }))).toEqual({ kind: 'send', call: 'cycle' });
  });

  test('asks hands where nothing can be sent', () => {
    const capabilities = { query: false, command: false, nextBoot: false };
    expect(decideVerb(facts({ capabilities }))).toEqual({ kind: 'ask-hands', ask: 'on' });
    expect(decideVerb(facts({ capabilities, boots: 1 }))).toMatchObject({ kind: 'done' });
    expect(decideVerb(facts({ capabilities, verb: 'off', boots: 1 }))).toEqual({ kind: 'ask-hands', ask: 'off' });
    expect(decideVerb(facts({ capabilities, verb: 'off', handsDone: true }))).toMatchObject({ kind: 'done' });
  });

  test('a BMC that cannot be asked may get on from unknown', () => {
    const capabilities = { query: false, command: true, nextBoot: false };
    expect(decideVerb(facts({ capabilities }))).toEqual({ kind: 'send', call: 'on' });
    expect(decideVerb(facts({ capabilities, sent: { call: 'on', at: now - 1, outcome: 'accepted' }, sends: 1 }))).toMatchObject({
      kind: 'done',
    });
    expect(decideVerb(facts({ capabilities, sent: { call: 'on', at: now - 1, outcome: 'open' }, sends: 1 }))).toMatchObject({
      kind: 'wait',
      until: now - 1 + 200_000,
    });
  });

  test('stops before a wrong password locks the account', () => {
    const refused: PowerOutcome = {
      kind: 'reading',
      reading: { state: 'error', at: now, evidence: 'wrong password' },
      failure: 'refused',
      tookMs: 1,
    };
    const once = afterCall(freshHealth, refused, now - 3000);
    expect(decideVerb(facts({ health: once }))).toEqual({ kind: 'query' });
    expect(decideVerb(facts({ health: afterCall(once, refused, now - 1) }))).toMatchObject({ kind: 'refuse', code: 'settings-refused' });
  });

  test('waits for a boot slot', () => {
    const slots = { free: 0, nextAt: now + 100_000 };
    expect(decideVerb(facts({ reading: off, slots }))).toMatchObject({ kind: 'wait', until: now + 5_000 });
  });
});

const someFacts: fc.Arbitrary<VerbFacts> = fc.record({
  verb: fc.constantFrom('on', 'off', 'cycle'),
  capabilities: fc.record({ query: fc.boolean(), command: fc.boolean(), nextBoot: fc.boolean() }),
  nextBoot: fc.option(fc.record({ device: fc.constantFrom('network', 'disk'), ordered: fc.boolean(), failures: fc.nat(6) }), {
    nil: undefined,
  }),
  softOff: fc.boolean(),
  reading: fc.option(
    fc.record({
      state: fc.constantFrom('on', 'off', 'unknown', 'error'),
      at: fc.integer({ min: now - 400_000, max: now + 1000 }),
      evidence: fc.constant('x'),
    }),
    { nil: undefined },
  ),
  sent: fc.option(
    fc.record({
      call: fc.constantFrom('on', 'off', 'cycle'),
      at: fc.integer({ min: now - 400_000, max: now + 1000 }),
      outcome: fc.constantFrom('open', 'accepted', 'unknown', 'not-done'),
      failure: fc.constantFrom('busy', 'unsupported', 'unreachable'),
    }),
    { nil: undefined },
  ),
  sends: fc.nat(10),
  boots: fc.nat(2),
  handsDone: fc.boolean(),
  health: fc.record({
    lastCallAt: fc.option(fc.integer({ min: now - 10_000, max: now }), { nil: undefined }),
    lastFailureAt: fc.option(fc.integer({ min: now - 400_000, max: now }), { nil: undefined }),
    failuresInRow: fc.nat(30),
    hardInRow: fc.nat(3),
    score: fc.nat(100),
  }),
  slots: fc.oneof(
    fc.constant({ free: 1, nextAt: undefined }),
    fc.record({ free: fc.constant(0), nextAt: fc.integer({ min: now - 10, max: now + 180_000 }) }),
  ),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  now: fc.constant(now),
});

describe('whatever the facts', () => {
  test('a wait has an end in the future', () => {
    fc.assert(
      fc.property(someFacts, (f) => {
        const decision = decideVerb(f);
        assert(decision.kind !== 'wait' || decision.until > now);
      }),
      { numRuns: 3000 },
    );
  });

  test('on is sent only from a fresh, confirmed off; off and cycle never after a boot; unknown is never off', () => {
    fc.assert(
      fc.property(someFacts, (f) => {
        const decision = decideVerb(f);
        if (decision.kind === 'send' && f.capabilities.query && decision.call === 'on') {
          assert(f.reading?.state === 'off');
          assert(f.reading.at >= now - verbLimits.freshMs);
          assert(f.sent === undefined || f.reading.at > f.sent.at);
        }
        if (decision.kind === 'send' && decision.call !== 'next-boot' && decision.call !== 'on')
          assert(f.sends === 0 || f.sent === undefined || f.boots === 0);
        if (decision.kind === 'done' && f.verb === 'off' && f.capabilities.query && f.capabilities.command)
          assert(f.reading?.state === 'off');
        assert(decision.kind !== 'send' || f.capabilities.command);
      }),
      { numRuns: 3000 },
    );
  });
});
