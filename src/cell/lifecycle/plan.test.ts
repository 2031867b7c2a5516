import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { operations, type OperationKind } from '../../contract/operation.ts';
import {
  lookAgain,
  netbootWithin,
  offGrace,
  plan,
  silentAfter,
  ticketsAllowed,
  type OperationFacts,
  type Step,
  type TicketFacts,
  type VerbFacts,
} from './plan.ts';

const start = 1_000_000_000_000;

function facts(given: Partial<OperationFacts> = {}): OperationFacts {
  return {
    kind: 'deploy',
    started: start,
    deadline: start + 3_600_000,
    abortAsked: false,
    now: start + 1000,
    power: { hands: false, queryable: true, state: 'off', at: start },
    tickets: 0,
    imageReady: true,
    imageReports: true,
    dhcpApplied: true,
    scriptsFailed: 0,
    systemSeen: false,
    rescueSeen: false,
    ...given,
  };
}

function ticket(given: Partial<TicketFacts> = {}): TicketFacts {
  return { nonce: 'n1', issued: start, expires: start + 1_800_000, detail: '', voided: false, ...given };
}

function verb(given: Partial<VerbFacts> = {}): VerbFacts {
  return { verb: 'cycle', state: 'live', intended: start, nonce: 'n1', error: '', ...given };
}

describe('deploying, step by step', () => {
  test('fetches the image, issues a ticket, waits for DHCP, then powers', () => {
    expect(plan(facts({ imageReady: false })).do).toBe('fetch_image');
    expect(plan(facts()).do).toBe('issue_ticket');
    expect(plan(facts({ ticket: ticket(), tickets: 1, dhcpApplied: false })).do).toBe('apply_dhcp');
    expect(plan(facts({ ticket: ticket(), tickets: 1 }))).toEqual({ do: 'power', verb: 'cycle', nextBoot: 'network' });
  });

  test('never asks for power twice with one ticket', () => {
    for (const state of ['live', 'done', 'closed'] as const) {
      const step = plan(facts({ ticket: ticket(), tickets: 1, verb: verb({ state, ended: start + 500 }) }));
      expect(step.do).toBe('wait');
    }
  });

  test('a machine that never asks is voided, tried again, and given up after three', () => {
    const late = { now: start + netbootWithin + 2000, verb: verb({ state: 'done', ended: start + 500 }) };
    expect(plan(facts({ ...late, ticket: ticket(), tickets: 1 }))).toEqual({ do: 'void_ticket', reason: 'did not netboot' });
    const voided = ticket({ voided: true, voidReason: 'did not netboot' });
    expect(plan(facts({ ...late, ticket: voided, tickets: 1 })).do).toBe('issue_ticket');
    expect(plan(facts({ ...late, ticket: voided, tickets: ticketsAllowed }))).toMatchObject({
      do: 'finish',
      outcome: 'failed',
      error: expect.stringContaining('did not netboot'),
    });
  });

  test('an agent that falls silent loses its ticket; a heartbeat keeps it', () => {
    const claimed = ticket({ checkedIn: start + 1000, claimed: start + 2000 });
    expect(plan(facts({ now: start + silentAfter + 3000, ticket: claimed, tickets: 1 }))).toEqual({
      do: 'void_ticket',
      reason: 'the agent fell silent',
    });
    expect(plan(facts({ now: start + silentAfter + 3000, ticket: { ...claimed, heartbeat: start + silentAfter }, tickets: 1 })).do).toBe(
      'wait',
    );
  });

  test('is done when the ticket is spent and the installed system has fetched its user-data', () => {
    const spent = ticket({ checkedIn: start, claimed: start, spent: start + 900, outcome: 'done' });
    expect(plan(facts({ ticket: spent, tickets: 1 }))).toMatchObject({ do: 'wait', for: 'system' });
    expect(plan(facts({ ticket: spent, tickets: 1, systemSeen: true }))).toEqual({ do: 'finish', outcome: 'done', error: '' });
    expect(plan(facts({ ticket: spent, tickets: 1, imageReports: false }))).toEqual({ do: 'finish', outcome: 'done', error: '' });
  });

  test('the agent says that it failed', () => {
    const spent = ticket({ checkedIn: start, spent: start + 900, outcome: 'failed', detail: 'no space' });
    expect(plan(facts({ ticket: spent, tickets: 1 }))).toEqual({ do: 'finish', outcome: 'failed', error: 'no space' });
  });
});

test('commissioning ends when the machine is confirmed off, failed scripts fail it', () => {
  const spent = ticket({ checkedIn: start, spent: start + 900, outcome: 'done' });
  const on = { hands: false, queryable: true, state: 'on', at: start } as const;
  const base = { kind: 'commission', ticket: spent, tickets: 1, power: on } as const;
  expect(plan(facts(base))).toEqual({ do: 'power', verb: 'off', patience: offGrace });
  const off = { ...on, state: 'off', at: start + 1000 } as const;
  expect(plan(facts({ ...base, now: start + 2000, power: off }))).toMatchObject({ do: 'finish', outcome: 'done' });
  expect(plan(facts({ ...base, now: start + 2000, power: off, scriptsFailed: 1 }))).toMatchObject({ do: 'finish', outcome: 'failed' });
});

