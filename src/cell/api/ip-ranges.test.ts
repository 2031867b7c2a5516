import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from '../../../test/network-server.ts';

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

describe('IP ranges', () => {
  test('a range as MAAS shows it', async () => {
    const { net, subnet } = await freshSubnet();
    const range = await at.must('POST', 'ipranges/', {
      type: 'reserved',
      start_ip: `${net}.10`,
      end_ip: `${net}.20`,
      subnet: subnet.id,
      comment: 'racks',
    });
    expect(range).toEqual({
      id: range.id,
      type: 'reserved',
      start_ip: `${net}.10`,
      end_ip: `${net}.20`,
      comment: 'racks',
      user: { username: 'admin', email: '', is_superuser: true, is_local: true, resource_uri: '/MAAS/api/2.0/users/admin/' },
      subnet,
      resource_uri: `/MAAS/api/2.0/ipranges/${range.id}/`,
    });
    expect(await at.must('PUT', `ipranges/${range.id}/`, { end_ip: `${net}.15`, comment: '' })).toMatchObject({
      end_ip: `${net}.15`,
      comment: '',
    });
    expect((await at.must('GET', 'ipranges/')).map((one: { id: number }) => one.id)).toContain(range.id);
    expect((await at.ask('DELETE', `ipranges/${range.id}/`)).status).toBe(204);
    const gone = await at.ask('DELETE', `ipranges/${range.id}/`);
    expect([gone.status, gone.text]).toEqual([404, 'No IPRange matches the given query.']);
  });

  test.each([
    ['.20', '.10', 'end_ip', 'End IP address must not be less than Start IP address.'],
    ['.0', '.10', 'start_ip', 'Reserved network address cannot be included in IP range.'],
    ['.10', '.255', 'end_ip', 'Broadcast address cannot be included in IP range.'],
  ])('%s to %s is refused', async (start, end, field, text) => {
    const { net, subnet } = await freshSubnet();
    const answer = await at.ask('POST', 'ipranges/', { type: 'dynamic', start_ip: net + start, end_ip: net + end, subnet: subnet.id });
    expect([answer.status, answer.body]).toEqual([400, { [field]: [text] }]);
  });

  test('outside of the subnet, of two families, in no subnet, over the gateway or a machine', async () => {
    const { net, subnet, vlan } = await freshSubnet();
    const put = (start: string, end: string, more = {}) =>
      at.ask('POST', 'ipranges/', { type: 'dynamic', start_ip: start, end_ip: end, ...more });
    expect((await put('10.250.0.1', '10.250.0.9', { subnet: subnet.id })).body).toEqual({
      start_ip: [`IP addresses must be within subnet: ${net}.0/24.`],
      end_ip: [`IP addresses must be within subnet: ${net}.0/24.`],
    });
    expect(Object.keys((await put('10.250.0.1', '10.250.0.9')).body)).toEqual(['subnet']);
    expect(Object.keys((await put(`${net}.1`, 'fd00::9')).body)).toEqual(['end_ip']);
    expect(Object.keys((await put('1.2.3', `${net}.9`)).body)).toEqual(['start_ip']);
    await at.must('PUT', `subnets/${subnet.id}/`, { gateway_ip: `${net}.1` });
    expect((await put(`${net}.1`, `${net}.9`)).body).toEqual({ __all__: ["Requested dynamic range conflicts with the subnet's gateway."] });
    const id = await at.machine();
    const nic = await at.must('POST', `nodes/${id}/interfaces/?op=create_physical`, { mac_address: '52:54:00:aa:04:01', vlan: vlan.id });
    await at.must('POST', `nodes/${id}/interfaces/${nic.id}/?op=link_subnet`, {
      mode: 'STATIC',
      subnet: subnet.id,
      ip_address: `${net}.50`,
    });
    expect((await put(`${net}.40`, `${net}.60`)).body.__all__[0]).toContain(`conflicts with an existing address ${net}.50 of machine`);
  });

  test('of many overlapping ranges at once exactly one is made', async () => {
    const { net, subnet } = await freshSubnet();
    const raced = await Promise.all(
      Array.from({ length: 10 }, (_, at2) =>
        at.ask('POST', 'ipranges/', {
          type: at2 % 2 ? 'dynamic' : 'reserved',
          start_ip: `${net}.${20 + at2}`,
          end_ip: `${net}.${60 + at2}`,
        }),
      ),
    );
    expect(raced.filter((one) => one.status === 200)).toHaveLength(1);
    for (const one of raced.filter((two) => two.status !== 200))
      expect(one.body.__all__[0]).toMatch(/conflicts with an existing (dynamic|reserved) range/);
    const kept = (await at.must('GET', 'ipranges/')).filter((range: { subnet: { id: number } }) => range.subnet.id === subnet.id);
    expect(kept).toHaveLength(1);
  });

  test('a range and an address in it at once: never both', async () => {
    const { net, subnet, vlan } = await freshSubnet();
    const id = await at.machine();
    const nic = await at.must('POST', `nodes/${id}/interfaces/?op=create_physical`, { mac_address: '52:54:00:aa:05:01', vlan: vlan.id });
    for (let round = 0; round < 6; round += 1) {
      const first = 20 + round * 20;
      const [range, link] = await Promise.all([
        at.ask('POST', 'ipranges/', { type: 'dynamic', start_ip: `${net}.${first}`, end_ip: `${net}.${first + 9}` }),
        at.ask('POST', `nodes/${id}/interfaces/${nic.id}/?op=link_subnet`, {
          mode: 'STATIC',
          subnet: subnet.id,
          ip_address: `${net}.${first + 5}`,
        }),
      ]);
      expect([range.status, link.status].toSorted()).toEqual([200, 400]);
    }
  });
});

