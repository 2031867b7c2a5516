import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cell, networkServer, type NetworkServer } from '../../../test/network-server.ts';
import { bootFacts } from '../db/boot-store.ts';
import { systemIdOf } from '../../contract/ids.ts';
import { machineStates } from '../../contract/lifecycle.ts';

let at: NetworkServer;
beforeAll(async () => {
  at = await networkServer();
});
afterAll(() => at.drop());

let drawn = 0;
const mac = () => `52:54:00:57:00:${(drawn += 1).toString(16).padStart(2, '0')}`;
let nets = 0;
/** A fabric with an untagged VLAN that has a subnet, and tagged VLANs 10 and 20. */
const fresh = async () => {
  const fabric = await at.must('POST', 'fabrics/', {});
  const cidr = `10.77.${(nets += 1)}.0/24`;
  const subnet = await at.must('POST', 'subnets/', { cidr, vlan: fabric.vlans[0].id, gateway_ip: `10.77.${nets}.1` });
  const tagged = [];
  for (const vid of [10, 20]) tagged.push(await at.must('POST', `fabrics/${fabric.id}/vlans/`, { vid }));
  return { vlan: fabric.vlans[0], subnet, tagged };
};
type Machine = Parameters<NetworkServer['machine']>[0];
const wired = async (cards: number, vlan?: { readonly id: number }, machine: Machine = {}) => {
  const id = await at.machine(machine);
  const nics = `nodes/${id}/interfaces/`;
  const made = [];
  for (let n = 0; n < cards; n += 1)
    made.push(await at.must('POST', `${nics}?op=create_physical`, { mac_address: mac(), ...(vlan ? { vlan: vlan.id } : {}) }));
  const [boot] = made;
  await at.db
    .updateTable('machine')
    .set({ boot_interface_id: boot?.id ?? null })
    .where('system_id', '=', id)
    .execute();
  return { id, nics, made, ids: made.map((nic) => nic.id) };
};
const namesOf = async (nics: string) => (await at.must('GET', nics)).map((nic: { name: string }) => nic.name);

