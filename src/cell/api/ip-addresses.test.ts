import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from '../../../test/network-server.ts';
import { keepAddress, readNetwork } from '../db/network-plan.ts';

let at: NetworkServer;
beforeAll(async () => {
  at = await networkServer();
});
afterAll(() => at.drop());

let octet = 0;
const freshSubnet = async (size = '24', more: Record<string, unknown> = {}) => {
  const net = `10.61.${(octet += 1)}`;
  const fabric = await at.must('POST', 'fabrics/', {});
  const subnet = await at.must('POST', 'subnets/', { cidr: `${net}.0/${size}`, vlan: fabric.vlans[0].id, ...more });
  return { net, subnet, vlan: fabric.vlans[0] };
};
let macs = 0;
const freshMac = () => `52:54:00:61:00:${((macs += 1) + 16).toString(16)}`;
const linked = async (vlan: number, subnet: number, ip: string, how: Parameters<NetworkServer['machine']>[0] = {}) => {
  const id = await at.machine(how);
  const nic = await at.must('POST', `nodes/${id}/interfaces/?op=create_physical`, { mac_address: freshMac(), vlan });
  const link = await at.ask('POST', `nodes/${id}/interfaces/${nic.id}/?op=link_subnet`, { mode: 'STATIC', subnet, ip_address: ip });
  return { id, nic, link };
};
const reserve = (form: Record<string, unknown>, who?: Parameters<NetworkServer['ask']>[3]) =>
  at.ask('POST', 'ipaddresses/?op=reserve', form, who);
const eventsNow = async () =>
  (
    await at.db
      .selectFrom('event' as never)
      .selectAll()
      .execute()
  ).length;

