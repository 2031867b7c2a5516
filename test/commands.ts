/**
 * Every command that the README, docs/ or the program itself tells a person to run, and what runs it, as printed. A command without an
 * entry fails test/commands-in-docs.test.ts; so does an entry whose proof is gone.
 *
 * Words in capitals stand for a value (`npm run e2e -- NAME`).
 */

export type Proof =
  /** Cheap: the test itself runs it by `sh -c`, in the checkout. `prints` must be found in its output; `as` puts in the values. */
  | { readonly kind: 'run'; readonly as?: string; readonly exit: number; readonly prints: RegExp }
  /** The same in a scratch folder with this package's scripts, because it writes into the folder it runs in. */
  | { readonly kind: 'scratch'; readonly files: Readonly<Record<string, string>>; readonly after: Readonly<Record<string, string>> }
  /** That file runs it: it holds the command word for word, up to the first value, and `npm test` or CI runs the file. */
  | { readonly kind: 'file'; readonly file: string };

const byStart = { kind: 'file', file: 'e2e/start.e2e.ts' } as const;
const byJoining = { kind: 'file', file: 'test/join-command.test.ts' } as const;

const byBulk = { kind: 'file', file: 'test/bulk.test.ts' } as const;

export const commands: Readonly<Record<string, Proof>> = {
  'npm start': byStart,
  './muster login PROFILE URL': byStart,
  './muster login PROFILE URL KEY': byStart,
  './muster cell join URL TOKEN FINGERPRINT --folder FOLDER': byStart,
  './muster front join URL TOKEN FINGERPRINT --folder FOLDER': byStart,
  './muster account delete-authorisation-token': byStart,
  './muster hub cell add NAME': byJoining,
  './muster cell join URL TOKEN FINGERPRINT --folder FOLDER --adopt': byJoining,
  './muster cell join URL TOKEN FINGERPRINT --folder FOLDER --adopt --dry-run': byJoining,
  './muster cell drain NAME': byJoining,
  './muster cell out NAME': byJoining,
  './muster cell in NAME': byJoining,
  './muster cell retire NAME': byJoining,
  './muster machines read': byStart,
  './muster machine deploy SYSTEM_ID distro_series=simulated/1': byStart,
  './muster machines bulk-commission --from FILE --watch': byBulk,
  './muster operations read bulk=NAME outcome=failed': byBulk,
  './muster up --data DIR': byStart,
  './muster hub rotate-key': { kind: 'file', file: 'test/hub-commands.test.ts' },
  './muster hub new-epoch': { kind: 'file', file: 'test/hub-commands.test.ts' },
  './muster lose NAME': byStart,
  './muster cell list': byStart,
  'npm test': { kind: 'file', file: '.ci/run' },
  'npm run check': { kind: 'file', file: 'setup/test.mjs' },
  'npm run e2e -- NAME': { kind: 'file', file: 'setup/test.mjs' },
  'npm run unit -- FILE': { kind: 'run', as: 'npm run unit -- test/policy.test.ts', exit: 0, prints: /Tests\s+\d+ passed/ },
  'npm run e2e': { kind: 'run', exit: 0, prints: /quiet-install/ },
  'npm run bench -- smoke': { kind: 'run', as: 'npm run bench -- smoke --help', exit: 0, prints: /Allocations a second/ },
  'npm run e2e -- fifty-cells': { kind: 'run', as: 'npm run e2e -- fifty-cells --help', exit: 0, prints: /Starts a fleet/ },
  'npm run bench': { kind: 'run', exit: 0, prints: /bench/ },
  'npm run conformance': { kind: 'run', as: 'npm run conformance -- --help', exit: 0, prints: /Runs real MAAS clients/ },
  'npm run api-docs': { kind: 'file', file: 'test/api-docs.test.ts' },
  'npm run format': { kind: 'scratch', files: { 'a.ts': 'export const a = "b"' }, after: { 'a.ts': "export const a = 'b';\n" } },
};
