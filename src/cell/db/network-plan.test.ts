import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from '../../../test/network-server.ts';
import { keepAddress } from './network-plan.ts';

let at: NetworkServer;
beforeAll(async () => {
  at = await networkServer();
});
afterAll(() => at.drop());

let drawn = 0;
const booting = async (vlan: number) => {
  const id = await at.machine();
  drawn += 1;
  const nic = await at.must('POST', `nodes/${id}/interfaces/?op=create_physical`, { mac_address: `52:54:00:dd:00:${drawn + 10}`, vlan });
  await at.db.updateTable('machine').set({ boot_interface_id: nic.id }).where('system_id', '=', id).execute();
  return { id, url: `nodes/${id}/interfaces/${nic.id}/` };
};
const keep = (id: string) => at.database.transaction((tx) => keepAddress(tx, id));
const links = async (url: string) =>
  (await at.must('GET', url)).links.map((link: { mode: string; ip_address?: string }) => [link.mode, link.ip_address]);

describe('the address that a machine keeps', () => {
  test('the first free one, once, and different ones for all at once', async () => {
    const fabric = await at.must('POST', 'fabrics/', {});
    const vlan = fabric.vlans[0].id;
    await at.must('POST', 'subnets/', { cidr: '10.20.0.0/24', vlan, gateway_ip: '10.20.0.1', dns_servers: '10.20.0.2' });
    await at.must('POST', 'ipranges/', { type: 'reserved', start_ip: '10.20.0.3', end_ip: '10.20.0.4' });
    const machines = await Promise.all(Array.from({ length: 8 }, () => booting(vlan)));
    const given = await Promise.all(machines.map(({ id }) => keep(id)));
    expect(given.toSorted()).toEqual(Array.from({ length: 8 }, (_, n) => `10.20.0.${5 + n}`).toSorted());
    expect(await Promise.all(machines.map(({ id }) => keep(id)))).toEqual(given);
    expect(await links(machines[0]!.url)).toEqual([['auto', given[0]]]);
  });

  test('goes to the link that waits for one, and to the subnet that the interface is linked to', async () => {
    const fabric = await at.must('POST', 'fabrics/', {});
    const vlan = fabric.vlans[0].id;
    await at.must('POST', 'subnets/', { cidr: '10.21.0.0/24', vlan });
    const second = await at.must('POST', 'subnets/', { cidr: '10.21.1.0/24', vlan });
    const { id, url } = await booting(vlan);
    await at.must('POST', `${url}?op=link_subnet`, { mode: 'AUTO', subnet: second.id });
    expect(await keep(id)).toBe('10.21.1.1');
    expect(await links(url)).toEqual([['auto', '10.21.1.1']]);
  });

  test('a static one is kept; where nothing is managed or free there is none', async () => {
    const fabric = await at.must('POST', 'fabrics/', {});
    const vlan = fabric.vlans[0].id;
    const { id, url } = await booting(vlan);
    expect(await keep(id)).toBeUndefined();
    const subnet = await at.must('POST', 'subnets/', { cidr: '10.22.0.0/30', vlan });
    await at.must('POST', `${url}?op=link_subnet`, { mode: 'STATIC', subnet: subnet.id, ip_address: '10.22.0.2' });
    expect(await keep(id)).toBe('10.22.0.2');
    const [other, late] = [await booting(vlan), await booting(vlan)];
    expect(await keep(other.id)).toBe('10.22.0.1');
    expect(await keep(late.id)).toBeUndefined();
  });
});
