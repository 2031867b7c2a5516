import { afterAll, beforeAll, expect, test } from 'vitest';
import { cellApi, type CellApi, type Fields } from '../../../test/cell-api.ts';
import { networkConfig } from '../network/network-config.ts';
import { readNetworkModel } from '../db/network-model.ts';

let api: CellApi;
beforeAll(async () => {
  api = await cellApi();
});
afterAll(() => api.close());

const must = async (method: 'GET' | 'POST' | 'PUT', path: string, fields: Fields = {}) => {
  const reply = await api.ask('admin', method, path, fields);
  expect([path, reply.status, reply.status === 200 ? '' : reply.text]).toEqual([path, 200, '']);
  return reply.json<ReturnType<typeof JSON.parse>>();
};
let nets = 0;
/** A Ready machine with two cards on a VLAN, both linked AUTO to its subnet of this size. */
const ready = async (prefix: number) => {
  const fabric = await must('POST', 'fabrics/');
  const vlan = String(fabric.vlans[0].id);
  const net = `10.66.${(nets += 1)}`;
  const subnet = await must('POST', 'subnets/', { cidr: `${net}.0/${prefix}`, vlan, gateway_ip: `${net}.1`, dns_servers: `${net}.2` });
  const id = await api.addIn('ready');
  const nics = `nodes/${id}/interfaces/`;
  const [first] = await must('GET', nics);
  await must('PUT', `${nics}${first.id}/`, { vlan });
  const second = await must('POST', `${nics}?op=create_physical`, { mac_address: api.nextMac(), vlan });
  for (const nic of [first, second]) await must('POST', `${nics}${nic.id}/?op=link_subnet`, { mode: 'AUTO', subnet: String(subnet.id) });
  return { id, nics, net, first, second };
};

test('a deployment gives every AUTO link its address, and bridges that were asked for', async () => {
  const { id, net, first } = await ready(24);
  const body = await must('POST', `machines/${id}/?op=deploy`, { bridge_all: 'true', bridge_fd: '2' });
  expect(
    body.interface_set.map((nic: { name: string; parents: string[]; links: { ip_address?: string }[] }) => [
      nic.name,
      nic.parents,
      nic.links.map((link) => link.ip_address),
    ]),
  ).toEqual([
    ['eth0', [], []],
    ['eth1', [], []],
    ['br-eth0', ['eth0'], [`${net}.3`]],
    ['br-eth1', ['eth1'], [`${net}.4`]],
  ]);
  const model = await readNetworkModel(api.database.db, id);
  expect(model && networkConfig(model)?.bridges).toEqual({
    'br-eth0': {
      interfaces: ['eth0'],
      macaddress: first.mac_address,
      parameters: { stp: false, 'forward-delay': 2 },
      addresses: [`${net}.3/24`],
      routes: [{ to: '0.0.0.0/0', via: `${net}.1` }],
      nameservers: { addresses: [`${net}.2`], search: ['c17.example'] },
    },
    'br-eth1': expect.objectContaining({ addresses: [`${net}.4/24`] }),
  });
});

test('a subnet that is full refuses the deployment, and nothing is changed', async () => {
  const { id, nics, net } = await ready(29);
  const others = [];
  for (let n = 0; n < 4; n += 1) others.push(await api.addIn('ready'));
  const subnet = (await must('GET', nics))[0].links[0].subnet.id;
  for (const other of others) {
    const [nic] = await must('GET', `nodes/${other}/interfaces/`);
    const given = await api.ask('admin', 'POST', `nodes/${other}/interfaces/${nic.id}/?op=link_subnet`, {
      mode: 'STATIC',
      subnet: String(subnet),
    });
    expect(given.status).toBe(200);
  }
  const before = await must('GET', `machines/${id}/`);
  const refused = await api.ask('admin', 'POST', `machines/${id}/?op=deploy`, { bridge_all: 'true' });
  expect([refused.status, refused.text]).toEqual([409, `Subnet ${net}.0/29 is in use: no address of it is free.`]);
  const after = await must('GET', `machines/${id}/`);
  expect([after.status_name, after.owner, after.interface_set]).toEqual(['Ready', null, before.interface_set]);
});

test('bridges of an unknown kind are refused', async () => {
  const id = await api.addIn('ready');
  for (const fields of [{ bridge_type: 'wooden' }, { bridge_fd: '-1' }, { bridge_all: 'maybe' }])
    expect((await api.ask('admin', 'POST', `machines/${id}/?op=deploy`, fields as Fields)).status).toBe(400);
});
