/** Devices: reading them as the API shows them, and changing them under the lock of their row. Their nodes are kept by triggers. */
import { sql, type Updateable } from 'kysely';
import { preparedOnce } from '../../postgres/prepared-statements.ts';
import type { CellDb } from './cell-db.ts';
import { record, recordAll } from './event-store.ts';
import { interfaceJson, type InterfaceRow } from './machine-read.ts';
import { readBesideNetworks, type NetworkColumns, type Networks } from './network-read.ts';
import type { DeviceTable } from './node-schema.ts';

export interface DeviceRow {
  readonly system_id: string;
  readonly hostname: string;
  readonly domain_id: number;
  readonly description: string;
  readonly owner: string | null;
  readonly parent: string | null;
  readonly zone_id: number;
  readonly owner_data: Readonly<Record<string, string>>;
  readonly workload_annotations: Readonly<Record<string, string>>;
  readonly tag_ids: readonly number[];
  readonly interfaces: readonly InterfaceRow[];
}

// `interfaceJson` looks at a node `m`.
const columns = sql`
  m.system_id, m.hostname, m.domain_id, m.description, m.owner, m.parent, m.zone_id, m.owner_data, m.workload_annotations,
  array(select tag_id from machine_tag g where g.system_id = m.system_id order by tag_id) as tag_ids, ${interfaceJson} as interfaces`;

/** These devices in the order of the ids, with their interfaces: one statement. Ids that are gone, or no devices, are left out. */
export async function readDevices(db: CellDb, ids: readonly string[]): Promise<DeviceRow[]> {
  const { rows } = await sql<DeviceRow>`
    select ${columns} from unnest(${ids as string[]}::text[]) with ordinality as wanted (system_id, place) join device m using (system_id)
    order by wanted.place`.execute(db);
  return rows;
}

/** One device and the networks that it is shown with: one statement. */
export async function readDevice(
  db: CellDb,
  systemId: string,
): Promise<{ readonly device: DeviceRow | undefined; readonly networks: Networks }> {
  const { row, networks } = await readBesideNetworks(db, async (network) => {
    const { rows } = await sql<DeviceRow & NetworkColumns>`
      select ${columns}, ${network} from device m where m.system_id = ${systemId} ${sql.raw(preparedOnce)}`.execute(db);
    return rows[0];
  });
  return { device: row, networks };
}

export interface NewDevice {
  readonly systemId: string;
  readonly hostname: string;
  readonly domainId: number;
  readonly description: string;
  readonly owner: string;
  readonly parent: string | null;
  readonly zoneId: number | undefined;
  readonly macs: readonly string[];
  /** Where its first interface is taken to be. */
  readonly vlanId: number | null;
}

/** Two statements and the event. @throws UniqueViolation `node_name` or `interface_by_mac` when its name or a MAC is taken. */
export async function insertDevice(tx: CellDb, device: NewDevice): Promise<void> {
  await tx
    .insertInto('device')
    .values({
      system_id: device.systemId,
      hostname: device.hostname,
      domain_id: device.domainId,
      description: device.description,
      owner: device.owner,
      parent: device.parent,
      ...(device.zoneId === undefined ? {} : { zone_id: device.zoneId }),
    })
    .execute();
  await tx
    .insertInto('interface')
    .values(
      device.macs.map((mac, index) => ({
        system_id: device.systemId,
        name: `eth${index}`,
        mac,
        vlan_id: index === 0 ? device.vlanId : null,
      })),
    )
    .execute();
  await record(tx, {
    kind: 'device_created',
    systemId: device.systemId,
    username: device.owner,
    description: `${device.hostname} (${device.macs.join(', ')})`,
  });
}

/** Who owns a device, its row locked until the transaction ends; undefined when there is none. */
export async function lockDevice(
  tx: CellDb,
  systemId: string,
): Promise<{ readonly hostname: string; readonly owner: string | null } | undefined> {
  const { rows } = await sql<{ hostname: string; owner: string | null }>`
    select hostname, owner from device where system_id = ${systemId} for update`.execute(tx);
  return rows[0];
}

/** Change columns of a device whose row is locked. */
export async function changeDevice(tx: CellDb, systemId: string, set: Updateable<DeviceTable>): Promise<void> {
  await tx
    .updateTable('device')
    .set({ ...set, updated: sql<Date>`now()` })
    .where('system_id', '=', systemId)
    .execute();
}

/** Merge keys into one of a device's dictionaries; keys with an empty value are removed. */
export async function mergeDeviceKeys(
  tx: CellDb,
  systemId: string,
  column: 'owner_data' | 'workload_annotations',
  given: Readonly<Record<string, string>>,
): Promise<void> {
  const kept = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
  const removed = Object.keys(given).filter((key) => given[key] === '');
  await sql`
    update device set ${sql.ref(column)} = (${sql.ref(column)} || ${JSON.stringify(kept)}::jsonb) - ${removed}::text[], updated = now()
    where system_id = ${systemId}`.execute(tx);
}

/**
 * The devices that live on a node go with it, whoever owns them: tell so of each, before the node is deleted. Its own row is locked; nobody
 * puts a device on it meanwhile.
 */
export async function tellOfDevicesOn(tx: CellDb, systemId: string, by: string): Promise<void> {
  await sql`select from node where system_id = ${systemId} for update`.execute(tx);
  const { rows } = await sql<{ system_id: string; hostname: string }>`
    with recursive living (system_id, hostname) as (
      select system_id, hostname from device where parent = ${systemId}
      union
      select d.system_id, d.hostname from device d join living l on d.parent = l.system_id)
    select system_id, hostname from living where system_id <> ${systemId} order by system_id`.execute(tx);
  await recordAll(
    tx,
    rows.map((row) => ({
      kind: 'device_deleted' as const,
      systemId: row.system_id,
      username: by,
      description: `${row.hostname}, which lived on ${systemId}`,
    })),
  );
}

/** Forget a device, and with its node its interfaces, addresses and tags. */
export async function deleteDevice(tx: CellDb, systemId: string): Promise<void> {
  await tx.deleteFrom('device').where('system_id', '=', systemId).execute();
}

/** Give the interfaces of a device the links that they began with: none. */
export async function unlinkDevice(tx: CellDb, systemId: string): Promise<void> {
  await sql`delete from interface_link where interface_id in (select id from interface where system_id = ${systemId})`.execute(tx);
}

/** Would this node be its own ancestor? The chain of parents is short. */
export async function isAncestor(tx: CellDb, systemId: string, parent: string): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`
    with recursive above (system_id) as (
      select ${parent}::text
      union
      select d.parent from device d join above a on a.system_id = d.system_id where d.parent is not null)
    select exists (select from above where system_id = ${systemId}) as found`.execute(tx);
  return rows[0]?.found === true;
}
