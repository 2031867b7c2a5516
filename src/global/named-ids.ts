/** Names of global things as their ids, as filters and constraints give them. */
import type { GlobalReader } from './document.ts';

export interface NamedIds {
  readonly ids: readonly number[];
  /** Names that nothing has, in the order given. */
  readonly missing: readonly string[];
}

/** Ids of the zones, pools or tags with these names; what is retired counts as missing. */
export function namedIds(global: Pick<GlobalReader, 'named'>, kind: 'zone' | 'pool' | 'tag', names: readonly string[]): NamedIds {
  const ids: number[] = [];
  const missing: string[] = [];
  for (const name of names) {
    const found = global.named(kind, name);
    if (found) ids.push(found.id);
    else missing.push(name);
  }
  return { ids, missing };
}

/** What MAAS says of names that nothing has; undefined when there are none (maas-api.md §1.5). */
export function missingText(kind: 'zone' | 'pool' | 'tag', missing: readonly string[]): string | undefined {
  const [first] = missing;
  if (first === undefined) return undefined;
  if (kind === 'tag') return `No such tag(s): ${missing.map((name) => `'${name}'`).join(', ')}.`;
  return missing.length === 1 ? `No such ${kind}: '${first}'.` : `No such ${kind}(s): ${missing.join(', ')}.`;
}
