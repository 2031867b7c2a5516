// Examples of what a cell owns: machines and their parts, networks, records.
import { randomUUID } from 'node:crypto';
import { just, made, of, onMachine, type Example, type Examples } from './example.ts';
import type { Person, Values, World } from './world.ts';

const fabric = made('fabrics/', (world) => ({ name: `fabric-${world.next()}` }));
const domain = made('domains/', (world) => ({ name: `d${world.next()}.example` }));

/** A fabric's tagged VLAN. */
async function vlan(world: World): Promise<{ fabric_id: string; vid: string; id: string }> {
  const fabricId = await fabric(world);
  const vid = String(10 + (world.next() % 4000));
  const { id } = await world.must('admin', 'POST', `fabrics/${fabricId}/vlans/`, { vid });
  return { fabric_id: fabricId, vid, id: String(id) };
}

/** A /24 that no other has. */
export async function subnet(world: World): Promise<{ id: string; prefix: string }> {
  const n = world.next();
  const prefix = `10.${100 + (n >> 8)}.${n & 255}`;
  const { id } = await world.must('admin', 'POST', 'subnets/', { cidr: `${prefix}.0/24`, vlan: (await vlan(world)).id });
  return { id: String(id), prefix };
}

const subnetId = async (world: World): Promise<string> => (await subnet(world)).id;

async function ipRange(world: World): Promise<string> {
  const { id, prefix } = await subnet(world);
  const range = { type: 'reserved', subnet: id, start_ip: `${prefix}.10`, end_ip: `${prefix}.20` };
  return String((await world.must('admin', 'POST', 'ipranges/', range)).id);
}

/** A Ready machine and its last interface, which it does not boot from. */
export async function nic(world: World): Promise<Record<string, string>> {
  const system_id = await world.machine('ready');
  const interfaces = await world.must('admin', 'GET', `nodes/${system_id}/interfaces/`);
  return { system_id, id: String(interfaces.at(-1).id) };
}

/** A Ready machine and all its interfaces, every one on a VLAN. */
async function nics(world: World): Promise<{ system_id: string; ids: string[] }> {
  const system_id = await world.machine('ready');
  const on = await vlan(world);
  const interfaces: { id: number }[] = await world.must('admin', 'GET', `nodes/${system_id}/interfaces/`);
  const ids = interfaces.map((one) => String(one.id));
  for (const id of ids) await world.must('admin', 'PUT', `nodes/${system_id}/interfaces/${id}/`, { vlan: on.id });
  return { system_id, ids };
}

/** A machine's disk that nothing is on. */
export async function disk(world: World): Promise<Record<string, string>> {
  const system_id = await world.machine('ready');
  const disks = await world.must('admin', 'GET', `nodes/${system_id}/blockdevices/`);
  return { system_id, id: String(disks.at(-1).id) };
}

async function linked(world: World, routed = false): Promise<{ path: Record<string, string>; link: string }> {
  const path = await nic(world);
  const { id, prefix } = await subnet(world);
  const at = `nodes/${path['system_id']}/interfaces/${path['id']}/`;
  const { vlan: on } = await world.must('admin', 'GET', `subnets/${id}/`);
  if (routed) await world.must('admin', 'PUT', `subnets/${id}/`, { gateway_ip: `${prefix}.1` });
  await world.must('admin', 'PUT', at, { vlan: String(on.id) });
  const { links } = await world.must('admin', 'POST', `${at}?op=link_subnet`, { mode: 'static', subnet: id, ip_address: `${prefix}.50` });
  return { path, link: String(links.at(-1).id) };
}

async function claimed(world: World, fields: Values = {}): Promise<Example> {
  await world.machine('ready');
  const claim = randomUUID();
  await world.must('ann', 'POST', 'machines/?op=claim', { claim });
  return { as: 'ann', fields: { claim, ...fields } };
}

async function operation(world: World): Promise<string> {
  const system_id = await world.machine('new');
  await world.must('admin', 'POST', `machines/${system_id}/?op=commission`);
  const { operation: live } = await world.must('admin', 'GET', `machines/${system_id}/`);
  return String(live.id);
}

async function finding(world: World): Promise<string> {
  const row = { kind: 'wrong_nonce', subject: `walk ${world.next()}`, text: 'a finding' };
  const { id } = await world.db.insertInto('finding').values(row).returning('id').executeTakeFirstOrThrow();
  return String(id);
}