test('manual power waits for hands without a clock, which starts at first contact', () => {
  const hands = { hands: true, queryable: false, state: 'unknown' } as const;
  const long = start + 30 * 86_400_000;
  const waiting = facts({
    now: long,
    power: hands,
    ticket: ticket({ expires: long + 1000 }),
    tickets: 1,
    verb: verb({ verb: 'on', state: 'hands' }),
  });
  expect(plan(waiting)).toMatchObject({ do: 'wait', for: 'hands' });
  const met = { ...waiting, ticket: ticket({ expires: long + 1000, checkedIn: long - 1 }) };
  expect(plan(met)).toMatchObject({ do: 'finish', outcome: 'failed' });
});

test('aborting voids the ticket first, then sees to it that the machine is off', () => {
  const live = facts({ abortAsked: true, ticket: ticket({ checkedIn: start }), tickets: 1 });
  expect(plan(live)).toEqual({ do: 'void_ticket', reason: 'aborted' });
  const voided = { ...live, ticket: ticket({ voided: true }), power: { ...live.power, state: 'on', at: start } as const };
  expect(plan(voided)).toEqual({ do: 'power', verb: 'off' });
  expect(plan({ ...voided, power: { ...live.power, state: 'off', at: start + 500 } })).toEqual({
    do: 'finish',
    outcome: 'aborted',
    error: '',
  });
});

const anyTime = fc.integer({ min: start, max: start + 8_000_000 });
const anyTicket = fc.record(
  {
    nonce: fc.constantFrom('n1', 'n2'),
    issued: anyTime,
    expires: anyTime,
    detail: fc.constant(''),
    voided: fc.boolean(),
    checkedIn: anyTime,
    claimed: anyTime,
    heartbeat: anyTime,
    spent: anyTime,
    outcome: fc.constantFrom('done' as const, 'failed' as const),
  },
  { requiredKeys: ['nonce', 'issued', 'expires', 'detail', 'voided'] },
);
const anyVerb = fc.record(
  {
    verb: fc.constantFrom('on' as const, 'off' as const, 'cycle' as const),
    state: fc.constantFrom('live' as const, 'hands' as const, 'done' as const, 'failed' as const, 'closed' as const),
    intended: anyTime,
    error: fc.constant('e'),
    ended: anyTime,
    nonce: fc.constantFrom('n1', 'n2'),
  },
  { requiredKeys: ['verb', 'state', 'intended', 'error'] },
);
const anyFacts: fc.Arbitrary<OperationFacts> = fc
  .record({
    kind: fc.constantFrom(...(Object.keys(operations) as OperationKind[])),
    now: anyTime,
    abortAsked: fc.boolean(),
    hands: fc.boolean(),
    queryable: fc.boolean(),
    state: fc.constantFrom('on' as const, 'off' as const, 'unknown' as const, 'error' as const),
    at: fc.option(anyTime, { nil: undefined }),
    tickets: fc.integer({ min: 0, max: 4 }),
    ticket: fc.option(anyTicket, { nil: undefined }),
    verb: fc.option(anyVerb, { nil: undefined }),
    imageReady: fc.boolean(),
    imageReports: fc.boolean(),
    dhcpApplied: fc.boolean(),
    scriptsFailed: fc.integer({ min: 0, max: 2 }),
    systemSeen: fc.boolean(),
    rescueSeen: fc.boolean(),
  })
  .map(({ hands, queryable, state, at, ticket: one, verb: two, ...rest }) =>
    facts({
      ...rest,
      power: { hands, queryable: queryable && !hands, state, ...(at === undefined ? {} : { at }) },
      ...(one ? { ticket: one } : {}),
      ...(two ? { verb: two } : {}),
    }),
  );

describe('for all facts', () => {
  test('there is a step, and a wait ends after now and within the look-again time', () => {
    fc.assert(
      fc.property(anyFacts, (given) => {
        const step: Step = plan(given);
        if (step.do === 'wait') {
          expect(step.until).toBeGreaterThan(given.now);
          expect(step.until - given.now).toBeLessThanOrEqual(lookAgain);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('the network is booted only with a live, unclaimed ticket (or for rescue)', () => {
    fc.assert(
      fc.property(anyFacts, (given) => {
        const step = plan(given);
        if (step.do !== 'power' || step.nextBoot === undefined) return;
        if (given.kind === 'rescue') return;
        expect(given.ticket).toBeDefined();
        expect(given.ticket?.voided).toBe(false);
        expect(given.ticket?.spent).toBeUndefined();
        expect(given.ticket?.checkedIn).toBeUndefined();
        expect(given.abortAsked).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  test('past the deadline it ends, unless only hands can move it', () => {
    fc.assert(
      fc.property(anyFacts, (given) => {
        fc.pre(!given.power.hands && given.now >= given.deadline && !given.abortAsked);
        expect(plan(given)).toMatchObject({ do: 'finish' });
      }),
      { numRuns: 2000 },
    );
  });

  test('deployed only with a spent ticket whose agent said done', () => {
    fc.assert(
      fc.property(anyFacts, (given) => {
        const step = plan(given);
        if (given.kind !== 'deploy' || step.do !== 'finish' || step.outcome !== 'done') return;
        expect(given.ticket?.spent).toBeDefined();
        expect(given.ticket?.outcome).toBe('done');
      }),
      { numRuns: 2000 },
    );
  });
});
