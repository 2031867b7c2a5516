/** How machines are given back, and which of them are already. Pure. */
import { lifecycle } from '../../contract/lifecycle.ts';
import { settingOf } from '../../global/api/settings.ts';
import type { GlobalReader } from '../../global/document.ts';
import type { MachineGuard } from '../db/machine-guard.ts';

export interface ReleaseGiven {
  readonly erase?: boolean;
  readonly quick_erase?: boolean;
  readonly comment?: string;
}

/** Ready, or on its way there: releasing it again changes nothing. */
export function isReleased(guard: Pick<MachineGuard, 'status'>): boolean {
  return guard.status === lifecycle.ready.number || guard.status === lifecycle.releasing.number;
}

export interface ReleasePlan {
  readonly kind: 'erase' | 'release';
  readonly parameters: Record<string, unknown>;
}

/** How machines are released: with their disks erased, or as they are. */
export function releasePlan(global: GlobalReader, given: ReleaseGiven): ReleasePlan {
  const isErased = given.erase ?? (given.quick_erase === true || settingOf(global, 'enable_disk_erasing_on_release'));
  const quick = given.quick_erase ?? settingOf(global, 'disk_erase_with_quick_erase');
  return isErased ? { kind: 'erase', parameters: { quick } } : { kind: 'release', parameters: {} };
}
