/** What global config asks of the cell: who uses a pool or user, and which networks are in a space. */
import type { SpaceDoor, UsageDoor } from '../../global/api/context.ts';
import type { GlobalReader } from '../../global/document.ts';
import type { CellDb } from '../db/cell-db.ts';
import { readNetworks } from '../db/network-read.ts';
import { machinesInPool } from '../db/usage-store.ts';
import { countResources, transferResources } from '../db/user-resource-store.ts';
import { networkBodies } from './network-body.ts';

/** Asked for when it is needed: global config is opened with these doors in hand. */
type Reader = () => Pick<GlobalReader, 'get'>;

function counted(count: number, one: string, many = one.replace(/^\w+/, '$&s')): string | undefined {
  return count === 0 ? undefined : count === 1 ? `1 ${one}` : `${count} ${many}`;
}

/** Machines know their owner by name: an id that names no user is used by nobody. */
export function usageDoor(db: CellDb, reader: Reader): UsageDoor {
  return {
    inUse: async (kind, id) => {
      if (kind === 'pool') return counted(await machinesInPool(db, id), 'machine');
      const username = reader().get('user', id)?.username;
      if (username === undefined) return undefined;
      const { machines, devices, ip_ranges, ip_addresses } = await countResources(db, username);
      const all = [
        counted(machines, 'machine'),
        counted(devices, 'device'),
        counted(ip_ranges, 'range of addresses'),
        counted(ip_addresses, 'address', 'addresses'),
      ];
      return all.filter(Boolean).join(' and ') || undefined;
    },
    transfer: async (given) => void (await transferResources(db, given)),
  };
}

/** One read of the networks for all spaces that are asked for at once: a list of spaces costs the same however many there are. */
export function spaceDoor(db: CellDb, reader: Reader): SpaceDoor {
  let shared: ReturnType<typeof readNetworks> | undefined;
  const networks = () =>
    // It begins after the asker's turn ends and is not shared after it began, so nobody gets what was read before they asked.
    (shared ??= Promise.resolve().then(() => {
      shared = undefined;
      return readNetworks(db);
    }));
  return {
    networksOf: async (space) => {
      const read = await networks();
      const bodies = networkBodies(read, reader());
      // A space that was retired is none, as the VLAN itself says.
      const spaceOf = (id: number | null): number | null => (id === null || !reader().get('space', id) ? null : id);
      const isIn = (vlanId: number): boolean => spaceOf(read.vlans.get(vlanId)?.space_id ?? null) === space;
      return {
        vlans: [...bodies.vlans.values()].filter((vlan) => isIn(vlan.id)),
        subnets: [...bodies.subnets.values()].filter((subnet) => isIn(subnet.vlan.id)),
      };
    },
  };
}
