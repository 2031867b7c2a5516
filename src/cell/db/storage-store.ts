/** How a machine's disks are used: read in one piece, and saved as what is different (cell/storage/model.ts has the rules). */
import { randomUUID } from 'node:crypto';
import { sql, type RawBuilder } from 'kysely';
import { fail } from '../../contract/errors.ts';
import type { Device, Maker, Storage, StorageParts } from '../storage/model.ts';
import { storageOf } from '../storage/model.ts';
import type { TargetDisk } from '../storage/installation.ts';
import type { CellDb } from './cell-db.ts';

/** The machine behind its storage, its row locked: its state cannot change before the transaction ends. */
export interface StorageMachine {
  readonly system_id: string;
  readonly hostname: string;
  readonly status: number;
  readonly owner: string | null;
  readonly locked: boolean;
  readonly boot_disk_id: number | null;
  readonly storage_layout: string | null;
  readonly own_filesystems: boolean;
}

/** More rows than one change makes: the largest is an owner's copy of all file systems of a machine. */
const idsAtOnce = 64;
const ids = sql`array(select next_id() from generate_series(1, ${sql.lit(idsAtOnce)}))`;

/** The parts of a machine's storage, each as JSON in a statement over `machine m`. Devices come with everything that is known of a disk. */
export const storageJson: Readonly<Record<keyof StorageParts, RawBuilder<unknown>>> = {
  devices: sql`(
    select coalesce(json_agg(b order by b.name, b.id), '[]') from (
      select id, system_id, name, type, uuid, group_id, partition_table_type, model, serial, wwn, id_path, size, block_size, firmware_version, tags, numa_node
      from block_device where system_id = m.system_id) b)`,
  partitions: sql`(
    select coalesce(json_agg(p order by p.block_device_id, p.number), '[]') from (
      select p.* from partition p join block_device d on d.id = p.block_device_id where d.system_id = m.system_id) p)`,
  filesystems: sql`(
    select coalesce(json_agg(f order by f.id), '[]') from (
      select id, block_device_id, partition_id, fstype, uuid, label, mount_point, mount_options, acquired
      from filesystem where system_id = m.system_id) f)`,
  groups: sql`(
    select coalesce(json_agg(g order by g.id), '[]') from (
      select id, type, uuid, name, cache_mode, cache_set_id from storage_group where system_id = m.system_id) g)`,
  members: sql`(
    select coalesce(json_agg(s order by s.id), '[]') from (
      select s.* from storage_member s join storage_group g on g.id = s.group_id where g.system_id = m.system_id) s)`,
};

const storageColumns = sql.join(Object.entries(storageJson).map(([name, json]) => sql`${json} as ${sql.ref(name)}`));

/** For a change: the storage, and ids for what the change makes, fetched beforehand so that the rules stay pure. */
export interface OpenStorage {
  readonly storage: Storage<StoredDevice>;
  readonly make: Maker;
}

export type StoredDevice = Device & TargetDisk;

function makerOf(drawn: readonly number[]): Maker {
  let at = 0;
  return {
    id: () => {
      const id = drawn[at];
      at += 1;
      if (id === undefined) throw fail('bad_request', { reason: `One change of a machine's storage makes at most ${idsAtOnce} things.` });
      return id;
    },
    uuid: randomUUID,
  };
}

interface OpenRow extends StorageParts<StoredDevice> {
  readonly ids: readonly number[];
  readonly boot_disk_id: number | null;
  readonly storage_layout: string | null;
  readonly own_filesystems: boolean;
  readonly firmware: '' | 'bios' | 'uefi';
  readonly skip_storage: boolean | null;
}

const machineColumns = sql`m.boot_disk_id, m.storage_layout, m.own_filesystems, m.firmware`;

/** A machine and its storage, for a change; undefined when there is none. The row counts as changed: what was judged before it is judged again. */
export async function lockStorage(tx: CellDb, systemId: string): Promise<({ readonly machine: StorageMachine } & OpenStorage) | undefined> {
  const locked = await sql<StorageMachine>`
    update machine set updated = now(), generation = generation + 1 where system_id = ${systemId}
    returning system_id, hostname, status, owner, locked, boot_disk_id, storage_layout, own_filesystems`.execute(tx);
  const [machine] = locked.rows;
  if (machine === undefined) return undefined;
  const { rows } = await sql<OpenRow>`
    select ${machineColumns}, ${storageColumns}, ${ids} as ids from machine m where m.system_id = ${systemId}`.execute(tx);
  const [row] = rows;
  return row && { machine, storage: storageOf(row, machine), make: makerOf(row.ids) };
}

