// Examples of addresses, names and what DHCP says: everything that hangs on a cell's subnets and domains.
import { subnet } from './cell-examples.ts';
import { just, of, type Example, type Examples } from './example.ts';
import type { World } from './world.ts';

const domain = async (world: World): Promise<string> =>
  String((await world.must('admin', 'POST', 'domains/', { name: `d${world.next()}.example` })).name);

async function reservedIp(world: World): Promise<string> {
  const { id, prefix } = await subnet(world);
  const fields = { ip: `${prefix}.40`, mac_address: world.mac(), subnet: id };
  return String((await world.must('admin', 'POST', 'reservedips/', fields)).id);
}

async function route(world: World): Promise<Record<string, string>> {
  const source = await subnet(world);
  const destination = await subnet(world);
  return { source: source.id, destination: destination.id, gateway_ip: `${source.prefix}.1` };
}

const staticRoute = async (world: World): Promise<string> =>
  String((await world.must('admin', 'POST', 'static-routes/', await route(world))).id);

const snippetValue = '{"valid-lifetime": 300}';
const snippet = async (world: World): Promise<string> =>
  String((await world.must('admin', 'POST', 'dhcp-snippets/', { name: `snippet-${world.next()}`, value: snippetValue })).id);

async function dnsResource(world: World): Promise<string> {
  const { prefix } = await subnet(world);
  const fields = { name: `h${world.next()}`, domain: await domain(world), ip_addresses: `${prefix}.60` };
  return String((await world.must('admin', 'POST', 'dnsresources/', fields)).id);
}

async function dnsRecord(world: World): Promise<string> {
  const fields = { name: `h${world.next()}`, domain: await domain(world), rrtype: 'TXT', rrdata: 'hello' };
  return String((await world.must('admin', 'POST', 'dnsresourcerecords/', fields)).id);
}

async function network(world: World): Promise<string> {
  const { id } = await subnet(world);
  const networks = await world.must('admin', 'GET', 'networks/');
  const { name } = await world.must('admin', 'GET', `subnets/${id}/`);
  return String(
    networks.find((one: { name: string; description: string }) => one.name === name || one.name === `subnet-${id}`)?.name ?? name,
  );
}

/** A host that the cell has seen. */
async function seen(world: World): Promise<{ ip: string; mac: string }> {
  const { prefix } = await subnet(world);
  const host = { ip: `${prefix}.99`, mac: world.mac() };
  await world.db
    .insertInto('neighbour')
    .values({ ...host, interface: 'eth0', observer: 'walk' })
    .execute();
  return host;
}

async function reserved(world: World): Promise<Example> {
  const { id, prefix } = await subnet(world);
  await world.must('ann', 'POST', 'ipaddresses/?op=reserve', { subnet: id, ip: `${prefix}.70` });
  return { as: 'ann', fields: { ip: `${prefix}.70` } };
}

export const addressExamples: Examples = {
  'Domains.set_serial': just({ serial: '77' }),
  'IPAddresses.read': just(),
  'IPAddresses.reserve': async (world) => ({ as: 'ann', fields: { subnet: (await subnet(world)).id } }),
  'IPAddresses.release': reserved,
  'ReservedIps.read': just(),
  'ReservedIps.create': async (world) => {
    const { id, prefix } = await subnet(world);
    return { fields: { ip: `${prefix}.40`, mac_address: world.mac(), subnet: id } };
  },
  'ReservedIp.read': of('id', reservedIp),
  'ReservedIp.update': of('id', reservedIp, { comment: 'changed' }),
  'ReservedIp.delete': of('id', reservedIp),
  'StaticRoutes.create': async (world) => ({ fields: await route(world) }),
  'StaticRoute.read': of('id', staticRoute),
  'StaticRoute.update': of('id', staticRoute, { metric: '7' }),
  'StaticRoute.delete': of('id', staticRoute),
  'DHCPSnippets.read': just(),
  'DHCPSnippets.create': (world) => ({ fields: { name: `snippet-${world.next()}`, value: snippetValue } }),
  'DHCPSnippet.read': of('id', snippet),
  'DHCPSnippet.update': of('id', snippet, { value: '{"valid-lifetime": 600}' }),
  'DHCPSnippet.delete': of('id', snippet),
  'DHCPSnippet.revert': async (world) => {
    const id = await snippet(world);
    await world.must('admin', 'PUT', `dhcp-snippets/${id}/`, { value: '{"valid-lifetime": 600}' });
    return { path: { id }, fields: { to: '-1' } };
  },
  'DNSResources.read': just(),
  'DNSResources.create': async (world) => {
    const { prefix } = await subnet(world);
    return { fields: { name: `h${world.next()}`, domain: await domain(world), ip_addresses: `${prefix}.60` } };
  },
  'DNSResource.read': of('id', dnsResource),
  'DNSResource.update': of('id', dnsResource, { address_ttl: '60' }),
  'DNSResource.delete': of('id', dnsResource),
  'DNSResourceRecords.read': just(),
  'DNSResourceRecords.create': async (world) => ({
    fields: { name: `h${world.next()}`, domain: await domain(world), rrtype: 'TXT', rrdata: 'hello' },
  }),
  'DNSResourceRecord.read': of('id', dnsRecord),
  'DNSResourceRecord.update': of('id', dnsRecord, { rrdata: 'changed' }),
  'DNSResourceRecord.delete': of('id', dnsRecord),
  'Discoveries.read': just(),
  'Discoveries.by_unknown_mac': just(),
  'Discoveries.by_unknown_ip': just(),
  'Discoveries.by_unknown_ip_and_mac': just(),
  'Discoveries.clear': just({ all: 'true' }),
  'Discoveries.clear_by_mac_and_ip': async (world) => ({ fields: await seen(world) }),
  'Discoveries.scan': just({ force: 'true' }),
  'Discovery.read': async (world) => {
    const { ip } = await seen(world);
    const found: { ip: string; discovery_id: string }[] = await world.must('admin', 'GET', 'discovery/');
    return { path: { discovery_id: found.find((one) => one.ip === ip)?.discovery_id ?? '' } };
  },
  'Networks.read': just(),
  'Networks.create': () => ({ refused: 'gone' }),
  'Network.update': async (world) => ({ path: { name: await network(world) }, refused: 'gone' }),
  'Network.delete': async (world) => ({ path: { name: await network(world) }, refused: 'gone' }),
  'Network.connect_macs': async (world) => ({ path: { name: await network(world) }, refused: 'gone' }),
  'Network.disconnect_macs': async (world) => ({ path: { name: await network(world) }, refused: 'gone' }),
  'Network.read': of('name', network),
  'Network.list_connected_macs': of('name', network),
};
