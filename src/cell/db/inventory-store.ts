/** What commissioning and the agents' reports say of a machine's hardware, written to its rows. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';
import type { FoundHardware } from './hardware-store.ts';

export interface FoundDisk {
  readonly name: string;
  readonly model: string | null;
  readonly serial: string | null;
  readonly wwn: string | null;
  readonly id_path: string | null;
  readonly size: number;
  readonly block_size: number;
  readonly rotational: boolean;
}

export interface FoundNic {
  readonly name: string;
  readonly mac: string;
  readonly vendor: string | null;
  readonly product: string | null;
  readonly link: boolean;
  readonly speed: number;
  readonly boot: boolean;
}

export interface FoundMachine {
  readonly architecture: string;
  readonly firmware: 'bios' | 'uefi';
  readonly hardwareUuid: string | null;
  readonly serial: string | null;
  readonly cpuCount: number;
  readonly cpuSpeed: number;
  readonly memory: number;
  readonly hardwareInfo: Record<string, string>;
  readonly disks: readonly FoundDisk[];
  readonly interfaces: readonly FoundNic[];
  /** Left out where the agent is of a release that did not look. */
  readonly hardware?: FoundHardware | undefined;
}

/**
 * Replace the machine's hardware by what was found: four statements, whatever the number of disks and interfaces. Rows that are still there
 * keep their ids, tags and accounts; what is gone is removed; disks are recognised by WWN or serial before their name.
 */
export async function saveInventory(tx: CellDb, systemId: string, found: FoundMachine): Promise<void> {
  await sql`
    with found as (
      select * from jsonb_to_recordset(${JSON.stringify(found.disks)}::jsonb)
        as f (name text, model text, serial text, wwn text, id_path text, size bigint, block_size int, rotational boolean)),
    gone as (
      delete from block_device d where d.system_id = ${systemId} and d.type = 'physical' and not exists (
        select from found f where coalesce(f.wwn, f.serial, f.name) = coalesce(d.wwn, d.serial, d.name) and f.size = d.size)
      returning d.id),
    kept as (
      update block_device d set name = f.name, model = f.model, serial = f.serial, wwn = f.wwn, id_path = f.id_path,
             block_size = f.block_size, rotational = f.rotational
      from found f
      where d.system_id = ${systemId} and d.type = 'physical'
        and coalesce(f.wwn, f.serial, f.name) = coalesce(d.wwn, d.serial, d.name) and f.size = d.size
      returning coalesce(f.wwn, f.serial, f.name) as key)
    insert into block_device (system_id, name, model, serial, wwn, id_path, size, block_size, rotational, tags)
    select ${systemId}, name, model, serial, wwn, id_path, size, block_size, rotational,
           case when rotational then array['rotary'] else array['ssd'] end
    from found f where coalesce(f.wwn, f.serial, f.name) not in (select key from kept)`.execute(tx);
  const nics = JSON.stringify(found.interfaces);
  // Names that this inventory gives to others are freed first: the kernel may have named the same cards the other way round.
  await sql`
    with found as (select * from jsonb_to_recordset(${nics}::jsonb) as f (name text, mac text)),
    gone as (
      delete from interface i where i.system_id = ${systemId} and i.type = 'physical' and exists (select from found)
        and not exists (select from found f where lower(f.mac) = i.mac))
    update interface i
    set name = case i.type when 'physical' then i.name || ' was ' || i.id else left(i.type, 4) || '-' || right(i.id::text, 9) end
    from found f
    where i.system_id = ${systemId}
      and case i.type when 'physical' then i.mac = lower(f.mac) and i.name <> f.name else i.name = f.name end`.execute(tx);
  await sql`
    with found as (
      select * from jsonb_to_recordset(${nics}::jsonb)
        as f (name text, mac text, vendor text, product text, link boolean, speed int, boot boolean)),
    kept as (
      update interface i set name = f.name, vendor = f.vendor, product = f.product, link_connected = f.link,
             interface_speed = f.speed, link_speed = case when f.link then f.speed else 0 end
      from found f where i.system_id = ${systemId} and i.type = 'physical' and i.mac = lower(f.mac) returning i.mac)
    insert into interface (system_id, name, mac, vendor, product, link_connected, interface_speed, link_speed)
    select ${systemId}, f.name, lower(f.mac), f.vendor, f.product, f.link, f.speed, case when f.link then f.speed else 0 end
    from found f where lower(f.mac) not in (select mac from kept)
    on conflict do nothing`.execute(tx);
  await sql`
    update machine m set architecture = ${`${found.architecture}/generic`}, firmware = ${found.firmware},
      hardware_uuid = coalesce(${found.hardwareUuid}, hardware_uuid), serial = coalesce(${found.serial}, serial),
      cpu_count = ${found.cpuCount}, cpu_speed = ${found.cpuSpeed}, memory = ${found.memory},
      hardware_info = ${JSON.stringify(found.hardwareInfo)}::jsonb, updated = now(),
      boot_interface_id = coalesce((select i.id from interface i where i.system_id = m.system_id and i.type = 'physical' and i.mac = ${found.interfaces.find((nic) => nic.boot)?.mac.toLowerCase() ?? ''}),
                                   (select i.id from interface i where i.id = m.boot_interface_id),
                                   (select min(i.id) from interface i where i.system_id = m.system_id and i.type = 'physical' and i.mac is not null)),
      boot_disk_id = coalesce((select d.id from block_device d where d.id = m.boot_disk_id),
                              (select d.id from block_device d where d.system_id = m.system_id and coalesce(d.wwn, d.serial) is not null order by d.name limit 1))
    where m.system_id = ${systemId}`.execute(tx);
}

export interface SeenOnDisk {
  readonly serial: string;
  readonly wwn: string;
  readonly size: number;
  readonly signatures: readonly string[];
  readonly marker: string;
}

/** The cell's account of the disks: what its own last commission, deploy or erase saw or left there. */
export async function saveAccounts(tx: CellDb, systemId: string, seen: readonly SeenOnDisk[]): Promise<void> {
  await sql`
    update block_device d set account_signatures = array(select jsonb_array_elements_text(s.signatures)), account_marker = s.marker, account_at = now()
    from jsonb_to_recordset(${JSON.stringify(seen)}::jsonb) as s (serial text, wwn text, size bigint, signatures jsonb, marker text)
    where d.system_id = ${systemId} and d.size = s.size
      and coalesce(nullif(d.wwn, ''), d.serial) = coalesce(nullif(s.wwn, ''), s.serial)`.execute(tx);
}

export interface DiskRow {
  readonly id: number;
  readonly name: string;
  readonly serial: string | null;
  readonly wwn: string | null;
  readonly size: number;
  readonly account_signatures: string[] | null;
  readonly account_marker: string | null;
}

/** A machine's disks with their accounts, by name. */
export async function disksOf(db: CellDb, systemId: string): Promise<DiskRow[]> {
  const { rows } = await sql<DiskRow>`
    select id, name, serial, wwn, size, account_signatures, account_marker from block_device
    where system_id = ${systemId} and type = 'physical' order by name`.execute(db);
  return rows;
}