/** The storage of a machine that is being commissioned, whose row this transaction has changed, and whether its live operation is to keep it. */
export async function inventoriedStorage(tx: CellDb, systemId: string): Promise<(OpenStorage & { readonly keeps: boolean }) | undefined> {
  const { rows } = await sql<OpenRow>`
    select ${machineColumns}, ${storageColumns}, ${ids} as ids,
           (select (o.parameters->>'skip_storage')::boolean from operation o where o.system_id = m.system_id and o.outcome = 'live') as skip_storage
    from machine m where m.system_id = ${systemId}`.execute(tx);
  const [row] = rows;
  return row && { storage: storageOf(row, row), make: makerOf(row.ids), keeps: row.skip_storage === true };
}

/** How a machine's disks are to be installed, as far as people have said; undefined when there is no such machine. */
export async function storageToInstall(
  db: CellDb,
  systemId: string,
): Promise<{ readonly storage: Storage<StoredDevice>; readonly firmware: '' | 'bios' | 'uefi' } | undefined> {
  const { rows } = await sql<OpenRow>`select ${machineColumns}, ${storageColumns} from machine m where m.system_id = ${systemId}`.execute(
    db,
  );
  const [row] = rows;
  return row && { storage: storageOf(row, row), firmware: row.firmware };
}

interface Change {
  readonly table: string;
  readonly columns: readonly string[];
  readonly gone: readonly number[];
  readonly put: readonly object[];
}

function difference<T extends { readonly id: number }>(
  table: string,
  names: readonly string[],
  before: readonly T[],
  after: readonly T[],
  more: object = {},
): Change {
  const old = new Map(before.map((one) => [one.id, JSON.stringify(one)]));
  const kept = new Set(after.map((one) => one.id));
  return {
    table,
    columns: names,
    gone: before.filter((one) => !kept.has(one.id)).map((one) => one.id),
    put: after.filter((one) => old.get(one.id) !== JSON.stringify(one)).map((one) => ({ ...one, ...more })),
  };
}

const deviceColumns = ['id', 'system_id', 'name', 'type', 'uuid', 'group_id', 'size', 'block_size', 'tags', 'partition_table_type'];
const partitionColumns = ['id', 'block_device_id', 'number', 'uuid', 'size', 'bootable', 'tags'];
const place = ['block_device_id', 'partition_id'];
const filesystemColumns = ['id', 'system_id', ...place, 'fstype', 'uuid', 'label', 'mount_point', 'mount_options', 'acquired'];
const groupColumns = ['id', 'system_id', 'type', 'uuid', 'name', 'cache_mode', 'cache_set_id'];
const memberColumns = ['id', 'group_id', ...place, 'role', 'uuid'];

function differences(systemId: string, before: Storage<Device>, after: Storage<Device>): Change[] {
  const machine = { system_id: systemId };
  const all = (storage: Storage) => [...storage.filesystems, ...storage.shadowed];
  return [
    difference('storage_group', groupColumns, before.groups, after.groups, machine),
    difference('block_device', deviceColumns, before.devices, after.devices, machine),
    difference('partition', partitionColumns, before.partitions, after.partitions),
    difference('storage_member', memberColumns, before.members, after.members),
    difference('filesystem', filesystemColumns, all(before), all(after), machine),
  ];
}

/** Rows of one table that are new or changed, as a part of the statement that writes all of them. */
function written({ table, columns, put }: Change): RawBuilder<unknown> {
  const list = sql.join(columns.map((name) => sql.ref(name)));
  const set = sql.join(columns.filter((name) => name !== 'id').map((name) => sql`${sql.ref(name)} = ${sql.ref(`excluded.${name}`)}`));
  return sql`${sql.ref(`put_${table}`)} as (
    insert into ${sql.table(table)} (${list})
    select ${list} from jsonb_populate_recordset(null::${sql.table(table)}, ${JSON.stringify(put)}::jsonb)
    on conflict (id) do update set ${set})`;
}

/** Write what is different: one statement for each table that loses rows, and one for everything that is new or changed. */
export async function saveStorage(tx: CellDb, systemId: string, before: Storage, after: Storage): Promise<void> {
  const changes = differences(systemId, before, after);
  for (const { table, gone } of changes.toReversed()) {
    if (gone.length > 0) await sql`delete from ${sql.table(table)} where id = any (${gone as number[]}::bigint[])`.execute(tx);
  }
  const puts = changes.filter(({ put }) => put.length > 0).map(written);
  const isSame = before.layout === after.layout && before.own === after.own && before.bootDiskId === after.bootDiskId;
  if (puts.length === 0 && isSame) return;
  const ofMachine = sql`
    update machine set storage_layout = ${after.layout}, own_filesystems = ${after.own}, boot_disk_id = ${after.bootDiskId}
    where system_id = ${systemId}`;
  await (puts.length === 0 ? ofMachine : sql`with ${sql.join(puts)} ${ofMachine}`).execute(tx);
}
