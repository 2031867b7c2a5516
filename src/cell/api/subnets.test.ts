import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from '../../../test/network-server.ts';
import { parseNetwork } from './ip-address.ts';

let at: NetworkServer;
beforeAll(async () => {
  at = await networkServer();
});
afterAll(() => at.drop());

let octet = 0;
/** A network of its own for each test. */
const freshNet = () => `10.77.${(octet += 1)}`;
const freshSubnet = async (more: Record<string, unknown> = {}) => {
  const net = freshNet();
  const fabric = await at.must('POST', 'fabrics/', {});
  const subnet = await at.must('POST', 'subnets/', { cidr: `${net}.0/24`, vlan: fabric.vlans[0].id, ...more });
  return { net, fabric, subnet, vlan: fabric.vlans[0] };
};

describe('subnets', () => {
  test('a subnet as MAAS shows it', async () => {
    const { subnet, vlan, net } = await freshSubnet({ gateway_ip: `10.77.${octet + 1}.1`, dns_servers: '10.0.0.53, 10.0.0.54' });
    expect(subnet).toEqual({
      id: subnet.id,
      name: `${net}.0/24`,
      description: '',
      vlan,
      space: 'undefined',
      cidr: `${net}.0/24`,
      gateway_ip: `${net}.1`,
      dns_servers: ['10.0.0.53', '10.0.0.54'],
      rdns_mode: 2,
      active_discovery: false,
      allow_dns: true,
      allow_proxy: true,
      managed: true,
      disabled_boot_architectures: [],
      resource_uri: `/MAAS/api/2.0/subnets/${subnet.id}/`,
    });
    expect(await at.must('PUT', `subnets/${subnet.id}/`, { gateway_ip: '', dns_servers: '', managed: 'false', name: 'lab' })).toMatchObject(
      {
        gateway_ip: null,
        dns_servers: [],
        managed: false,
        name: 'lab',
      },
    );
  });

  test('on which VLAN: an id, a fabric, a tag in a fabric, or the default', async () => {
    const fabric = await at.must('POST', 'fabrics/', { name: 'choice' });
    const vlan = await at.must('POST', `fabrics/${fabric.id}/vlans/`, { vid: 9 });
    const on = async (how: Record<string, unknown>) => (await at.must('POST', 'subnets/', { cidr: `${freshNet()}.0/24`, ...how })).vlan.id;
    expect(await on({ vlan: vlan.id })).toBe(vlan.id);
    expect(await on({ vlan: 'choice' })).toBe(fabric.vlans[0].id);
    expect(await on({ fabric: 'choice', vid: 9 })).toBe(vlan.id);
    expect(await on({ fabric: fabric.id })).toBe(fabric.vlans[0].id);
    const [oldest] = await at.must('GET', 'fabrics/');
    expect(await on({})).toBe(oldest.vlans[0].id);
    const cidr = `${freshNet()}.0/24`;
    expect((await at.ask('POST', 'subnets/', { cidr, vlan: '12' })).body).toEqual({ vlan: ['Unable to find VLAN 12.'] });
    expect((await at.ask('POST', 'subnets/', { cidr, fabric: 'choice', vid: 10 })).body).toEqual({
      vid: ['No VLAN with vid 10 in fabric choice.'],
    });
  });

  test.each([
    [{ cidr: '10.300.0.0/24' }, 'cidr'],
    [{ cidr: '10.1.0.0/33' }, 'cidr'],
    [{ cidr: 'fd00::/129' }, 'cidr'],
    [{ cidr: '0.0.0.0/0' }, 'cidr'],
    [{ cidr: '10.201.0.0/24', gateway_ip: '10.202.0.1' }, 'gateway_ip'],
    [{ cidr: '10.201.0.0/24', gateway_ip: '10.201.0.255' }, 'gateway_ip'],
    [{ cidr: '10.201.0.0/24', gateway_ip: 'router' }, 'gateway_ip'],
    [{ cidr: '10.201.0.0/24', dns_servers: 'one.one.one.one' }, 'dns_servers'],
    [{ cidr: '10.201.0.0/24', rdns_mode: '3' }, 'rdns_mode'],
    [{}, 'cidr'],
  ])('%j is refused on %s', async (params, field) => {
    const answer = await at.ask('POST', 'subnets/', params as Record<string, string>);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.body)).toEqual([field]);
  });

  test('host bits are cut off; what overlaps is refused, also by two at once', async () => {
    const net = freshNet();
    expect((await at.must('POST', 'subnets/', { cidr: `${net}.7/24` })).cidr).toBe(`${net}.0/24`);
    expect((await at.ask('POST', 'subnets/', { cidr: `${net}.128/25` })).body).toEqual({
      cidr: [`This network overlaps subnet ${net}.0/24.`],
    });
    expect((await at.ask('POST', 'subnets/', { cidr: `${net}.0/24` })).body).toEqual({ cidr: ['Subnet with this Cidr already exists.'] });
    const other = freshNet();
    const parts = ['0/24', '0/25', '128/25', '64/26', '0/26'];
    const raced = await Promise.all(parts.map((part) => at.ask('POST', 'subnets/', { cidr: `${other}.${part}` })));
    const made = raced.filter((one) => one.status === 200).map((one) => parseNetwork(one.body.cidr)!);
    expect(made.length).toBeGreaterThan(0);
    expect(made.length).toBeLessThan(parts.length);
    for (const a of made) for (const b of made) if (a !== b) expect(a.last < b.first || b.last < a.first).toBe(true);
  });

  test('a subnet that machines use, or that serves DHCP, stays', async () => {
    const { net, subnet, vlan } = await freshSubnet();
    const id = await at.machine();
    const nic = await at.must('POST', `nodes/${id}/interfaces/?op=create_physical`, { mac_address: '52:54:00:aa:01:01', vlan: vlan.id });
    await at.must('POST', `nodes/${id}/interfaces/${nic.id}/?op=link_subnet`, {
      mode: 'STATIC',
      subnet: subnet.id,
      ip_address: `${net}.9`,
    });
    const used = await at.ask('DELETE', `subnets/${subnet.id}/`);
    expect([used.status, used.text]).toEqual([409, `Subnet ${net}.0/24 is in use: 1 machine.`]);
    expect((await at.ask('PUT', `subnets/${subnet.id}/`, { cidr: `${net}.128/25` })).status).toBe(409);
    expect((await at.ask('PUT', `subnets/${subnet.id}/`, { gateway_ip: `${net}.9` })).status).toBe(400);
    expect(await at.must('PUT', `subnets/${subnet.id}/`, { cidr: `${net}.0/25` })).toMatchObject({
      cidr: `${net}.0/25`,
      name: `${net}.0/25`,
    });
    const range = await at.must('POST', 'ipranges/', { type: 'dynamic', start_ip: `${net}.100`, end_ip: `${net}.120` });
    await at.must('PUT', `vlans/${vlan.id}/`, { dhcp_on: 'true' });
    expect((await at.ask('DELETE', `subnets/${subnet.id}/`, { force: 'true' })).text).toContain('actively servicing a dynamic IP range');
    await at.must('DELETE', `ipranges/${range.id}/`);
    expect((await at.ask('DELETE', `subnets/${subnet.id}/`, { force: 'true' })).status).toBe(204);
    expect((await at.must('GET', `nodes/${id}/interfaces/${nic.id}/`)).links).toEqual([]);
    expect((await at.ask('GET', `subnets/${subnet.id}/`)).text).toBe('No Subnet matches the given query.');
  });

  test('statistics, taken and free parts, addresses', async () => {
    const { net, subnet, vlan } = await freshSubnet({ description: 'counted' });
    await at.must('PUT', `subnets/${subnet.id}/`, { gateway_ip: `${net}.1`, dns_servers: [`${net}.2`, '9.9.9.9'] });
    await at.must('POST', 'ipranges/', { type: 'dynamic', start_ip: `${net}.100`, end_ip: `${net}.149` });
    await at.must('POST', 'ipranges/', { type: 'reserved', start_ip: `${net}.150`, end_ip: `${net}.159`, comment: 'printers' });
    const id = await at.machine({ owner: 'ann', status: 'allocated' });
    const nic = await at.must('POST', `nodes/${id}/interfaces/?op=create_physical`, { mac_address: '52:54:00:aa:02:01', vlan: vlan.id });
    const linked = await at.must('POST', `nodes/${id}/interfaces/${nic.id}/?op=link_subnet`, {
      mode: 'static',
      subnet: `cidr:${net}.0/24`,
    });
    expect(linked.links).toMatchObject([{ mode: 'static', ip_address: `${net}.3`, subnet: { id: subnet.id } }]);
    expect(await at.must('GET', `subnets/${subnet.id}/?op=reserved_ip_ranges`)).toEqual([
      { start: `${net}.1`, end: `${net}.1`, num_addresses: 1, purpose: ['gateway-ip'] },
      { start: `${net}.2`, end: `${net}.2`, num_addresses: 1, purpose: ['dns-server'] },
      { start: `${net}.3`, end: `${net}.3`, num_addresses: 1, purpose: ['assigned-ip'] },
      { start: `${net}.100`, end: `${net}.149`, num_addresses: 50, purpose: ['dynamic'] },
      { start: `${net}.150`, end: `${net}.159`, num_addresses: 10, purpose: ['reserved'] },
    ]);
    expect(await at.must('GET', `subnets/${subnet.id}/?op=unreserved_ip_ranges`)).toEqual([
      { start: `${net}.4`, end: `${net}.99`, num_addresses: 96 },
      { start: `${net}.160`, end: `${net}.254`, num_addresses: 95 },
    ]);
    expect(await at.must('GET', `subnets/${subnet.id}/?op=statistics`)).toEqual({
      num_available: 191,
      largest_available: 96,
      num_unavailable: 63,
      total_addresses: 254,
      usage: 63 / 254,
      usage_string: '25%',
      available_string: '75%',
      first_address: `${net}.1`,
      last_address: `${net}.254`,
      ip_version: 4,
    });
    const [address] = await at.must('GET', `subnets/${subnet.id}/?op=ip_addresses`);
    expect(address).toMatchObject({
      ip: `${net}.3`,
      alloc_type: 1,
      alloc_type_name: 'Sticky',
      user: 'ann',
      node_summary: { system_id: id, via: 'eth0' },
    });
    expect(address.created).toMatch(/^\w{3}, \d\d \w{3}\. \d{4} \d\d:\d\d:\d\d$/);
    const [bare] = await at.must('GET', `subnets/${subnet.id}/?op=ip_addresses`, { with_username: 'false', with_summary: 'false' });
    expect(Object.keys(bare)).not.toContain('user');
    expect(Object.keys(bare)).not.toContain('node_summary');
  });

  test('an IPv6 subnet counts without overflowing', async () => {
    const subnet = await at.must('POST', 'subnets/', { cidr: 'fd00:77::/64', gateway_ip: 'fe80::1' });
    expect(subnet).toMatchObject({ cidr: 'fd00:77::/64', gateway_ip: 'fe80::1' });
    const counted = await at.must('GET', `subnets/${subnet.id}/?op=statistics`);
    expect(counted).toMatchObject({ ip_version: 6, first_address: 'fd00:77::1', last_address: 'fd00:77::ffff:ffff:ffff:ffff' });
    expect((await at.ask('POST', 'ipranges/', { type: 'dynamic', start_ip: 'fd00:77::10', end_ip: 'fd00:77::20' })).status).toBe(400);
    const range = await at.must('POST', 'ipranges/', { type: 'dynamic', start_ip: 'fd00:77::1000', end_ip: 'fd00:77::1fff' });
    expect(range).toMatchObject({ start_ip: 'fd00:77::1000', end_ip: 'fd00:77::1fff' });
    const id = await at.machine();
    const nic = await at.must('POST', `nodes/${id}/interfaces/?op=create_physical`, { mac_address: '52:54:00:aa:03:01' });
    const linked = await at.must('POST', `nodes/${id}/interfaces/${nic.id}/?op=link_subnet`, { mode: 'STATIC', subnet: subnet.id });
    expect(linked.links[0].ip_address).toBe('fd00:77::1');
    expect(linked.vlan.id).toBe(subnet.vlan.id);
  });
});
