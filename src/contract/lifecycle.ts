/**
 * The life of a machine, as a table. Guards, reconciler, UI buttons, CLI and the docs' diagram read it; nobody writes a second one.
 * Numbers and names are MAAS's, which clients compare exactly (maas-api.md §4).
 */

/** What a person or client may ask of a machine. */
export type Action =
  | 'commission'
  | 'test'
  | 'allocate'
  | 'deploy'
  | 'release'
  | 'abort'
  | 'rescue_mode'
  | 'exit_rescue_mode'
  | 'lock'
  | 'unlock'
  | 'mark_broken'
  | 'mark_fixed'
  | 'override_failed_testing'
  | 'power_on'
  | 'power_off'
  | 'delete';

/** What the machine gets when it asks for the network and holds no live ticket. `off`: power off. `rescue`: a standing boot. */
export type StandingBoot = 'off' | 'local' | 'rescue';

export interface StateRule {
  readonly number: number;
  readonly name: string;
  /** A settled state lasts until somebody asks for something; an unsettled one has a deadline and a way out. */
  readonly settled: boolean;
  /** Seconds until the reconciler gives up on an unsettled state. */
  readonly within?: number;
  readonly onTimeout?: string;
  readonly boots: StandingBoot;
  readonly on: readonly Action[];
}

export const lifecycle = {
  new: {
    number: 0,
    name: 'New',
    settled: true,
    boots: 'off',
    on: ['commission', 'test', 'power_on', 'power_off', 'mark_broken', 'rescue_mode', 'delete'],
  },
  commissioning: {
    number: 1,
    name: 'Commissioning',
    settled: false,
    within: 3600,
    onTimeout: 'failed_commissioning',
    boots: 'local',
    on: ['abort', 'mark_broken'],
  },
  failed_commissioning: {
    number: 2,
    name: 'Failed commissioning',
    settled: true,
    boots: 'off',
    on: ['commission', 'test', 'power_on', 'power_off', 'mark_broken', 'rescue_mode', 'delete'],
  },
  missing: {
    number: 3,
    name: 'Missing',
    settled: true,
    boots: 'local',
    on: ['commission', 'test', 'mark_broken', 'rescue_mode', 'delete'],
  },
  ready: {
    number: 4,
    name: 'Ready',
    settled: true,
    boots: 'off',
    on: ['commission', 'test', 'allocate', 'deploy', 'release', 'mark_broken', 'rescue_mode', 'power_on', 'power_off', 'delete'],
  },
  reserved: { number: 5, name: 'Reserved', settled: true, boots: 'local', on: ['release', 'mark_broken', 'delete'] },
  deployed: {
    number: 6,
    name: 'Deployed',
    settled: true,
    boots: 'local',
    on: ['release', 'lock', 'unlock', 'mark_broken', 'rescue_mode', 'test', 'power_on', 'power_off', 'delete'],
  },
  retired: { number: 7, name: 'Retired', settled: true, boots: 'local', on: ['mark_broken', 'delete'] },
  broken: {
    number: 8,
    name: 'Broken',
    settled: true,
    boots: 'local',
    on: ['mark_fixed', 'commission', 'release', 'rescue_mode', 'test', 'power_on', 'power_off', 'delete'],
  },
  deploying: {
    number: 9,
    name: 'Deploying',
    settled: false,
    within: 3600,
    onTimeout: 'failed_deployment',
    boots: 'local',
    on: ['abort', 'release', 'mark_broken'],
  },
  allocated: {
    number: 10,
    name: 'Allocated',
    settled: true,
    boots: 'local',
    on: ['deploy', 'release', 'test', 'mark_broken', 'rescue_mode', 'power_on', 'power_off', 'delete'],
  },
  failed_deployment: {
    number: 11,
    name: 'Failed deployment',
    settled: true,
    boots: 'local',
    on: ['deploy', 'release', 'test', 'mark_broken', 'rescue_mode', 'power_on', 'power_off', 'delete'],
  },
  releasing: {
    number: 12,
    name: 'Releasing',
    settled: false,
    within: 900,
    onTimeout: 'releasing_failed',
    boots: 'local',
    on: ['release', 'mark_broken'],
  },
  releasing_failed: {
    number: 13,
    name: 'Releasing failed',
    settled: true,
    boots: 'local',
    on: ['release', 'test', 'mark_broken', 'power_on', 'power_off', 'delete'],
  },
  disk_erasing: {
    number: 14,
    name: 'Disk erasing',
    settled: false,
    within: 7200,
    onTimeout: 'failed_disk_erasing',
    boots: 'local',
    on: ['abort', 'mark_broken'],
  },
  failed_disk_erasing: {
    number: 15,
    name: 'Failed disk erasing',
    settled: true,
    boots: 'local',
    on: ['release', 'test', 'mark_broken', 'rescue_mode', 'power_on', 'power_off', 'delete'],
  },
  rescue_mode: {
    number: 16,
    name: 'Rescue mode',
    settled: true,
    boots: 'rescue',
    on: ['exit_rescue_mode', 'mark_broken', 'power_on', 'power_off'],
  },
  entering_rescue_mode: {
    number: 17,
    name: 'Entering rescue mode',
    settled: false,
    within: 1800,
    onTimeout: 'failed_to_enter_rescue_mode',
    boots: 'rescue',
    on: ['mark_broken'],
  },
  failed_to_enter_rescue_mode: {
    number: 18,
    name: 'Failed to enter rescue mode',
    settled: true,
    boots: 'local',
    on: ['rescue_mode', 'exit_rescue_mode', 'mark_broken', 'power_on', 'power_off'],
  },
  exiting_rescue_mode: {
    number: 19,
    name: 'Exiting rescue mode',
    settled: false,
    within: 900,
    onTimeout: 'failed_to_exit_rescue_mode',
    boots: 'local',
    on: ['mark_broken'],
  },
  failed_to_exit_rescue_mode: {
    number: 20,
    name: 'Failed to exit rescue mode',
    settled: true,
    boots: 'local',
    on: ['rescue_mode', 'exit_rescue_mode', 'mark_broken', 'power_on', 'power_off'],
  },
  testing: {
    number: 21,
    name: 'Testing',
    settled: false,
    within: 3600,
    onTimeout: 'failed_testing',
    boots: 'local',
    on: ['abort', 'mark_broken'],
  },
  failed_testing: {
    number: 22,
    name: 'Failed testing',
    settled: true,
    boots: 'off',
    on: ['commission', 'test', 'override_failed_testing', 'mark_broken', 'rescue_mode', 'power_on', 'power_off', 'delete'],
  },
} as const satisfies Record<string, StateRule>;

export type MachineState = keyof typeof lifecycle;

/** All states in the order of their numbers. */
export const machineStates = (Object.keys(lifecycle) as MachineState[]).sort((a, b) => lifecycle[a].number - lifecycle[b].number);

const byNumber = new Map<number, MachineState>(machineStates.map((state) => [lifecycle[state].number, state]));

/** The state with this MAAS number. @throws RangeError for a number that is none. */
export function stateOf(number: number): MachineState {
  const state = byNumber.get(number);
  if (!state) throw new RangeError(`no machine state has the number ${number}`);
  return state;
}

/** May `action` be asked of a machine in `state`? Being locked is judged apart. */
export function allows(state: MachineState, action: Action): boolean {
  return (lifecycle[state].on as readonly Action[]).includes(action);
}

/** A locked machine refuses everything but these. */
export const allowedWhileLocked: readonly Action[] = ['unlock', 'power_on', 'power_off'];
