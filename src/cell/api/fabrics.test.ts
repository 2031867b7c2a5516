import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cell, networkServer, type NetworkServer } from '../../../test/network-server.ts';
import { cellOf } from '../../contract/ids.ts';
import { rackId } from './rack-id.ts';

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

describe('fabrics', () => {
  test('a fabric comes with its untagged VLAN, ids carry the cell', async () => {
    const made = await at.must('POST', 'fabrics/', { name: 'storage', class_type: '10g' });
    expect(cellOf(made.id)).toBe(cell);
    expect(made).toEqual({
      id: made.id,
      name: 'storage',
      class_type: '10g',
      vlans: [
        {
          id: made.vlans[0].id,
          name: 'untagged',
          vid: 0,
          fabric: 'storage',
          fabric_id: made.id,
          mtu: 1500,
          primary_rack: null,
          secondary_rack: null,
          dhcp_on: false,
          external_dhcp: null,
          relay_vlan: null,
          space: 'undefined',
          enlists: true,
          resource_uri: `/MAAS/api/2.0/vlans/${made.vlans[0].id}/`,
        },
      ],
      resource_uri: `/MAAS/api/2.0/fabrics/${made.id}/`,
    });
    expect(await at.must('GET', `fabrics/${made.id}/`)).toEqual(made);
    expect((await at.must('PUT', `fabrics/${made.id}/`, { name: 'san' })).name).toBe('san');
    expect((await at.ask('DELETE', `fabrics/${made.id}/`)).status).toBe(204);
    const gone = await at.ask('GET', `fabrics/${made.id}/`);
    expect([gone.status, gone.text]).toEqual([404, 'No Fabric matches the given query.']);
  });

  test('a name is taken once, also by two at once; without one it is the next number', async () => {
    const both = await Promise.all([1, 2, 3].map(() => at.ask('POST', 'fabrics/', { name: 'twin' })));
    expect(both.map((one) => one.status).toSorted()).toEqual([200, 400, 400]);
    expect(both.find((one) => one.status === 400)?.body).toEqual({ name: ['Fabric with this Name already exists.'] });
    const unnamed = await Promise.all([1, 2, 3].map(() => at.must('POST', 'fabrics/', {})));
    expect(new Set(unnamed.map((one) => one.name)).size).toBe(3);
    for (const one of unnamed) expect(one.name).toMatch(/^fabric-\d+$/);
  });

  test('the oldest is the default and stays; one with a subnet on it stays', async () => {
    const [first] = await at.must('GET', 'fabrics/');
    const refused = await at.ask('DELETE', `fabrics/${first.id}/`);
    expect([refused.status, refused.text]).toEqual([400, 'This fabric is the default fabric, it cannot be deleted.']);
    const { fabric, subnet } = await freshSubnet();
    const used = await at.ask('DELETE', `fabrics/${fabric.id}/`);
    expect([used.status, used.text]).toEqual([409, `Fabric ${fabric.name} is in use: subnet ${subnet.cidr}.`]);
    expect((await at.ask('DELETE', `subnets/${subnet.id}/`)).status).toBe(204);
    expect((await at.ask('DELETE', `fabrics/${fabric.id}/`)).status).toBe(204);
  });

  test.each(['nonsense', '0', '-1', '99999999999999999999', '1e3'])('%s is no fabric', async (id) => {
    for (const method of ['GET', 'PUT', 'DELETE'] as const) {
      const answer = await at.ask(method, `fabrics/${id}/`, method === 'PUT' ? { name: 'x' } : undefined);
      expect([answer.status, answer.text]).toEqual([404, 'No Fabric matches the given query.']);
    }
    expect((await at.ask('GET', `fabrics/${id}/vlans/`)).status).toBe(404);
  });

  test('users read, admins write, nobody else does either', async () => {
    expect((await at.ask('GET', 'fabrics/', undefined, 'ann')).status).toBe(200);
    expect((await at.ask('POST', 'fabrics/', { name: 'mine' }, 'ann')).status).toBe(403);
    expect((await at.ask('GET', 'fabrics/', undefined, 'nobody')).status).toBe(401);
    expect((await at.ask('GET', 'fabrics/', undefined, 'machine')).status).toBe(403);
  });

  test('what belongs to another cell is not made here', async () => {
    expect((await at.askCell('POST', 'fabrics/', { cell: 'c18' })).body).toEqual({ cell: ['This is cell c17. Ask a front for c18.'] });
    expect((await at.ask('POST', 'fabrics/', { cell: 'c17' })).status).toBe(200);
  });
});

