/** What the parts of `npm test` came to, and how the run ends: pure. */

/**
 * @typedef {object} Outcome
 * @property {string} name
 * @property {number} passed
 * @property {number} failed
 * @property {readonly string[]} notRun sentences: what did not run and why
 */

/**
 * Counts the tests of a vitest run from its JSON report. A run that failed without a failing test (a file that cannot be loaded, a report
 * that was never written) counts as one failure; a run of no test at all too.
 * @param {string} name
 * @param {unknown} report the parsed report; undefined when there is none
 * @param {boolean} ok whether vitest ended with exit code 0
 * @returns {Outcome}
 */
export function vitestOutcome(name, report, ok) {
  const files =
    report !== null && typeof report === 'object' && 'testResults' in report && Array.isArray(report.testResults) ? report.testResults : [];
  let passed = 0;
  let failed = 0;
  /** @type {string[]} */
  const notRun = [];
  for (const file of files) {
    for (const test of Array.isArray(file?.assertionResults) ? file.assertionResults : []) {
      if (test?.status === 'passed') passed += 1;
      else if (test?.status === 'failed') failed += 1;
      else notRun.push(String(test?.fullName));
    }
  }
  const silent = failed === 0 && (!ok || passed === 0);
  return { name, passed, failed: silent ? 1 : failed, notRun };
}

/**
 * Ends a run. Where everything can be installed (root on Debian) a check that did not run is a failure.
 * @param {readonly Outcome[]} outcomes
 * @param {boolean} everythingCanRun
 * @returns {{ passed: number, failed: number, exitCode: 0 | 1 | 3, lines: string[] }} `lines`: the last lines to print
 */
export function conclude(outcomes, everythingCanRun) {
  const notRun = outcomes.flatMap((outcome) => outcome.notRun);
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
  const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0) + (everythingCanRun ? notRun.length : 0);
  const skipped = everythingCanRun ? 0 : notRun.length;
  const parts = outcomes.filter((outcome) => outcome.failed > 0).map((outcome) => `failed: ${outcome.name}`);
  const totals = `tests: ${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  const why = notRun.map((sentence) => `NOT RUN: ${sentence}`);
  const exitCode = failed > 0 || passed === 0 ? 1 : skipped > 0 ? 3 : 0;
  return { passed, failed, exitCode, lines: everythingCanRun ? [...parts, ...why, totals] : [...parts, totals, ...why] };
}

/**
 * Why one end-to-end run cannot run here; undefined when it can.
 * @param {{ name: string, root: boolean }} run
 * @param {{ root: boolean, linux: boolean, missing: readonly string[] }} here `missing`: packages of its sets that are not installed
 * @returns {string | undefined}
 */
export function cannotRun(run, here) {
  if (run.root && !here.linux) return `${run.name}: needs Linux`;
  if (run.root && !here.root) return `${run.name}: needs root`;
  if (here.missing.length > 0) return `${run.name}: missing Debian packages ${here.missing.join(' ')}`;
  return undefined;
}
