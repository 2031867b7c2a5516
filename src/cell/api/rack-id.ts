/** The system_id by which a cell shows itself as a rack controller: the last number that a machine of the cell could get. */
import { machinesPerCell, systemIdOf } from '../../contract/ids.ts';

export function rackId(cell: number): string {
  // The last number is spelt zzzz: never only digits.
  return systemIdOf(cell, machinesPerCell - 1) ?? '';
}