describe('addresses that users take', () => {
  test('the first free one, a named one, and the list of each', async () => {
    const { net, subnet } = await freshSubnet('24', { gateway_ip: `10.61.${octet + 1}.1` });
    const first = await reserve({ subnet: subnet.id }, 'ann');
    expect(first.body).toEqual({
      alloc_type: 4,
      alloc_type_name: 'User reserved',
      created: expect.stringMatching(/^\w{3}, \d\d \w{3}\. \d{4} \d\d:\d\d:\d\d$/),
      ip: `${net}.2`,
      subnet,
      owner: expect.objectContaining({ username: 'ann' }),
      interface_set: [],
      mac_address: null,
      resource_uri: '/MAAS/api/2.0/ipaddresses/',
    });
    expect((await reserve({ subnet: subnet.id, ip: `${net}.77` }, 'bob')).body.ip).toBe(`${net}.77`);
    const ips = async (who: 'ann' | 'bob' | 'admin', form?: Record<string, unknown>) =>
      (await at.must('GET', 'ipaddresses/', form, who)).map((one: { ip: string }) => one.ip);
    expect(await ips('ann')).toContain(`${net}.2`);
    expect(await ips('ann')).not.toContain(`${net}.77`);
    expect(await ips('admin', { owner: 'bob' })).toEqual([`${net}.77`]);
    expect(await ips('admin', { all: 'true', ip: `${net}.77` })).toEqual([`${net}.77`]);
    for (const form of [{ all: 'true' }, { owner: 'bob' }]) expect((await at.ask('GET', 'ipaddresses/', form, 'ann')).status).toBe(403);
    const taken = await at.must('GET', `subnets/${subnet.id}/?op=ip_addresses`);
    expect(taken.map((one: { ip: string; alloc_type: number; user: string }) => [one.ip, one.alloc_type, one.user])).toEqual([
      [`${net}.2`, 4, 'ann'],
      [`${net}.77`, 4, 'bob'],
    ]);
    const occupied = await at.must('GET', `subnets/${subnet.id}/?op=reserved_ip_ranges`);
    expect(occupied.at(-1)).toMatchObject({ start: `${net}.77`, purpose: ['assigned-ip'] });
  });

  test('machines never get it, nor what a range or a machine has; each is refused with nothing changed', async () => {
    const { net, subnet, vlan } = await freshSubnet('29', { gateway_ip: `10.61.${octet + 1}.1` });
    await at.must('POST', 'ipranges/', { type: 'dynamic', start_ip: `${net}.4`, end_ip: `${net}.4` });
    await at.must('POST', 'ipaddresses/?op=reserve', { subnet: `cidr:${net}.0/29`, ip_address: `${net}.2` }, 'ann');
    const machine = await linked(vlan.id, subnet.id, `${net}.2`);
    expect([machine.link.status, machine.link.text]).toEqual([409, `IP address ${net}.2 is in use: user ann.`]);
    await linked(vlan.id, subnet.id, `${net}.3`);
    const before = await eventsNow();
    const refusals: [Record<string, unknown>, number][] = [
      [{ subnet: subnet.id, ip: `${net}.2` }, 409],
      [{ subnet: subnet.id, ip: `${net}.3` }, 409],
      [{ subnet: subnet.id, ip: `${net}.1` }, 400],
      [{ subnet: subnet.id, ip: `${net}.4` }, 400],
      [{ subnet: subnet.id, ip: `${net}.7` }, 400],
      [{ subnet: subnet.id, ip: '192.0.2.9' }, 400],
      [{ subnet: subnet.id, ip: 'nine' }, 400],
      [{ subnet: subnet.id, mac: '52:54' }, 400],
      [{ subnet: subnet.id, hostname: 'a b' }, 400],
      [{ subnet: subnet.id, hostname: 'web.nowhere.example' }, 400],
      [{ subnet: 'name:nowhere', cell: 'c17' }, 400],
      [{ cell: 'c17' }, 400],
      [{ ip: '192.0.2.9', cell: 'c17' }, 400],
      [{ subnet: subnet.id, ip: `${net}.5\0` }, 400],
    ];
    for (const [form, status] of refusals) expect([form, (await reserve(form, 'bob')).status]).toEqual([form, status]);
    expect((await reserve({ subnet: subnet.id }, 'nobody')).status).toBe(401);
    expect(await eventsNow()).toBe(before);
  });

  test('an exhausted subnet is 503; what was taken at once by many is different each time', async () => {
    const { net, subnet } = await freshSubnet('29');
    const answers = await Promise.all(Array.from({ length: 7 }, () => reserve({ subnet: subnet.id }, 'ann')));
    const good = answers.filter((one) => one.status === 200).map((one) => one.body.ip);
    expect(good.toSorted()).toEqual([1, 2, 3, 4, 5, 6].map((n) => `${net}.${n}`));
    const full = answers.find((one) => one.status !== 200);
    expect([full?.status, full?.text]).toEqual([503, `No more IPs available in subnet: ${net}.0/29.`]);
  });

  test('with a MAC, DHCP keeps it; with a name, DNS has it; giving it back ends both', async () => {
    const { net, subnet } = await freshSubnet();
    const mac = freshMac();
    const taken = await reserve({ subnet: subnet.id, mac: mac.toUpperCase().replaceAll(':', '-'), hostname: 'printer' }, 'ann');
    expect(taken.body).toMatchObject({ ip: `${net}.1`, mac_address: mac });
    expect((await reserve({ subnet: subnet.id, mac }, 'ann')).text).toBe(`MAC address ${mac} already has the IP address(es) ${net}.1.`);
    const planned = async () =>
      (await readNetwork(at.db)).flatMap((vlan) => vlan.subnets).find((one) => one.id === subnet.id)?.reservations;
    expect(await planned()).toEqual([{ system_id: null, mac, ip: `${net}.1`, hostname: null, snippets: [] }]);
    const [name] = await at.must('GET', 'dnsresources/', { name: 'printer' });
    expect(name).toMatchObject({ fqdn: 'printer.c17.example', ip_addresses: [{ ip: `${net}.1`, owner: { username: 'ann' } }] });
    expect((await at.ask('POST', 'ipaddresses/?op=release', { ip: `${net}.1`, cell: 'c17' }, 'bob')).status).toBe(404);
    expect((await at.ask('POST', 'ipaddresses/?op=release', { ip: `${net}.1`, force: 'true', cell: 'c17' }, 'bob')).status).toBe(403);
    expect((await at.ask('POST', 'ipaddresses/?op=release', { ip: `${net}.1`, cell: 'c17' }, 'ann')).status).toBe(204);
    expect(await planned()).toEqual([]);
    expect(await at.must('GET', 'dnsresources/', { name: 'printer' })).toEqual([]);
  });

  test('an admin takes an address by force, but not from a machine that is in use', async () => {
    const { net, subnet, vlan } = await freshSubnet();
    await reserve({ subnet: subnet.id, ip: `${net}.9` }, 'ann');
    const release = (ip: string, more = {}) => at.ask('POST', 'ipaddresses/?op=release', { ip, force: 'true', cell: 'c17', ...more });
    expect((await release(`${net}.9`)).status).toBe(204);
    expect((await release(`${net}.9`)).status).toBe(404);
    const { id, nic } = await linked(vlan.id, subnet.id, `${net}.10`);
    await at.db.updateTable('machine').set({ status: 6 }).where('system_id', '=', id).execute();
    expect((await release(`${net}.10`)).status).toBe(409);
    await at.db.updateTable('machine').set({ status: 4 }).where('system_id', '=', id).execute();
    expect((await release(`${net}.10`)).status).toBe(204);
    expect((await at.must('GET', `nodes/${id}/interfaces/${nic.id}/`)).links).toEqual([]);
    const told = await at.mustCell('GET', 'events/?op=query', { id });
    expect(told.events.map((one: { description: string }) => one.description)).toContain(`IP address ${net}.10 was taken away`);
    expect((await release(`${net}.10`, { discovered: 'true' })).status).toBe(404);
  });

  test('all: addresses of machines with their interfaces', async () => {
    const { net, subnet, vlan } = await freshSubnet();
    const { id } = await linked(vlan.id, subnet.id, `${net}.20`);
    const [one] = await at.must('GET', 'ipaddresses/', { all: 'true', ip: `${net}.20` });
    expect(one).toMatchObject({ alloc_type: 1, alloc_type_name: 'Sticky', owner: null, interface_set: [{ system_id: id, name: 'eth0' }] });
  });

  test('all: addresses of devices with their interfaces', async () => {
    const { net, subnet, vlan } = await freshSubnet();
    const device = await at.must('POST', 'devices/', { mac_addresses: freshMac(), cell: 'c17' });
    const [nic] = device.interface_set;
    await at.must('PUT', `nodes/${device.system_id}/interfaces/${nic.id}/`, { vlan: vlan.id });
    await at.must('POST', `nodes/${device.system_id}/interfaces/${nic.id}/?op=link_subnet`, {
      mode: 'STATIC',
      subnet: subnet.id,
      ip_address: `${net}.21`,
    });
    const [one] = await at.must('GET', 'ipaddresses/', { all: 'true', ip: `${net}.21` });
    expect(one.interface_set).toMatchObject([{ system_id: device.system_id, name: 'eth0' }]);
  });

  test('a name that is an alias or too long gets no address, and none is taken', async () => {
    const { subnet } = await freshSubnet();
    await at.must('POST', 'dnsresourcerecords/', { fqdn: 'alias.c17.example', rrtype: 'cname', rrdata: 'www.example.com', cell: 'c17' });
    const before = await eventsNow();
    const beside = await reserve({ subnet: subnet.id, hostname: 'alias' }, 'ann');
    expect([beside.status, beside.text]).toEqual([400, expect.stringContaining('cannot coexist')]);
    expect((await reserve({ subnet: subnet.id, hostname: 'x'.repeat(64) }, 'ann')).status).toBe(400);
    expect(await eventsNow()).toBe(before);
    expect(await at.must('GET', `subnets/${subnet.id}/?op=ip_addresses`)).toEqual([]);
  });

  test('a subnet with reserved addresses stays unless it is forced', async () => {
    const { net, subnet } = await freshSubnet();
    await reserve({ subnet: subnet.id, ip: `${net}.30` }, 'ann');
    const kept = await at.ask('DELETE', `subnets/${subnet.id}/`);
    expect([kept.status, kept.text]).toEqual([409, `Subnet ${net}.0/24 is in use: 1 reserved address.`]);
    expect((await at.ask('PUT', `subnets/${subnet.id}/`, { cidr: `${net}.128/25` })).status).toBe(409);
    expect((await at.ask('PUT', `subnets/${subnet.id}/`, { gateway_ip: `${net}.30` })).status).toBe(400);
    expect((await at.ask('DELETE', `subnets/${subnet.id}/`, { force: 'true' })).status).toBe(204);
  });
});

