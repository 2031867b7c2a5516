/** Bodies as clients parse them: whole examples are accepted, and each of the mistakes that break a client is not. */
import { describe, expect, test } from 'vitest';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { BlockDevice } from './block-devices.ts';
import { BootResourceWithSets } from './boot-resources.ts';
import { Domain } from './domains.ts';
import { Event } from './events.ts';
import { Fabric } from './fabrics.ts';
import { Finding } from './findings.ts';
import { Interface } from './interfaces.ts';
import { IPRange } from './ip-ranges.ts';
import { Machine } from './machine.ts';
import { Operation } from './operations.ts';
import { Space } from './spaces.ts';
import { StaticRoute } from './static-routes.ts';
import { Subnet } from './subnets.ts';
import { Tag } from './tags.ts';
import { Version } from './program.ts';
import { Vlan } from './vlans.ts';

const cell = 1700 * 100_000_000_000;
const api = '/MAAS/api/2.0';
const sid = '7fg3k4h';

const domain = {
  id: cell + 1,
  name: 'c1.example',
  authoritative: true,
  ttl: null,
  is_default: true,
  resource_record_count: 3,
  resource_uri: `${api}/domains/${cell + 1}/`,
};
const vlan = {
  id: cell + 2,
  name: 'untagged',
  vid: 0,
  fabric: 'rack-7',
  fabric_id: cell + 3,
  mtu: 9000,
  primary_rack: sid,
  secondary_rack: null,
  dhcp_on: true,
  external_dhcp: null,
  relay_vlan: null,
  space: 'undefined',
  enlists: true,
  resource_uri: `${api}/vlans/${cell + 2}/`,
};
const subnet = {
  id: cell + 4,
  name: 'boot',
  description: '',
  vlan,
  space: 'undefined',
  cidr: '10.40.1.0/24',
  gateway_ip: null,
  dns_servers: [],
  rdns_mode: 2,
  active_discovery: false,
  allow_dns: true,
  allow_proxy: true,
  managed: true,
  disabled_boot_architectures: [],
  resource_uri: `${api}/subnets/${cell + 4}/`,
};
const link = { id: cell + 5, mode: 'auto', ip_address: '10.40.1.7', subnet };
const nic = {
  system_id: sid,
  id: cell + 6,
  name: 'eno1',
  type: 'physical',
  vlan,
  mac_address: '52:54:00:40:01:07',
  parents: [],
  children: [],
  tags: [],
  enabled: true,
  links: [link, { id: cell + 7, mode: 'link_up' }],
  params: '',
  discovered: null,
  effective_mtu: 9000,
  vendor: null,
  product: null,
  firmware_version: null,
  link_connected: true,
  interface_speed: 10_000,
  link_speed: 10_000,
  numa_node: null,
  sriov_max_vf: 0,
  resource_uri: `${api}/nodes/${sid}/interfaces/${cell + 6}/`,
};
const partition = {
  uuid: '0e6d2c1c-8f0f-4c7e-bb0e-3c5f2a3a0001',
  size: 536_870_912,
  bootable: true,
  tags: [],
  type: 'partition',
  used_for: 'fat32 formatted filesystem mounted at /boot/efi',
  system_id: sid,
  path: '/dev/disk/by-dname/vda-part2',
  filesystem: { fstype: 'vfat', label: 'ESP', uuid: '4F3A-11C0', mount_point: '/boot/efi', mount_options: null },
  device_id: cell + 8,
  id: cell + 9,
  resource_uri: `${api}/nodes/${sid}/blockdevices/${cell + 8}/partition/${cell + 9}`,
};
const disk = {
  system_id: sid,
  id: cell + 8,
  name: 'vda',
  type: 'physical',
  uuid: null,
  path: '/dev/disk/by-dname/vda',
  model: null,
  serial: 'DISK-0007',
  id_path: '/dev/disk/by-id/virtio-DISK-0007',
  size: 10_737_418_240,
  block_size: 512,
  available_size: 0,
  used_size: 10_737_418_240,
  used_for: 'GPT partitioned with 1 partition',
  tags: ['ssd'],
  filesystem: null,
  partition_table_type: 'GPT',
  partitions: [partition],
  firmware_version: null,
  storage_pool: null,
  numa_node: 0,
  resource_uri: `${api}/nodes/${sid}/blockdevices/${cell + 8}/`,
};

