/** The arrows between the rooms (architecture §6) and the house rules of files, as data and pure checks. */
import { posix } from 'node:path';
import { type Import, type SourceFacts, targetOf } from './source.ts';

/** What each room may import besides itself. `src/main.ts` may import every room. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  http: ['contract'],
  postgres: ['contract'],
  global: ['contract', 'http', 'postgres'],
  cell: ['contract', 'http', 'postgres', 'global'],
  hub: ['contract', 'http', 'postgres', 'global'],
  front: ['contract', 'http', 'postgres', 'global'],
  cli: ['contract', 'http'],
  sim: ['contract', 'http'],
  ui: ['contract'],
};

/**
 * The rooms inside the cell. They meet through doors that `src/cell/*.ts` wires; each may use the stores in `db`, and what a machine's
 * storage is (`storage`, which is pure and sees none of them).
 */
const innerRooms = ['api', 'lifecycle', 'allocate', 'power', 'netboot', 'metadata', 'network', 'images', 'db', 'storage'];

const typedClient = 'src/http/client.ts';
const packageTable = 'setup/debian-packages.mjs';
const environmentReaders = ['src/main.ts', 'src/cli/environment.ts'];
const maxLines = 400;
const bannedNames = ['util', 'utils', 'helper', 'helpers', 'common', 'manager', 'service', 'misc'];

export const isTest = (path: string): boolean => /\.test\.tsx?$/.test(path);

/** The room of a file: `src/<room>/…` or `ui/…`; `main` for src/main.ts; undefined outside of rooms (e2e, bench, test, setup). */
export function roomOf(path: string): string | undefined {
  if (path === 'src/main.ts') return 'main';
  if (path.startsWith('ui/')) return 'ui';
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** The room inside the cell; undefined for `src/cell/*.ts` and outside of the cell. */
const innerRoomOf = (path: string): string | undefined => /^src\/cell\/([^/]+)\//.exec(path)?.[1];

const isSql = (specifier: string) => /^(kysely|pg)(\/|$)/.test(specifier);
const mayHoldSql = (path: string) => /^src\/(postgres|[^/]+\/db)\//.test(path);
const isNodeOnly = (specifier: string) => specifier.startsWith('node:');

function packageProblem(file: SourceFacts, { specifier }: Import): string | undefined {
  const room = roomOf(file.path);
  if (isTest(file.path)) return undefined;
  if (room !== undefined && isSql(specifier) && !mayHoldSql(file.path)) return `imports ${specifier}: only src/postgres/ and src/*/db/ may`;
  if (room === 'contract' && !/^typebox(\/|$)/.test(specifier))
    return `imports ${specifier}: the contract runs in a browser, with typebox alone`;
  if (room === 'ui' && isNodeOnly(specifier) && !file.path.endsWith('.config.ts')) return `imports ${specifier}: it runs in a browser`;
  return undefined;
}

function arrowProblem(file: SourceFacts, target: string): string | undefined {
  const from = roomOf(file.path);
  if (from === undefined || from === 'main' || target === packageTable) return undefined;
  const to = roomOf(target);
  if (to === undefined) {
    if (isTest(file.path) && /^(test|setup)\//.test(target)) return undefined;
    return `imports ${target}, which belongs to no room`;
  }
  if (to !== from) {
    if (from === 'ui' && target === typedClient) return undefined;
    // Tests of a room use the simulated machines and BMCs, which speak its protocols from the other side.
    if (isTest(file.path) && to === 'sim') return undefined;
    return arrows[from]?.includes(to) === true ? undefined : `imports ${target}: ${from} must not see ${to}`;
  }
  const inner = innerRoomOf(file.path);
  if (from !== 'cell' || inner === undefined || isTest(file.path)) return undefined;
  const innerTarget = innerRoomOf(target);
  if (innerTarget === inner || innerTarget === 'storage' || (innerTarget === 'db' && inner !== 'storage')) return undefined;
  return `imports ${target}: cell/${inner} must not see ${innerTarget === undefined ? 'what wires it' : `cell/${innerTarget}`}; own a door (a type of at most four functions) and let src/cell/cell.ts wire it`;
}

function nameProblem(path: string): string | undefined {
  const base = posix.basename(path).replace(/(\.(test|e2e|bench|config|d))*\.(tsx?|mts|mjs|js)$/, '');
  const last = base.split('-').at(-1) ?? base;
  if (bannedNames.includes(last) || base === 'types') return `is called ${base}: name the noun it holds`;
  if (base === 'index') return 'is called index: no barrels';
  // TanStack Router's route files spell parameters and layouts with $ and _.
  if (!/^[a-z0-9$_.]+(-[a-z0-9$_.]+)*$/.test(base)) return 'is not named in kebab-case';
  return undefined;
}

/** Everything wrong with one file, each as a sentence without the path. */
export function problemsOf(file: SourceFacts): string[] {
  const problems: (string | undefined)[] = [nameProblem(file.path)];
  const room = roomOf(file.path);
  if (room === undefined && file.path.startsWith('src/')) problems.push('lies in src/ outside of a room; only src/main.ts does');
  if (room !== undefined && room !== 'main' && arrows[room] === undefined) problems.push(`is in an unknown room, ${room}`);
  const inner = innerRoomOf(file.path);
  if (inner !== undefined && !innerRooms.includes(inner)) problems.push(`is in an unknown room of the cell, ${inner}`);
  if (!isTest(file.path) && file.lines > maxLines) problems.push(`has ${file.lines} lines, more than ${maxLines}`);
  if (file.hasDefaultExport && !file.path.endsWith('.config.ts') && !file.path.startsWith('ui/routes/'))
    problems.push('has a default export');
  if (file.isBarrel) problems.push('is a barrel: it only passes on what others export');
  if (file.readsEnvironment && file.path.startsWith('src/') && !isTest(file.path) && !environmentReaders.includes(file.path)) {
    problems.push(`reads the environment: only ${environmentReaders.join(' and ')} may`);
  }
  for (const each of file.imports) {
    const target = targetOf(file.path, each.specifier);
    const problem = target === undefined ? packageProblem(file, each) : arrowProblem(file, target);
    if (problem !== undefined) problems.push(`line ${each.line} ${problem}`);
  }
  return problems.filter((problem) => problem !== undefined);
}

/** The files that are loaded with a file, itself included: imports of types alone do not count. */
export function loadedWith(path: string, files: readonly SourceFacts[]): SourceFacts[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const seen = new Set<string>();
  const queue = [path];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const file = byPath.get(next);
    if (file === undefined || seen.has(next)) continue;
    seen.add(next);
    for (const { specifier, typeOnly } of file.imports) {
      const target = typeOnly ? undefined : targetOf(next, specifier);
      if (target !== undefined) queue.push(target);
    }
  }
  return [...seen].flatMap((each) => byPath.get(each) ?? []);
}
