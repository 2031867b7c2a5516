/** All interfaces of a machine at once: addresses for a deployment, bridges of an allocation, and back to what commissioning found. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';
import { bridgeName, jointOf } from './interface-rules.ts';
import { forgetGateways, insertInterface, portsOf, setParents } from './interface-store.ts';
import { lockSubnet } from './network-guard.ts';
import { freeAddress } from './subnet-store.ts';

/**
 * Give every AUTO link of a machine that has none an address of its subnet. Subnets are locked in the order of their ids, so that two
 * machines never wait for each other.
 * @returns the subnets that have no address left; their links go without.
 */
export async function giveAddresses(tx: CellDb, systemId: string): Promise<string[]> {
  const { rows } = await sql<{ id: number; subnet_id: number }>`
    select l.id, l.subnet_id from interface_link l join interface i on i.id = l.interface_id
    where i.system_id = ${systemId} and l.mode = 'auto' and l.ip is null and l.subnet_id is not null order by l.subnet_id, l.id`.execute(
    tx,
  );
  const full: string[] = [];
  for (const { id, subnet_id } of rows) {
    const subnet = await lockSubnet(tx, subnet_id);
    const ip = subnet && (await freeAddress(tx, subnet_id));
    if (ip === undefined) full.push(subnet?.cidr ?? '');
    else await sql`update interface_link set ip = ${ip}::inet where id = ${id}`.execute(tx);
  }
  return [...new Set(full)];
}

export interface BridgeOptions {
  readonly bridge_type: 'standard' | 'ovs';
  readonly bridge_stp: boolean;
  /** Forward delay in seconds. */
  readonly bridge_fd: number;
}

/** What was not said of them is as MAAS has it. */
export function bridgeOptions(given: { readonly [K in keyof BridgeOptions]?: BridgeOptions[K] | undefined }): BridgeOptions {
  return { bridge_type: given.bridge_type ?? 'standard', bridge_stp: given.bridge_stp ?? false, bridge_fd: given.bridge_fd ?? 15 };
}

/**
 * Put a bridge over every interface of a machine that has a link with a subnet and is in no bond or bridge; its links go over to the bridge,
 * with their addresses and the choice of a default gateway. For `bridge_all` of an allocation or deployment, under the machine's lock. When
 * the machine becomes nobody's they go again (migration 0011).
 * @returns the names of the bridges.
 */
export async function bridgeAll(tx: CellDb, systemId: string, options: BridgeOptions): Promise<string[]> {
  const ports = await portsOf(tx, systemId);
  const { rows } = await sql<{ id: number }>`
    select distinct i.id from interface i join interface_link l on l.interface_id = i.id
    where i.system_id = ${systemId} and i.enabled and i.vlan_id is not null and i.type <> 'bridge' and l.subnet_id is not null order by i.id`.execute(
    tx,
  );
  const names: string[] = [];
  for (const { id } of rows) {
    const port = ports.find((one) => one.id === id);
    const name = port && bridgeName(port.name);
    if (!port || name === undefined || jointOf(ports, id) || ports.some((one) => one.name === name) || names.includes(name)) continue;
    const { mac, vlan_id, mtu, link_connected, interface_speed, link_speed } = port;
    const params = JSON.stringify(options);
    const facts = { system_id: systemId, mac, vlan_id, mtu, link_connected, interface_speed, link_speed };
    const bridge = await insertInterface(tx, { ...facts, name, type: 'bridge', params, acquired: true });
    await setParents(tx, bridge, [id]);
    await sql`update interface_link set interface_id = ${bridge} where interface_id = ${id}`.execute(tx);
    names.push(name);
  }
  return names;
}

/**
 * The network as commissioning left it: cards alone, on the VLANs that they are on; the boot interface with an AUTO link to the first managed
 * IPv4 subnet of its VLAN, all others with none but "up".
 */
export async function resetNetwork(tx: CellDb, systemId: string): Promise<void> {
  await forgetGateways(tx, systemId);
  await sql`delete from interface where system_id = ${systemId} and type <> 'physical'`.execute(tx);
  await sql`delete from interface_link where interface_id in (select id from interface where system_id = ${systemId})`.execute(tx);
  await sql`update interface set enabled = true, mtu = null, params = '{}' where system_id = ${systemId}`.execute(tx);
  await sql`
    insert into interface_link (interface_id, mode, subnet_id)
    select i.id, case when s.id is null then 'link_up' else 'auto' end, s.id
    from interface i join machine m on m.system_id = i.system_id
    left join lateral (
      select id from subnet where vlan_id = i.vlan_id and managed and family(cidr) = 4 and i.id = m.boot_interface_id order by id limit 1) s on true
    where i.system_id = ${systemId}`.execute(tx);
}
