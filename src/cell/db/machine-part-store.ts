/** A machine whose interfaces or disks are about to change: its row is locked, so that its state cannot change meanwhile. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

export interface LockedMachine {
  readonly system_id: string;
  readonly hostname: string;
  readonly status: number;
  readonly owner: string | null;
  readonly locked: boolean;
  readonly boot_interface_id: number | null;
  readonly boot_disk_id: number | null;
}

/** Undefined when there is no such machine. */
export async function lockMachine(tx: CellDb, systemId: string): Promise<LockedMachine | undefined> {
  const { rows } = await sql<LockedMachine>`
    update machine set updated = now() where system_id = ${systemId}
    returning system_id, hostname, status, owner, locked, boot_interface_id, boot_disk_id`.execute(tx);
  return rows[0];
}
