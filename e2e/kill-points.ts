/** Where a deployment is killed: every point that the code has on its way, enumerated and not timed (docs/simulator.md says what is left out). */

export interface KillCase {
  /** The point as the code names it; `bmc:acted` is the moment after the BMC has acted and before the cell has its answer. */
  readonly point: string;
  /** Its occurrence since the cell started, from 1. */
  readonly nth: number;
  /**
   * `fetch`: the image is not here yet. `slow`: the machine's self test outlasts the cell's look at its power. `abort`: the machine hangs, the
   * deployment is aborted, and asked for again.
   */
  readonly way: 'plain' | 'fetch' | 'slow' | 'abort';
}

function points(step: string, places: readonly string[], more: Partial<KillCase> = {}): KillCase[] {
  return places.map((place) => ({ point: `${step}:${place}`, nth: 1, way: 'plain', ...more }));
}

const step = ['before', 'after-effect', 'after-commit'];
const call = ['before', 'after-effect', 'before-reply'];

export const killCases: readonly KillCase[] = [
  // First, because they take longest: whether the order arrived is unknown (after `wait` it is on its way just then), and the slowest BMC
  // gets 40 s (200 s unless told otherwise) before it is given again.
  ...points('power_send', ['committed']),
  ...points('wait', ['before', 'after-commit']),
  ...points('bmc', ['acted']),
  ...points('api_deploy', ['after-effect', 'after-commit']),
  ...points('fetch_image', step, { way: 'fetch' }),
  ...points('issue_ticket', step),
  ...points('power', step),
  ...points('power_query', step),
  // The first command orders the next boot, the second one the power.
  ...points('power_send', step),
  ...points('power_send', step, { nth: 2 }),
  ...points('power_done', step, { way: 'slow' }),
  ...points('check_in', call),
  ...points('claim', call),
  ...points('spend', call),
  ...points('user_data', call),
  ...points('finish', step),
  ...points('void_ticket', step, { way: 'abort' }),
];
