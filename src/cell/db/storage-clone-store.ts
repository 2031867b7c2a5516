/** How the disks of several machines are used, read and replaced at once: the number of statements does not grow with them. */
import { sql } from 'kysely';
import { storageOf, type Storage, type StorageParts } from '../storage/model.ts';
import type { CellDb } from './cell-db.ts';
import { storageJson } from './storage-store.ts';

interface StorageRow extends StorageParts {
  readonly system_id: string;
  readonly boot_disk_id: number | null;
  readonly storage_layout: string | null;
  readonly own_filesystems: boolean;
}

/** The storage of these machines, by system_id. */
export async function storagesOf(tx: CellDb, ids: readonly string[]): Promise<Map<string, Storage>> {
  const { devices, partitions, filesystems, groups, members } = storageJson;
  const { rows } = await sql<StorageRow>`
    select m.system_id, m.boot_disk_id, m.storage_layout, m.own_filesystems, ${devices} as devices, ${partitions} as partitions,
           ${filesystems} as filesystems, ${groups} as groups, ${members} as members
    from machine m where m.system_id = any (${ids as string[]}::text[])`.execute(tx);
  return new Map(rows.map((row) => [row.system_id, storageOf(row, row)]));
}

/** Tables in the order in which rows refer to each other, with what is written of them. */
const tables = {
  storage_group: 'id, system_id, type, uuid, name, cache_mode, cache_set_id',
  block_device: 'id, system_id, name, type, uuid, group_id, size, block_size, tags, partition_table_type',
  partition: 'id, block_device_id, number, uuid, size, bootable, tags',
  storage_member: 'id, group_id, block_device_id, partition_id, role, uuid',
  filesystem: 'id, system_id, block_device_id, partition_id, fstype, uuid, label, mount_point, mount_options, acquired',
} as const;

/** The disks stay the rows that they are; everything that is planned on them is what is given, and nothing else. */
export async function replaceStorages(tx: CellDb, storages: ReadonlyMap<string, Storage>): Promise<void> {
  const ids = [...storages.keys()];
  const json = (rows: readonly object[]) => sql`${JSON.stringify(rows)}::jsonb`;
  const all = <T extends object>(rowsOf: (storage: Storage) => readonly T[]): (T & { system_id: string })[] =>
    [...storages].flatMap(([system_id, storage]) => rowsOf(storage).map((row) => ({ ...row, system_id })));
  const ofMachines = sql`system_id = any (${ids}::text[])`;
  await sql`delete from filesystem where ${ofMachines}`.execute(tx);
  await sql`delete from partition where block_device_id in (select id from block_device where ${ofMachines})`.execute(tx);
  // With their devices and members.
  await sql`delete from storage_group where ${ofMachines}`.execute(tx);
  const rows = {
    storage_group: all(({ groups }) => groups),
    block_device: all(({ devices }) => devices.filter((one) => one.type === 'virtual')),
    partition: all(({ partitions }) => partitions),
    storage_member: all(({ members }) => members),
    filesystem: all(({ filesystems }) => filesystems),
  };
  for (const table of Object.keys(tables) as (keyof typeof tables)[]) {
    const columns = sql.raw(tables[table]);
    await sql`
      insert into ${sql.table(table)} (${columns})
      select ${columns} from jsonb_populate_recordset(null::${sql.table(table)}, ${json(rows[table])})`.execute(tx);
  }
  const disks = all(({ devices }) => devices.filter((one) => one.type === 'physical'));
  await sql`
    update block_device d set partition_table_type = n.partition_table_type
    from jsonb_populate_recordset(null::block_device, ${json(disks)}) n where d.id = n.id`.execute(tx);
  const machines = [...storages].map(([system_id, one]) => ({
    system_id,
    boot_disk_id: one.bootDiskId,
    storage_layout: one.layout,
    own_filesystems: one.own,
  }));
  await sql`
    update machine m set boot_disk_id = n.boot_disk_id, storage_layout = n.storage_layout, own_filesystems = n.own_filesystems
    from jsonb_populate_recordset(null::machine, ${json(machines)}) n where m.system_id = n.system_id`.execute(tx);
}
