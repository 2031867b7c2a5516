import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from '../../../test/network-server.ts';
import { bridgeAll, bridgeOptions, giveAddresses } from './machine-network.ts';
import { keepAddress, readNetwork } from './network-plan.ts';

let at: NetworkServer;
beforeAll(async () => {
  at = await networkServer();
});
afterAll(() => at.drop());

let drawn = 0;
/** A machine with two cards on a VLAN with one subnet, the first linked AUTO. */
const linked = async (prefix = 24) => {
  const n = (drawn += 1);
  const fabric = await at.must('POST', 'fabrics/', {});
  const vlan = fabric.vlans[0];
  const tagged = await at.must('POST', `fabrics/${fabric.id}/vlans/`, { vid: 5 });
  const subnet = await at.must('POST', 'subnets/', { cidr: `10.88.${n}.0/${prefix}`, vlan: vlan.id, gateway_ip: `10.88.${n}.1` });
  const id = await at.machine({ status: 'allocated', owner: 'ann' });
  const nics = `nodes/${id}/interfaces/`;
  const [boot, second] = [
    await at.must('POST', `${nics}?op=create_physical`, { mac_address: `52:54:00:88:01:${n + 10}`, vlan: vlan.id }),
    await at.must('POST', `${nics}?op=create_physical`, { mac_address: `52:54:00:88:02:${n + 10}`, vlan: vlan.id }),
  ];
  await at.db.updateTable('machine').set({ boot_interface_id: boot.id }).where('system_id', '=', id).execute();
  await at.must('POST', `${nics}${boot.id}/?op=link_subnet`, { mode: 'AUTO', subnet: subnet.id, default_gateway: 'true' });
  return { id, nics, vlan, tagged, subnet, boot, second, net: `10.88.${n}` };
};
const inOne = <T>(work: (tx: Parameters<typeof giveAddresses>[0]) => Promise<T>) => at.database.transaction(work);
const shown = async (nics: string) =>
  (await at.must('GET', nics)).map((nic: { name: string; links: { mode: string; ip_address?: string }[] }) =>
    [nic.name, ...nic.links.map((one) => `${one.mode} ${one.ip_address ?? '-'}`)].join(': '),
  );
const release = (id: string) => sql`update machine set owner = null, status = 4 where system_id = ${id}`.execute(at.db);

describe('addresses of a deployment', () => {
  test('every AUTO link gets its own; they go back when the machine is nobody’s, but for that of its boot interface', async () => {
    const { id, nics, subnet, second, net } = await linked();
    await at.must('POST', `${nics}${second.id}/?op=link_subnet`, { mode: 'AUTO', subnet: subnet.id });
    expect(await inOne((tx) => giveAddresses(tx, id))).toEqual([]);
    expect(await inOne((tx) => giveAddresses(tx, id))).toEqual([]);
    expect(await shown(nics)).toEqual([`eth0: auto ${net}.2`, `eth1: auto ${net}.3`]);
    await release(id);
    expect(await shown(nics)).toEqual([`eth0: auto ${net}.2`, 'eth1: auto -']);
  });

  test('a full subnet is named', async () => {
    const { id, nics, subnet, second, net } = await linked(30);
    await at.must('POST', `${nics}${second.id}/?op=link_subnet`, { mode: 'AUTO', subnet: subnet.id });
    expect(await inOne((tx) => giveAddresses(tx, id))).toEqual([`${net}.0/30`]);
    expect(await shown(nics)).toEqual([`eth0: auto ${net}.2`, 'eth1: auto -']);
  });

  test('of a bond the machine keeps the address that the bond is linked with, by the MAC that it boots with', async () => {
    const { id, nics, vlan, subnet, boot, second, net } = await linked();
    const bond = await at.must('POST', `${nics}?op=create_bond`, { name: 'bond0', parents: [boot.id, second.id] });
    await at.must('POST', `${nics}${bond.id}/?op=link_subnet`, { mode: 'STATIC', subnet: subnet.id, ip_address: `${net}.9` });
    expect(await inOne((tx) => keepAddress(tx, id))).toBe(`${net}.9`);
    const served = (await readNetwork(at.db)).find((one) => one.vlan_id === vlan.id)?.subnets[0];
    expect(served?.reservations.map((one) => [one.mac, one.ip])).toEqual([[boot.mac_address, `${net}.9`]]);
  });
});