describe('bonds, bridges and VLAN interfaces', () => {
  test('a bond as MAAS shows it; its members lose what they were linked to', async () => {
    const { vlan, subnet } = await fresh();
    const { id, nics, made, ids } = await wired(2, vlan);
    await at.must('POST', `${nics}${ids[0]}/?op=link_subnet`, { mode: 'AUTO', subnet: subnet.id });
    const bond = await at.must('POST', `${nics}?op=create_bond`, {
      name: 'bond0',
      parents: ids,
      bond_mode: '802.3ad',
      tags: 'a,b',
      mtu: 9000,
    });
    expect(bond).toEqual({
      system_id: id,
      id: bond.id,
      name: 'bond0',
      type: 'bond',
      vlan,
      mac_address: made[0].mac_address,
      parents: ['eth0', 'eth1'],
      children: [],
      tags: ['a', 'b'],
      enabled: true,
      links: [],
      params: {
        bond_mode: '802.3ad',
        bond_miimon: 100,
        bond_downdelay: 0,
        bond_updelay: 0,
        bond_lacp_rate: 'fast',
        bond_xmit_hash_policy: 'layer2',
        bond_num_grat_arp: 1,
        mtu: 9000,
      },
      discovered: null,
      effective_mtu: 9000,
      vendor: null,
      product: null,
      firmware_version: null,
      link_connected: true,
      interface_speed: 0,
      link_speed: 0,
      numa_node: null,
      sriov_max_vf: 0,
      resource_uri: `/MAAS/api/2.0/nodes/${id}/interfaces/${bond.id}/`,
    });
    // What carries it runs with what it needs.
    expect(await at.must('GET', `${nics}${ids[0]}/`)).toMatchObject({ children: ['bond0'], links: [], effective_mtu: 9000, params: '' });
    const machine = await at.must('GET', `machines/${id}/`);
    expect(machine.interface_set.map((nic: { name: string }) => nic.name)).toEqual(['eth0', 'eth1', 'bond0']);
    expect(machine.boot_interface.name).toBe('eth0');
  });

  test('a bridge over a VLAN interface over a bond; what stands on a card goes with it', async () => {
    const { vlan, tagged } = await fresh();
    const { nics, ids } = await wired(3, vlan);
    const bond = await at.must('POST', `${nics}?op=create_bond`, { name: 'bond0', parents: [ids[1], ids[2]].join(',') });
    const above = await at.must('POST', `${nics}?op=create_vlan`, { parent: bond.id, vlan: tagged[0].id, mtu: 1400 });
    expect(above).toMatchObject({
      name: 'bond0.10',
      type: 'vlan',
      vlan: { vid: 10 },
      parents: ['bond0'],
      params: { mtu: 1400 },
      effective_mtu: 1500 - 100,
    });
    const bridge = await at.must('POST', `${nics}?op=create_bridge`, { parent: above.id, bridge_stp: 'true', accept_ra: 'false' });
    expect(bridge).toMatchObject({
      name: 'br-bond0.10',
      type: 'bridge',
      vlan: { vid: 10 },
      mac_address: bond.mac_address,
      params: { bridge_type: 'standard', bridge_stp: true, bridge_fd: 15, accept_ra: false },
    });
    expect(await namesOf(nics)).toEqual(['eth0', 'eth1', 'eth2', 'bond0', 'bond0.10', 'br-bond0.10']);
    await at.must('DELETE', `${nics}${ids[1]}/`);
    expect(await namesOf(nics)).toEqual(['eth0', 'eth2', 'bond0', 'bond0.10', 'br-bond0.10']);
    await at.must('DELETE', `${nics}${ids[2]}/`);
    expect(await namesOf(nics)).toEqual(['eth0']);
  });

  test('changing them: members, VLAN, MAC, settings', async () => {
    const { vlan, tagged } = await fresh();
    const other = await fresh();
    const { nics, made, ids } = await wired(3, vlan);
    const bond = await at.must('POST', `${nics}?op=create_bond`, { name: 'bond0', parents: [ids[0], ids[1]] });
    const url = `${nics}${bond.id}/`;
    // The MAC that it had from its first member follows when that leaves.
    const moved = await at.must('PUT', url, { parents: [ids[1], ids[2]], bond_mode: 'balance-xor', bond_miimon: 50 });
    expect(moved).toMatchObject({ parents: ['eth1', 'eth2'], mac_address: made[1].mac_address });
    expect(moved.params).toMatchObject({ bond_mode: 'balance-xor', bond_miimon: 50, bond_xmit_hash_policy: 'layer2' });
    expect((await at.must('GET', `${nics}${ids[0]}/`)).children).toEqual([]);
    // All that is one port is on one VLAN.
    await at.must('PUT', url, { vlan: other.vlan.id });
    expect((await at.must('GET', `${nics}${ids[2]}/`)).vlan.id).toBe(other.vlan.id);
    await at.must('PUT', `${nics}${ids[1]}/`, { vlan: vlan.id });
    expect((await at.must('GET', url)).vlan.id).toBe(vlan.id);
    const above = await at.must('POST', `${nics}?op=create_vlan`, { parent: bond.id, vlan: tagged[0].id });
    // Its name is made of parent and tag until somebody names it.
    expect(await at.must('PUT', `${nics}${above.id}/`, { vlan: tagged[1].id })).toMatchObject({ name: 'bond0.20', vlan: { vid: 20 } });
    expect(await at.must('PUT', `${nics}${above.id}/`, { parent: ids[0] })).toMatchObject({
      name: 'eth0.20',
      parents: ['eth0'],
      mac_address: made[0].mac_address,
    });
    await at.must('PUT', `${nics}${above.id}/`, { name: 'lab' });
    expect((await at.must('PUT', `${nics}${above.id}/`, { vlan: tagged[0].id })).name).toBe('lab');
    const fresher = mac();
    await at.must('PUT', `${nics}${ids[0]}/`, { mac_address: fresher });
    expect((await at.must('GET', `${nics}${above.id}/`)).mac_address).toBe(fresher);
  });

  test('tags', async () => {
    const { nics, ids } = await wired(1);
    const url = `${nics}${ids[0]}/`;
    await at.must('POST', `${url}?op=add_tag`, { tag: 'fast' });
    expect((await at.must('POST', `${url}?op=add_tag`, { tag: 'fast' })).tags).toEqual(['fast']);
    expect((await at.must('POST', `${url}?op=remove_tag`, { tag: 'slow' })).tags).toEqual(['fast']);
    expect((await at.must('POST', `${url}?op=remove_tag`, { tag: 'fast' })).tags).toEqual([]);
  });

  test.each<[string, string, Record<string, unknown>, string]>([
    ['create_bond', 'no name', { parents: 'ALL' }, 'name'],
    ['create_bond', 'no members', { name: 'bond0' }, 'parents'],
    ['create_bond', 'strangers', { name: 'bond0', parents: ['7'] }, 'parents'],
    ['create_bond', 'a long name', { name: 'a-name-of-16-chr', parents: 'ALL' }, 'name'],
    ['create_bond', 'a name with a slash', { name: 'a/b', parents: 'ALL' }, 'name'],
    ['create_bond', 'a name that is no name', { name: '..', parents: 'ALL' }, 'name'],
    ['create_bond', 'a taken name', { name: 'eth0', parents: 'ALL' }, 'name'],
    ['create_bond', 'an unknown mode', { name: 'bond0', parents: 'ALL', bond_mode: 'fastest' }, 'bond_mode'],
    ['create_bond', 'a number below zero', { name: 'bond0', parents: 'ALL', bond_miimon: -1 }, 'bond_miimon'],
    ['create_bond', 'no number', { name: 'bond0', parents: 'ALL', bond_updelay: 'soon' }, 'bond_updelay'],
    ['create_bond', 'a number that is too large', { name: 'bond0', parents: 'ALL', mtu: 65536 }, 'mtu'],
    ['create_bond', 'a bad MAC', { name: 'bond0', parents: 'ALL', mac_address: 'none' }, 'mac_address'],
    ['create_bond', 'no such VLAN', { name: 'bond0', parents: 'ALL', vlan: '5' }, 'vlan'],
    ['create_bridge', 'over nothing', { name: 'br0' }, 'parents'],
    ['create_bridge', 'over two', { name: 'br0', parents: 'ALL' }, 'parents'],
    ['create_bridge', 'over a stranger', { name: 'br0', parent: 'x' }, 'parent'],
    ['create_bridge', 'an unknown kind', { parent: 'ONE', bridge_type: 'wooden' }, 'bridge_type'],
    ['create_bridge', 'a delay that is too long', { parent: 'ONE', bridge_fd: 256 }, 'bridge_fd'],
    ['create_vlan', 'without a VLAN', { parent: 'ONE' }, 'vlan'],
    ['create_vlan', 'with an empty one', { parent: 'ONE', vlan: '' }, 'vlan'],
    ['create_vlan', 'without a parent', { vlan: 'TAGGED' }, 'parent'],
    ['create_vlan', 'without a tag', { parent: 'ONE', vlan: 'PLAIN' }, 'vlan'],
  ])('%s: %s is refused and nothing is made', async (op, _what, params, field) => {
    const { vlan, tagged } = await fresh();
    const { nics, ids } = await wired(2, vlan);
    const words: Record<string, unknown> = { ALL: ids, ONE: ids[0], TAGGED: tagged[0].id, PLAIN: vlan.id };
    const filled = Object.fromEntries(Object.entries(params).map(([name, value]) => [name, words[String(value)] ?? value]));
    const answer = await at.ask('POST', `${nics}?op=${op}`, filled);
    expect([answer.status, Object.keys(answer.body)]).toEqual([400, [field]]);
    expect(await namesOf(nics)).toEqual(['eth0', 'eth1']);
  });

  test('what is made of cards does not take the MAC that another machine is known by', async () => {
    const { vlan } = await fresh();
    const other = await wired(1, vlan);
    const { nics, made, ids } = await wired(1, vlan);
    const theirs = { mac_address: other.made[0].mac_address };
    const refused = await at.ask('POST', `${nics}?op=create_bond`, { name: 'bond0', parents: ids, ...theirs });
    expect([refused.status, refused.body]).toEqual([
      400,
      { mac_address: [expect.stringMatching(/^This MAC address is already in use by host\d+\.$/)] },
    ]);
    const bond = await at.must('POST', `${nics}?op=create_bond`, { name: 'bond0', parents: ids, mac_address: made[0].mac_address });
    expect((await at.ask('PUT', `${nics}${bond.id}/`, theirs)).status).toBe(400);
    // The machine is still found by the card alone.
    const asker = { mac: made[0].mac_address, uuid: undefined, address: '10.0.0.1' };
    expect((await bootFacts(at.db, asker)).matches).toBe(1);
  });

  test('two that take one card at once: one gets it', async () => {
    const { vlan } = await fresh();
    const { nics, ids } = await wired(2, vlan);
    const raced = await Promise.all([0, 1, 2, 3].map((n) => at.ask('POST', `${nics}?op=create_bond`, { name: `bond${n}`, parents: ids })));
    expect(raced.map((one) => one.status).toSorted()).toEqual([200, 400, 400, 400]);
  });
});

