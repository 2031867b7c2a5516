/** Names of global things as their ids, as filters and constraints give them. */
import { defaultPool } from './api/resource-pools.ts';
import { defaultZone } from './api/zones.ts';
import type { GlobalReader } from './document.ts';

export interface NamedIds {
  readonly ids: readonly number[];
  /** Names that nothing has, in the order given. */
  readonly missing: readonly string[];
}

const defaults: Readonly<Record<string, number>> = { zone: defaultZone, pool: defaultPool };

/**
 * Ids of the zones, pools or tags with these names; what is retired counts as missing. The default zone and pool stand in for retired ones,
 * so behind theirs come the ids of those: rows may still have them.
 */
export function namedIds(
  global: Pick<GlobalReader, 'named' | 'retired'>,
  kind: 'zone' | 'pool' | 'tag',
  names: readonly string[],
): NamedIds {
  const ids: number[] = [];
  const missing: string[] = [];
  for (const name of names) {
    const found = global.named(kind, name);
    if (!found) missing.push(name);
    else if (found.id === defaults[kind]) ids.push(found.id, ...global.retired(kind).map((gone) => gone.id));
    else ids.push(found.id);
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
