// Examples of what is made of a machine's disks. Every one has a fresh Ready machine with three disks, of which the last two are empty.
import { onMachine, type Example, type Examples } from './example.ts';
import type { Values, World } from './world.ts';

type Path = Record<string, string>;

interface Disks {
  readonly system_id: string;
  /** The ids of the empty ones. */
  readonly empty: readonly [string, string];
}

async function disks(world: World): Promise<Disks> {
  const system_id = await world.machine('ready');
  await world.must('admin', 'POST', `machines/${system_id}/?op=set_storage_layout`, { storage_layout: 'blank' });
  const found: { id: number; name: string }[] = await world.must('admin', 'GET', `nodes/${system_id}/blockdevices/`);
  const ids = found.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map((one) => String(one.id));
  return { system_id, empty: [ids[1] ?? '', ids[2] ?? ''] };
}

async function make(world: World, { system_id }: Disks, path: string, fields: Values): Promise<string> {
  return String((await world.must('admin', 'POST', `nodes/${system_id}/${path}`, fields)).id);
}

const size = String(10 * 2 ** 30);

/** One thing made of a fresh machine's disks, and the path to it. */
type Made = (world: World) => Promise<Path>;

const blockDevice: Made = async (world) => {
  const { system_id, empty } = await disks(world);
  return { system_id, id: empty[0] };
};
const partition: Made = async (world) => {
  const there = await disks(world);
  const [device_id] = there.empty;
  return { system_id: there.system_id, device_id, id: await make(world, there, `blockdevices/${device_id}/partitions/`, { size }) };
};
const volumeGroup: Made = async (world) => {
  const there = await disks(world);
  return { system_id: there.system_id, id: await make(world, there, 'volume-groups/', { name: 'vg0', block_devices: there.empty }) };
};
const raid: Made = async (world) => {
  const there = await disks(world);
  const fields = { name: 'md0', level: 'raid-1', block_devices: there.empty };
  return { system_id: there.system_id, id: await make(world, there, 'raids/', fields) };
};
const cacheSet: Made = async (world) => {
  const there = await disks(world);
  return { system_id: there.system_id, id: await make(world, there, 'bcache-cache-sets/', { cache_device: there.empty[0] }) };
};
async function bcacheOf(world: World, there: Disks): Promise<Values> {
  const cache_set = await make(world, there, 'bcache-cache-sets/', { cache_device: there.empty[0] });
  return { name: 'bcache0', cache_set, backing_device: there.empty[1], cache_mode: 'writeback' };
}
const bcache: Made = async (world) => {
  const there = await disks(world);
  return { system_id: there.system_id, id: await make(world, there, 'bcaches/', await bcacheOf(world, there)) };
};
const datastore: Made = async (world) => {
  const system_id = await world.machine('ready');
  await world.must('admin', 'POST', `machines/${system_id}/?op=set_storage_layout`, { storage_layout: 'vmfs6' });
  const found = await world.must('admin', 'GET', `nodes/${system_id}/vmfs-datastores/`);
  return { system_id, id: String(found[0].id) };
};

/** Of what is made, after these operations on it. */
const on =
  (made: Made, fields: Values = {}, at?: string, ...before: readonly (readonly [op: string, fields: Values])[]) =>
  async (world: World): Promise<Example> => {
    const path = await made(world);
    for (const [op, given] of before) {
      const place = (at ?? '').replace(/\{(\w+)\}/g, (_, name: string) => path[name] ?? '');
      await world.must('admin', 'POST', `nodes/${path['system_id']}/${place}?op=${op}`, given);
    }
    return { path, fields };
  };

const device = 'blockdevices/{id}/';
const part = 'blockdevices/{device_id}/partition/{id}';
const ext4 = ['format', { fstype: 'ext4' }] as const;
const mounted = ['mount', { mount_point: '/srv' }] as const;

async function volume(world: World): Promise<Example> {
  const path = await volumeGroup(world);
  const { id } = await world.must('admin', 'POST', `nodes/${path['system_id']}/volume-group/${path['id']}/?op=create_logical_volume`, {
    name: 'lv0',
    size,
  });
  return { path, fields: { id: String(id) } };
}

const ofPartitions = (handler: string): Examples => ({
  [`${handler}.read`]: on(partition),
  [`${handler}.delete`]: on(partition),
  [`${handler}.add_tag`]: on(partition, { tag: 'data' }),
  [`${handler}.remove_tag`]: on(partition, { tag: 'data' }, part, ['add_tag', { tag: 'data' }]),
  [`${handler}.format`]: on(partition, { fstype: 'ext4' }),
  [`${handler}.unformat`]: on(partition, {}, part, ext4),
  [`${handler}.mount`]: on(partition, { mount_point: '/srv' }, part, ext4),
  [`${handler}.unmount`]: on(partition, {}, part, ext4, mounted),
});

