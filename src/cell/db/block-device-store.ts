/** Disks: writes by hand, under the machine's lock (machine-part-store.ts). Commissioning writes them in inventory-store.ts. */
import type { Insertable, Updateable } from 'kysely';
import type { CellDb } from './cell-db.ts';
import type { BlockDeviceTable } from './schema.ts';

/** @throws UniqueViolation at the end of the transaction when the machine has a disk of this name. */
export async function insertDisk(tx: CellDb, disk: Insertable<BlockDeviceTable>): Promise<number> {
  return (await tx.insertInto('block_device').values(disk).returning('id').executeTakeFirstOrThrow()).id;
}

export interface OwnedDisk {
  readonly id: number;
  readonly name: string;
  readonly serial: string | null;
  readonly id_path: string | null;
  readonly size: number;
  readonly type: 'physical' | 'virtual';
}

/** A disk of this machine; undefined when it has none with this id. */
export async function diskOf(tx: CellDb, systemId: string, id: number): Promise<OwnedDisk | undefined> {
  return tx
    .selectFrom('block_device')
    .select(['id', 'name', 'serial', 'id_path', 'size', 'type'])
    .where('id', '=', id)
    .where('system_id', '=', systemId)
    .executeTakeFirst();
}

/** `isAnother`: the row means another disk from now on, and what was known of the contents of the old one says nothing of it. */
export async function updateDisk(tx: CellDb, id: number, set: Updateable<BlockDeviceTable>, isAnother: boolean): Promise<void> {
  const account = isAnother ? { account_signatures: null, account_marker: null, account_at: null } : {};
  if (Object.keys(set).length > 0)
    await tx
      .updateTable('block_device')
      .set({ ...set, ...account })
      .where('id', '=', id)
      .execute();
}
