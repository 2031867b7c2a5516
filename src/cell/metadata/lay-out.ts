/** How the disks of a machine are to be used once commissioning has seen them. */
import type { CellDb } from '../db/cell-db.ts';
import { inventoriedStorage, saveStorage } from '../db/storage-store.ts';
import type { LayoutName } from '../storage/layouts.ts';
import { repaired, withDefaultLayout } from '../storage/repair.ts';

/**
 * The default layout, or with skip_storage what was planned before, as far as its disks are still there. In the transaction of the inventory,
 * behind it; three statements where nothing was planned before.
 */
export async function layOut(tx: CellDb, systemId: string, layout: LayoutName): Promise<void> {
  const read = await inventoriedStorage(tx, systemId);
  if (!read) return;
  const { storage, make, keeps } = read;
  await saveStorage(tx, systemId, storage, keeps ? repaired(storage) : withDefaultLayout(storage, layout, make));
}
