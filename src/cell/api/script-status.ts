/** What became of a machine's scripts, summed up as MAAS does (maas-api.md §2.1: numbers of script states). Pure. */
import { scriptStatuses, scriptTypes } from '../../contract/resources/scripts.ts';
import type { ScriptRunRow } from '../db/machine-read.ts';

export interface SummedStatus {
  readonly number: number;
  readonly name: string;
}

const unknown: SummedStatus = { number: -1, name: 'Unknown' };

/** The first of these that any script is in speaks for all of them. */
const precedence = [
  'running',
  'installing',
  'applying_netconf',
  'pending',
  'failed',
  'timed_out',
  'failed_installing',
  'failed_applying_netconf',
  'degraded',
  'aborted',
  'passed',
  'skipped',
] as const satisfies readonly (keyof typeof scriptStatuses)[];

export function sumUp(statuses: readonly number[]): SummedStatus {
  const first = precedence.find((status) => statuses.includes(scriptStatuses[status].number));
  return first === undefined ? unknown : scriptStatuses[first];
}

function runOf(runs: readonly ScriptRunRow[], type: keyof typeof scriptTypes | 'installation'): ScriptRunRow | undefined {
  const number = type === 'installation' ? 1 : scriptTypes[type].number;
  return runs.find((run) => run.type === number);
}

/** The script fields of a machine's body. A run is named by its result set; results that are suppressed do not count. */
export function scriptFields(runs: readonly ScriptRunRow[]) {
  const commissioning = runOf(runs, 'commissioning');
  const testing = runOf(runs, 'testing');
  const commissioned = sumUp(commissioning?.statuses ?? []);
  const tested = sumUp(testing?.statuses ?? []);
  return {
    current_commissioning_result_id: commissioning?.set_id ?? null,
    current_testing_result_id: testing?.set_id ?? null,
    current_installation_result_id: runOf(runs, 'installation')?.set_id ?? null,
    commissioning_status: commissioned.number,
    commissioning_status_name: commissioned.name,
    testing_status: tested.number,
    testing_status_name: tested.name,
    // Results do not say which part of the hardware they are about: they count under `other`.
    ...byHardware(['cpu', 'memory', 'network', 'storage', 'interface'], unknown),
    other_test_status: tested.number,
    other_test_status_name: tested.name,
  };
}

type HardwareFields<Part extends string> = { [P in `${Part}_test_status`]: number } & { [P in `${Part}_test_status_name`]: string };

function byHardware<const Part extends string>(parts: readonly Part[], status: SummedStatus): HardwareFields<Part> {
  const entries = parts.flatMap((part) => [
    [`${part}_test_status`, status.number],
    [`${part}_test_status_name`, status.name],
  ]);
  return Object.fromEntries(entries) as HardwareFields<Part>;
}