describe('reserved IPs', () => {
  test('one for each MAC of a subnet: made, shown, described, deleted', async () => {
    const { net, subnet, vlan } = await freshSubnet();
    const mac = freshMac();
    const made = await at.must('POST', 'reservedips/', {
      ip: `${net}.50`,
      mac_address: mac.toUpperCase(),
      subnet: subnet.id,
      comment: 'lab',
    });
    expect(made).toEqual({
      id: made.id,
      ip: `${net}.50`,
      mac_address: mac,
      comment: 'lab',
      subnet,
      vlan,
      resource_uri: `/MAAS/api/2.0/reservedips/${made.id}/`,
    });
    expect(await at.must('PUT', `reservedips/${made.id}/`, { comment: 'desk', ip: `${net}.50` })).toMatchObject({ comment: 'desk' });
    expect((await at.ask('PUT', `reservedips/${made.id}/`, { ip: `${net}.51` })).status).toBe(400);
    expect((await at.must('GET', 'reservedips/', undefined, 'ann')).map((one: { id: number }) => one.id)).toContain(made.id);
    for (const [form, field] of [
      [{ ip: `${net}.50`, mac_address: freshMac() }, 'ip'],
      [{ ip: `${net}.51`, mac_address: mac }, 'mac_address'],
      [{ ip: `${net}.0`, mac_address: freshMac() }, 'ip'],
      [{ ip: `${net}.60`, mac_address: 'x' }, 'mac_address'],
      [{ ip: `${net}.60` }, 'mac_address'],
      [{ ip: 'ten', mac_address: freshMac() }, 'ip'],
    ] as const) {
      const answer = await at.ask('POST', 'reservedips/', { ...form, subnet: subnet.id });
      expect([answer.status, Object.keys(answer.body)]).toEqual([400, [field]]);
    }
    for (const who of ['ann', 'nobody'] as const)
      expect((await at.ask('POST', 'reservedips/', { ip: `${net}.61`, mac_address: freshMac(), subnet: subnet.id }, who)).status).toBe(
        who === 'ann' ? 403 : 401,
      );
    expect((await at.ask('DELETE', `reservedips/${made.id}/`, {}, 'ann')).status).toBe(403);
    expect((await at.ask('DELETE', `reservedips/${made.id}/`)).status).toBe(204);
    expect((await at.ask('GET', `reservedips/${made.id}/`)).text).toMatch(/^No \w+ matches the given query\.$/);
  });

  test('its machine gets it when it boots, others do not', async () => {
    const { net, subnet, vlan } = await freshSubnet();
    const [own, other] = [freshMac(), freshMac()];
    const booting = async (mac_address: string) => {
      const id = await at.machine();
      const nic = await at.must('POST', `nodes/${id}/interfaces/?op=create_physical`, { mac_address, vlan: vlan.id });
      await at.db.updateTable('machine').set({ boot_interface_id: nic.id }).where('system_id', '=', id).execute();
      return { id, nic };
    };
    const [mine, stranger] = [await booting(own), await booting(other)];
    await at.must('POST', 'reservedips/', { ip: `${net}.1`, mac_address: own, subnet: subnet.id });
    const link = (one: typeof mine) =>
      at.ask('POST', `nodes/${one.id}/interfaces/${one.nic.id}/?op=link_subnet`, {
        mode: 'STATIC',
        subnet: subnet.id,
        ip_address: `${net}.1`,
      });
    expect((await link(stranger)).text).toBe(`IP address ${net}.1 is in use: MAC ${own}.`);
    const keep = (id: string) => at.database.transaction((tx) => keepAddress(tx, id));
    expect(await keep(stranger.id)).toBe(`${net}.2`);
    expect(await keep(mine.id)).toBe(`${net}.1`);
    const plan = (await readNetwork(at.db)).flatMap((one) => one.subnets).find((one) => one.id === subnet.id);
    expect(plan?.reservations.map((one) => [one.mac, one.ip])).toEqual([
      [own, `${net}.1`],
      [other, `${net}.2`],
    ]);
  });
});
