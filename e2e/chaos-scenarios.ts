/** The table of the runs in which parts of a fleet die: what each kills, when, and how the load goes on. */
import type { Random } from '../src/sim/random.ts';
import { bothWays, cutLinks, killAfter, killAtPoint, killAtTap } from './chaos-blow.ts';
import { killAfterCommit, killInWrite } from './chaos-hub-blow.ts';
import type { Scenario } from './chaos-run.ts';
import type { Fleet } from './fleet.ts';
import type { TapMoment } from './fleet-tap.ts';

/** A tenant for each order of asking the two fronts. */
const throughFronts = [
  ['f1', 'f2'],
  ['f2', 'f1'],
  ['f1', 'f2'],
  ['f2', 'f1'],
  ['f1', 'f2'],
  ['f2', 'f1'],
];

/**
 * Where a cell kills itself: taking, deploying, a machine's own calls, releasing. `power_send` is left to kill-mid-deploy, since an order that
 * may have arrived is waited out (5 s here: `slowestBmcSeconds` in fleet.ts).
 */
const cellPoints = [
  'api_claim:after-effect',
  'api_deploy:after-effect',
  'api_deploy:after-commit',
  'issue_ticket:after-effect',
  'claim:before-reply',
  'spend:after-effect',
  'user_data:before-reply',
  'finish:after-effect',
  'api_release:after-effect',
  'api_release:after-commit',
];

const moments: readonly (readonly [op: string, moment: TapMoment])[] = ['claim', 'confirm', 'deploy', 'release'].flatMap((op) => [
  [op, 'request'] as const,
  [op, 'reply'] as const,
]);

function some(random: Random): number {
  return random.integer(50, 900);
}

export const scenarios = {
  'lose-a-cell': {
    about: 'one cell after another is killed in the middle of allocations and deployments, half of the time with its PostgreSQL',
    fleet: { databases: 'own', taps: true },
    tenants: throughFronts,
    writesEvery: 0,
    blows: (fleet, random) => {
      const [first, second] = fleet.cells as [Fleet['cells'][number], Fleet['cells'][number]];
      return [
        killAfter(fleet, ['c1'], { afterMs: some(random), holdMs: 3_000 }),
        killAfter(fleet, ['c2'], { afterMs: some(random), holdMs: 800, databases: ['c2'] }),
        ...cellPoints.map((point, index) => killAtPoint(fleet, index % 2 === 0 ? first : second, point, index % 4 > 1)),
        killAtTap(fleet, 'confirm', 'request', { whose: (cell) => [cell] }),
        killAtTap(fleet, 'confirm', 'reply', { whose: (cell) => [cell] }),
        killAfter(fleet, [random.pick(['c1', 'c2', 'c3'])], { afterMs: some(random), holdMs: 1_000 }),
      ];
    },
  },
  'lose-a-front': {
    about: 'one of two fronts is killed at every moment of the allocation protocol; clients go on with the other',
    fleet: { taps: true },
    tenants: throughFronts,
    writesEvery: 0,
    blows: (fleet, random) => [
      ...moments.map(([op, moment], index) => killAtTap(fleet, op, moment, { whose: () => [index % 2 === 0 ? 'f1' : 'f2'] })),
      killAfter(fleet, [random.pick(['f1', 'f2'])], { afterMs: some(random), holdMs: 3_000 }),
      killAfter(fleet, [random.pick(['f1', 'f2'])], { afterMs: some(random), holdMs: 500 }),
    ],
  },
  'lose-the-hub': {
    about: 'the hub is killed during polls and in the middle of writes; keys, open sessions, allocations and deployments go on',
    fleet: {},
    tenants: throughFronts,
    writesEvery: 4,
    blows: (fleet, random) => [
      killAfter(fleet, ['hub'], { afterMs: some(random), holdMs: 6_000 }),
      killInWrite(fleet, 'cut-off-before-commit'),
      killAfterCommit(fleet, 'c3', 'cut-off-after-commit'),
      killAfter(fleet, ['hub'], { afterMs: some(random), holdMs: 500 }),
      killAfter(fleet, ['hub'], { afterMs: some(random), holdMs: 2_500 }),
    ],
  },
  'lose-everything-but-one-cell': {
    about: 'hub, fronts and all other cells die; the one that is left is called directly, allocates, deploys and releases',
    fleet: { taps: true },
    tenants: [...throughFronts.slice(0, 4), ['c1'], ['c1']],
    writesEvery: 0,
    blows: (fleet, random) => {
      // The hub comes back first: a front without it has nobody to ask who may call.
      const others = ['hub', 'c2', 'c3', 'f1', 'f2'];
      return [
        killAfter(fleet, others, { afterMs: some(random), holdMs: 6_000 }),
        killAtTap(fleet, 'claim', 'reply', { whose: () => others, among: ['c1'], holdMs: 3_000 }),
        killAtTap(fleet, 'deploy', 'request', { whose: () => others, among: ['c1'], holdMs: 3_000 }),
      ];
    },
  },
  'cut-the-network': {
    about: 'links between hub, fronts and cells are cut, both ways and one way, in the middle of allocations and deployments, and healed',
    // A front waits 30 s for an answer of unknown fate unless it is told otherwise.
    fleet: { frontFlags: ['--call-ms', '4000'] },
    tenants: throughFronts,
    writesEvery: 6,
    blows: (fleet, random) => {
      const front = random.pick(['f1', 'f2']);
      const cell = random.pick(['c1', 'c2', 'c3']);
      const [from, to] = random.pick([
        [front, cell],
        [cell, front],
      ]) as [string, string];
      return [
        cutLinks(fleet, bothWays('f1', 'c1'), 4_000),
        // Requests arrive, and their answers are lost.
        cutLinks(fleet, ['c2>f1'], 4_000),
        // Requests are lost.
        cutLinks(fleet, ['f2>c2'], 4_000),
        cutLinks(fleet, [...bothWays('f1', 'c3'), ...bothWays('f2', 'c3')], 8_000),
        cutLinks(fleet, [...bothWays('c1', 'hub'), ...bothWays('c2', 'hub'), ...bothWays('c3', 'hub')], 3_000),
        cutLinks(fleet, ['hub>f1'], 3_000),
        cutLinks(fleet, ['f2>hub'], 3_000),
        cutLinks(fleet, [`${from}>${to}`], random.integer(300, 3_000)),
      ];
    },
  },
} as const satisfies Record<string, Scenario>;
