import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from '../../../test/network-server.ts';
import { machineStates } from '../../contract/lifecycle.ts';

let at: NetworkServer;
beforeAll(async () => {
  at = await networkServer();
});
afterAll(() => at.drop());

let drawn = 0;
const mac = () => `52:54:00:00:${String((drawn += 1) % 100).padStart(2, '0')}:${String(Math.floor(drawn / 100)).padStart(2, '0')}`;
const fresh = async (cidr: string, more: Record<string, unknown> = {}) => {
  const fabric = await at.must('POST', 'fabrics/', {});
  const subnet = await at.must('POST', 'subnets/', { cidr, vlan: fabric.vlans[0].id, ...more });
  return { fabric, vlan: fabric.vlans[0], subnet };
};
/** A machine with one interface. */
const wired = async (vlan?: { readonly id: number }, machine: Parameters<NetworkServer['machine']>[0] = {}) => {
  const id = await at.machine(machine);
  const nics = `nodes/${id}/interfaces/`;
  const nic = await at.must('POST', `${nics}?op=create_physical`, { mac_address: mac(), ...(vlan ? { vlan: vlan.id } : {}) });
  return { id, nics, nic, url: `${nics}${nic.id}/` };
};

describe('interfaces', () => {
  test('an interface as MAAS shows it', async () => {
    const { vlan } = await fresh('10.1.0.0/24');
    const id = await at.machine();
    const made = await at.must('POST', `nodes/${id}/interfaces/?op=create_physical`, {
      mac_address: '52-54-00-FF-00-01',
      vlan: vlan.id,
      tags: 'fast,blue',
    });
    expect(made).toEqual({
      system_id: id,
      id: made.id,
      name: 'eth0',
      type: 'physical',
      vlan,
      mac_address: '52:54:00:ff:00:01',
      parents: [],
      children: [],
      tags: ['fast', 'blue'],
      enabled: true,
      links: [],
      params: '',
      discovered: null,
      effective_mtu: 1500,
      vendor: null,
      product: null,
      firmware_version: null,
      link_connected: true,
      interface_speed: 0,
      link_speed: 0,
      numa_node: null,
      sriov_max_vf: 0,
      resource_uri: `/MAAS/api/2.0/nodes/${id}/interfaces/${made.id}/`,
    });
    expect(await at.must('GET', `nodes/${id}/interfaces/`)).toEqual([made]);
    expect(await at.must('GET', `nodes/${id}/interfaces/${made.id}/`, undefined, 'ann')).toEqual(made);
    expect((await at.must('POST', `nodes/${id}/interfaces/?op=create_physical`, { mac_address: mac() })).name).toBe('eth1');
    const changed = await at.must('PUT', `nodes/${id}/interfaces/${made.id}/`, {
      name: 'ens3',
      tags: '',
      mtu: 9000,
      link_connected: 'false',
      link_speed: 1000,
    });
    expect(changed).toMatchObject({ name: 'ens3', tags: [], effective_mtu: 9000, link_connected: false, link_speed: 1000 });
  });

  test('a MAC and a name are taken once', async () => {
    const { id, nics, nic } = await wired();
    const other = await at.machine();
    const twice = await at.ask('POST', `nodes/${other}/interfaces/?op=create_physical`, { mac_address: nic.mac_address.toUpperCase() });
    expect([twice.status, twice.body.mac_address[0]]).toEqual([
      400,
      expect.stringMatching(/^This MAC address is already in use by host\d+\.$/),
    ]);
    const named = await at.ask('POST', `${nics}?op=create_physical`, { mac_address: mac(), name: 'eth0' });
    expect([named.status, Object.keys(named.body)]).toEqual([400, ['name']]);
    const shared = mac();
    const raced = await Promise.all(
      [id, other].map((one) => at.ask('POST', `nodes/${one}/interfaces/?op=create_physical`, { mac_address: shared })),
    );
    expect(raced.map((one) => one.status).toSorted()).toEqual([200, 400]);
  });

  test('what is not there', async () => {
    const { id, url } = await wired();
    const ask = async (...given: Parameters<typeof at.ask>) => {
      const answer = await at.ask(...given);
      return [answer.status, answer.text];
    };
    expect(await ask('GET', 'nodes/339999z/interfaces/')).toEqual([404, 'No Machine matches the given query.']);
    expect(await ask('GET', 'nodes/../interfaces/')).toEqual([404, expect.any(String)]);
    expect(await ask('POST', 'nodes/nonsense/interfaces/?op=create_physical', { mac_address: mac() })).toEqual([
      404,
      'No Machine matches the given query.',
    ]);
    for (const nic of ['1', 'x', '99999999999999999']) {
      expect(await ask('GET', `nodes/${id}/interfaces/${nic}/`)).toEqual([404, 'No Interface matches the given query.']);
      expect(await ask('DELETE', `nodes/${id}/interfaces/${nic}/`)).toEqual([404, 'No Interface matches the given query.']);
    }
    // Another machine's interface is not this machine's.
    const other = await at.machine();
    const foreign = url.replace(id, other);
    expect(await ask('PUT', foreign, { name: 'mine' })).toEqual([404, 'No Interface matches the given query.']);
    expect(await ask('POST', `${url}?op=unlink_subnet`, { id: '5' })).toEqual([400, expect.stringContaining('Select a valid choice')]);
    expect(await ask('PUT', url, { vlan: '5' })).toEqual([400, '{"vlan":["Unable to find VLAN 5."]}']);
    expect(await ask('PUT', url, { mac_address: 'not a mac' })).toEqual([400, expect.stringContaining('mac_address')]);
  });

  test('the owner changes, others do not; admins always', async () => {
    const { url } = await wired(undefined, { status: 'allocated', owner: 'ann' });
    expect((await at.ask('PUT', url, { name: 'lan0' }, 'ann')).status).toBe(200);
    expect((await at.ask('PUT', url, { name: 'lan1' }, 'bob')).status).toBe(403);
    expect((await at.ask('DELETE', url, undefined, 'ann')).status).toBe(403);
    expect((await at.ask('PUT', url, { name: 'lan2' })).status).toBe(200);
    const unowned = await wired();
    expect((await at.ask('PUT', unowned.url, { name: 'lan1' }, 'ann')).status).toBe(403);
    expect((await at.ask('PUT', unowned.url, { name: 'lan1' }, 'nobody')).status).toBe(401);
  });

  test('only in the states that MAAS allows', async () => {
    const allowed: string[] = [];
    for (const status of machineStates) {
      const id = await at.machine({ status });
      const answer = await at.ask('POST', `nodes/${id}/interfaces/?op=create_physical`, { mac_address: mac() });
      if (answer.status === 200) allowed.push(status);
      else expect([answer.status, answer.text]).toEqual([409, expect.stringContaining(`Cannot change interfaces of machine ${id}`)]);
    }
    expect(allowed.toSorted()).toEqual(['allocated', 'broken', 'failed_testing', 'new', 'ready']);
  });

  test('another VLAN drops the links; the boot interface stays', async () => {
    const one = await fresh('10.2.0.0/24');
    const two = await fresh('10.2.1.0/24');
    const { id, url, nic } = await wired(one.vlan);
    await at.must('POST', `${url}?op=link_subnet`, { mode: 'AUTO', subnet: one.subnet.id });
    expect((await at.must('PUT', url, { vlan: one.vlan.id })).links).toHaveLength(1);
    expect(await at.must('PUT', url, { vlan: two.vlan.id })).toMatchObject({ links: [], vlan: { id: two.vlan.id } });
    expect(await at.must('PUT', url, { vlan: '' })).toMatchObject({ vlan: null });
    await at.db.updateTable('machine').set({ boot_interface_id: nic.id }).where('system_id', '=', id).execute();
    const refused = await at.ask('DELETE', url);
    expect([refused.status, refused.text]).toEqual([400, `Interface eth0 is what machine ${id} boots from, it cannot be deleted.`]);
  });
});

