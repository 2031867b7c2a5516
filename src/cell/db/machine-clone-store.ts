/** Reading and writing the configuration of several machines at once: the number of statements does not grow with them. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';
import type { ClonedPort, MachineNetwork } from './interface-clone.ts';
import { interfaceJson } from './machine-read.ts';

export interface HeldMachine {
  readonly system_id: string;
  readonly hostname: string;
  readonly status: number;
  readonly locked: boolean;
}

/** These machines with their rows locked, so that their states stay what they are; those that are not there are left out. */
export async function holdMachines(tx: CellDb, ids: readonly string[]): Promise<HeldMachine[]> {
  const { rows } = await sql<HeldMachine>`
    select system_id, hostname, status, locked from machine where system_id = any (${ids as string[]}::text[])
    order by system_id for update`.execute(tx);
  return rows;
}

/** These machines are not what they were when somebody judged them last. */
export async function touchMachines(tx: CellDb, ids: readonly string[]): Promise<void> {
  await sql`update machine set updated = now(), generation = generation + 1 where system_id = any (${ids as string[]}::text[])`.execute(tx);
}

/** Ids for rows that are about to be made. */
export async function drawIds(tx: CellDb, count: number): Promise<() => number> {
  const { rows } = await sql<{ ids: number[] }>`
    select array(select next_id() from generate_series(1, ${count}::integer)) as ids`.execute(tx);
  const drawn = rows[0]?.ids ?? [];
  let at = 0;
  return () => {
    const id = drawn[at];
    at += 1;
    if (id === undefined) throw new Error(`${count} ids were drawn, and more are needed`);
    return id;
  };
}

interface NetworkRow {
  readonly system_id: string;
  readonly boot_interface_id: number | null;
  readonly interfaces: readonly ClonedPort[];
  readonly gateways: MachineNetwork['gateways'];
}

/** The interfaces of these machines, oldest first, by system_id. */
export async function networksOf(tx: CellDb, ids: readonly string[]): Promise<Map<string, MachineNetwork>> {
  const { rows } = await sql<NetworkRow>`
    select m.system_id, m.boot_interface_id, ${interfaceJson} as interfaces,
           (select coalesce(json_agg(g), '[]') from (select family, link_id from default_gateway where system_id = m.system_id) g) as gateways
    from machine m where m.system_id = any (${ids as string[]}::text[])`.execute(tx);
  return new Map(rows.map((row) => [row.system_id, { ports: row.interfaces, bootPortId: row.boot_interface_id, gateways: row.gateways }]));
}

/** Machines get these interfaces instead of what was configured of theirs; their cards stay the rows that they are. */
export async function saveNetworks(tx: CellDb, networks: ReadonlyMap<string, MachineNetwork>): Promise<void> {
  const ids = [...networks.keys()];
  const own = sql`select id from interface where system_id = any (${ids}::text[])`;
  await sql`delete from default_gateway where system_id = any (${ids}::text[])`.execute(tx);
  await sql`delete from interface where system_id = any (${ids}::text[]) and type <> 'physical'`.execute(tx);
  await sql`delete from interface_link where interface_id in (${own})`.execute(tx);
  const ports = [...networks].flatMap(([system_id, network]) => network.ports.map((port) => ({ ...port, system_id })));
  const json = (rows: readonly object[]) => sql`${JSON.stringify(rows)}::jsonb`;
  const cards = ports.filter((port) => port.type === 'physical');
  await sql`
    update interface i set vlan_id = c.vlan_id, mtu = c.mtu, params = c.params, tags = c.tags, enabled = c.enabled
    from jsonb_populate_recordset(null::interface, ${json(cards)}) c where i.id = c.id`.execute(tx);
  const made = ports.filter((port) => port.type !== 'physical');
  const columns = sql.raw(
    'id, system_id, name, type, mac, vlan_id, mtu, params, tags, enabled, link_connected, interface_speed, link_speed, acquired',
  );
  await sql`
    insert into interface (${columns}) select ${columns} from jsonb_populate_recordset(null::interface, ${json(made)})`.execute(tx);
  const relations = made.flatMap((port) => port.parents.map((parent_id) => ({ parent_id, child_id: port.id })));
  await sql`
    insert into interface_relation (parent_id, child_id)
    select parent_id, child_id from jsonb_populate_recordset(null::interface_relation, ${json(relations)})`.execute(tx);
  const links = ports.flatMap((port) => port.links.map((link) => ({ ...link, interface_id: port.id })));
  await sql`
    insert into interface_link (id, interface_id, mode, subnet_id)
    select id, interface_id, mode, subnet_id from jsonb_populate_recordset(null::interface_link, ${json(links)})`.execute(tx);
  const gateways = [...networks].flatMap(([system_id, network]) => network.gateways.map((gateway) => ({ ...gateway, system_id })));
  await sql`
    insert into default_gateway (system_id, family, link_id)
    select system_id, family, link_id from jsonb_populate_recordset(null::default_gateway, ${json(gateways)})`.execute(tx);
}
