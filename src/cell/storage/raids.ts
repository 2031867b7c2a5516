/** Software RAIDs (md). Pure. */
import {
  addGroup,
  changeGroup,
  freeName,
  placesOf,
  refreshDevice,
  refuseTakenName,
  withMembers,
  withoutMembers,
  type Chosen,
} from './groups.ts';
import { membersOf, wrong, type Group, type Maker, type RaidType, type Storage } from './model.ts';
import type { GroupChange, GroupGiven } from './volume-groups.ts';

/** What each level needs. */
const levels: Readonly<Record<RaidType, { readonly least: number; readonly spares: boolean }>> = {
  'raid-0': { least: 2, spares: false },
  'raid-1': { least: 2, spares: true },
  'raid-5': { least: 3, spares: true },
  'raid-6': { least: 4, spares: true },
  'raid-10': { least: 3, spares: true },
};

const fields = { devices: 'block_devices', partitions: 'partitions' };
const spareFields = { devices: 'spare_devices', partitions: 'spare_partitions' };

function judge(storage: Storage, group: Group): void {
  const { least, spares } = levels[group.type as RaidType];
  const members = membersOf(storage, group.id);
  const active = members.filter(({ member }) => member.role === 'active').length;
  if (active < least || (!spares && members.length > active)) {
    const level = group.type.slice('raid-'.length);
    throw wrong(`RAID level ${level} must have at least ${least} raid devices and ${spares ? 'any number of' : 'no'} spares.`);
  }
}

/** @throws Failure `invalid`. */
export function createRaid(
  storage: Storage,
  given: GroupGiven & { readonly type: RaidType },
  active: Chosen,
  spare: Chosen,
  make: Maker,
): { readonly storage: Storage; readonly group: Group } {
  const name = given.name ?? freeName(storage, 'md');
  refuseTakenName(storage, name);
  const group: Group = { id: make.id(), type: given.type, uuid: given.uuid ?? make.uuid(), name, cache_mode: null, cache_set_id: null };
  let left = addGroup(storage, group);
  left = withMembers(left, group.id, placesOf(left, active, fields), make, fields.devices);
  left = withMembers(left, group.id, placesOf(left, spare, spareFields), make, spareFields.devices, 'spare');
  judge(left, group);
  return { storage: refreshDevice(left, group, make), group };
}

export interface RaidChange extends GroupChange {
  readonly addSpares: Chosen;
  readonly removeSpares: Chosen;
}

/** @throws Failure `invalid`. */
export function updateRaid(storage: Storage, group: Group, change: RaidChange, make: Maker): Storage {
  const after: Group = { ...group, name: change.name ?? group.name, uuid: change.uuid ?? group.uuid };
  if (after.name !== group.name) refuseTakenName(storage, after.name, group.id);
  let left = changeGroup(storage, after);
  const takes = (chosen: Chosen, field: string, role: 'active' | 'spare') => {
    const places = placesOf(left, chosen, { devices: field, partitions: field.replace(/block_devices|devices/, 'partitions') });
    return { places, field, role };
  };
  for (const { places, field, role } of [
    takes(change.remove, 'remove_block_devices', 'active'),
    takes(change.removeSpares, 'remove_spare_devices', 'spare'),
  ])
    left = withoutMembers(left, group.id, places, field, role);
  for (const { places, field, role } of [
    takes(change.add, 'add_block_devices', 'active'),
    takes(change.addSpares, 'add_spare_devices', 'spare'),
  ])
    left = withMembers(left, group.id, places, make, field, role);
  judge(left, after);
  return refreshDevice(left, after, make);
}