describe('who, and when', () => {
  test('the owner of an allocated machine, and admins', async () => {
    const { vlan } = await fresh();
    const { id, nics, ids } = await wired(2, vlan, { status: 'allocated', owner: 'ann' });
    const bond = { name: 'bond0', parents: ids };
    expect((await at.ask('POST', `${nics}?op=create_bond`, bond, 'nobody')).status).toBe(401);
    expect((await at.ask('POST', `${nics}?op=create_bond`, bond, 'bob')).status).toBe(403);
    expect((await at.ask('POST', `${nics}?op=create_bond`, bond, 'ann')).status).toBe(200);
    expect((await at.ask('POST', `${nics}${ids[0]}/?op=add_tag`, { tag: 'x' }, 'bob')).status).toBe(403);
    expect((await at.ask('POST', `machines/${id}/?op=clear_default_gateways`, {}, 'bob')).status).toBe(403);
    expect((await at.ask('POST', `machines/${id}/?op=clear_default_gateways`, {}, 'ann')).status).toBe(200);
    expect((await at.ask('POST', `machines/${id}/?op=restore_networking_configuration`, {}, 'ann')).status).toBe(403);
    expect((await at.ask('POST', 'machines/339999z/?op=clear_default_gateways', {})).status).toBe(404);
  });

  test('on a deployed machine only what a replaced card is known by; in other states nothing', async () => {
    const { vlan } = await fresh();
    const { id, nics, ids } = await wired(1, vlan);
    const url = `${nics}${ids[0]}/`;
    const to = (status: number) => sql`update machine set status = ${status} where system_id = ${id}`.execute(at.db);
    await to(6);
    const fresher = mac();
    const changed = await at.must('PUT', url, {
      name: 'eno1',
      mac_address: fresher,
      link_connected: 'false',
      interface_speed: 1000,
      link_speed: 100,
    });
    expect(changed).toMatchObject({ name: 'eno1', mac_address: fresher, link_connected: false, interface_speed: 1000, link_speed: 100 });
    expect((await at.ask('PUT', url, { link_speed: 2000 })).body).toEqual({
      link_speed: ['The link cannot be faster than the interface, which does 1000 Mbit/s.'],
    });
    for (const params of [{ mtu: 9000 }, { tags: 'x' }, { vlan: '' }, { parents: '' }, { accept_ra: 'true' }]) {
      const refused = await at.ask('PUT', url, params);
      expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('because it is Deployed.')]);
    }
    await sql`update machine set locked = true where system_id = ${id}`.execute(at.db);
    expect((await at.ask('PUT', url, { name: 'eno2' })).text).toBe(`Machine ${id} is locked.`);
    await sql`update machine set locked = false where system_id = ${id}`.execute(at.db);
    for (const state of machineStates.keys()) {
      await to(state);
      const answer = await at.ask('POST', `${url}?op=add_tag`, { tag: 'x' });
      expect([state, answer.status]).toEqual([state, [0, 4, 8, 10, 22].includes(state) ? 200 : 409]);
    }
  });

  test('links: not of what is part of something; with force to another VLAN', async () => {
    const one = await fresh();
    const two = await fresh();
    const { nics, ids } = await wired(2, one.vlan);
    const bridge = await at.must('POST', `${nics}?op=create_bridge`, { name: 'br0', parent: ids[0] });
    const link = (id: number, params: Record<string, unknown>) => at.ask('POST', `${nics}${id}/?op=link_subnet`, params);
    expect((await link(ids[0], { mode: 'AUTO', subnet: one.subnet.id })).body).toEqual({
      subnet: ['Interface eth0 is part of br0: that is what is to be linked.'],
    });
    expect((await link(bridge.id, { mode: 'AUTO', subnet: one.subnet.id })).status).toBe(200);
    expect((await link(bridge.id, { mode: 'AUTO', subnet: two.subnet.id })).status).toBe(400);
    const forced = await link(bridge.id, { mode: 'AUTO', subnet: two.subnet.id, force: 'true' });
    expect(forced.body).toMatchObject({ vlan: { id: two.vlan.id }, links: [{ mode: 'auto', subnet: { id: two.subnet.id } }] });
    expect((await at.must('GET', `${nics}${ids[0]}/`)).vlan.id).toBe(two.vlan.id);
    await at.must('POST', `${nics}${bridge.id}/?op=disconnect`);
    expect((await at.must('GET', `${nics}${ids[0]}/`)).vlan).toBeNull();
  });

  test('devices have interfaces as well: their owner and admins change them', async () => {
    const { vlan, subnet } = await fresh();
    const { id: domain_id } = await at.db.selectFrom('domain').select('id').executeTakeFirstOrThrow();
    const system_id = systemIdOf(cell, 9000) ?? '';
    await at.db.insertInto('device').values({ system_id, hostname: 'printer', domain_id, owner: 'ann' }).execute();
    const nics = `nodes/${system_id}/interfaces/`;
    const made = await at.must('POST', `${nics}?op=create_physical`, { mac_address: mac(), vlan: vlan.id }, 'ann');
    const linked = await at.must('POST', `${nics}${made.id}/?op=link_subnet`, { mode: 'STATIC', subnet: subnet.id }, 'ann');
    expect(linked.links[0].ip_address).toMatch(/^10\.77\./);
    expect((await at.ask('PUT', `${nics}${made.id}/`, { name: 'lan' }, 'bob')).status).toBe(403);
    expect((await at.must('GET', nics)).length).toBe(1);
    expect((await at.ask('DELETE', `${nics}${made.id}/`, undefined, 'ann')).status).toBe(204);
  });
});
