// Histories that break one rule each: a checker that cannot fail would show nothing.
import { describe, expect, test } from 'vitest';
import { newHistory, type Allocation, type Asked, type FinalMachine, type History, type Outage } from './chaos-history.ts';
import { invariants, problemsOf, settleMs } from './invariants.ts';

const start = Date.UTC(2026, 0, 1);

function asked(more: Partial<Asked> = {}): Asked {
  return {
    at: start + 1e3,
    until: start + 1010,
    who: 't1',
    what: 'list machines',
    via: 'f1',
    needs: ['f1', 'c1', 'f1>c1', 'c1>f1'],
    status: 200,
    code: '',
    retryAfter: undefined,
    ...more,
  };
}

function allocation(more: Partial<Allocation> = {}): Allocation {
  return {
    id: 't1-1',
    tenant: 't1',
    keyed: true,
    begun: start,
    outcome: 'acknowledged',
    systemId: 'c1a',
    cell: 'c1',
    acknowledged: start + 100,
    deployAsked: start + 200,
    deployAcknowledged: start + 210,
    deployed: start + 1e3,
    releaseAsked: 0,
    releaseAcknowledged: 0,
    seen: [],
    ...more,
  };
}

function machine(more: Partial<FinalMachine> = {}): FinalMachine {
  return { systemId: 'c1a', cell: 'c1', owner: 't1', agentName: 't1-1', status: 'Deployed', claimLeft: null, touches: [], ...more };
}

const free = machine({ systemId: 'c2a', cell: 'c2', owner: '', agentName: '', status: 'Ready' });
const outage: Outage = { name: 'c1', from: start + 900, to: start + 2_000 };

/** A good run, and what a test does to it. */
function history(more: Partial<History> = {}): History {
  const machines = new Map([
    ['c1a', 'c1'],
    ['c2a', 'c2'],
  ]);
  return { ...newHistory(machines), asked: [asked()], allocations: [allocation()], final: [machine(), free], ...more };
}

function brokenBy(given: History): string[] {
  return Object.entries(invariants).flatMap(([name, find]) => (find(given).length > 0 ? [name] : []));
}

test('a good history has no problems', () => {
  const listed = [
    { at: start, until: start + 5, via: 'f1', ids: ['c1a', 'c2a'], absent: [] },
    { at: start + 1_000, until: start + 1_005, via: 'f1', ids: ['c2a'], absent: ['c1'] },
  ];
  const refused = asked({ status: 503, code: 'cell_absent', retryAfter: 10 });
  expect(problemsOf(history({ listed, outages: [outage], asked: [asked(), refused] }))).toEqual([]);
});

