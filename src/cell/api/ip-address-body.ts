/** Taken addresses as the API shows them. */
import type { IPAddress } from '../../contract/resources/ip-addresses.ts';
import { maasTime } from '../../contract/maas-time.ts';
import type { Body } from '../../contract/route.ts';
import { userBody } from '../../global/api/users.ts';
import type { HeldAddress } from '../db/ip-address-store.ts';
import { readInterfacesOf } from '../db/interface-store.ts';
import { interfaceBodies, type InterfaceBody } from './interface-body.ts';
import { uri, type NetworkBodies } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';

export type IpAddressBody = Body<typeof IPAddress>;

const taken = { alloc_type: 4, alloc_type_name: 'User reserved' } as const;
/** MAAS's kinds of addresses (maas-api.md §2.2), by who has one: the mode of a link, a user, or a reserved IP. */
export const allocations: Readonly<Record<string, { readonly alloc_type: number; readonly alloc_type_name: string }>> = {
  auto: { alloc_type: 0, alloc_type_name: 'Automatic' },
  static: { alloc_type: 1, alloc_type_name: 'Sticky' },
  user: taken,
  reserved_ip: taken,
  dhcp: { alloc_type: 5, alloc_type_name: 'DHCP' },
};

type View = Pick<NetworkContext, 'database' | 'global'>;

/** Interfaces of these machines and devices by id. */
async function interfacesOf({ database }: View, systemIds: readonly string[], view: NetworkBodies): Promise<Map<number, InterfaceBody>> {
  const ids = [...new Set(systemIds)];
  const nodes = ids.length === 0 ? [] : await readInterfacesOf(database.db, ids);
  return new Map(nodes.flatMap((rows) => interfaceBodies(rows, view).map((nic) => [nic.id, nic])));
}

/** Bodies in the order of the rows. */
export async function ipAddressBodies(context: View, rows: readonly HeldAddress[], view: NetworkBodies): Promise<IpAddressBody[]> {
  const interfaces = await interfacesOf(
    context,
    rows.flatMap((row) => row.system_id ?? []),
    view,
  );
  return rows.map((row) => {
    const owner = row.owner === null ? undefined : context.global.named('user', row.owner);
    const nic = row.interface_id === null ? undefined : interfaces.get(row.interface_id);
    return {
      ...(allocations[row.kind ?? 'user'] ?? taken),
      created: maasTime(row.created),
      ip: row.ip,
      subnet: (row.subnet_id === null ? undefined : view.subnets.get(row.subnet_id)) ?? null,
      owner: owner ? userBody(owner) : null,
      interface_set: nic ? [nic] : [],
      mac_address: row.mac,
      resource_uri: uri('ipaddresses'),
    };
  });
}