const ofVolumeGroups = (handler: string): Examples => ({
  [`${handler}.read`]: on(volumeGroup),
  [`${handler}.update`]: on(volumeGroup, { name: 'vg1' }),
  [`${handler}.delete`]: on(volumeGroup),
  [`${handler}.create_logical_volume`]: on(volumeGroup, { name: 'lv0', size }),
  [`${handler}.delete_logical_volume`]: volume,
});

export const storageExamples: Examples = {
  'BlockDevice.format': on(blockDevice, { fstype: 'ext4' }),
  'BlockDevice.unformat': on(blockDevice, {}, device, ext4),
  'BlockDevice.mount': on(blockDevice, { mount_point: '/srv' }, device, ext4),
  'BlockDevice.unmount': on(blockDevice, {}, device, ext4, mounted),
  'Partitions.read': async (world) => {
    const { system_id, device_id = '' } = await partition(world);
    return { path: { system_id: system_id ?? '', device_id } };
  },
  'Partitions.create': async (world) => {
    const { system_id, empty } = await disks(world);
    return { path: { system_id, device_id: empty[0] }, fields: { size } };
  },
  ...ofPartitions('Partition'),
  ...ofPartitions('PartitionOfList'),
  'VolumeGroups.read': onMachine('ready'),
  'VolumeGroups.create': async (world) => {
    const { system_id, empty } = await disks(world);
    return { path: { system_id }, fields: { name: 'vg0', block_devices: empty } };
  },
  ...ofVolumeGroups('VolumeGroup'),
  ...ofVolumeGroups('VolumeGroupOfList'),
  'Raids.read': onMachine('ready'),
  'Raids.create': async (world) => {
    const { system_id, empty } = await disks(world);
    return { path: { system_id }, fields: { name: 'md0', level: 'raid-1', block_devices: empty } };
  },
  'Raid.read': on(raid),
  'Raid.update': on(raid, { name: 'md1' }),
  'Raid.delete': on(raid),
  'BcacheCacheSets.read': onMachine('ready'),
  'BcacheCacheSets.create': async (world) => {
    const { system_id, empty } = await disks(world);
    return { path: { system_id }, fields: { cache_device: empty[0] } };
  },
  'BcacheCacheSet.read': on(cacheSet),
  'BcacheCacheSet.update': async (world) => {
    const there = await disks(world);
    const id = await make(world, there, 'bcache-cache-sets/', { cache_device: there.empty[0] });
    return { path: { system_id: there.system_id, id }, fields: { cache_device: there.empty[1] } };
  },
  'BcacheCacheSet.delete': on(cacheSet),
  'Bcaches.read': onMachine('ready'),
  'Bcaches.create': async (world) => {
    const there = await disks(world);
    return { path: { system_id: there.system_id }, fields: await bcacheOf(world, there) };
  },
  'Bcache.read': on(bcache),
  'Bcache.update': on(bcache, { cache_mode: 'writethrough' }),
  'Bcache.delete': on(bcache),
  'VmfsDatastores.read': onMachine('ready'),
  'VmfsDatastores.create': async (world) => {
    const system_id = await world.machine('ready');
    await world.must('admin', 'POST', `machines/${system_id}/?op=set_storage_layout`, { storage_layout: 'vmfs6' });
    const found = await world.must('admin', 'GET', `nodes/${system_id}/blockdevices/`);
    return { path: { system_id }, fields: { name: 'store', block_devices: String(found.at(-1).id) } };
  },
  'VmfsDatastore.read': on(datastore),
  'VmfsDatastore.update': on(datastore, { name: 'renamed' }),
  'VmfsDatastore.delete': on(datastore),
  'Machine.set_storage_layout': async (world) => ({
    path: { system_id: await world.machine('ready') },
    fields: { storage_layout: 'flat' },
    unread: ['cache_device'],
  }),
  'Machine.restore_storage_configuration': onMachine('ready'),
  'Machine.mount_special': onMachine('ready', { fstype: 'tmpfs', mount_point: '/scratch' }),
  'Machine.unmount_special': async (world) => {
    const system_id = await world.machine('ready');
    await world.must('admin', 'POST', `machines/${system_id}/?op=mount_special`, { fstype: 'tmpfs', mount_point: '/scratch' });
    return { path: { system_id }, fields: { mount_point: '/scratch' } };
  },
};
