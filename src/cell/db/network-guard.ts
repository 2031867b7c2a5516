/**
 * Who may change the network when. A subnet's row lock keeps two takers from the same address or range, and one lock keeps two changes of
 * fabrics, VLANs and subnets apart. A check must be a statement of its own after the lock: under read committed a statement that had to
 * wait for a lock still sees all other tables as they were before it waited.
 */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

/** One change of fabrics, VLANs and subnets at a time, until the transaction ends; readers and address takers go on. */
export async function lockNetworks(tx: CellDb): Promise<void> {
  await sql`lock table fabric in share row exclusive mode`.execute(tx);
}

export interface LockedSubnet {
  readonly id: number;
  readonly vlan_id: number;
  readonly cidr: string;
  readonly gateway_ip: string | null;
  readonly managed: boolean;
}

/** Nobody else gives out addresses or ranges of this subnet until the transaction ends; undefined when there is none. */
export async function lockSubnet(tx: CellDb, id: number): Promise<LockedSubnet | undefined> {
  const { rows } = await sql<LockedSubnet>`
    select id, vlan_id, cidr::text, host(gateway_ip) as gateway_ip, managed from subnet where id = ${id} for update`.execute(tx);
  return rows[0];
}

/** Is this PostgreSQL saying that another row still refers to the one to be deleted (SQLSTATE 23503)? */
export function isStillReferenced(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '23503';
}
