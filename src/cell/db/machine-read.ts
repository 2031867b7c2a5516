/** Reading machines as the API shows them: a constant number of set-based statements for a page, whatever the number of machines in it. */
import { sql, type RawBuilder } from 'kysely';
import type { OperationKind } from '../../contract/operation.ts';
import { preparedOnce } from '../../postgres/prepared-statements.ts';
import type { CellDb } from './cell-db.ts';
import { allOf, type MachineCondition } from './machine-filter.ts';
import { readBesideNetworks, type NetworkColumns, type Networks } from './network-read.ts';
import type { PowerState } from './schema.ts';
import { storageJson } from './storage-store.ts';
import type { Filesystem, Group, Member, Partition } from '../storage/model.ts';

/** The parts of a machine that cost more than its row. */
export interface MachineParts {
  readonly interfaces: boolean;
  readonly disks: boolean;
  readonly scripts: boolean;
}

export const allParts: MachineParts = { interfaces: true, disks: true, scripts: true };

export interface LinkRow {
  readonly id: number;
  readonly mode: 'auto' | 'dhcp' | 'static' | 'link_up';
  readonly subnet_id: number | null;
  readonly ip: string | null;
}

export interface InterfaceRow {
  readonly id: number;
  readonly system_id: string;
  readonly name: string;
  readonly type: string;
  readonly mac: string | null;
  readonly vlan_id: number | null;
  readonly enabled: boolean;
  readonly link_connected: boolean;
  readonly interface_speed: number;
  readonly link_speed: number;
  readonly vendor: string | null;
  readonly product: string | null;
  readonly firmware_version: string | null;
  readonly tags: readonly string[];
  readonly params: Readonly<Record<string, unknown>>;
  readonly mtu: number | null;
  readonly numa_node: number | null;
  readonly sriov_max_vf: number;
  /** Ids of the interfaces that it is made of. */
  readonly parents: readonly number[];
  readonly links: readonly LinkRow[];
}

export interface BlockDeviceRow {
  readonly id: number;
  readonly system_id: string;
  readonly name: string;
  readonly model: string | null;
  readonly serial: string | null;
  readonly wwn: string | null;
  readonly id_path: string | null;
  readonly size: number;
  readonly block_size: number;
  readonly firmware_version: string | null;
  readonly tags: readonly string[];
  readonly type: 'physical' | 'virtual';
  readonly uuid: string | null;
  readonly group_id: number | null;
  readonly partition_table_type: 'GPT' | 'MBR' | null;
  readonly numa_node: number | null;
}

/** Times as PostgreSQL writes them into JSON. */
export interface LiveOperationRow {
  readonly id: number;
  readonly kind: OperationKind;
  readonly step: string;
  readonly note: string;
  readonly started: string;
  readonly since: string;
  readonly deadline: string;
  readonly waits_for_hands: boolean;
}

/** The newest result set of one type, and the states of those of its scripts that count. */
export interface ScriptRunRow {
  readonly type: number;
  readonly set_id: number;
  readonly statuses: readonly number[];
}

export interface NumaRow {
  readonly number: number;
  readonly cores: readonly number[];
  /** MiB. */
  readonly memory: number;
  readonly hugepages: readonly { readonly page_size: number; readonly total: number }[];
}

