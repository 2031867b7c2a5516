/** A device as the API shows it. Pure. */
import type { Device } from '../../contract/resources/devices.ts';
import type { Body } from '../../contract/route.ts';
import type { DeviceRow } from '../db/device-store.ts';
import { interfaceBodies } from './interface-body.ts';
import { domainOf, zoneOf, type BodyFacts } from './machine-body.ts';
import { uri } from './network-body.ts';

export type DeviceBody = Body<typeof Device>;

export function deviceBody(row: DeviceRow, { global, networks }: Pick<BodyFacts, 'global' | 'networks'>): DeviceBody {
  const interfaces = interfaceBodies(row.interfaces, networks);
  const domain = domainOf(networks, row.domain_id);
  return {
    system_id: row.system_id,
    hostname: row.hostname,
    description: row.description,
    domain,
    fqdn: domain.name === '' ? row.hostname : `${row.hostname}.${domain.name}`,
    owner: row.owner,
    owner_data: { ...row.owner_data },
    workload_annotations: { ...row.workload_annotations },
    parent: row.parent,
    tag_names: row.tag_ids.flatMap((id) => global.get('tag', id)?.name ?? []).toSorted(),
    address_ttl: null,
    ip_addresses: [...new Set(interfaces.flatMap((nic) => nic.links.flatMap((link) => link.ip_address ?? [])))],
    interface_set: interfaces,
    zone: zoneOf(global, row.zone_id),
    node_type: 1,
    node_type_name: 'Device',
    resource_uri: uri('devices', row.system_id),
  };
}