describe('bridges of an allocation', () => {
  test('over everything that is linked, with its links and the chosen gateway; gone with the allocation', async () => {
    const { id, nics, boot, tagged, net } = await linked();
    const above = await at.must('POST', `${nics}?op=create_vlan`, { parent: boot.id, vlan: tagged.id });
    const inside = await at.must('POST', 'subnets/', { cidr: `10.89.${drawn}.0/24`, vlan: tagged.id });
    await at.must('POST', `${nics}${above.id}/?op=link_subnet`, { mode: 'STATIC', subnet: inside.id, ip_address: `10.89.${drawn}.7` });
    const before = await at.must('GET', nics);
    const gateways = (await at.must('GET', `machines/${id}/`)).default_gateways;
    expect(gateways.ipv4).toEqual({ gateway_ip: `${net}.1`, link_id: expect.any(Number) });

    expect(await inOne((tx) => bridgeAll(tx, id, bridgeOptions({ bridge_fd: 4 })))).toEqual(['br-eth0', 'br-eth0.5']);
    expect(await inOne((tx) => bridgeAll(tx, id, bridgeOptions({})))).toEqual([]);
    expect(await shown(nics)).toEqual(['eth0', 'eth1', 'eth0.5', 'br-eth0: auto -', `br-eth0.5: static 10.89.${drawn}.7`]);
    const bridge = (await at.must('GET', nics)).find((nic: { name: string }) => nic.name === 'br-eth0');
    expect(bridge).toMatchObject({
      type: 'bridge',
      parents: ['eth0'],
      mac_address: boot.mac_address,
      params: { bridge_type: 'standard', bridge_stp: false, bridge_fd: 4 },
    });
    expect((await at.must('GET', `machines/${id}/`)).default_gateways).toEqual(gateways);
    expect(await inOne((tx) => keepAddress(tx, id))).toBe(`${net}.2`);

    await release(id);
    const after = await at.must('GET', nics);
    expect(after.map((nic: { id: number }) => nic.id)).toEqual(before.map((nic: { id: number }) => nic.id));
    expect(await shown(nics)).toEqual([`eth0: auto ${net}.2`, 'eth1', `eth0.5: static 10.89.${drawn}.7`]);
    expect((await at.must('GET', `machines/${id}/`)).default_gateways).toEqual(gateways);
  });
});

describe('back to what commissioning found', () => {
  test('cards alone, the boot interface linked', async () => {
    const { id, nics, boot, second, tagged } = await linked();
    await at.must('POST', `${nics}?op=create_vlan`, { parent: second.id, vlan: tagged.id });
    const bond = await at.must('POST', `${nics}?op=create_bridge`, { name: 'br0', parent: boot.id });
    await at.must('PUT', `${nics}${second.id}/`, { mtu: 9000, accept_ra: 'true' });
    expect(await shown(nics)).toEqual(['eth0', 'eth1', 'eth1.5', bond.name]);
    const machine = await at.must('POST', `machines/${id}/?op=restore_networking_configuration`);
    expect(await shown(nics)).toEqual(['eth0: auto -', 'eth1: link_up -']);
    expect(machine.interface_set[1]).toMatchObject({ params: '', effective_mtu: 1500, parents: [], children: [] });
    expect(machine.default_gateways.ipv4.link_id).toBeNull();
    await sql`update machine set status = 6 where system_id = ${id}`.execute(at.db);
    for (const op of ['restore_networking_configuration', 'restore_default_configuration', 'clear_default_gateways'])
      expect((await at.ask('POST', `machines/${id}/?op=${op}`)).status).toBe(409);
  });

  test('network and disks in one', async () => {
    const { id, nics, boot } = await linked();
    await release(id);
    await at.must('POST', `${nics}?op=create_bridge`, { name: 'br0', parent: boot.id });
    const refused = await at.ask('POST', `machines/${id}/?op=restore_default_configuration`);
    expect([refused.status, refused.text]).toEqual([400, 'Machine is missing a boot disk; no storage layout can be applied.']);
    expect(await shown(nics)).toEqual(['eth0', 'eth1', 'br0']);
    await at.must('POST', `nodes/${id}/blockdevices/`, { name: 'sda', model: 'm', serial: 's', size: 100e9, block_size: 512 });
    const machine = await at.must('POST', `machines/${id}/?op=restore_default_configuration`);
    expect(machine.interface_set.map((nic: { name: string }) => nic.name)).toEqual(['eth0', 'eth1']);
    expect(machine.blockdevice_set[0].partitions.length).toBeGreaterThan(0);
  });

  test('a machine goes with all that was made of its interfaces', async () => {
    const { id, nics, boot, second } = await linked();
    await at.must('POST', `${nics}?op=create_bond`, { name: 'bond0', parents: [boot.id, second.id] });
    await sql`delete from machine where system_id = ${id}`.execute(at.db);
    const { rows } = await sql`
      select from interface where system_id = ${id} union all select from default_gateway where system_id = ${id}`.execute(at.db);
    expect(rows).toEqual([]);
  });
});