export interface MachineRow {
  readonly system_id: string;
  readonly hostname: string;
  readonly domain_id: number;
  readonly description: string;
  readonly architecture: string;
  readonly min_hwe_kernel: string;
  readonly cpu_count: number;
  readonly cpu_speed: number;
  readonly memory: number;
  readonly status: number;
  readonly status_since: Date;
  readonly status_action: string;
  readonly status_message: string;
  readonly error_description: string;
  readonly locked: boolean;
  readonly owner: string | null;
  readonly zone_id: number;
  readonly pool_id: number;
  readonly power_type: string;
  readonly power_state: PowerState;
  readonly power_state_at: Date | null;
  readonly power_evidence: string;
  readonly hardware_uuid: string | null;
  readonly firmware: '' | 'bios' | 'uefi';
  readonly hardware_info: Readonly<Record<string, string>>;
  readonly boot_interface_id: number | null;
  readonly boot_disk_id: number | null;
  readonly osystem: string;
  readonly distro_series: string;
  readonly ephemeral: boolean;
  readonly owner_data: Readonly<Record<string, string>>;
  readonly workload_annotations: Readonly<Record<string, string>>;
  readonly swap_size: number | null;
  readonly netboot: boolean;
  readonly tag_ids: readonly number[];
  readonly operation: LiveOperationRow | null;
  readonly interfaces: readonly InterfaceRow[];
  /** The links that the default routes were told to go by. */
  readonly gateway_links: readonly number[];
  readonly disks: readonly BlockDeviceRow[];
  readonly storage_layout: string | null;
  readonly own_filesystems: boolean;
  readonly partitions: readonly Partition[];
  readonly filesystems: readonly Filesystem[];
  readonly groups: readonly Group[];
  readonly members: readonly Member[];
  readonly scripts: readonly ScriptRunRow[];
  readonly numa_nodes: readonly NumaRow[];
}

/** These machines in the order of the ids, each with everything that hangs on it: one statement. Ids that are gone are left out. */
export async function readMachines(db: CellDb, ids: readonly string[], parts: MachineParts = allParts): Promise<MachineRow[]> {
  const { rows } = await sql<MachineRow>`
    select ${machineColumns(parts)}
    from unnest(${ids as string[]}::text[]) with ordinality as wanted (system_id, place)
    join machine m using (system_id)
    order by wanted.place`.execute(db);
  return rows;
}

/** One machine and the networks that it is shown with, as most calls need it: one statement. */
export async function readMachine(
  db: CellDb,
  systemId: string,
): Promise<{ readonly machine: MachineRow | undefined; readonly networks: Networks }> {
  const { row, networks } = await readBesideNetworks(db, async (columns) => {
    const { rows } = await sql<MachineRow & NetworkColumns>`
      select ${machineColumns(allParts)}, ${columns} from machine m where m.system_id = ${systemId} ${sql.raw(preparedOnce)}`.execute(db);
    return rows[0];
  });
  return { machine: row, networks };
}

/** What a machine is shown by, as columns of a row `m` of the table. */
export function machineColumns(parts: MachineParts) {
  const nothing = sql`'[]'::json`;
  return sql`
    m.system_id, m.hostname, m.domain_id, m.description, m.architecture, m.min_hwe_kernel, m.cpu_count, m.cpu_speed, m.memory,
    m.status, m.status_since, m.status_action, m.status_message, m.error_description, m.locked, m.owner, m.zone_id, m.pool_id,
    m.power_type, m.power_state, m.power_state_at, m.power_evidence, m.hardware_uuid, m.firmware, m.hardware_info,
    m.boot_interface_id, m.boot_disk_id, m.osystem, m.distro_series, m.ephemeral, m.owner_data, m.workload_annotations, m.swap_size,
    exists (select from ticket t where t.system_id = m.system_id and t.spent is null and t.voided is null) as netboot,
    array(select tag_id from machine_tag g where g.system_id = m.system_id order by tag_id) as tag_ids,
    (select to_json(o) from (
       select id, kind, step, note, started, deadline, waits_for_hands,
              coalesce((select max(s.started) from operation_step s where s.operation_id = operation.id), started) as since
       from operation where system_id = m.system_id and outcome = 'live') o) as operation,
    ${parts.interfaces ? interfaceJson : nothing} as interfaces,
    ${parts.interfaces ? sql`array(select link_id from default_gateway where system_id = m.system_id)` : sql`'{}'::bigint[]`} as gateway_links,
    m.storage_layout, m.own_filesystems,
    ${parts.disks ? storageJson.devices : nothing} as disks,
    ${parts.disks ? storageJson.partitions : nothing} as partitions,
    ${parts.disks ? storageJson.filesystems : nothing} as filesystems,
    ${parts.disks ? storageJson.groups : nothing} as groups,
    ${parts.disks ? storageJson.members : nothing} as members,
    ${parts.scripts ? scriptJson : nothing} as scripts,
    ${numaJson} as numa_nodes`;
}

