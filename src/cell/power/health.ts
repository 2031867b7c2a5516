import type { PowerFailureKind } from './driver.ts';
import type { PowerOutcome } from './execute.ts';

/** What a cell remembers about one BMC, to treat it gently. Times in milliseconds. */
export interface BmcHealth {
  readonly lastCallAt: number | undefined;
  readonly lastFailureAt: number | undefined;
  readonly failuresInRow: number;
  /** Of those, the last ones in a row that only a change of settings can cure. */
  readonly hardInRow: number;
  /** 0 (nothing works) to 100; a moving average over about the last ten calls. */
  readonly score: number;
}

export const freshHealth: BmcHealth = { lastCallAt: undefined, lastFailureAt: undefined, failuresInRow: 0, hardInRow: 0, score: 100 };

// BMCs have frozen after bursts (peers.md item 19): half a second between questions.
const gapMs = 500;
const firstBackoffMs = 2_000;
const longestBackoffMs = 300_000;
// Most BMCs lock an account after three wrong passwords, for 5 to 15 minutes; two is below that.
const hardFailures = 2;
const hardPauseMs = 15 * 60_000;

/** The health after a call. `unsupported` is a proper answer, no failure. */
export function afterCall(health: BmcHealth, outcome: PowerOutcome, now: number): BmcHealth {
  const failure: PowerFailureKind | undefined = outcome.kind === 'accepted' ? undefined : outcome.failure;
  const failed = failure !== undefined && failure !== 'unsupported';
  const hard = failure === 'refused' || failure === 'wrong-settings';
  return {
    lastCallAt: now,
    lastFailureAt: failed ? now : health.lastFailureAt,
    failuresInRow: failed ? health.failuresInRow + 1 : 0,
    hardInRow: hard ? health.hardInRow + 1 : 0,
    score: Math.round(health.score * 0.9 + (failed ? 0 : 10)),
  };
}

/**
 * When the next question may be put, at the earliest: a gap after any call, and after failures a pause that doubles from 2 s
 * to 5 min. `jitter` is a number from 0 to 1 that shortens the pause by up to half, so that a rack's BMCs do not return in step.
 */
export function earliestQuery(health: BmcHealth, jitter: number): number {
  return Math.max((health.lastCallAt ?? -Infinity) + gapMs, earliestCommand(health, jitter));
}

/** When the next command may be sent: no gap, as a command follows at once on the question that allowed it. */
export function earliestCommand(health: BmcHealth, jitter: number): number {
  if (health.failuresInRow === 0 || health.lastFailureAt === undefined) return -Infinity;
  return health.lastFailureAt + pauseMs(health.failuresInRow, jitter);
}

/** The pause after the nth failure in a row: 2 s, 4 s, … 5 min, shortened by up to half. */
export function pauseMs(failures: number, jitter: number): number {
  const pause = Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.min(Math.max(0, failures - 1), 20));
  return pause * (1 - Math.min(1, Math.max(0, jitter)) / 2);
}

/** The settings are wrong and asking again would only lock the account; one more try every 15 min, or when they are changed. */
export function settingsRefused(health: BmcHealth, now: number): boolean {
  return health.hardInRow >= hardFailures && health.lastFailureAt !== undefined && now < health.lastFailureAt + hardPauseMs;
}
