/**
 * Machines of a cell as rows, by SQL: what commissioning would have left of simulated hardware, Ready and free. For runs that need more
 * machines than there is time to boot. The n-th machine of a seed is the n-th one of a fleet of that seed (src/sim/fleet.ts).
 */
import { sql } from 'kysely';
import type { CellTables } from '../src/cell/db/schema.ts';
import { readInventory } from '../src/cell/lifecycle/inventory.ts';
import { hostNameFor } from '../src/cell/metadata/host-name.ts';
import { systemIdOf } from '../src/contract/ids.ts';
import type { Database } from '../src/postgres/database.ts';
import { inventoryOf, machineModel } from '../src/sim/machine-model.ts';

export interface RowsWanted {
  readonly seed: string;
  /** The number of the first one in its fleet. */
  readonly first: number;
  readonly count: number;
  /** The cell's number. */
  readonly cell: number;
  /** The settings of a machine's BMC, sealed as the cell does it, and its address; undefined: power by hand. By number in the fleet. */
  readonly bmc?: (number: number) => { readonly driver: string; readonly address: string; readonly sealed: Buffer } | undefined;
}

/** Rows written by one statement. */
const atOnce = 500;

/** Add them behind the machines that the cell has. Returns their ids, in the order of the numbers. */
export async function insertMachineRows(database: Database<CellTables>, wanted: RowsWanted): Promise<string[]> {
  const { rows: places } = await sql<{ domain: number; vlan: number | null; next: number }>`
    select (select id from domain where is_default) as domain, (select min(id) from vlan) as vlan,
           (select case when is_called then last_value + 1 else last_value end from machine_number) as next`.execute(database.db);
  const { domain, vlan, next = 0 } = places[0] ?? {};
  const ids: string[] = [];
  let n = Number(next);
  for (let from = 0; from < wanted.count; from += atOnce) {
    const machines: ReturnType<typeof oneMachine>[] = [];
    for (let at = from; at < Math.min(from + atOnce, wanted.count); at += 1) {
      let systemId: string | undefined;
      while (systemId === undefined) systemId = systemIdOf(wanted.cell, n++);
      ids.push(systemId);
      machines.push(oneMachine(systemId, wanted, wanted.first + at));
    }
    const given = JSON.stringify(machines);
    await database.transaction(async (tx) => {
      await sql`
        with given as (select * from jsonb_to_recordset(${given}::jsonb) as g (
          system_id text, hostname text, architecture text, firmware text, uuid text, serial text, cpus int, speed int, memory int, info jsonb,
          driver text, address text, sealed text)),
        bmcs as (
          insert into bmc (driver, address, sealed) select driver, address, decode(sealed, 'base64') from given where driver is not null
          returning id, driver, address)
        insert into machine (system_id, hostname, domain_id, architecture, firmware, hardware_uuid, serial, cpu_count, cpu_speed, memory,
                             hardware_info, status, power_type, bmc_id, power_state)
        select g.system_id, g.hostname, ${domain}, g.architecture, g.firmware, g.uuid, g.serial, g.cpus, g.speed, g.memory, g.info, 4,
               coalesce(g.driver, 'manual'), b.id, 'off'
        from given g left join bmcs b on b.driver = g.driver and b.address = g.address`.execute(tx);
      await sql`
        insert into interface (system_id, name, mac, vlan_id, vendor, product, link_connected, interface_speed, link_speed)
        select g.system_id, f.name, f.mac, ${vlan ?? null}, f.vendor, f.product, f.link, f.speed, case when f.link then f.speed else 0 end
        from jsonb_to_recordset(${given}::jsonb) as g (system_id text, interfaces jsonb),
             jsonb_to_recordset(g.interfaces) as f (name text, mac text, vendor text, product text, link boolean, speed int)`.execute(tx);
      await sql`
        insert into block_device (system_id, name, model, serial, wwn, id_path, size, block_size, rotational, tags)
        select g.system_id, d.name, d.model, d.serial, d.wwn, d.id_path, d.size, d.block_size, d.rotational,
               case when d.rotational then array['rotary'] else array['ssd'] end
        from jsonb_to_recordset(${given}::jsonb) as g (system_id text, disks jsonb),
             jsonb_to_recordset(g.disks) as d (name text, model text, serial text, wwn text, id_path text, size bigint, block_size int, rotational boolean)`.execute(
        tx,
      );
      await sql`
        update machine m set
          boot_interface_id = (select min(i.id) from interface i where i.system_id = m.system_id and i.name = 'eth0'),
          boot_disk_id = (select d.id from block_device d where d.system_id = m.system_id order by d.name limit 1)
        where m.system_id = any (${machines.map((one) => one.system_id)}::text[])`.execute(tx);
    });
  }
  await sql`select setval('machine_number', ${n - 1})`.execute(database.db);
  return ids;
}

function oneMachine(systemId: string, { seed, bmc }: RowsWanted, number: number) {
  const read = readInventory(Buffer.from(JSON.stringify(inventoryOf(machineModel(seed, number)))));
  if ('problem' in read) throw new Error(`machine ${number} of ${seed}: ${read.problem}`);
  const { found } = read;
  const power = bmc?.(number);
  return {
    system_id: systemId,
    hostname: hostNameFor(systemId, 1),
    architecture: `${found.architecture}/generic`,
    firmware: found.firmware,
    uuid: found.hardwareUuid,
    serial: found.serial,
    cpus: found.cpuCount,
    speed: found.cpuSpeed,
    memory: found.memory,
    info: found.hardwareInfo,
    interfaces: found.interfaces.map((nic) => ({ ...nic, mac: nic.mac.toLowerCase() })),
    disks: found.disks,
    driver: power?.driver,
    address: power?.address,
    sealed: power?.sealed.toString('base64'),
  };
}
