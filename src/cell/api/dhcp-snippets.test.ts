import { afterAll, beforeAll, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from '../../../test/network-server.ts';
import { readGlobalSnippets, readNetwork } from '../db/network-plan.ts';

let at: NetworkServer;
let subnet: { id: number };
let range: { id: number };
let node: string;
const option = (data: string) => JSON.stringify({ 'option-data': [{ name: 'tftp-server-name', data }] });
beforeAll(async () => {
  at = await networkServer();
  const fabric = await at.must('POST', 'fabrics/', { cell: 'c17' });
  const vlan = fabric.vlans[0].id;
  subnet = await at.must('POST', 'subnets/', { cidr: '10.64.1.0/24', vlan });
  range = await at.must('POST', 'ipranges/', { type: 'dynamic', start_ip: '10.64.1.100', end_ip: '10.64.1.120', subnet: subnet.id });
  node = await at.machine();
  const nic = await at.must('POST', `nodes/${node}/interfaces/?op=create_physical`, { mac_address: '52:54:00:64:00:01', vlan });
  await at.must('POST', `nodes/${node}/interfaces/${nic.id}/?op=link_subnet`, {
    mode: 'STATIC',
    subnet: subnet.id,
    ip_address: '10.64.1.9',
  });
});
afterAll(() => at.drop());

const make = (form: Record<string, unknown>, who?: 'ann' | 'nobody') => at.ask('POST', 'dhcp-snippets/', { cell: 'c17', ...form }, who);

test('a global one with its history; reverted by id and by how far back', async () => {
  const made = (await make({ name: 'boot', value: option('a'), description: 'where to boot' })).body;
  expect(made).toEqual({
    id: made.id,
    name: 'boot',
    value: option('a'),
    history: [],
    description: 'where to boot',
    enabled: true,
    node: null,
    subnet: null,
    iprange: null,
    global_snippet: true,
    resource_uri: `/MAAS/api/2.0/dhcp-snippets/${made.id}/`,
  });
  const url = `dhcp-snippets/${made.id}/`;
  for (const data of ['b', 'c', 'c', 'd']) await at.must('PUT', url, { value: option(data) });
  const { history } = await at.must('GET', url);
  expect(history.map((one: { value: string }) => one.value)).toEqual(['c', 'b', 'a'].map(option));
  expect(history[0].created).toMatch(/^\w{3}, \d\d \w{3}\. \d{4}/);
  expect(await at.must('POST', `${url}?op=revert`, { to: -1 })).toMatchObject({ value: option('c'), history: [{}, {}] });
  expect(await at.must('POST', `${url}?op=revert`, { to: history[2].id })).toMatchObject({ value: option('a'), history: [] });
  for (const to of [-1, 5, 'x', '']) expect([to, (await at.ask('POST', `${url}?op=revert`, { to })).status]).toEqual([to, 400]);
  expect((await at.ask('POST', `${url}?op=revert`, { to: -1 }, 'ann')).status).toBe(403);
  expect(await readGlobalSnippets(at.db)).toEqual([{ name: 'boot', json: option('a') }]);
  await at.must('PUT', url, { enabled: 'false' });
  expect(await readGlobalSnippets(at.db)).toEqual([]);
  expect((await at.ask('DELETE', url, {}, 'ann')).status).toBe(403);
  expect((await at.ask('DELETE', url)).status).toBe(204);
  expect((await at.ask('GET', url)).status).toBe(404);
});

test('at a subnet, a range and a node: each at its place of what DHCP is derived from', async () => {
  await at.must('POST', 'dhcp-snippets/', { name: 'subnet', value: '{"valid-lifetime": 60}', subnet: subnet.id });
  const inRange = await at.must('POST', 'dhcp-snippets/', { name: 'range', value: option('range'), iprange: range.id });
  expect(inRange).toMatchObject({ subnet: { id: subnet.id }, iprange: { id: range.id, start_ip: '10.64.1.100' }, global_snippet: false });
  const atNode = await at.must('POST', 'dhcp-snippets/', { name: 'node', value: option('node'), node });
  expect(atNode).toMatchObject({ node: { system_id: node, node_type: 0 }, subnet: null, global_snippet: false });
  const planned = (await readNetwork(at.db)).flatMap((vlan) => vlan.subnets).find((one) => one.id === subnet.id);
  expect(planned).toMatchObject({
    snippets: [{ name: 'subnet', json: '{"valid-lifetime": 60}' }],
    ranges: [{ snippets: [{ name: 'range', json: option('range') }] }],
    reservations: [{ mac: '52:54:00:64:00:01', snippets: [{ name: 'node', json: option('node') }] }],
  });
  expect(await readGlobalSnippets(at.db)).toEqual([]);
  expect(await at.must('PUT', `dhcp-snippets/${atNode.id}/`, { global_snippet: 'true' })).toMatchObject({
    node: null,
    global_snippet: true,
  });
  // A lifetime is nothing that a host has.
  const lifetime = await at.must('POST', 'dhcp-snippets/', { name: 'short', value: '{"valid-lifetime": 60}', cell: 'c17' });
  expect(Object.keys((await at.ask('PUT', `dhcp-snippets/${lifetime.id}/`, { node })).body)).toEqual(['value']);
  expect((await at.must('GET', 'dhcp-snippets/', undefined, 'ann')).map((one: { name: string }) => one.name)).toEqual([
    'subnet',
    'range',
    'node',
    'short',
  ]);
});

test('what Kea is not to be told is refused with the reason, and nothing is kept', async () => {
  const before = await at.must('GET', 'dhcp-snippets/');
  const wrong: [Record<string, unknown>, string, string?][] = [
    [{ value: 'option domain-name "x";' }, 'value', 'it is not JSON'],
    [{ value: '[1]' }, 'value', 'it is not a JSON object'],
    [{ value: '{"hooks-libraries": [{"library": "/tmp/x.so"}]}' }, 'value', 'is not allowed'],
    [{ value: '{"next-server": "192.0.2.1"}' }, 'value', 'is not allowed'],
    [{ value: '{"option-data": [{"data": "x"}]}' }, 'value', 'neither name nor code'],
    [{ value: '{"valid-lifetime": "long"}' }, 'value', 'not a number of seconds'],
    [{ value: '{"valid-lifetime": 60}', iprange: 1 }, 'iprange'],
    [{ value: '{"valid-lifetime": 60}', iprange: range.id }, 'value', 'not allowed for a range'],
    [{ value: option('x'), node: 'nobody' }, 'node'],
    [{ value: option('x'), subnet: 'none' }, 'subnet'],
    [{ value: option('x'), node, subnet: subnet.id }, '__all__'],
    [{ value: option('x'), node, global_snippet: 'true' }, '__all__'],
    [{ value: `${option('x')}${' '.repeat(17_000)}` }, 'value'],
    [{ name: '' }, 'name'],
  ];
  for (const [form, field, text = ''] of wrong) {
    const answer = await make({ name: 'wrong', value: option('x'), ...form });
    expect([form, answer.status, Object.keys(answer.body ?? {})]).toEqual([form, 400, [field]]);
    expect(answer.text).toContain(text);
  }
  expect((await make({ name: 'x', value: option('x') }, 'ann')).status).toBe(403);
  expect((await make({ name: 'x', value: option('x') }, 'nobody')).status).toBe(401);
  expect(await at.must('GET', 'dhcp-snippets/')).toEqual(before);
});