test('a user makes reserved ranges and changes those only; dynamic ones are for admins', async () => {
  const fabric = await at.must('POST', 'fabrics/', {});
  const subnet = await at.must('POST', 'subnets/', { cidr: '10.69.0.0/24', vlan: fabric.vlans[0].id });
  const make = (type: string, last: number, who?: 'ann' | 'bob' | 'nobody') =>
    at.ask('POST', 'ipranges/', { type, start_ip: `10.69.0.${last}`, end_ip: `10.69.0.${last + 4}`, subnet: subnet.id }, who);
  expect([(await make('dynamic', 10, 'ann')).status, (await make('reserved', 10, 'nobody')).status]).toEqual([403, 401]);
  const hers = (await make('reserved', 10, 'ann')).body;
  expect(hers.user.username).toBe('ann');
  const dynamic = (await make('dynamic', 20)).body;
  await at.must('POST', 'ipaddresses/?op=reserve', { subnet: subnet.id, ip: '10.69.0.41' }, 'bob');
  expect((await make('reserved', 40, 'ann')).body).toEqual({
    __all__: ['Requested reserved range conflicts with an existing address 10.69.0.41 of user bob.'],
  });
  const put = (id: number, who?: 'ann' | 'bob') => at.ask('PUT', `ipranges/${id}/`, { comment: 'x' }, who);
  expect([(await put(hers.id, 'bob')).status, (await put(dynamic.id, 'ann')).status]).toEqual([403, 403]);
  expect([(await put(hers.id, 'ann')).status, (await put(hers.id)).status]).toEqual([200, 200]);
  expect((await at.ask('DELETE', `ipranges/${dynamic.id}/`, {}, 'ann')).status).toBe(403);
  expect((await at.ask('DELETE', `ipranges/${hers.id}/`, {}, 'ann')).status).toBe(204);
  expect((await at.ask('DELETE', `ipranges/${hers.id}/`)).status).toBe(404);
});

