/** Which cell, and with `spread=` which zone or pool of it, is to be claimed at first. Pure. */
import type { Spread } from '../contract/resources/constraints.ts';

/** A zone or pool of one cell: what the caller holds in it there, and the cost of the cheapest match; null: none. */
export interface Group {
  readonly name: string;
  readonly held: number;
  readonly cost: number | null;
}

/** What a cell offers: the cost of its cheapest match; null: nothing matches. `groups` come with `spread`. */
export interface Offered {
  readonly cost: number | null;
  readonly groups?: readonly Group[];
}

export interface Candidate {
  readonly cell: string;
  /** The zone or pool that the claim must be in; undefined: wherever it fits. */
  readonly group: string | undefined;
  readonly held: number;
  readonly cost: number;
}

/**
 * All that may be claimed, in the order to try it: where the caller holds the fewest machines, then the cheapest, then in the order of
 * `offers`. Zones and pools are the fleet's, so what is held in one is summed over the cells.
 */
export function ranked(offers: ReadonlyMap<string, Offered>, spread: Spread | undefined): readonly Candidate[] {
  const found: Candidate[] = [];
  const held = new Map<string, number>();
  const groupsOf = (cell: string, { groups = [] }: Offered) =>
    groups.map((group) => ({ ...group, place: spread === 'cell' ? cell : group.name }));
  for (const [cell, offer] of offers)
    for (const { place, held: here } of groupsOf(cell, offer)) held.set(place, (held.get(place) ?? 0) + here);
  for (const [cell, offer] of offers) {
    if (spread === undefined) {
      if (offer.cost !== null) found.push({ cell, group: undefined, held: 0, cost: offer.cost });
      continue;
    }
    for (const { name, place, cost } of groupsOf(cell, offer)) {
      const group = spread === 'cell' ? undefined : name;
      if (cost !== null) found.push({ cell, group, held: held.get(place) ?? 0, cost });
    }
  }
  return found.sort((a, b) => a.held - b.held || a.cost - b.cost);
}