describe('links', () => {
  test('auto, DHCP, static, up; and away again', async () => {
    const { vlan, subnet } = await fresh('10.3.0.0/24', { gateway_ip: '10.3.0.1' });
    const { url, nic } = await wired();
    const up = await at.must('POST', `${url}?op=link_subnet`, { mode: 'LINK_UP' });
    // No null: gomaasapi stumbles over one.
    expect(up.links).toEqual([{ id: up.links[0].id, mode: 'link_up' }]);
    const auto = await at.must('POST', `${url}?op=link_subnet`, { mode: 'AUTO', subnet: subnet.id });
    expect(auto.links).toEqual([{ id: auto.links[0].id, mode: 'auto', subnet }]);
    expect(auto.vlan.id).toBe(vlan.id);
    expect((await at.ask('POST', `${url}?op=link_subnet`, { mode: 'auto', subnet: subnet.id })).body).toEqual({
      mode: ['Interface is already set to AUTO from this subnet.'],
    });
    const fixed = await at.must('POST', `${url}?op=link_subnet`, { mode: 'STATIC', subnet: 'cidr:10.3.0.0/24', ip_address: '10.3.0.77' });
    expect(fixed.links.map((link: { mode: string; ip_address?: string }) => [link.mode, link.ip_address])).toEqual([
      ['auto', undefined],
      ['static', '10.3.0.77'],
    ]);
    expect((await at.ask('POST', `${url}?op=link_subnet`, { mode: 'LINK_UP' })).status).toBe(400);
    const less = await at.must('POST', `${url}?op=unlink_subnet`, { id: fixed.links[1].id });
    expect(less.links).toHaveLength(1);
    expect((await at.must('POST', `${url}?op=link_subnet`, { mode: 'link_up', force: 'true' })).links).toHaveLength(1);
    await at.must('POST', `${url}?op=link_subnet`, { mode: 'dhcp', subnet: subnet.id });
    const off = await at.must('POST', `${url}?op=disconnect`);
    expect(off).toMatchObject({ id: nic.id, links: [], vlan: null });
  });

  test.each([
    [{ mode: 'STATIC' }, 'subnet', 'This field is required.'],
    [{ mode: 'AUTO', subnet: '' }, 'subnet', 'This field is required.'],
    [{ mode: 'STATIC', subnet: '77' }, 'subnet', 'Unable to find subnet 77.'],
    [{ mode: 'STATIC', subnet: 'cidr:10.99.0.0/16' }, 'subnet', 'Unable to find subnet cidr:10.99.0.0/16.'],
    [{ mode: 'WIFI', subnet: '1' }, 'mode', undefined],
    [{ subnet: '1' }, 'mode', 'This field is required.'],
  ])('%j is refused on %s', async (params, field, text) => {
    const { url } = await wired();
    const answer = await at.ask('POST', `${url}?op=link_subnet`, params as Record<string, string>);
    expect([answer.status, Object.keys(answer.body)]).toEqual([400, [field]]);
    if (text !== undefined) expect(answer.body[field]).toEqual([text]);
  });

  test('an address must be of the subnet, free, and not one of DHCP', async () => {
    const { vlan, subnet } = await fresh('10.4.0.0/24', { gateway_ip: '10.4.0.1' });
    await at.must('POST', 'ipranges/', { type: 'dynamic', start_ip: '10.4.0.100', end_ip: '10.4.0.199' });
    const a = await wired(vlan);
    const b = await wired(vlan);
    const link = (url: string, ip_address: string, more = {}) =>
      at.ask('POST', `${url}?op=link_subnet`, { mode: 'STATIC', subnet: subnet.id, ip_address, ...more });
    for (const [ip, why] of [
      ['10.5.0.1', "IP address is not in the given subnet '10.4.0.0/24'."],
      ['10.4.0.0', "IP address is not in the given subnet '10.4.0.0/24'."],
      ['10.4.0.255', "IP address is not in the given subnet '10.4.0.0/24'."],
      ['10.4.0.1', "IP address is the subnet's gateway."],
      ['10.4.0.150', 'IP address is inside the dynamic range 10.4.0.100 to 10.4.0.199.'],
      ['fd00::1', "IP address is not in the given subnet '10.4.0.0/24'."],
      ['10.4.0', 'Enter a valid IPv4 or IPv6 address.'],
    ] as const) {
      expect([ip, (await link(a.url, ip)).body]).toEqual([ip, { ip_address: [why] }]);
    }
    expect((await link(a.url, '10.4.0.10', { mode: 'AUTO' })).status).toBe(400);
    expect((await link(a.url, '10.4.0.10')).status).toBe(200);
    const taken = await link(b.url, '10.4.0.10');
    expect([taken.status, taken.text]).toEqual([409, expect.stringMatching(/^IP address 10\.4\.0\.10 is in use: machine host\d+\.$/)]);
    const other = await fresh('10.4.1.0/24');
    expect((await at.ask('POST', `${a.url}?op=link_subnet`, { mode: 'STATIC', subnet: other.subnet.id })).body).toEqual({
      subnet: ['Subnet 10.4.1.0/24 is on another VLAN than interface eth0.'],
    });
  });

  test('many at once for the next free address get different ones, until the subnet is full', async () => {
    const { vlan, subnet } = await fresh('10.6.0.0/29', { gateway_ip: '10.6.0.1' });
    await at.must('POST', 'ipranges/', { type: 'reserved', start_ip: '10.6.0.2', end_ip: '10.6.0.2' });
    const machines = await Promise.all(Array.from({ length: 6 }, () => wired(vlan)));
    const raced = await Promise.all(
      machines.map(({ url }) => at.ask('POST', `${url}?op=link_subnet`, { mode: 'STATIC', subnet: subnet.id })),
    );
    const given = raced.filter((one) => one.status === 200).map((one) => one.body.links[0].ip_address);
    expect(given.toSorted()).toEqual(['10.6.0.3', '10.6.0.4', '10.6.0.5', '10.6.0.6']);
    const refused = raced.filter((one) => one.status !== 200).map((one) => [one.status, one.text]);
    expect(refused).toEqual([1, 2].map(() => [409, 'Subnet 10.6.0.0/29 is in use: no address of it is free.']));
  });

  test('many at once for one address: one gets it', async () => {
    const { vlan, subnet } = await fresh('10.7.0.0/24');
    const machines = await Promise.all(Array.from({ length: 6 }, () => wired(vlan)));
    const raced = await Promise.all(
      machines.map(({ url }) => at.ask('POST', `${url}?op=link_subnet`, { mode: 'STATIC', subnet: subnet.id, ip_address: '10.7.0.9' })),
    );
    expect(raced.map((one) => one.status).toSorted()).toEqual([200, 409, 409, 409, 409, 409]);
  });

  test('an unmanaged subnet gives out only what is reserved', async () => {
    const { vlan, subnet } = await fresh('10.8.0.0/16', { managed: 'false' });
    const { url } = await wired(vlan);
    const link = () => at.ask('POST', `${url}?op=link_subnet`, { mode: 'STATIC', subnet: subnet.id });
    expect((await link()).status).toBe(409);
    await at.must('POST', 'ipranges/', { type: 'reserved', start_ip: '10.8.9.8', end_ip: '10.8.9.9' });
    expect((await link()).body.links[0].ip_address).toBe('10.8.9.8');
    expect(await at.must('GET', `subnets/${subnet.id}/?op=unreserved_ip_ranges`)).toEqual([
      { start: '10.8.9.9', end: '10.8.9.9', num_addresses: 1 },
    ]);
  });

  test('the default gateway is what was chosen, until it is forgotten or its link goes', async () => {
    const one = await fresh('10.9.0.0/24', { gateway_ip: '10.9.0.1' });
    const two = await fresh('10.9.2.0/24', { gateway_ip: '10.9.2.1' });
    const bare = await fresh('10.9.1.0/24');
    const { id, nics, url, nic } = await wired(one.vlan);
    await at.db.updateTable('machine').set({ boot_interface_id: nic.id }).where('system_id', '=', id).execute();
    await at.must('POST', `${url}?op=link_subnet`, { mode: 'AUTO', subnet: one.subnet.id });
    const ipv4 = async () => (await at.must('GET', `machines/${id}/`)).default_gateways.ipv4;
    // Nobody chose: it is the boot interface's, and MAAS names no link then.
    expect(await ipv4()).toEqual({ gateway_ip: '10.9.0.1', link_id: null });
    const second = await at.must('POST', `${nics}?op=create_physical`, { mac_address: mac(), vlan: two.vlan.id });
    const linked = await at.must('POST', `${nics}${second.id}/?op=link_subnet`, {
      mode: 'STATIC',
      subnet: two.subnet.id,
      default_gateway: 'true',
    });
    expect(await ipv4()).toEqual({ gateway_ip: '10.9.2.1', link_id: linked.links[0].id });
    await at.must('POST', `${url}?op=set_default_gateway`);
    expect((await ipv4()).gateway_ip).toBe('10.9.0.1');
    expect((await ipv4()).link_id).not.toBeNull();
    await at.must('POST', `${nics}${second.id}/?op=set_default_gateway`, { link_id: linked.links[0].id });
    expect((await ipv4()).gateway_ip).toBe('10.9.2.1');
    await at.must('POST', `${nics}${second.id}/?op=unlink_subnet`, { id: linked.links[0].id });
    expect(await ipv4()).toEqual({ gateway_ip: '10.9.0.1', link_id: null });
    await at.must('POST', `${url}?op=set_default_gateway`);
    const cleared = await at.must('POST', `machines/${id}/?op=clear_default_gateways`);
    expect(cleared.default_gateways.ipv4).toEqual({ gateway_ip: '10.9.0.1', link_id: null });

    // Refusals, and nothing was changed by them.
    const other = await wired(bare.vlan);
    const ask = async (params: Record<string, unknown>) => (await at.ask('POST', `${other.url}?op=link_subnet`, params)).body;
    expect(Object.keys(await ask({ mode: 'AUTO', subnet: bare.subnet.id, default_gateway: 'true' }))).toEqual(['default_gateway']);
    expect(await ask({ mode: 'DHCP', subnet: bare.subnet.id, default_gateway: 'true' })).toEqual({
      default_gateway: ["Cannot use in mode 'dhcp'."],
    });
    const none = await at.ask('POST', `${other.url}?op=set_default_gateway`);
    expect([none.status, none.text]).toEqual([400, 'This interface has no usable gateways.']);
    expect((await at.must('GET', other.url)).links).toEqual([]);
    await at.must('POST', `${url}?op=link_subnet`, { mode: 'STATIC', subnet: one.subnet.id });
    const unclear = await at.ask('POST', `${url}?op=set_default_gateway`);
    expect(unclear.body).toEqual({ link_id: ['This field is required; Interface has more than one usable IPv4 gateway.'] });
    expect((await at.ask('POST', `${url}?op=set_default_gateway`, { link_id: '7' })).status).toBe(400);
  });

  test('a machine that leaves its state meanwhile is not changed', async () => {
    const { vlan, subnet } = await fresh('10.10.0.0/24');
    const { id, url } = await wired(vlan);
    const [taken, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const deploying = at.database.transaction(async (tx) => {
      await sql`update machine set status = 9 where system_id = ${id}`.execute(tx);
      taken.resolve();
      await done.promise;
    });
    await taken.promise;
    const asked = at.ask('POST', `${url}?op=link_subnet`, { mode: 'STATIC', subnet: subnet.id });
    setTimeout(() => done.resolve(), 50);
    await deploying;
    expect((await asked).status).toBe(409);
  });
});

test('every change is an event of the machine', async () => {
  const { vlan, subnet } = await fresh('10.11.0.0/24');
  const { id, url } = await wired(vlan);
  await at.must('POST', `${url}?op=link_subnet`, { mode: 'AUTO', subnet: subnet.id });
  await at.must('DELETE', url);
  const { rows } = await sql<{ type: string }>`select type from event where system_id = ${id} order by id`.execute(at.db);
  expect(rows.map((row) => row.type)).toEqual(['interface_changed', 'interface_changed', 'interface_changed']);
});