const scriptKinds = ['commissioning', 'testing', 'cpu_test', 'memory_test', 'network_test', 'storage_test', 'interface_test', 'other_test'];
const machine = {
  system_id: sid,
  hostname: 'worker-7',
  description: '',
  hardware_uuid: '5a1de0a4-32a5-4a5e-9b86-30c8a0a10007',
  domain,
  fqdn: 'worker-7.c1.example',
  owner: null,
  owner_data: { 'juju-controller': 'abc' },
  locked: false,
  cache_sets: [],
  bcaches: [],
  bios_boot_method: 'uefi',
  boot_interface: nic,
  architecture: 'amd64/generic',
  min_hwe_kernel: '',
  hwe_kernel: null,
  cpu_count: 8,
  cpu_speed: 2400,
  memory: 16_384,
  swap_size: null,
  storage: 10_737.41824,
  status: 9,
  osystem: 'debian',
  distro_series: '12',
  ephemeral_deploy: false,
  error_description: '',
  netboot: true,
  power_type: 'redfish',
  power_state: 'on',
  tag_names: ['virtual'],
  address_ttl: null,
  ip_addresses: ['10.40.1.7'],
  interface_set: [nic],
  zone: { id: 1, name: 'default', description: '', resource_uri: `${api}/zones/default/` },
  pool: { id: 0, name: 'default', description: '', resource_uri: `${api}/resourcepool/0/` },
  disable_ipv4: false,
  constraints_by_type: { storage: { root: [cell + 8, 'partition:9'] }, interfaces: { lan: [cell + 6] } },
  boot_disk: disk,
  blockdevice_set: [disk],
  physicalblockdevice_set: [disk],
  virtualblockdevice_set: [],
  volume_groups: [{ system_id: sid, id: cell + 20, __incomplete__: true }],
  raids: [],
  status_action: '',
  status_message: 'Deploying',
  status_name: 'Deploying',
  node_type: 0,
  node_type_name: 'Machine',
  special_filesystems: [],
  parent: null,
  default_gateways: { ipv4: { gateway_ip: null, link_id: null }, ipv6: { gateway_ip: null, link_id: null } },
  current_commissioning_result_id: cell + 30,
  current_testing_result_id: null,
  current_installation_result_id: null,
  ...Object.fromEntries(
    scriptKinds.flatMap((kind) => [
      [`${kind}_status`, -1],
      [`${kind}_status_name`, 'Unknown'],
    ]),
  ),
  hardware_info: { system_vendor: 'QEMU', cpu_model: 'Unknown' },
  numanode_set: [{ index: 0, cores: [0, 1], memory: 16_384, hugepages_set: [] }],
  workload_annotations: {},
  last_sync: null,
  sync_interval: null,
  next_sync: null,
  enable_hw_sync: false,
  enable_kernel_crash_dump: false,
  is_dpu: false,
  resource_uri: `${api}/machines/${sid}/`,
  operation: {
    id: cell + 40,
    kind: 'deploy',
    step: 'await_claim',
    note: 'Waiting for the machine to claim its ticket.',
    started: '2026-11-23T13:20:00.000Z',
    since: '2026-11-23T13:21:00.000Z',
    deadline: '2026-11-23T14:20:00.000Z',
    waits_for_hands: false,
    resource_uri: `${api}/operations/${cell + 40}/`,
  },
  status_since: '2026-11-23T13:20:00.000Z',
  power_state_at: '2026-11-23T13:20:59.120Z',
  power_evidence: 'redfish 10.40.2.7',
  cell: 'c1',
};

