/** The checks of the code itself: types, lint, format, dead code. Data for `npm run check` and `npm test`. */

const minute = 60;

/**
 * The programs are run by this Node: their launchers in node_modules/.bin would do as well, but say so less plainly.
 * @type {readonly { name: string, script: string, args: readonly string[], timeoutSeconds: number, advice: string }[]}
 */
export const checks = [
  {
    name: 'types',
    script: 'node_modules/typescript/bin/tsc',
    args: ['-p', '.'],
    timeoutSeconds: 3 * minute,
    advice: 'Types: node_modules/.bin/tsc -p .',
  },
  {
    name: 'lint',
    script: 'node_modules/oxlint/bin/oxlint',
    args: ['--deny-warnings'],
    timeoutSeconds: minute,
    advice: 'Lint: node_modules/.bin/oxlint',
  },
  {
    name: 'format',
    script: 'node_modules/oxfmt/bin/oxfmt',
    args: ['--check'],
    timeoutSeconds: minute,
    advice: 'Format: run `npm run format`.',
  },
  {
    name: 'dead code',
    script: 'node_modules/knip/bin/knip.js',
    args: [],
    timeoutSeconds: 2 * minute,
    advice: 'Dead code: node_modules/.bin/knip',
  },
];