const bad: readonly (readonly [what: string, rule: string, given: History])[] = [
  [
    'a 503 though all was there',
    'the rest of the fleet answers',
    history({ asked: [asked({ status: 503, code: 'cell_absent', retryAfter: 10 })] }),
  ],
  [
    'a 503 long after the outage',
    'the rest of the fleet answers',
    history({
      outages: [outage],
      asked: [asked({ at: outage.to + settleMs + 1, until: outage.to + settleMs + 2, status: 503, retryAfter: 1 })],
    }),
  ],
  [
    'an outage of something else',
    'the rest of the fleet answers',
    history({ outages: [{ ...outage, name: 'c2' }], asked: [asked({ status: 0 })] }),
  ],
  [
    'a 404 while the cell is away',
    'what is refused says when to come back',
    history({ outages: [outage], asked: [asked({ status: 404, code: 'not_found' })] }),
  ],
  [
    'a 500 while the cell is away',
    'what is refused says when to come back',
    history({ outages: [outage], asked: [asked({ status: 500, code: 'internal' })] }),
  ],
  ['a 503 without Retry-After', 'what is refused says when to come back', history({ outages: [outage], asked: [asked({ status: 503 })] })],
  [
    'silence of a front that lives',
    'what is refused says when to come back',
    history({ outages: [outage], asked: [asked({ status: 0, code: 'ECONNRESET' })] }),
  ],
  ['an answer after a minute', 'nothing hangs', history({ asked: [asked({ until: start + 61_000 })] })],
  [
    'a list without a machine',
    'no list is well-formed and short',
    history({ listed: [{ at: start, until: start, via: 'f1', ids: ['c2a'], absent: [] }] }),
  ],
  [
    'a machine twice',
    'no list is well-formed and short',
    history({ listed: [{ at: start, until: start, via: 'f1', ids: ['c1a', 'c2a', 'c2a'], absent: [] }] }),
  ],
  [
    'a living cell called absent',
    'no list is well-formed and short',
    history({ listed: [{ at: start, until: start, via: 'f1', ids: ['c1a'], absent: ['c2'] }] }),
  ],
  [
    'a name that is said not to exist',
    'silence is not absence',
    history({ lookedUp: [{ at: start, via: 'f1', systemId: 'c1a', found: false }] }),
  ],
  [
    'two tenants with one machine',
    'no machine has two owners',
    history({
      allocations: [
        allocation(),
        allocation({ id: 't2-1', tenant: 't2', acknowledged: start + 500, releaseAsked: start + 600, releaseAcknowledged: start + 601 }),
      ],
    }),
  ],
  [
    'somebody else seen as its owner',
    'no machine has two owners',
    history({ allocations: [allocation({ seen: [{ at: start + 300, until: start + 310, owner: 't2', status: 'Deploying' }] })] }),
  ],
  [
    'an acknowledged machine that is free',
    'no acknowledged allocation is lost',
    history({ final: [machine({ owner: '', agentName: '', status: 'Ready' }), free] }),
  ],
  [
    'an acknowledged machine for another call',
    'no acknowledged allocation is lost',
    history({ final: [machine({ agentName: 't1-2' }), free] }),
  ],
  [
    'a claim that outlived its time',
    'no claim outlives its time',
    history({ final: [machine(), { ...free, owner: 't2', agentName: 't2-1', claimLeft: -20 }] }),
  ],
  [
    'a machine for whom was told that nothing fits',
    'no claim outlives its time',
    history({
      allocations: [
        allocation(),
        allocation({ id: 't2-1', tenant: 't2', outcome: 'nothing', systemId: '', acknowledged: 0, deployAcknowledged: 0, deployed: 0 }),
      ],
      final: [machine(), { ...free, owner: 't2', agentName: 't2-1', status: 'Allocated' }],
    }),
  ],
  [
    'a second machine for one call',
    'no claim outlives its time',
    history({ final: [machine(), { ...free, owner: 't1', agentName: 't1-1', status: 'Allocated' }] }),
  ],
  [
    'a machine that nobody asked for',
    'no claim outlives its time',
    history({ final: [machine(), { ...free, owner: 't9', agentName: 'x', status: 'Allocated' }] }),
  ],
  [
    'power of a deployed machine',
    'deployed machines are not touched',
    history({ final: [machine({ touches: [{ at: start + 1_500, what: 'BMC: off' }] }), free] }),
  ],
  [
    'a deployment that never ended',
    'everything converges',
    history({ allocations: [allocation({ deployed: 0 })], final: [machine({ status: 'Deploying' }), free] }),
  ],
  [
    'a call that never ended',
    'everything converges',
    history({
      allocations: [allocation({ id: 't3-1', outcome: 'open', acknowledged: 0, deployAcknowledged: 0, deployed: 0 })],
      final: [free],
    }),
  ],
  [
    'a deployment that failed, of a machine that was released afterwards',
    'everything converges',
    history({
      allocations: [allocation({ deployed: 0, releaseAsked: start + 2_500, releaseAcknowledged: start + 2_600 })],
      final: [machine({ owner: '', agentName: '', status: 'Ready' }), free],
    }),
  ],
  ['a failed deployment', 'everything converges', history({ final: [machine({ status: 'Failed deployment' }), free] })],
  ['a write that is gone', 'no acknowledged write is lost', history({ written: [{ name: 'zone-1', at: start, kept: false }] })],
];

describe('a bad history', () => {
  test.each(bad)('%s', (_, rule, given) => {
    expect(brokenBy(given)).toContain(rule);
    expect(problemsOf(given).join('\n')).toContain(rule);
  });

  test('touching before Deployed and after the release is no problem', () => {
    const touches = [
      { at: start + 500, what: 'BMC: on' },
      { at: start + 3_000, what: 'BMC: off' },
    ];
    const released = allocation({ releaseAsked: start + 2_500, releaseAcknowledged: start + 2_600 });
    expect(
      problemsOf(history({ allocations: [released], final: [machine({ owner: '', agentName: '', status: 'Ready', touches }), free] })),
    ).toEqual([]);
  });

  test('of many problems of one rule the first are told, and how many more there are', () => {
    const many = history({ asked: Array.from({ length: 30 }, () => asked({ status: 500 })) });
    expect(problemsOf(many, 3)).toHaveLength(4);
    expect(problemsOf(many, 3).at(-1)).toMatch(/27 more/);
  });
});
