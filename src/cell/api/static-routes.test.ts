import { afterAll, beforeAll, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from '../../../test/network-server.ts';

let at: NetworkServer;
let near: { id: number; cidr: string; name: string };
let far: typeof near;
let six: typeof near;
let vlan: { id: number };
beforeAll(async () => {
  at = await networkServer();
  const fabric = await at.must('POST', 'fabrics/', { cell: 'c17', name: 'routed' });
  vlan = fabric.vlans[0];
  near = await at.must('POST', 'subnets/', { cidr: '10.63.1.0/24', vlan: vlan.id, name: 'near' });
  far = await at.must('POST', 'subnets/', { cidr: '10.63.2.0/24', vlan: vlan.id });
  six = await at.must('POST', 'subnets/', { cidr: 'fd00:63::/64', vlan: vlan.id });
});
afterAll(() => at.drop());

const make = (form: Record<string, unknown>, who?: 'ann' | 'nobody') => at.ask('POST', 'static-routes/', form, who);

test('a route as MAAS shows it, changed, listed, deleted', async () => {
  const made = await at.must('POST', 'static-routes/', { source: near.id, destination: far.id, gateway_ip: '10.63.1.1', metric: 5 });
  expect(made).toEqual({
    id: made.id,
    source: near,
    destination: far,
    gateway_ip: '10.63.1.1',
    metric: 5,
    resource_uri: `/MAAS/api/2.0/static-routes/${made.id}/`,
  });
  expect((await make({ source: near.id, destination: far.id, gateway_ip: '10.63.1.1' })).status).toBe(400);
  expect(await at.must('PUT', `static-routes/${made.id}/`, { gateway_ip: '10.63.1.2' })).toMatchObject({
    gateway_ip: '10.63.1.2',
    metric: 5,
  });
  expect((await at.must('GET', 'static-routes/', undefined, 'ann')).map((one: { id: number }) => one.id)).toEqual([made.id]);
  expect((await at.ask('PUT', `subnets/${near.id}/`, { cidr: '10.63.1.128/25' })).status).toBe(409);
  expect((await at.ask('DELETE', `static-routes/${made.id}/`)).status).toBe(204);
  expect((await at.ask('PUT', `static-routes/${made.id}/`, { metric: 1 })).text).toBe('No StaticRoute matches the given query.');
});

test('what is no route is refused, and nothing is kept', async () => {
  const good = { source: near.id, destination: far.id, gateway_ip: '10.63.1.1' };
  const wrong: [Record<string, unknown>, string][] = [
    [{ gateway_ip: '10.63.2.1' }, 'gateway_ip'],
    [{ gateway_ip: '10.63.1.255' }, 'gateway_ip'],
    [{ gateway_ip: 'router' }, 'gateway_ip'],
    [{ gateway_ip: '' }, 'gateway_ip'],
    [{ destination: near.id }, 'destination'],
    [{ destination: six.id }, 'destination'],
    [{ destination: 'nowhere' }, 'destination'],
    [{ metric: -1 }, 'metric'],
    [{ metric: 'low' }, 'metric'],
  ];
  for (const [form, field] of wrong) {
    const answer = await make({ ...good, ...form });
    expect([form, answer.status, Object.keys(answer.body ?? {})]).toEqual([form, 400, [field]]);
  }
  expect([(await make(good, 'ann')).status, (await make(good, 'nobody')).status]).toEqual([403, 401]);
  expect(await at.must('GET', 'static-routes/')).toEqual([]);
});

test('subnets, VLANs and fabrics by specifiers, in parameters and paths of one cell', async () => {
  const of = (path: string) => at.mustCell('GET', path);
  for (const name of ['cidr:10.63.1.0/24', 'name:near', 'near', `id:${near.id}`, 'ip:10.63.1.77'])
    expect((await of(`subnets/${encodeURIComponent(name)}/`)).id).toBe(near.id);
  expect((await of(`subnets/${encodeURIComponent('cidr:10.63.1.0/24')}/?op=statistics`)).total_addresses).toBe(254);
  expect((await of('fabrics/name:routed/')).vlans[0].id).toBe(vlan.id);
  expect((await of('fabrics/routed/vlans/0/')).id).toBe(vlan.id);
  expect((await of('fabrics/routed/vlans/untagged/')).id).toBe(vlan.id);
  expect((await of('fabrics/routed/vlans/')).length).toBe(1);
  for (const path of ['subnets/name:none/', 'subnets/cidr:nonsense/', 'fabrics/none/', 'fabrics/routed/vlans/9/'])
    expect((await at.askCell('GET', path)).status).toBe(404);
  const route = await at.must('POST', 'static-routes/', { source: 'near', destination: far.cidr, gateway_ip: '10.63.1.1', cell: 'c17' });
  expect(route.source.id).toBe(near.id);
});

test('statistics with all parts, and with what is suggested', async () => {
  const subnet = await at.must('POST', 'subnets/', { cidr: '10.63.9.0/28', vlan: vlan.id });
  const plain = await at.must('GET', `subnets/${subnet.id}/?op=statistics`);
  expect(Object.keys(plain)).not.toContain('ranges');
  const full = await at.must('GET', `subnets/${subnet.id}/?op=statistics`, { include_ranges: 'true', include_suggestions: 'true' });
  expect(full).toMatchObject({
    ranges: [{ start: '10.63.9.1', end: '10.63.9.14', num_addresses: 14, purpose: ['unused'] }],
    suggested_gateway: '10.63.9.1',
    suggested_dynamic_range: { start: '10.63.9.12', end: '10.63.9.14', num_addresses: 3 },
  });
  await at.must('PUT', `subnets/${subnet.id}/`, { gateway_ip: '10.63.9.14' });
  await at.must('POST', 'ipranges/', { type: 'dynamic', start_ip: '10.63.9.1', end_ip: '10.63.9.5', subnet: subnet.id });
  expect(
    await at.must('GET', `subnets/${subnet.id}/?op=statistics`, { include_ranges: 'true', include_suggestions: 'true' }),
  ).toMatchObject({
    ranges: [{ purpose: ['dynamic'] }, { purpose: ['unused'] }, { purpose: ['gateway-ip'] }],
    suggested_gateway: null,
    suggested_dynamic_range: null,
  });
});

test('a second rack is one of the cell, or none', async () => {
  const set = (secondary_rack: string) => at.ask('PUT', `vlans/${vlan.id}/`, { secondary_rack });
  const [rack] = await at.must('GET', 'rackcontrollers/');
  expect((await set('')).status).toBe(200);
  expect((await set(rack.system_id)).body).toMatchObject({ secondary_rack: null });
  expect(Object.keys((await set('nobody')).body)).toEqual(['secondary_rack']);
});

test('networks: the subnets as MAAS 1 showed them; writes are gone', async () => {
  const id = await at.machine();
  const nic = await at.must('POST', `nodes/${id}/interfaces/?op=create_physical`, { mac_address: '52:54:00:63:00:01', vlan: vlan.id });
  await at.must('POST', `nodes/${id}/interfaces/${nic.id}/?op=link_subnet`, { mode: 'AUTO', subnet: near.id });
  const shown = {
    name: `subnet-${near.id}`,
    ip: '10.63.1.0',
    netmask: '255.255.255.0',
    vlan_tag: 0,
    description: 'near',
    default_gateway: null,
    dns_servers: [],
    resource_uri: `/MAAS/api/2.0/networks/subnet-${near.id}/`,
  };
  expect(await at.must('GET', 'networks/', { node: id })).toEqual([shown]);
  expect(await at.must('GET', 'networks/', { node: [id, await at.machine()] })).toEqual([]);
  expect(await at.must('GET', 'networks/')).toContainEqual(shown);
  expect(await at.must('GET', `networks/subnet-${near.id}/`)).toEqual(shown);
  expect(await at.must('GET', `networks/subnet-${near.id}/?op=list_connected_macs`)).toEqual([{ mac_address: '52:54:00:63:00:01' }]);
  expect((await at.ask('GET', 'networks/subnet-5/')).status).toBe(404);
  const path = `networks/subnet-${near.id}/`;
  for (const [method, url] of [
    ['POST', 'networks/'],
    ['PUT', path],
    ['DELETE', path],
    ['POST', `${path}?op=connect_macs`],
    ['POST', `${path}?op=disconnect_macs`],
  ] as const) {
    expect([url, (await at.ask(method, url, {})).status]).toEqual([url, 410]);
    expect([url, (await at.ask(method, url, {}, 'ann')).status]).toEqual([url, 403]);
  }
});