const bodies: Record<string, [TSchema, object]> = {
  machine: [Machine, machine],
  interface: [Interface, nic],
  disk: [BlockDevice, disk],
  domain: [Domain, domain],
  vlan: [Vlan, vlan],
  subnet: [Subnet, subnet],
  fabric: [Fabric, { id: cell + 3, name: 'rack-7', class_type: null, vlans: [vlan], resource_uri: `${api}/fabrics/${cell + 3}/` }],
  'undefined space': [
    Space,
    { id: -1, name: 'undefined', description: '', vlans: [vlan], subnets: [subnet], resource_uri: `${api}/spaces/-1/` },
  ],
  'static route': [
    StaticRoute,
    { id: cell + 50, source: subnet, destination: subnet, gateway_ip: '10.40.1.1', metric: 0, resource_uri: `${api}/static-routes/1/` },
  ],
  'ip range': [
    IPRange,
    {
      id: cell + 51,
      type: 'dynamic',
      start_ip: '10.40.1.100',
      end_ip: '10.40.1.200',
      comment: '',
      user: null,
      subnet,
      resource_uri: `${api}/ipranges/1/`,
    },
  ],
  tag: [Tag, { name: 'virtual', definition: '', comment: '', kernel_opts: '', resource_uri: `${api}/tags/virtual/` }],
  event: [
    Event,
    {
      username: 'unknown',
      node: sid,
      hostname: 'worker-7',
      id: 12,
      level: 'INFO',
      created: 'Mon, 23 Nov. 2026 13:21:00',
      type: 'Deploying',
      description: '',
    },
  ],
  version: [Version, { capabilities: ['networks-management'], version: '3.7.0', subversion: '' }],
  'boot resource': [
    BootResourceWithSets,
    {
      id: 1,
      type: 'Uploaded',
      name: 'debian/12',
      architecture: 'amd64/generic',
      last_deployed: null,
      resource_uri: `${api}/boot-resources/1/`,
      sets: {
        '20261123': {
          version: '20261123',
          label: 'uploaded',
          size: 9,
          complete: true,
          files: { 'root.tar.zst': { filename: 'root.tar.zst', filetype: 'tar.zst', sha256: 'ab', size: 9, complete: true } },
        },
      },
    },
  ],
  operation: [
    Operation,
    {
      id: cell + 40,
      system_id: sid,
      hostname: 'worker-7',
      kind: 'deploy',
      outcome: 'live',
      step: 'await_claim',
      note: '',
      error: '',
      requested_by: 'admin',
      bulk: null,
      waits_for_hands: false,
      abort_asked: false,
      attempt: 0,
      plan_version: 1,
      started: '2026-11-23T13:20:00.000Z',
      deadline: '2026-11-23T14:20:00.000Z',
      ended: null,
      steps: [{ step: 'start', started: '2026-11-23T13:20:00.000Z', ended: null, detail: '' }],
      cell: 'c1',
      resource_uri: `${api}/operations/1/`,
    },
  ],
  finding: [
    Finding,
    {
      id: cell + 60,
      kind: 'foreign_data',
      severity: 'critical',
      subject: sid,
      system_id: sid,
      text: 'x',
      advice: 'y',
      data: { disk: 'vda' },
      count: 1,
      first_seen: '2026-11-23T13:20:00.000Z',
      last_seen: '2026-11-23T13:20:00.000Z',
      resolved: null,
      resolved_by: null,
      cell: 'c1',
      resource_uri: `${api}/findings/1/`,
    },
  ],
};

test.each(Object.entries(bodies))('a %s is accepted', (_, [schema, body]) => {
  expect([...Compile(schema).Errors(body)]).toEqual([]);
});

// maas-api.md §2.1: gomaasapi drops the whole list for one of these.
describe('what breaks clients is refused', () => {
  const machineCheck = Compile(Machine);
  const never =
    'resource_uri system_id hostname fqdn osystem distro_series power_state status_name zone pool tag_names ip_addresses ' +
    'interface_set physicalblockdevice_set blockdevice_set owner_data memory cpu_count constraints_by_type';
  test.each(never.split(' '))('a machine whose %s is null or missing', (name) => {
    expect(machineCheck.Check({ ...machine, [name]: null })).toBe(false);
    expect(machineCheck.Check({ ...machine, [name]: undefined })).toBe(false);
  });

  test.each(['architecture', 'status_message', 'boot_interface', 'boot_disk', 'hardware_uuid', 'owner', 'operation', 'power_state_at'])(
    'but not a machine whose %s is null',
    (name) => {
      expect(machineCheck.Check({ ...machine, [name]: null })).toBe(true);
    },
  );

  test('numbers as text, unknown power states, owner_data that is not text', () => {
    expect(machineCheck.Check({ ...machine, memory: '4096' })).toBe(false);
    expect(machineCheck.Check({ ...machine, power_state: 'reset' })).toBe(false);
    expect(machineCheck.Check({ ...machine, owner_data: { n: 1 } })).toBe(false);
  });

  test('a link whose address or subnet is null instead of left out', () => {
    const check = Compile(Interface);
    expect(check.Check({ ...nic, links: [{ id: 1, mode: 'link_up' }] })).toBe(true);
    expect(check.Check({ ...nic, links: [{ id: 1, mode: 'link_up', ip_address: null }] })).toBe(false);
    expect(check.Check({ ...nic, links: [{ id: 1, mode: 'link_up', subnet: null }] })).toBe(false);
    expect(check.Check({ ...nic, vlan: null, mac_address: null })).toBe(true);
  });

  test('a disk without a list of partitions, or with sizes that are no whole numbers', () => {
    const check = Compile(BlockDevice);
    expect(check.Check({ ...disk, partitions: null })).toBe(false);
    expect(check.Check({ ...disk, size: 1.5 })).toBe(false);
    expect(check.Check({ ...disk, filesystem: null, uuid: null, model: null })).toBe(true);
  });

  test('a moment without a time zone', () => {
    expect(machineCheck.Check({ ...machine, status_since: '2026-11-23 13:20' })).toBe(false);
  });
});