/** A machine's newest run of scripts. */
export async function result(world: World): Promise<Record<string, string>> {
  const system_id = await world.machine('ready');
  await world.must('admin', 'POST', `machines/${system_id}/?op=commission`);
  await world.rest(system_id);
  await world.setState(system_id, 'ready', null);
  const [run] = await world.must('admin', 'GET', `nodes/${system_id}/results/`);
  return { system_id, id: String(run.id) };
}

/** A PCI device of a machine. */
async function card(world: World): Promise<Record<string, string>> {
  const system_id = await world.machine('ready');
  const place = { bus: 'PCIE', bus_number: 1, device_number: 0, pci_address: '0000:01:00.0' } as const;
  const row = { system_id, hardware_type: 0, vendor_id: '8086', product_id: '1572', ...place };
  const { id } = await world.db.insertInto('node_device').values(row).returning('id').executeTakeFirstOrThrow();
  return { system_id, id: String(id) };
}

const bulk =
  (fields: Values, as?: Person) =>
  async (world: World): Promise<Example> => ({
    fields: { machines: [await world.machine('ready'), await world.machine('ready')], bulk: `bulk-${world.next()}`, ...fields },
    ...(as === undefined ? {} : { as }),
  });

const nicFields =
  (fields: Values) =>
  async (world: World): Promise<Example> => ({ path: await nic(world), fields });
const diskFields =
  (fields: Values) =>
  async (world: World): Promise<Example> => ({ path: await disk(world), fields });
const vlanPath = async (world: World): Promise<Record<string, string>> => {
  const { fabric_id, vid } = await vlan(world);
  return { fabric_id, vid };
};
const vlanId = async (world: World): Promise<string> => (await vlan(world)).id;