describe('VLANs', () => {
  test('by tag and by id: the same VLAN', async () => {
    const fabric = await at.must('POST', 'fabrics/', {});
    const made = await at.must('POST', `fabrics/${fabric.id}/vlans/`, { vid: 42, mtu: 9000, enlists: 'false' });
    expect(made).toMatchObject({ vid: 42, name: '42', mtu: 9000, enlists: false, fabric_id: fabric.id });
    expect(await at.must('GET', `fabrics/${fabric.id}/vlans/42/`)).toEqual(made);
    expect(await at.must('GET', `vlans/${made.id}/`)).toEqual(made);
    expect((await at.must('GET', `fabrics/${fabric.id}/vlans/`)).map((vlan: { vid: number }) => vlan.vid)).toEqual([0, 42]);
    expect((await at.must('PUT', `vlans/${made.id}/`, { vid: 43 })).vid).toBe(43);
    const twice = await at.ask('POST', `fabrics/${fabric.id}/vlans/`, { vid: 43 });
    expect([twice.status, twice.body]).toEqual([400, { vid: ['A VLAN with the specified VID already exists in the destination fabric.'] }]);
    expect((await at.ask('DELETE', `fabrics/${fabric.id}/vlans/43/`)).status).toBe(204);
    const gone = await at.ask('GET', `vlans/${made.id}/`);
    expect([gone.status, gone.text]).toEqual([404, 'No VLAN matches the given query.']);
  });

  test('the untagged VLAN stays, and stays untagged', async () => {
    const fabric = await at.must('POST', 'fabrics/', {});
    const refused = await at.ask('DELETE', `fabrics/${fabric.id}/vlans/0/`);
    expect([refused.status, refused.text]).toEqual([400, 'This VLAN is the default VLAN in the fabric, it cannot be deleted.']);
    expect((await at.ask('PUT', `fabrics/${fabric.id}/vlans/0/`, { vid: 5 })).status).toBe(400);
  });

  test('DHCP is switched on only where a dynamic range is, and names the rack', async () => {
    const { net, vlan } = await freshSubnet();
    const refused = await at.ask('PUT', `vlans/${vlan.id}/`, { dhcp_on: 'true' });
    expect([refused.status, refused.body]).toEqual([400, { dhcp_on: ['dhcp can only be turned on when a dynamic IP range is defined.'] }]);
    await at.must('POST', 'ipranges/', { type: 'dynamic', start_ip: `${net}.100`, end_ip: `${net}.200` });
    const on = await at.must('PUT', `vlans/${vlan.id}/`, { dhcp_on: 'true', primary_rack: rackId(cell) });
    expect(on).toMatchObject({ dhcp_on: true, primary_rack: rackId(cell) });
    expect((await at.ask('PUT', `vlans/${vlan.id}/`, { primary_rack: 'abcdefg' })).status).toBe(400);
    expect((await at.ask('PUT', `vlans/${vlan.id}/`, { relay_vlan: String(vlan.id), dhcp_on: 'false' })).status).toBe(400);
  });

  test('a VLAN with an interface, a subnet or a relayed VLAN on it stays', async () => {
    const fabric = await at.must('POST', 'fabrics/', {});
    const vlan = await at.must('POST', `fabrics/${fabric.id}/vlans/`, { vid: 7 });
    const id = await at.machine();
    const nic = await at.must('POST', `nodes/${id}/interfaces/?op=create_physical`, { mac_address: '52:54:00:aa:00:01', vlan: vlan.id });
    const used = await at.ask('DELETE', `vlans/${vlan.id}/`);
    expect([used.status, used.text]).toEqual([409, `VLAN 7 of ${fabric.name} is in use: 1 interface.`]);
    await at.must('DELETE', `nodes/${id}/interfaces/${nic.id}/`);
    await at.must('PUT', `fabrics/${fabric.id}/vlans/0/`, { relay_vlan: String(vlan.id) });
    expect((await at.ask('DELETE', `vlans/${vlan.id}/`)).text).toContain('DHCP relayed for 1 VLAN');
    await at.must('PUT', `fabrics/${fabric.id}/vlans/0/`, { relay_vlan: '' });
    expect((await at.ask('DELETE', `vlans/${vlan.id}/`)).status).toBe(204);
  });

  test('spaces by name and id, and out again', async () => {
    const space = await at.must('POST', 'spaces/', { name: 'prod' });
    const { vlan, subnet } = await freshSubnet();
    expect((await at.must('PUT', `vlans/${vlan.id}/`, { space: 'prod' })).space).toBe('prod');
    const shown = await at.must('GET', `spaces/${space.id}/`);
    expect(shown.vlans.map((one: { id: number }) => one.id)).toEqual([vlan.id]);
    expect(shown.subnets.map((one: { id: number; space: string }) => [one.id, one.space])).toEqual([[subnet.id, 'prod']]);
    expect((await at.must('PUT', `vlans/${vlan.id}/`, { space: '' })).space).toBe('undefined');
    expect((await at.must('PUT', `vlans/${vlan.id}/`, { space: String(space.id) })).space).toBe('prod');
    expect((await at.ask('PUT', `vlans/${vlan.id}/`, { space: 'nowhere' })).body).toEqual({ space: ['Unable to find space nowhere.'] });
    // As in MAAS, a space goes with VLANs in it, which are in none from then on.
    expect((await at.ask('DELETE', `spaces/${space.id}/`)).status).toBe(204);
    expect((await at.must('GET', `vlans/${vlan.id}/`)).space).toBe('undefined');
    const rest = await at.must('GET', 'spaces/-1/');
    expect(rest.vlans.map((one: { id: number }) => one.id)).toContain(vlan.id);
  });

  test('a deletion and an interface that comes at the same moment: one of them wins', async () => {
    const fabric = await at.must('POST', 'fabrics/', {});
    for (let round = 0; round < 8; round += 1) {
      const vlan = await at.must('POST', `fabrics/${fabric.id}/vlans/`, { vid: 100 + round });
      const id = await at.machine();
      const mac = `52:54:00:ab:00:${String(10 + round)}`;
      const [removed, added] = await Promise.all([
        at.ask('DELETE', `vlans/${vlan.id}/`),
        at.ask('POST', `nodes/${id}/interfaces/?op=create_physical`, { mac_address: mac, vlan: vlan.id }),
      ]);
      expect([
        [204, 400],
        [409, 200],
      ]).toContainEqual([removed.status, added.status]);
    }
  });
});

