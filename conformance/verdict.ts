/**
 * What a client's run says: its operations as extracted from its own source, what happened to each, and what is expected to fail
 * (known.json). Pure.
 */

export type TargetName = 'cell' | 'front';

/** One use of an operation by a scenario. */
export interface Outcome {
  readonly operation: string;
  readonly ok: boolean;
  /** The client's own words, when it failed. */
  readonly error?: string;
}

/** An operation that does not pass, and why. */
export interface Known {
  readonly client: string;
  /** As the client names it, `Machine.Get`. */
  readonly operation: string;
  /** Left out: both. */
  readonly targets?: readonly TargetName[];
  /** A part of the client's error; left out: no scenario can use the operation. */
  readonly error?: string;
  readonly reason: string;
}

export type ProblemKind = 'failed' | 'fails otherwise' | 'listed but passes' | 'never exercised' | 'not an operation' | 'listed but gone';

export interface Problem {
  readonly kind: ProblemKind;
  readonly operation: string;
  readonly detail: string;
}

export interface Verdict {
  readonly client: string;
  readonly target: TargetName;
  readonly operations: number;
  readonly passed: number;
  readonly known: number;
  readonly problems: readonly Problem[];
}

/** What has to be done about each kind of problem. */
export const advice: Readonly<Record<ProblemKind, string>> = {
  failed: 'Make the operation answer as MAAS does; a deliberate difference goes into conformance/known.json and docs/compatibility.md.',
  'fails otherwise': 'It is listed with another error: correct the operation, or the entry of conformance/known.json.',
  'listed but passes': 'It works now: remove the entry from conformance/known.json (and its row from docs/compatibility.md).',
  'never exercised': 'Write a scenario for it in the program of this client under conformance/.',
  'not an operation': 'The scenario names an operation that the client does not have: correct the scenario.',
  'listed but gone': 'The client has no such operation: remove the entry from conformance/known.json.',
};

function judgeOne(operation: string, outcomes: readonly Outcome[], known: Known | undefined): Problem | undefined {
  const failures = outcomes.filter((outcome) => !outcome.ok);
  const errors = failures.map(({ error }) => error ?? 'no reason given');
  const problem = (kind: ProblemKind, detail: string): Problem => ({ kind, operation, detail });
  if (known === undefined) {
    if (outcomes.length === 0) return problem('never exercised', '');
    return errors[0] === undefined ? undefined : problem('failed', errors[0]);
  }
  if (known.error === undefined) {
    return outcomes.length === 0 ? undefined : problem('fails otherwise', 'it is listed as one that no scenario can use, and one did');
  }
  if (outcomes.length === 0) return problem('never exercised', `listed: ${known.reason}`);
  if (failures.length === 0) return problem('listed but passes', known.reason);
  const { error } = known;
  const other = errors.find((one) => !one.includes(error));
  return other === undefined ? undefined : problem('fails otherwise', `${other} (listed: ${error})`);
}

/** Judge one client at one target. Every operation is passed, known, or a problem. */
export function judge(
  client: string,
  target: TargetName,
  operations: readonly string[],
  outcomes: readonly Outcome[],
  list: readonly Known[],
): Verdict {
  const extracted = new Set(operations);
  const byOperation = Map.groupBy(outcomes, (outcome) => outcome.operation);
  const entries = list.filter((entry) => entry.client === client && (entry.targets ?? [target]).includes(target));
  const problems: Problem[] = [];
  let passed = 0;
  let known = 0;
  for (const operation of extracted) {
    const entry = entries.find((one) => one.operation === operation);
    const problem = judgeOne(operation, byOperation.get(operation) ?? [], entry);
    if (problem !== undefined) problems.push(problem);
    else if (entry === undefined) passed += 1;
    else known += 1;
  }
  for (const [operation, uses] of byOperation) {
    if (!extracted.has(operation)) problems.push({ kind: 'not an operation', operation, detail: uses[0]?.error ?? '' });
  }
  for (const { operation, reason } of entries) {
    if (!extracted.has(operation)) problems.push({ kind: 'listed but gone', operation, detail: reason });
  }
  return { client, target, operations: extracted.size, passed, known, problems };
}

/** The table at the end: a line for each client and target. */
export function showTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ client, target, operations, passed, known, problems }) => [
    client,
    target,
    String(operations),
    String(passed),
    String(known),
    String(problems.length),
  ]);
  const all = [['client', 'target', 'operations', 'passed', 'known', 'failed'], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