export const cellExamples: Examples = {
  'Machines.read': just(),
  'Machines.summary': just(),
  'Machines.create': (world) => ({
    fields: { mac_addresses: world.mac(), architecture: 'amd64/generic', power_type: 'manual', commission: 'false' },
  }),
  // Nobody listens there: the BMC's line says so, and the call has been done.
  'Machines.add_chassis': just({ chassis_type: 'redfish', hostname: '127.0.0.1:1', username: 'u', password: 'p' }),
  'Machines.clone': async (world) => ({
    fields: {
      source: await world.machine('ready'),
      destinations: [await world.machine('ready'), await world.machine('failed_testing')],
      interfaces: 'true',
      storage: 'true',
    },
  }),
  'Machines.allocate': async (world) => {
    await world.machine('ready');
    return { as: 'ann', fields: {} };
  },
  'Machines.ask': just(),
  'Machines.claim': async (world) => {
    await world.machine('ready');
    return { as: 'ann', fields: { claim: randomUUID() } };
  },
  'Machines.confirm': claimed,
  'Machines.free_claim': claimed,
  'Machines.mark_delivered': claimed,
  'Machines.settle_key': async (world) => ({
    as: 'ann',
    headers: { 'idempotency-key': `key-${world.next()}` },
    fields: { cell: '17', claim: randomUUID(), system_id: await world.machine('allocated', 'ann'), request: 'a'.repeat(64) },
  }),
  'Machines.accept': async (world) => ({ fields: { machines: await world.machine('new') } }),
  'Machines.accept_all': just(),
  'Machines.is_registered': just({ mac_address: '52:54:00:00:00:99' }),
  'Machines.list_allocated': just(),
  'Machines.release': async (world) => ({ as: 'ann', fields: { machines: await world.machine('allocated', 'ann') } }),
  'Machines.set_zone': async (world) => ({ fields: { zone: 'east', nodes: await world.machine() } }),
  'Machines.power_parameters': async (world) => ({ fields: { id: await world.machine() } }),
  'Machines.bulk_commission': bulk({}),
  'Machines.bulk_release': async (world) => ({
    as: 'ann',
    fields: { machines: await world.machine('allocated', 'ann'), bulk: `bulk-${world.next()}` },
  }),
  'Machines.bulk_tag': bulk({ tag: 'gpu' }),
  'Machines.bulk_untag': bulk({ tag: 'gpu' }),
  'Machines.bulk_set_zone': bulk({ zone: 'east' }),
  'Machines.bulk_set_pool': bulk({ pool: 'lab' }),
  'Machine.read': onMachine('ready'),
  'Machine.update': onMachine('ready', { description: 'changed' }),
  'Machine.delete': onMachine('ready'),
  'Machine.commission': onMachine('ready'),
  'Machine.deploy': onMachine('allocated', {}, 'ann'),
  'Machine.release': onMachine('allocated', {}, 'ann'),
  'Machine.abort': async (world) => {
    const system_id = await world.machine('new');
    await world.must('admin', 'POST', `machines/${system_id}/?op=commission`);
    return { path: { system_id } };
  },
  'Machine.power_on': onMachine('allocated', {}, 'ann'),
  'Machine.power_off': onMachine('allocated', {}, 'ann'),
  'Machine.query_power_state': onMachine('ready'),
  'Machine.power_parameters': onMachine('ready'),
  'Machine.lock': onMachine('deployed', {}, 'ann'),
  'Machine.unlock': async (world) => {
    const system_id = await world.machine('deployed', 'ann');
    await world.must('ann', 'POST', `machines/${system_id}/?op=lock`);
    return { path: { system_id }, as: 'ann', fields: {} };
  },
  'Machine.mark_broken': onMachine('allocated', {}, 'ann'),
  'Machine.mark_fixed': onMachine('broken'),
  'Machine.override_failed_testing': onMachine('failed_testing'),
  'Machine.set_owner_data': onMachine('allocated', { role: 'web' }, 'ann'),
  'Machine.set_workload_annotations': onMachine('allocated', { role: 'web' }, 'ann'),
  'Machine.rescue_mode': onMachine('ready'),
  'Machine.exit_rescue_mode': onMachine('rescue_mode'),
  'Machine.test': onMachine('ready'),
  'Interfaces.read': onMachine('ready'),
  'Interfaces.create_physical': async (world) => ({
    path: { system_id: await world.machine() },
    fields: { mac_address: world.mac(), name: 'eth7' },
  }),
  'Interface.read': nicFields({}),
  'Interface.update': nicFields({ name: 'eth8' }),
  'Interface.delete': nicFields({}),
  'Interface.disconnect': nicFields({}),
  'Interface.link_subnet': async (world) => {
    const path = await nic(world);
    const { id } = await subnet(world);
    const { vlan: on } = await world.must('admin', 'GET', `subnets/${id}/`);
    await world.must('admin', 'PUT', `nodes/${path['system_id']}/interfaces/${path['id']}/`, { vlan: String(on.id) });
    return { path, fields: { mode: 'auto', subnet: id } };
  },
  'Interface.unlink_subnet': async (world) => {
    const { path, link } = await linked(world);
    return { path, fields: { id: link } };
  },
  'Interface.add_tag': nicFields({ tag: 'uplink' }),
  'Interface.remove_tag': nicFields({ tag: 'uplink' }),
  'Interface.set_default_gateway': async (world) => {
    const { path, link } = await linked(world, true);
    return { path, fields: { link_id: link } };
  },
  'Interfaces.create_bond': async (world) => {
    const { system_id, ids } = await nics(world);
    return { path: { system_id }, fields: { name: 'bond0', parents: ids, bond_mode: 'active-backup' } };
  },
  'Interfaces.create_bridge': async (world) => {
    const { system_id, ids } = await nics(world);
    return { path: { system_id }, fields: { name: 'br0', parent: ids.at(-1) ?? '' }, unread: ['parents'] };
  },
  'Interfaces.create_vlan': async (world) => {
    const { system_id, ids } = await nics(world);
    const tagged = await vlan(world);
    const { vlan: untagged } = await world.must('admin', 'GET', `nodes/${system_id}/interfaces/${ids.at(-1)}/`);
    const fabricId = String(untagged?.fabric_id ?? tagged.fabric_id);
    const on = await world.must('admin', 'POST', `fabrics/${fabricId}/vlans/`, { vid: String(10 + (world.next() % 4000)) });
    return { path: { system_id }, fields: { vlan: String(on.id), parent: ids.at(-1) ?? '' }, unread: ['parents'] };
  },
  'Machine.clear_default_gateways': onMachine('ready'),
  'Machine.restore_networking_configuration': onMachine('ready'),
  'Machine.restore_default_configuration': onMachine('ready'),
  'Machines.explain': just({ mem: '1024' }),
  'NodeScriptResult.update': async (world) => ({ path: await result(world), fields: { suppressed: 'true' } }),
  'NodeScriptResult.delete': async (world) => ({ path: await result(world) }),
  'NodeScriptResult.download': async (world) => ({ path: await result(world) }),
  'Machine.details': onMachine('ready'),
  'Machine.get_token': onMachine('ready'),
  'Machine.get_curtin_config': onMachine('deployed'),
  'NodeDevices.read': onMachine('ready'),
  'NodeDevice.read': async (world) => ({ path: await card(world) }),
  'NodeDevice.delete': async (world) => ({ path: await card(world) }),
  'Tag.devices': () => ({ path: { name: 'gpu' } }),
  'Tag.rack_controllers': () => ({ path: { name: 'gpu' } }),
  'Tag.region_controllers': () => ({ path: { name: 'gpu' } }),
  'BlockDevices.read': onMachine('ready'),
  'BlockDevices.create': onMachine('ready', { name: 'sdx', size: '1000000000000', block_size: '512', model: 'm', serial: 's1' }),
  'BlockDevice.read': diskFields({}),
  'BlockDevice.update': diskFields({ model: 'other' }),
  'BlockDevice.delete': diskFields({}),
  'BlockDevice.add_tag': diskFields({ tag: 'ssd' }),
  'BlockDevice.remove_tag': diskFields({ tag: 'ssd' }),
  'BlockDevice.set_boot_disk': diskFields({}),
  'Operations.read': just(),
  'Operations.summary': just(),
  'Operation.read': of('id', operation),
  'NodeScriptResults.read': onMachine('ready'),
  'NodeScriptResult.read': async (world) => ({ path: await result(world) }),
  'NodeResults.read': just(),
  'InstallationResults.read': just(),
  'Events.query': just(),
  'Findings.read': just(),
  'Finding.read': of('id', finding),
  'Finding.dismiss': of('id', finding),
  'Domains.read': just(),
  'Domains.create': (world) => ({ fields: { name: `d${world.next()}.example` } }),
  'Domain.read': of('id', domain),
  'Domain.update': of('id', domain, (world) => ({ name: `d${world.next()}.example` })),
  'Domain.delete': of('id', domain),
  'Domain.set_default': of('id', domain),
  'Fabrics.read': just(),
  'Fabrics.create': (world) => ({ fields: { name: `fabric-${world.next()}` } }),
  'Fabric.read': of('id', fabric),
  'Fabric.update': of('id', fabric, { class_type: '10g' }),
  'Fabric.delete': of('id', fabric),
  'Vlans.read': of('fabric_id', fabric),
  'Vlans.create': of('fabric_id', fabric, { vid: '77' }),
  'Vlan.read': async (world) => ({ path: await vlanPath(world) }),
  'Vlan.update': async (world) => ({ path: await vlanPath(world), fields: { mtu: '9000' } }),
  'Vlan.delete': async (world) => ({ path: await vlanPath(world) }),
  'VlanById.read': of('vlan_id', vlanId),
  'VlanById.update': of('vlan_id', vlanId, { mtu: '9000' }),
  'VlanById.delete': of('vlan_id', vlanId),
  'Subnets.read': just(),
  'Subnets.create': async (world) => ({ fields: { cidr: `10.99.${world.next() & 255}.0/24`, fabric: await fabric(world) } }),
  'Subnet.read': of('id', subnetId),
  'Subnet.update': of('id', subnetId, { description: 'changed' }),
  'Subnet.delete': of('id', subnetId),
  'Subnet.statistics': of('id', subnetId),
  'Subnet.reserved_ip_ranges': of('id', subnetId),
  'Subnet.unreserved_ip_ranges': of('id', subnetId),
  'Subnet.ip_addresses': of('id', subnetId),
  'IPRanges.read': just(),
  'IPRanges.create': async (world) => {
    const { id, prefix } = await subnet(world);
    return { fields: { type: 'reserved', subnet: id, start_ip: `${prefix}.10`, end_ip: `${prefix}.20` } };
  },
  'IPRange.read': of('id', ipRange),
  'IPRange.update': of('id', ipRange, { comment: 'changed' }),
  'IPRange.delete': of('id', ipRange),
  'StaticRoutes.read': just(),
  'RackControllers.read': just(),
  'RackControllers.describe_power_types': just(),
  'Cells.read': just(),
  'Cell.read': () => ({ path: { name: 'c17' } }),
};
