/** The system_ids by which the processes of a cell show themselves as rack controllers: the last numbers that machines of it could get. */
import { machinesPerCell, systemIdOf } from '../../contract/ids.ts';

export function rackId(cell: number, slot = 0): string {
  // The last number is spelt zzzz, the one before zzzy: never only digits.
  return systemIdOf(cell, machinesPerCell - 1 - slot) ?? '';
}

/** Could this be a controller? Nothing else has such a number before a cell has had 331,200 machines and devices. */
export function mayBeRack(systemId: string): boolean {
  return systemId.startsWith('zz', 3);
}
