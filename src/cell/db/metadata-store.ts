/** What the metadata server reads of a machine: one statement a question. */
import { sql } from 'kysely';
import type { OperationKind } from '../../contract/operation.ts';
import type { CellDb } from './cell-db.ts';
import type { DeployedImage } from './schema.ts';

export interface MachineFacts {
  readonly system_id: string;
  readonly hostname: string;
  readonly fqdn: string;
  readonly owner: string | null;
  readonly status: number;
  readonly user_data: Buffer | null;
  readonly image: DeployedImage | null;
  readonly boot_disk_id: number | null;
  readonly architecture: string;
  readonly operation_id: number | null;
  readonly kind: OperationKind | null;
  readonly parameters: Record<string, unknown> | null;
  /** An earlier ticket of the live operation was claimed. */
  readonly resumes: boolean;
  readonly tag_ids: readonly number[];
}

/** The machine as its own metadata shows it; undefined when it is gone. */
export async function machineFacts(db: CellDb, systemId: string): Promise<MachineFacts | undefined> {
  const { rows } = await sql<MachineFacts>`
    select m.system_id, m.hostname, m.hostname || '.' || d.name as fqdn, m.owner, m.status, m.user_data, m.image, m.boot_disk_id,
           m.architecture, o.id as operation_id, o.kind, o.parameters,
           array(select tag_id from machine_tag g where g.system_id = m.system_id order by tag_id) as tag_ids,
           exists (select from ticket t where t.operation_id = o.id and t.claimed is not null and t.voided is not null) as resumes
    from machine m join domain d on d.id = m.domain_id
    left join operation o on o.system_id = m.system_id and o.outcome = 'live'
    where m.system_id = ${systemId}`.execute(db);
  return rows[0];
}

export interface SegmentFacts {
  readonly vlan_id: number;
  readonly enlists: boolean;
  readonly subnet_id: number;
}

/** The VLAN that an address belongs to: the subnet with the longest prefix. */
export async function segmentOf(db: CellDb, address: string): Promise<SegmentFacts | undefined> {
  const { rows } = await sql<SegmentFacts>`
    select v.id as vlan_id, v.enlists, s.id as subnet_id from subnet s join vlan v on v.id = s.vlan_id
    where s.cidr >>= ${address}::inet order by masklen(s.cidr) desc limit 1`.execute(db);
  return rows[0];
}

/** The domain that new machines get. */
export async function defaultDomain(db: CellDb): Promise<number> {
  const { id } = await db.selectFrom('domain').select('id').where('is_default', '=', true).executeTakeFirstOrThrow();
  return id;
}

/** A rescue boot checked in: it holds no ticket, its right is the machine's state. */
export async function rescueCheckIn(tx: CellDb, systemId: string, bootId: string, address: string): Promise<void> {
  await sql`insert into boot (boot_id, system_id, purpose, address) values (${bootId}, ${systemId}, 'rescue', ${address}::inet)
            on conflict (boot_id) do nothing`.execute(tx);
  await sql`update credential set revoked = now() where system_id = ${systemId} and kind = 'boot' and boot_id <> ${bootId} and revoked is null`.execute(
    tx,
  );
}
