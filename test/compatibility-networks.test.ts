/** Rows of docs/compatibility.md on networks, storage and controllers that no other test holds. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from './network-server.ts';

let at: NetworkServer;
beforeAll(async () => {
  at = await networkServer();
});
afterAll(() => at.drop());

let drawn = 0;
const wired = async () => {
  const n = (drawn += 1);
  const vlan = (await at.must('POST', 'fabrics/', { cell: 'c17' })).vlans[0].id;
  const subnet = await at.must('POST', 'subnets/', { cidr: `10.91.${n}.0/29`, vlan });
  const id = await at.machine();
  const nics = `nodes/${id}/interfaces/`;
  const card = await at.must('POST', `${nics}?op=create_physical`, { mac_address: `52:54:00:91:00:0${n}`, vlan });
  return { id, nics, card: card.id, subnet: subnet.id, net: `10.91.${n}` };
};

test('what a bridge is made over loses its links; Open vSwitch is only named', async () => {
  const { nics, card, subnet } = await wired();
  await at.must('POST', `${nics}${card}/?op=link_subnet`, { mode: 'AUTO', subnet });
  const bridge = await at.must('POST', `${nics}?op=create_bridge`, { parent: card, bridge_type: 'ovs' });
  expect(bridge.params).toMatchObject({ bridge_type: 'ovs' });
  expect((await at.must('GET', `${nics}${card}/`)).links).toEqual([]);
});

test('an address of a DNS resource is nobody’s, and no machine is given it', async () => {
  const { nics, card, subnet, net } = await wired();
  const domain = await at.must('POST', 'domains/', { name: 'compat.example', cell: 'c17' });
  const named = [1, 2, 3].map((n) => `${net}.${n}`);
  await at.must('POST', 'dnsresources/', { name: 'web', domain: domain.id, ip_addresses: named.join(' ') });
  expect(await at.must('GET', 'ipaddresses/', { all: 'true' })).toEqual([]);
  const linked = await at.must('POST', `${nics}${card}/?op=link_subnet`, { mode: 'STATIC', subnet });
  expect(linked.links.map((link: { ip_address: string }) => link.ip_address)).toEqual([`${net}.4`]);
});

test('names in a domain that is not there are none', async () => {
  for (const list of ['dnsresources/', 'dnsresourcerecords/'])
    expect(await at.must('GET', list, { domain: 'nowhere.example' }), list).toEqual([]);
});

test('a snippet remembers its last 100 values', async () => {
  const value = (n: number) => JSON.stringify({ 'valid-lifetime': n });
  const { id } = await at.must('POST', 'dhcp-snippets/', { name: 'long', value: value(1), cell: 'c17' });
  for (let n = 2; n <= 104; n += 1) await at.must('PUT', `dhcp-snippets/${id}/`, { value: value(n) });
  const { history } = await at.must('GET', `dhcp-snippets/${id}/`);
  expect(history.length).toBeLessThanOrEqual(100);
  expect([history.length, history[0].value]).toEqual([expect.closeTo(99, -1), value(103)]);
});

test('a RAID 10 of three is of whole bytes', async () => {
  const id = await at.machine();
  const disks: number[] = [];
  for (const n of [1, 2, 3]) {
    const disk = { name: `sd${n}`, model: 'm', serial: `s${n}`, size: 10 ** 11, block_size: 512 };
    disks.push((await at.must('POST', `nodes/${id}/blockdevices/`, disk)).id);
  }
  const { size } = await at.must('POST', `nodes/${id}/raids/`, { level: 'raid-10', block_devices: disks });
  expect([Number.isSafeInteger(size), size < 1.5 * 10 ** 11, size > 1.49 * 10 ** 11]).toEqual([true, true, true]);
});

test('controllers show no interfaces', async () => {
  const racks = await at.must('GET', 'rackcontrollers/');
  expect(racks.map((rack: { interface_set: unknown }) => rack.interface_set)).toEqual(racks.map(() => []));
  expect(racks.length).toBeGreaterThan(0);
});
