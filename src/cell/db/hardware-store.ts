/** What commissioning found out about hardware beyond disks and interfaces: devices, NUMA nodes, and the documents that tags are judged by. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

export interface FoundDevice {
  readonly bus: 'PCIE' | 'USB';
  readonly hardware_type: number;
  readonly vendor_id: string;
  readonly product_id: string;
  readonly vendor_name: string;
  readonly product_name: string;
  readonly commissioning_driver: string;
  readonly bus_number: number;
  readonly device_number: number;
  readonly pci_address: string | null;
  readonly numa_node: number;
}

export interface FoundNuma {
  readonly number: number;
  readonly cores: readonly number[];
  /** MiB. */
  readonly memory: number;
  readonly hugepages: readonly { readonly page_size: number; readonly total: number }[];
}

export interface FoundHardware {
  /** Each bus and address once. */
  readonly devices: readonly FoundDevice[];
  /** Each number once. */
  readonly numa: readonly FoundNuma[];
  /** On which PCI device a disk, by name, and a card, by MAC, hang. */
  readonly places: readonly { readonly disk: string | null; readonly mac: string | null; readonly pci_address: string }[];
}

/**
 * Replace what is known by what was found: four statements. Devices that are still at their address keep their ids. Call it behind
 * `saveInventory`, which writes the disks and cards that are placed here.
 */
export async function saveHardware(tx: CellDb, systemId: string, { devices, numa, places }: FoundHardware): Promise<void> {
  await sql`
    with found as (
      select *, coalesce(pci_address, bus_number || ':' || device_number) as at
      from jsonb_to_recordset(${JSON.stringify(devices)}::jsonb)
        as f (bus text, hardware_type smallint, vendor_id text, product_id text, vendor_name text, product_name text,
              commissioning_driver text, bus_number int, device_number int, pci_address text, numa_node int)),
    gone as (
      delete from node_device d where d.system_id = ${systemId} and not exists (
        select from found f where f.bus = d.bus and f.at = coalesce(d.pci_address, d.bus_number || ':' || d.device_number))),
    kept as (
      update node_device d set hardware_type = f.hardware_type, vendor_id = f.vendor_id, product_id = f.product_id,
             vendor_name = f.vendor_name, product_name = f.product_name, commissioning_driver = f.commissioning_driver,
             numa_node = f.numa_node
      from found f
      where d.system_id = ${systemId} and f.bus = d.bus and f.at = coalesce(d.pci_address, d.bus_number || ':' || d.device_number)
      returning f.bus || ' ' || f.at as key)
    insert into node_device (system_id, bus, hardware_type, vendor_id, product_id, vendor_name, product_name, commissioning_driver,
                             bus_number, device_number, pci_address, numa_node)
    select ${systemId}, bus, hardware_type, vendor_id, product_id, vendor_name, product_name, commissioning_driver, bus_number,
           device_number, pci_address, numa_node
    from found where bus || ' ' || at not in (select key from kept)`.execute(tx);
  await sql`
    with found as (
      select number, array(select jsonb_array_elements_text(cores)::int) as cores, memory, hugepages
      from jsonb_to_recordset(${JSON.stringify(numa)}::jsonb) as f (number int, cores jsonb, memory bigint, hugepages jsonb)),
    gone as (delete from numa_node n where n.system_id = ${systemId} and n.number not in (select number from found))
    insert into numa_node (system_id, number, cores, memory, hugepages)
    select ${systemId}, number, cores, memory, hugepages from found
    on conflict (system_id, number) do update set cores = excluded.cores, memory = excluded.memory, hugepages = excluded.hugepages`.execute(
    tx,
  );
  const placed = sql`jsonb_to_recordset(${JSON.stringify(places)}::jsonb) as p (disk text, mac text, pci_address text)`;
  const node = sql`(select numa_node from node_device v where v.system_id = ${systemId} and v.pci_address = p.pci_address)`;
  await sql`
    update block_device d set pci_address = p.pci_address, numa_node = ${node}
    from ${placed} where d.system_id = ${systemId} and d.name = p.disk`.execute(tx);
  await sql`
    update interface i set pci_address = p.pci_address, numa_node = ${node}
    from ${placed} where i.system_id = ${systemId} and i.type = 'physical' and i.mac = p.mac`.execute(tx);
}

/** Keep what lshw printed; tags are judged by it before long (tag-care.ts). The same document again is nothing new. */
export async function saveLshw(tx: CellDb, systemId: string, lshw: Buffer): Promise<void> {
  await sql`
    insert into machine_hardware (system_id, lshw) values (${systemId}, ${lshw})
    on conflict (system_id) do update set lshw = excluded.lshw, judged = false, updated = now()
    where machine_hardware.lshw is distinct from excluded.lshw`.execute(tx);
}

export interface DocumentsRow {
  readonly lshw: Buffer | null;
  readonly lldp: Buffer | null;
}

/** The documents of anything that has a system_id; undefined when nothing has it. */
export async function documentsOf(db: CellDb, systemId: string): Promise<DocumentsRow | undefined> {
  const { rows } = await sql<DocumentsRow>`
    select h.lshw, h.lldp from node n left join machine_hardware h on h.system_id = n.system_id where n.system_id = ${systemId}`.execute(
    db,
  );
  return rows[0];
}

export interface NodeDeviceRow extends FoundDevice {
  readonly id: number;
  readonly system_id: string;
  /** The disk and the card on it. */
  readonly disk_id: number | null;
  readonly interface_id: number | null;
}

/** The devices of a machine in the order of their addresses: one statement. */
export async function devicesOf(db: CellDb, systemId: string): Promise<NodeDeviceRow[]> {
  const { rows } = await sql<NodeDeviceRow>`
    select v.*,
           (select min(d.id) from block_device d where d.system_id = v.system_id and d.pci_address = v.pci_address) as disk_id,
           (select min(i.id) from interface i where i.system_id = v.system_id and i.pci_address = v.pci_address) as interface_id
    from node_device v where v.system_id = ${systemId} order by v.bus, v.pci_address, v.bus_number, v.device_number`.execute(db);
  return rows;
}

/** Forget one; true when there was one. */
export async function deleteDevice(tx: CellDb, systemId: string, id: number): Promise<boolean> {
  const { rows } = await sql`delete from node_device where system_id = ${systemId} and id = ${id} returning id`.execute(tx);
  return rows.length > 0;
}
