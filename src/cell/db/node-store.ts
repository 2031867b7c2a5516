/** Nodes of all kinds together: finding them by the conditions of machines, and what is kept of all alike. */
import { sql } from 'kysely';
import { LostRace, type CellDb } from './cell-db.ts';
import { recordAll } from './event-store.ts';
import { allOf, type MachineCondition } from './machine-filter.ts';

export type NodeType = 0 | 1 | 4;

/** What a controller is found by. */
export interface ControllerFacts {
  readonly system_id: string;
  readonly hostname: string;
  readonly domain_id: number;
  readonly zone_id: number;
  readonly architecture: string;
  readonly cpu_count: number;
  readonly memory: number;
}

export interface NodeKinds {
  readonly machines: boolean;
  readonly devices: boolean;
  /** Those that there are, which no table lists. */
  readonly controllers: readonly ControllerFacts[];
}

/**
 * The columns that conditions ask machines for, as other nodes have them: no pool, no hardware, no power. A controller counts as deployed,
 * a device as new, as in MAAS.
 */
const neutral = {
  status: 0,
  previous_status: 0,
  locked: false,
  power_state: 'unknown',
  power_type: '',
  cpu_count: 0,
  cpu_speed: 0,
  memory: 0,
  architecture: '',
  agent_name: '',
  osystem: '',
  distro_series: '',
  ephemeral: false,
  pool_id: -1,
};

/** The nodes of these kinds that meet the conditions, by system_id: one statement. */
export async function findNodes(
  db: CellDb,
  conditions: readonly MachineCondition[],
  { machines, devices, controllers }: NodeKinds,
): Promise<{ readonly system_id: string; readonly node_type: NodeType }[]> {
  const where = allOf(conditions);
  const parts = [
    ...(machines ? [sql`select m.system_id, 0 as node_type from machine m where ${where}`] : []),
    // Whatever the conditions look at: a device passes for a machine with nothing in it.
    ...(devices
      ? [
          sql`select m.system_id, 1 as node_type from device d,
              lateral jsonb_populate_record(null::machine, ${JSON.stringify(neutral)}::jsonb || to_jsonb(d)) m where ${where}`,
        ]
      : []),
    ...(controllers.length > 0
      ? [
          sql`select m.system_id, 4 as node_type from jsonb_populate_recordset(null::machine, ${JSON.stringify(
            controllers.map((one) => ({ ...neutral, status: 6, ...one })),
          )}::jsonb) m where ${where}`,
        ]
      : []),
  ];
  if (parts.length === 0) return [];
  const { rows } = await sql<{ system_id: string; node_type: NodeType }>`
    ${sql.join(parts, sql` union all `)} order by system_id`.execute(db);
  return rows;
}

/** Is this MAC address, in lower case with colons, on an interface of anything? */
export async function isMacKnown(db: CellDb, mac: string): Promise<boolean> {
  const { rows } = await sql`select from interface where mac = ${mac} limit 1`.execute(db);
  return rows.length > 0;
}

/** Is there such a machine or device? It stays until the transaction ends. */
export async function holdNode(tx: CellDb, systemId: string): Promise<boolean> {
  const { rows } = await sql`select from node where system_id = ${systemId} and node_type in (0, 1) for key share`.execute(tx);
  return rows.length === 1;
}

/** Which of these are machines and devices. */
export async function nodeTypes(db: CellDb, ids: readonly string[]): Promise<ReadonlyMap<string, NodeType>> {
  const { rows } = await sql<{ system_id: string; node_type: NodeType }>`
    select system_id, node_type from node where system_id = any (${ids as string[]}::text[])`.execute(db);
  return new Map(rows.map((row) => [row.system_id, row.node_type]));
}

/** Put nodes into a zone, each with its event: a constant number of statements. Controllers need not have been known before. @throws LostRace */
export async function setZones(
  tx: CellDb,
  ids: { readonly machines: readonly string[]; readonly devices: readonly string[]; readonly controllers: readonly string[] },
  zone: { readonly id: number; readonly name: string },
  by: string,
): Promise<void> {
  const moved = await sql`
    update machine m set zone_id = ${zone.id}, generation = generation + 1, updated = now()
    from (select system_id from machine where system_id = any (${ids.machines as string[]}::text[]) order by system_id for update) held
    where m.system_id = held.system_id and not m.locked`.execute(tx);
  if (moved.numAffectedRows !== BigInt(ids.machines.length)) throw new LostRace('a machine was locked or deleted at the same moment');
  await sql`
    update device d set zone_id = ${zone.id}, updated = now()
    from (select system_id from device where system_id = any (${ids.devices as string[]}::text[]) order by system_id for update) held
    where d.system_id = held.system_id`.execute(tx);
  await keepControllers(tx, ids.controllers);
  await sql`update controller set zone_id = ${zone.id} where system_id = any (${ids.controllers as string[]}::text[])`.execute(tx);
  const description = `zone: ${zone.name}`;
  await recordAll(tx, [
    ...ids.machines.map((systemId) => ({ kind: 'machine_updated' as const, systemId, username: by, description })),
    ...ids.devices.map((systemId) => ({ kind: 'device_updated' as const, systemId, username: by, description })),
    ...ids.controllers.map((systemId) => ({ kind: 'controller_updated' as const, systemId, username: by, description })),
  ]);
}

export interface ControllerRow {
  readonly system_id: string;
  readonly description: string;
  readonly zone_id: number;
  readonly domain_id: number | null;
  readonly tag_ids: readonly number[];
}

/** What is kept of controllers. */
export async function readControllers(db: CellDb): Promise<ControllerRow[]> {
  const { rows } = await sql<ControllerRow>`
    select c.*, array(select tag_id from machine_tag g where g.system_id = c.system_id order by tag_id) as tag_ids from controller c`.execute(
    db,
  );
  return rows;
}

/** Have rows for these controllers. */
export async function keepControllers(tx: CellDb, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await sql`insert into node (system_id, node_type) select id, 4 from unnest(${ids as string[]}::text[]) id on conflict do nothing`.execute(
    tx,
  );
  await sql`insert into controller (system_id) select id from unnest(${ids as string[]}::text[]) id on conflict do nothing`.execute(tx);
}

/** Change what is kept of one. */
export async function changeController(
  tx: CellDb,
  systemId: string,
  set: { readonly description?: string; readonly zone_id?: number; readonly domain_id?: number },
): Promise<void> {
  await keepControllers(tx, [systemId]);
  if (Object.keys(set).length > 0) await tx.updateTable('controller').set(set).where('system_id', '=', systemId).execute();
}

/** Forget what was kept of a controller. */
export async function forgetController(tx: CellDb, systemId: string): Promise<void> {
  await sql`delete from node where system_id = ${systemId} and node_type = 4`.execute(tx);
}