describe('domains', () => {
  test('create, change, default, delete', async () => {
    const made = await at.must('POST', 'domains/', { name: 'Lab.Example', ttl: 60 });
    expect(made).toEqual({
      id: made.id,
      name: 'lab.example',
      authoritative: true,
      ttl: 60,
      is_default: false,
      resource_record_count: 0,
      resource_uri: `/MAAS/api/2.0/domains/${made.id}/`,
    });
    expect((await at.ask('POST', 'domains/', { name: 'lab.example' })).body).toEqual({ name: ['Domain with this Name already exists.'] });
    expect(await at.must('PUT', `domains/${made.id}/`, { ttl: 30, authoritative: 'false' })).toMatchObject({
      ttl: 30,
      authoritative: false,
    });
    const [first] = await at.must('GET', 'domains/');
    expect(first).toMatchObject({ name: 'c17.example', is_default: true });
    expect((await at.ask('DELETE', `domains/${first.id}/`)).text).toBe('This domain is the default domain, it cannot be deleted.');
    expect((await at.must('POST', `domains/${made.id}/?op=set_default`)).is_default).toBe(true);
    const raced = await Promise.all(
      [first.id, made.id, first.id, made.id, first.id].map((id) => at.ask('POST', `domains/${id}/?op=set_default`)),
    );
    expect(raced.every((one) => one.status === 200)).toBe(true);
    const defaults = (await at.must('GET', 'domains/')).filter((one: { is_default: boolean }) => one.is_default);
    expect(defaults).toHaveLength(1);
    await at.must('POST', `domains/${first.id}/?op=set_default`);
    expect((await at.ask('DELETE', `domains/${made.id}/`)).status).toBe(204);
    expect((await at.ask('GET', `domains/${made.id}/`)).text).toBe('No Domain matches the given query.');
  });

  test('a domain with machines in it stays', async () => {
    const made = await at.must('POST', 'domains/', { name: 'busy.example' });
    const id = await at.machine();
    await at.db.updateTable('machine').set({ domain_id: made.id }).where('system_id', '=', id).execute();
    const refused = await at.ask('DELETE', `domains/${made.id}/`);
    expect([refused.status, refused.text]).toEqual([409, 'Domain busy.example is in use: 1 machine.']);
    expect((await at.must('GET', `domains/${made.id}/`)).resource_record_count).toBe(1);
  });
});
