/** Software RAIDs of a machine. */
import type { Handlers } from '../../http/handler.ts';
import { raidTypes, type RaidType } from '../storage/model.ts';
import { createRaid, updateRaid } from '../storage/raids.ts';
import type { NetworkContext } from './network-context.ts';
import { raidBody } from './storage-body.ts';
import { chosen, groupCalls } from './storage-groups.ts';

export function raidHandlers(context: NetworkContext): Handlers<`Raids.${'read' | 'create'}` | `Raid.${'read' | 'update' | 'delete'}`> {
  const groups = groupCalls(context, { noun: 'RAID', model: 'RAID', types: raidTypes, body: raidBody });
  return {
    'Raids.read': groups.list,
    'Raids.create': (call) => {
      const { level, block_devices, partitions, spare_devices, spare_partitions, ...given } = call.params;
      const type = (level.startsWith('raid-') ? level : `raid-${level}`) as RaidType;
      const active = chosen(block_devices, partitions);
      const spare = chosen(spare_devices, spare_partitions);
      return groups.create(call, (storage, make) => createRaid(storage, { ...given, type }, active, spare, make));
    },
    'Raid.read': groups.read,
    'Raid.update': (call) => {
      const { params } = call;
      const change = {
        ...(params.name === undefined ? {} : { name: params.name }),
        ...(params.uuid === undefined ? {} : { uuid: params.uuid }),
        add: chosen(params.add_block_devices, params.add_partitions),
        remove: chosen(params.remove_block_devices, params.remove_partitions),
        addSpares: chosen(params.add_spare_devices, params.add_spare_partitions),
        removeSpares: chosen(params.remove_spare_devices, params.remove_spare_partitions),
      };
      return groups.update(call, (storage, group, make) => updateRaid(storage, group, change, make));
    },
    'Raid.delete': (call) => groups.remove(call),
  };
}