test('an address that its owner took in a reserved range of their own is no obstacle to an admin, either', async () => {
  const { net, subnet } = await freshSubnet();
  const range = { type: 'reserved', start_ip: `${net}.10`, end_ip: `${net}.20`, subnet: subnet.id };
  const { id } = await at.must('POST', 'ipranges/', range, 'ann');
  await at.must('POST', 'ipaddresses/?op=reserve', { subnet: subnet.id, ip: `${net}.11` }, 'ann');
  expect((await at.must('PUT', `ipranges/${id}/`, { comment: 'hers' }, 'admin')).comment).toBe('hers');
  await at.must('POST', 'ipaddresses/?op=reserve', { subnet: subnet.id, ip: `${net}.21` }, 'bob');
  expect((await at.ask('PUT', `ipranges/${id}/`, { end_ip: `${net}.30` }, 'admin')).status).toBe(400);
});

test('both ends of a range changed at once: neither change is lost', async () => {
  const { net, subnet } = await freshSubnet();
  for (let round = 0; round < 5; round += 1) {
    const at0 = round * 20 + 10;
    const range = { type: 'reserved', start_ip: `${net}.${at0 + 4}`, end_ip: `${net}.${at0 + 8}`, subnet: subnet.id };
    const { id } = await at.must('POST', 'ipranges/', range);
    await Promise.all([
      at.must('PUT', `ipranges/${id}/`, { start_ip: `${net}.${at0}` }),
      at.must('PUT', `ipranges/${id}/`, { end_ip: `${net}.${at0 + 12}` }),
    ]);
    expect(await at.must('GET', `ipranges/${id}/`)).toMatchObject({ start_ip: `${net}.${at0}`, end_ip: `${net}.${at0 + 12}` });
  }
});

describe('cost and events', () => {
  test('lists cost the same however much there is', async () => {
    await at.must('POST', 'spaces/', { name: 'first' });
    const before = await cost();
    for (let more = 0; more < 5; more += 1) {
      const { net } = await freshSubnet();
      await at.must('POST', 'ipranges/', { type: 'reserved', start_ip: `${net}.10`, end_ip: `${net}.20` });
      await at.must('POST', 'spaces/', { name: `space-${more}` });
      await at.must('POST', 'domains/', { name: `d${more}.example` });
    }
    expect(await cost()).toEqual(before);
  });

  async function cost(): Promise<Record<string, number>> {
    const costs: Record<string, number> = {};
    for (const path of ['fabrics/', 'subnets/', 'ipranges/', 'domains/', 'spaces/', 'static-routes/', 'rackcontrollers/', 'cells/']) {
      costs[path] = (await at.database.countStatements(() => at.must('GET', path))).statements.length;
      // Racks are processes, and what people said of them, with their tags.
      expect(costs[path]).toBeLessThanOrEqual(path === 'rackcontrollers/' ? 4 : 2);
    }
    return costs;
  }

  test('every write tells the feed, in its own transaction', async () => {
    const { net, vlan, subnet } = await freshSubnet();
    const range = await at.must('POST', 'ipranges/', { type: 'dynamic', start_ip: `${net}.10`, end_ip: `${net}.20` });
    await at.must('PUT', `vlans/${vlan.id}/`, { dhcp_on: 'true' });
    await at.must('PUT', `vlans/${vlan.id}/`, { dhcp_on: 'false' });
    await at.must('DELETE', `ipranges/${range.id}/`);
    await at.must('DELETE', `subnets/${subnet.id}/`);
    const told = await networkEvents(6);
    expect(told.map((event) => [event.type, event.username])).toEqual(Array.from({ length: 6 }, () => ['network_changed', 'admin']));
    expect(told[0]?.description).toBe(`Subnet ${net}.0/24 deleted`);
    const quiet = (await networkEvents(1))[0]?.id;
    expect((await at.ask('POST', 'subnets/', { cidr: '10.1.0.0/99' })).status).toBe(400);
    expect((await networkEvents(1))[0]?.id).toBe(quiet);
  });

  async function networkEvents(count: number) {
    const { rows } = await sql<{ id: number; type: string; username: string; description: string }>`
      select id, type, username, description from event order by id desc limit ${count}`.execute(at.db);
    return rows;
  }
});
