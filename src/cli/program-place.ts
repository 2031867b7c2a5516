/**
 * What `muster up` and `muster lose` tell each other: files of the run's folder. `programs/NAME.pid` is the process that runs now,
 * `programs/NAME.away` the time (ms since 1970) before which it is not started again, `programs/tree.json` what there is to lose.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type ProgramKind = 'cell' | 'front' | 'hub';

export interface TreeFacts {
  readonly programs: readonly { readonly name: string; readonly kind: ProgramKind }[];
  /** URLs of the fronts, by name. */
  readonly fronts: Readonly<Record<string, string>>;
  /** With name and API key of the admin. */
  readonly adminFile: string;
}

export interface ProgramPlace {
  writePid(name: string, pid: number): void;
  pid(name: string): number | undefined;
  sendAway(name: string, until: number): void;
  /** Ms that a program that was lost stays away; 0 for one that just died. */
  awayMs(name: string): number;
  writeTree(facts: TreeFacts): void;
  /** undefined: nothing is up. */
  tree(): TreeFacts | undefined;
}

/** Longest time that a file may keep a program away: a stale or wrong one is no reason to be down for long. */
const longestAwayMs = 600_000;

export function programPlace(runFolder: string): ProgramPlace {
  const folder = join(runFolder, 'programs');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const put = (file: string, text: string): void => {
    const path = join(folder, file);
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  };
  const get = (file: string): string | undefined => {
    try {
      return readFileSync(join(folder, file), 'utf8');
    } catch {
      return undefined;
    }
  };
  return {
    writePid: (name, pid) => put(`${name}.pid`, String(pid)),
    pid: (name) => Number(get(`${name}.pid`)) || undefined,
    sendAway: (name, until) => put(`${name}.away`, String(until)),
    awayMs: (name) => Math.min(longestAwayMs, Math.max(0, (Number(get(`${name}.away`)) || 0) - Date.now())),
    writeTree: (facts) => put('tree.json', JSON.stringify(facts)),
    tree: () => {
      const text = get('tree.json');
      return text === undefined ? undefined : (JSON.parse(text) as TreeFacts);
    },
  };
}