/** The interfaces of the node `m`. */
export const interfaceJson = sql`(
  select coalesce(json_agg(n order by n.id), '[]') from (
    select i.*, array(select parent_id from interface_relation where child_id = i.id order by parent_id) as parents,
           (select coalesce(json_agg(l order by l.id), '[]') from (
              select id, mode, subnet_id, host(ip) as ip from interface_link where interface_id = i.id) l) as links
    from interface i where i.system_id = m.system_id) n)`;

const numaJson = sql`(
  select coalesce(json_agg(n order by n.number), '[]') from (
    select number, cores, memory, hugepages from numa_node where system_id = m.system_id) n)`;

const scriptJson = sql`(
  select coalesce(json_agg(r), '[]') from (
    select r.type, min(r.id) as set_id, coalesce(array_agg(r.status order by r.id) filter (where not r.suppressed), '{}') as statuses
    from script_result r
    join (select type, max(operation_id) as operation_id from script_result where system_id = m.system_id group by type) newest
      on newest.type = r.type and newest.operation_id = r.operation_id
    where r.system_id = m.system_id group by r.type, r.operation_id) r)`;

/**
 * The orders of lists; every one is made total by system_id. A front compares the bodies of many cells, so each key is exactly what the body
 * shows: names by their bytes, times to the millisecond.
 */
export const orders = {
  system_id: { key: 'm.system_id', text: 'm.system_id', type: 'text' },
  hostname: { key: 'm.hostname collate "C"', text: 'm.hostname', type: 'text' },
  status: { key: 'm.status', text: 'm.status::text', type: 'int' },
  status_since: {
    key: "date_trunc('milliseconds', m.status_since)",
    text: `to_char(date_trunc('milliseconds', m.status_since) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
    type: 'timestamptz',
  },
} as const;

export interface MachineOrder {
  readonly by: keyof typeof orders;
  readonly falling: boolean;
}

export interface Page {
  readonly limit: number | undefined;
  /** Start behind this: the sort key's value as text, and the id. */
  readonly after: { readonly value: string; readonly id: string } | undefined;
}

export interface FoundMachine {
  readonly system_id: string;
  /** The value of the sort key as the body shows it: what `after` takes. */
  readonly value: string;
}

/** Machines behind a place in an order. */
export function behindSql(order: MachineOrder, after: Page['after']): RawBuilder<boolean> {
  const { key, type } = orders[order.by];
  return after
    ? sql`(${sql.raw(key)}, m.system_id) ${sql.raw(order.falling ? '<' : '>')} (${after.value}::${sql.raw(type)}, ${after.id}::text)`
    : sql`true`;
}

/** The ids of all machines that meet the conditions, in order: one statement. With a limit, one more than it, to show that there is more. */
export async function findMachines(
  db: CellDb,
  conditions: readonly MachineCondition[],
  order: MachineOrder,
  page: Page,
): Promise<FoundMachine[]> {
  const { key, text } = orders[order.by];
  const way = sql.raw(order.falling ? 'desc' : 'asc');
  const { rows } = await sql<FoundMachine>`
    select m.system_id, ${sql.raw(text)} as value
    from machine m where ${allOf(conditions)} and ${behindSql(order, page.after)}
    order by ${sql.raw(key)} ${way}, m.system_id ${way}
    ${page.limit === undefined ? sql`` : sql`limit ${page.limit + 1}`}`.execute(db);
  return rows;
}

export interface SummaryRow {
  readonly status: number;
  readonly power_state: PowerState;
  readonly zone_id: number;
  readonly pool_id: number;
  readonly machines: number;
  readonly locked: number;
  readonly operations: number;
}

/** Counts of the machines that meet the conditions, by everything that is counted by. */
export async function countMachines(db: CellDb, conditions: readonly MachineCondition[]): Promise<SummaryRow[]> {
  const { rows } = await sql<SummaryRow>`
    select m.status, m.power_state, m.zone_id, m.pool_id, count(*) as machines, count(*) filter (where m.locked) as locked,
           count(o.id) as operations
    from machine m left join operation o on o.system_id = m.system_id and o.outcome = 'live'
    where ${allOf(conditions)}
    group by m.status, m.power_state, m.zone_id, m.pool_id`.execute(db);
  return rows;
}
