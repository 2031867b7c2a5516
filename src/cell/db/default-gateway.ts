/** Which link a machine's default route goes by. Pure. */

interface LinkFacts {
  readonly id: number;
  readonly mode: string;
  readonly gateway: string | null;
}

export interface NicFacts {
  readonly id: number;
  readonly parents: readonly number[];
  readonly links: readonly LinkFacts[];
}

export interface Gateway {
  readonly gateway_ip: string;
  readonly link_id: number;
  /** It was told so: `set_default_gateway`. */
  readonly chosen: boolean;
}

/** A gateway's family by its text. */
export function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

/** How far an interface is above the one that the machine boots from: 0 that one itself, then what is made of it, then all others. */
function distance(nics: readonly NicFacts[], nic: NicFacts, bootId: number | null, depth = 0): number {
  if (nic.id === bootId) return depth;
  if (depth > nics.length) return Infinity;
  const parents = nics.filter((one) => nic.parents.includes(one.id));
  return Math.min(Infinity, ...parents.map((one) => distance(nics, one, bootId, depth + 1)));
}

/**
 * The gateway of one family: that of the chosen link while its subnet has one; else that of the oldest link with one, of the boot interface
 * first, then of what is made of it.
 */
export function defaultGateway(
  nics: readonly NicFacts[],
  bootId: number | null,
  chosen: readonly number[],
  family: 4 | 6,
): Gateway | undefined {
  const ordered = nics
    .map((nic) => ({ nic, far: distance(nics, nic, bootId) }))
    .toSorted((a, b) => (a.far === b.far ? a.nic.id - b.nic.id : a.far - b.far));
  const usable = ordered.flatMap(({ nic }) =>
    nic.links.flatMap(({ id, mode, gateway }) =>
      mode !== 'link_up' && gateway !== null && familyOf(gateway) === family
        ? [{ gateway_ip: gateway, link_id: id, chosen: chosen.includes(id) }]
        : [],
    ),
  );
  return usable.find((one) => one.chosen) ?? usable[0];
}
