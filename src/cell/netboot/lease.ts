/** Leases as Kea's control socket gives them. */

export interface Lease {
  readonly address: string;
  readonly mac: string;
  readonly hostname: string;
  readonly subnetId: number;
  /** Seconds since 1970. */
  readonly expires: number;
}

/** Reads the arguments of a `lease4-get-page` answer; entries that are no active lease are left out. Never throws. */
export function parseLeases(value: unknown): readonly Lease[] {
  const list =
    typeof value === 'object' && value !== null && 'leases' in value && Array.isArray(value.leases) ? (value.leases as unknown[]) : [];
  return list.flatMap((entry): Lease[] => {
    if (typeof entry !== 'object' || entry === null) return [];
    const {
      'ip-address': address,
      'hw-address': mac,
      hostname,
      'subnet-id': subnetId,
      cltt,
      'valid-lft': lifetime,
      state,
    } = entry as Record<string, unknown>;
    if (typeof address !== 'string' || typeof mac !== 'string' || typeof subnetId !== 'number' || state !== 0) return [];
    if (typeof cltt !== 'number' || typeof lifetime !== 'number') return [];
    return [{ address, mac, hostname: typeof hostname === 'string' ? hostname : '', subnetId, expires: cltt + lifetime }];
  });
}
