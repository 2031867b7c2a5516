import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from '../../../test/network-server.ts';

let at: NetworkServer;
beforeAll(async () => {
  at = await networkServer();
});
afterAll(() => at.drop());

const gigabyte = 1_000_000_000;
const mebibyte = 1024 ** 2;
const alignment = 4 * mebibyte;

/** A Ready machine with disks sda, sdb, … of 100 GB; the first is the boot disk. */
async function machine(disks = 1, more: Parameters<NetworkServer['machine']>[0] = {}) {
  const id = await at.machine(more);
  const rows = Array.from({ length: disks }, (_, n) => ({
    system_id: id,
    name: `sd${'abcdefgh'[n]}`,
    serial: `${id}-${n}`,
    size: 100 * gigabyte,
    tags: n === 0 ? ['rotary'] : ['ssd'],
  }));
  const made = rows.length === 0 ? [] : await at.db.insertInto('block_device').values(rows).returning('id').execute();
  const ids = made.map((row) => row.id);
  await at.db
    .updateTable('machine')
    .set({ boot_disk_id: ids[0] ?? null })
    .where('system_id', '=', id)
    .execute();
  return { id, ids, node: `nodes/${id}/`, disk: (n: number) => `nodes/${id}/blockdevices/${ids[n]}/` };
}

async function state(id: string, status: number, owner: string | null): Promise<void> {
  await at.db.updateTable('machine').set({ status, owner }).where('system_id', '=', id).execute();
}

/** Everything that is planned on a machine, for "nothing changed". */
async function planned(id: string): Promise<unknown> {
  const body = await at.must('GET', `machines/${id}/`);
  return [body.blockdevice_set, body.volume_groups, body.raids, body.bcaches, body.cache_sets, body.special_filesystems];
}

describe('partitions', () => {
  test('as MAAS shows them, sizes whole, the table gone with the last', async () => {
    const { id, ids, disk } = await machine();
    const before = await planned(id);
    const made = await at.must('POST', `${disk(0)}partitions/`, { size: 10 * gigabyte, bootable: true });
    expect(made).toEqual({
      uuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      size: Math.ceil((10 * gigabyte) / alignment) * alignment,
      bootable: true,
      tags: [],
      type: 'partition',
      used_for: 'Unused',
      system_id: id,
      path: '/dev/disk/by-dname/sda-part1',
      filesystem: null,
      device_id: ids[0],
      id: made.id,
      resource_uri: `/MAAS/api/2.0/nodes/${id}/blockdevices/${ids[0]}/partition/${made.id}`,
    });
    const rest = await at.must('POST', `${disk(0)}partitions/`);
    const body = await at.must('GET', disk(0));
    expect([body.partition_table_type, body.used_for, body.available_size]).toEqual(['GPT', 'GPT partitioned with 2 partitions', 0]);
    expect(body.used_size).toBe(made.size + rest.size + 5 * mebibyte);
    expect(await at.must('GET', `${disk(0)}partitions/`)).toEqual([made, rest]);
    for (const path of ['partition', 'partitions']) expect(await at.must('GET', `${disk(0)}${path}/${made.id}`)).toEqual(made);
    expect((await at.must('POST', `${disk(0)}partition/${made.id}?op=add_tag`, { tag: 'fast' })).tags).toEqual(['fast']);
    expect((await at.must('POST', `${disk(0)}partitions/${made.id}?op=remove_tag`, { tag: 'fast' })).tags).toEqual([]);
    expect((await at.ask('DELETE', `${disk(0)}partition/${made.id}`)).status).toBe(204);
    expect((await at.ask('DELETE', `${disk(0)}partitions/${rest.id}`)).status).toBe(204);
    expect(await planned(id)).toEqual(before);
  });

  test('formatting, mounting and back', async () => {
    const { disk } = await machine();
    const { id } = await at.must('POST', `${disk(0)}partitions/`, { size: '10G' });
    const one = `${disk(0)}partition/${id}`;
    const formatted = await at.must('POST', `${one}?op=format`, { fstype: 'ext4', label: 'data' });
    expect(formatted.filesystem).toMatchObject({ fstype: 'ext4', label: 'data', mount_point: null, mount_options: null });
    expect(formatted.used_for).toBe('Unmounted ext4 formatted filesystem');
    const mounted = await at.must('POST', `${one}?op=mount`, { mount_point: '/srv', mount_options: 'noatime,nodev' });
    expect(mounted.filesystem).toMatchObject({ mount_point: '/srv', mount_options: 'noatime,nodev' });
    expect(mounted.used_for).toBe('ext4 formatted filesystem mounted at /srv');
    expect((await at.ask('POST', `${one}?op=unformat`)).text).toBe(
      'Filesystem is mounted and cannot be unformatted. Unmount the filesystem before unformatting the partition.',
    );
    expect((await at.ask('POST', `${one}?op=format`, { fstype: 'xfs' })).status).toBe(400);
    expect((await at.must('POST', `${one}?op=unmount`)).filesystem.mount_point).toBeNull();
    expect((await at.ask('POST', `${one}?op=unmount`)).text).toBe('Filesystem is already unmounted.');
    expect((await at.must('POST', `${one}?op=unformat`)).filesystem).toBeNull();
    expect((await at.ask('POST', `${one}?op=unformat`)).text).toBe('Partition is not formatted.');
    expect((await at.ask('POST', `${one}?op=mount`, { mount_point: '/x' })).body).toEqual({
      __all__: ['Cannot mount an unformatted partition or block device.'],
    });
    await at.must('POST', `${one}?op=format`, { fstype: 'swap' });
    expect((await at.must('POST', `${one}?op=mount`)).filesystem.mount_point).toBe('none');
  });

  test.each([
    ['too much', { size: 200 * gigabyte }, 400],
    ['too little', { size: 1000 }, 400],
    ['no size', { size: 'big' }, 400],
    ['no UUID', { uuid: 'x' }, 400],
  ])('creating: %s', async (_, form, status) => {
    const { id, disk } = await machine();
    const before = await planned(id);
    expect((await at.ask('POST', `${disk(0)}partitions/`, form)).status).toBe(status);
    expect(await planned(id)).toEqual(before);
  });

  test('what is of another machine or not there at all', async () => {
    const { disk } = await machine();
    const other = await machine();
    const { id } = await at.must('POST', `${disk(0)}partitions/`);
    expect((await at.ask('GET', `${other.disk(0)}partition/${id}`)).text).toBe('No Partition matches the given query.');
    expect((await at.ask('POST', `${other.disk(0)}partition/${id}?op=format`, { fstype: 'ext4' })).status).toBe(404);
    expect((await at.ask('GET', `${other.node}blockdevices/${other.ids[0]}/partition/x`)).status).toBe(404);
    expect((await at.ask('POST', `${other.node}blockdevices/1/partitions/`)).status).toBe(404);
    expect((await at.ask('POST', `${disk(0)}partitions/`)).body).toEqual({
      size: ['Not enough free space on block device sda: 0 bytes are left.'],
    });
  });
});

describe('who may, and when', () => {
  const adminOnly: [string, 'POST' | 'PUT' | 'DELETE', (at: Awaited<ReturnType<typeof machine>>) => string, Record<string, unknown>?][] = [
    ['create partition', 'POST', ({ disk }) => `${disk(0)}partitions/`],
    ['create volume group', 'POST', ({ node }) => `${node}volume-groups/`, { name: 'vg0', block_devices: 1 }],
    ['create RAID', 'POST', ({ node }) => `${node}raids/`, { level: 'raid-1' }],
    ['create cache set', 'POST', ({ node }) => `${node}bcache-cache-sets/`],
    ['create bcache', 'POST', ({ node }) => `${node}bcaches/`],
    ['create VMFS datastore', 'POST', ({ node }) => `${node}vmfs-datastores/`, { name: 'datastore1' }],
    ['change the storage layout', 'POST', ({ id }) => `machines/${id}/?op=set_storage_layout`, { storage_layout: 'flat' }],
    ['restore the storage configuration', 'POST', ({ id }) => `machines/${id}/?op=restore_storage_configuration`],
    ['update block device', 'PUT', ({ disk }) => disk(0), { name: 'vda' }],
    ['update block device', 'POST', ({ disk }) => `${disk(0)}?op=add_tag`, { tag: 'x' }],
    ['delete block device', 'DELETE', ({ disk }) => disk(0)],
    ['set as boot disk', 'POST', ({ disk }) => `${disk(0)}?op=set_boot_disk`],
  ];
  test.each(adminOnly)('%s (%s): an admin, while the machine is Ready', async (verb, method, path, form) => {
    const one = await machine();
    const before = await planned(one.id);
    expect((await at.ask(method, path(one), form, 'ann')).status).toBe(403);
    expect((await at.ask(method, path(one), form, 'nobody')).status).toBe(401);
    await state(one.id, 10, 'ann');
    expect((await at.ask(method, path(one), form, 'ann')).status).toBe(403);
    const refused = await at.ask(method, path(one), form);
    expect([refused.status, refused.text]).toEqual([409, `Cannot ${verb} because the machine is not Ready.`]);
    await state(one.id, 4, null);
    expect(await planned(one.id)).toEqual(before);
  });

  test('the owner of an allocated machine formats and mounts; releasing brings back what the admin made', async () => {
    const { id, disk } = await machine(2);
    await at.must('POST', `machines/${id}/?op=set_storage_layout`, { storage_layout: 'flat' });
    const before = await planned(id);
    const format = { fstype: 'xfs' };
    expect((await at.ask('POST', `${disk(1)}?op=format`, format, 'ann')).status).toBe(403);
    await state(id, 10, 'ann');
    expect((await at.ask('POST', `${disk(1)}?op=format`, format, 'bob')).status).toBe(403);
    await at.must('POST', `${disk(1)}?op=format`, format, 'ann');
    expect((await at.must('POST', `${disk(1)}?op=mount`, { mount_point: '/srv' }, 'ann')).used_for).toBe(
      'xfs formatted filesystem mounted at /srv',
    );
    await at.must('POST', `machines/${id}/?op=mount_special`, { fstype: 'tmpfs', mount_point: '/scratch' }, 'ann');
    const root = (await at.must('GET', disk(0))).partitions[1];
    expect(root.used_for).toBe('ext4 formatted filesystem mounted at /');
    await at.must('POST', `${disk(0)}partition/${root.id}?op=unmount`, undefined, 'ann');
    await at.must('POST', `${disk(0)}partition/${root.id}?op=unformat`, undefined, 'ann');
    await state(id, 4, null);
    expect(await planned(id)).toEqual(before);
    const left = await at.db.selectFrom('filesystem').select('acquired').where('system_id', '=', id).execute();
    expect(left.map((row) => row.acquired)).toEqual([false, false]);
  });

  test('special file systems: by the owner, each path once', async () => {
    const { id } = await machine();
    const mount = (form: Record<string, unknown>, who?: 'ann') => at.ask('POST', `machines/${id}/?op=mount_special`, form, who);
    const made = await mount({ fstype: 'tmpfs', mount_point: '/scratch', mount_option: 'size=1G' });
    expect(made.body.special_filesystems).toEqual([
      { fstype: 'tmpfs', label: null, uuid: expect.any(String), mount_point: '/scratch', mount_options: 'size=1G' },
    ]);
    expect((await mount({ fstype: 'ramfs', mount_point: '/scratch' })).status).toBe(400);
    expect((await mount({ fstype: 'ext4', mount_point: '/x' })).status).toBe(400);
    expect((await mount({ fstype: 'tmpfs', mount_point: 'x' })).status).toBe(400);
    expect((await mount({ fstype: 'tmpfs', mount_point: '/a/../b' })).status).toBe(400);
    expect((await mount({ fstype: 'tmpfs', mount_point: '/' })).status).toBe(400);
    expect((await mount({ fstype: 'tmpfs', mount_point: '/y' }, 'ann')).status).toBe(403);
    expect((await at.ask('POST', `machines/${id}/?op=unmount_special`, { mount_point: '/y' })).status).toBe(400);
    expect((await at.must('POST', `machines/${id}/?op=unmount_special`, { mount_point: '/scratch' })).special_filesystems).toEqual([]);
  });
});

describe('volume groups', () => {
  test('as MAAS shows them, and logical volumes', async () => {
    const { id, ids, node, disk } = await machine(3);
    const before = await planned(id);
    const part = await at.must('POST', `${disk(1)}partitions/`);
    const made = await at.must('POST', `${node}volume-groups/`, { name: 'vg0', block_devices: ids[2], partitions: part.id });
    expect(Object.keys(made).toSorted()).toEqual([
      'available_size',
      'devices',
      'human_available_size',
      'human_size',
      'human_used_size',
      'id',
      'logical_volumes',
      'name',
      'resource_uri',
      'size',
      'system_id',
      'used_size',
      'uuid',
    ]);
    expect(made.size).toBe(Math.floor((100 * gigabyte + part.size) / alignment) * alignment - 2 * alignment);
    expect(made.devices.map((one: { used_for: string }) => one.used_for)).toEqual(['LVM volume for vg0', 'LVM volume for vg0']);
    const one = `${node}volume-group/${made.id}/`;
    expect(made.resource_uri).toBe(`/MAAS/api/2.0/${one}`);
    const volume = await at.must('POST', `${one}?op=create_logical_volume`, { name: 'data', size: '50G' });
    expect([volume.type, volume.name, volume.path, volume.size]).toEqual([
      'virtual',
      'vg0-data',
      '/dev/disk/by-dname/vg0-data',
      Math.ceil((50 * gigabyte) / alignment) * alignment,
    ]);
    const alias = await at.must('GET', `${node}volume-groups/${made.id}/`);
    expect(alias.logical_volumes).toEqual([volume]);
    expect([alias.used_size, alias.available_size]).toEqual([volume.size, made.size - volume.size]);
    expect((await at.ask('POST', `${one}?op=create_logical_volume`, { name: 'data', size: '1G' })).status).toBe(400);
    expect((await at.ask('POST', `${one}?op=create_logical_volume`, { name: 'much', size: '500G' })).status).toBe(400);
    const device = `${node}blockdevices/${volume.id}/`;
    expect((await at.must('PUT', device, { size: 60 * gigabyte, name: 'more' })).name).toBe('vg0-more');
    expect((await at.ask('PUT', device, { serial: 'x' })).body).toEqual({ serial: ['Only disks have this.'] });
    expect((await at.ask('POST', `${device}?op=set_boot_disk`)).text).toBe('Cannot set a virtual block device as the boot disk.');
    await at.must('POST', `${device}?op=format`, { fstype: 'ext4' });
    expect((await at.must('PUT', one, { name: 'vg1' })).logical_volumes[0].name).toBe('vg1-more');
    const body = await at.must('GET', `machines/${id}/`);
    expect(body.volume_groups).toEqual([{ system_id: id, id: made.id, __incomplete__: true }]);
    expect(body.virtualblockdevice_set.map((found: { id: number }) => found.id)).toEqual([volume.id]);
    expect(body.physicalblockdevice_set).toHaveLength(3);
    expect(body.storage).toBe(300_000);
    expect((await at.ask('DELETE', one)).text).toBe('This volume group has logical volumes; it cannot be deleted.');
    expect((await at.ask('PUT', one, { remove_block_devices: ids[2], remove_partitions: part.id })).status).toBe(400);
    expect((await at.ask('DELETE', disk(2))).text).toBe("Cannot delete block device because it's part of volume group vg1.");
    expect((await at.ask('DELETE', `${disk(1)}partition/${part.id}`)).text).toBe(
      "Cannot delete partition because it's part of volume group vg1.",
    );
    expect((await at.ask('POST', `${disk(2)}?op=format`, { fstype: 'ext4' })).status).toBe(400);
    expect((await at.ask('POST', `${disk(2)}?op=unformat`)).text).toContain('Filesystem is part of a volume group vg1');
    expect((await at.ask('POST', `${disk(2)}partitions/`)).status).toBe(400);
    expect((await at.ask('POST', `${one}?op=delete_logical_volume`, { id: volume.id })).status).toBe(204);
    expect((await at.ask('POST', `${one}?op=delete_logical_volume`, { id: volume.id })).status).toBe(204);
    await at.must('DELETE', one);
    await at.must('DELETE', `${disk(1)}partition/${part.id}`);
    expect(await planned(id)).toEqual(before);
  });

  test('what is in use, unknown or nothing at all makes no group', async () => {
    const { id, ids, node, disk } = await machine(2);
    await at.must('POST', `${disk(0)}?op=format`, { fstype: 'ext4' });
    const before = await planned(id);
    const refusals = [
      { name: 'vg0' },
      { name: 'vg0', block_devices: ids[0] },
      { name: 'vg0', block_devices: 7 },
      { name: 'a b', block_devices: ids[1] },
      {},
    ];
    for (const form of refusals) expect((await at.ask('POST', `${node}volume-groups/`, form)).status).toBe(400);
    expect((await at.ask('GET', `${node}volume-group/1/`)).text).toBe('No VolumeGroup matches the given query.');
    expect(await planned(id)).toEqual(before);
  });
});

describe('RAIDs', () => {
  test.each([
    ['raid-0', 2, 0, 2],
    ['raid-1', 2, 1, 1],
    ['raid-5', 3, 1, 2],
    ['6', 4, 0, 2],
    ['raid-10', 4, 0, 2],
  ])('%s of %i devices and %i spares has the room of %i', async (level, active, spares, room) => {
    const { id, ids, node } = await machine(active + spares);
    const before = await planned(id);
    const form = { level, block_devices: ids.slice(0, active), spare_devices: ids.slice(active) };
    const made = await at.must('POST', `${node}raids/`, form);
    expect([made.name, made.level]).toEqual(['md0', level === '6' ? 'raid-6' : level]);
    expect([made.devices.length, made.spare_devices.length]).toEqual([active, spares]);
    expect(Math.round(made.size / gigabyte)).toBe(100 * room);
    expect(made.virtual_device).toMatchObject({ name: 'md0', type: 'virtual', size: made.size, path: '/dev/disk/by-dname/md0' });
    expect(made.devices[0].used_for).toBe(`Active ${made.level} device for md0`);
    const one = `${node}raid/${made.id}/`;
    expect(await at.must('GET', one)).toEqual(made);
    expect((await at.must('GET', `${node}raids/`)).length).toBe(1);
    // One fewer than the level needs, where there is none to spare.
    const refused = await at.ask('PUT', one, { remove_block_devices: ids.slice(0, level === 'raid-10' ? 2 : 1) });
    expect(refused.body.__all__[0]).toContain('must have at least');
    expect((await at.must('PUT', one, { name: 'md7' })).virtual_device.name).toBe('md7');
    expect((await at.ask('DELETE', one)).status).toBe(204);
    expect(await planned(id)).toEqual(before);
  });

  test('spares come and go; level 0 has none; what is used is not taken', async () => {
    const { ids, node } = await machine(4);
    const made = await at.must('POST', `${node}raids/`, { level: 'raid-1', block_devices: ids.slice(0, 2) });
    const one = `${node}raid/${made.id}/`;
    expect((await at.must('PUT', one, { add_spare_devices: ids[2] })).spare_devices[0].used_for).toBe('Spare raid-1 device for md0');
    expect((await at.must('PUT', one, { remove_spare_devices: ids[2], add_block_devices: ids[2] })).devices).toHaveLength(3);
    expect((await at.ask('POST', `${node}raids/`, { level: 'raid-0', block_devices: ids.slice(2) })).status).toBe(400);
    expect((await at.ask('POST', `${node}raids/`, { level: 'raid-2', block_devices: ids })).status).toBe(400);
    expect((await at.ask('PUT', one, { add_block_devices: made.virtual_device.id })).body).toEqual({
      add_block_devices: [`${made.virtual_device.id} is made of this group, and cannot belong to it.`],
    });
    const part = await at.must('POST', `${node}blockdevices/${made.virtual_device.id}/partitions/`);
    expect(part.path).toBe('/dev/disk/by-dname/md0-part1');
    expect((await at.ask('PUT', `${node}blockdevices/${made.virtual_device.id}/`, { size: 5 * gigabyte })).status).toBe(400);
  });
});

describe('bcache', () => {
  test('cache sets and bcaches as MAAS shows them', async () => {
    const { id, ids, node } = await machine(4);
    const before = await planned(id);
    const set = await at.must('POST', `${node}bcache-cache-sets/`, { cache_device: ids[1] });
    expect(set).toMatchObject({ system_id: id, name: 'cache0', resource_uri: `/MAAS/api/2.0/${node}bcache-cache-set/${set.id}/` });
    expect(set.cache_device).toMatchObject({ id: ids[1], used_for: 'Cache device for cache0' });
    const made = await at.must('POST', `${node}bcaches/`, { cache_set: set.id, backing_device: ids[2], cache_mode: 'writeback' });
    expect(made).toMatchObject({ name: 'bcache0', cache_mode: 'writeback', size: 100 * gigabyte, cache_set: set });
    expect(made.backing_device.used_for).toBe('Backing device for bcache0');
    expect((await at.ask('DELETE', `${node}bcache-cache-set/${set.id}/`)).text).toBe("Cannot delete cache set; it's currently in use.");
    const one = `${node}bcache/${made.id}/`;
    expect((await at.must('PUT', one, { backing_device: ids[3], cache_mode: 'writearound' })).backing_device.id).toBe(ids[3]);
    expect((await at.must('PUT', `${node}bcache-cache-set/${set.id}/`, { cache_device: ids[2] })).cache_device.id).toBe(ids[2]);
    const body = await at.must('GET', `machines/${id}/`);
    expect([body.bcaches, body.cache_sets].map((list) => list[0].id)).toEqual([made.id, set.id]);
    const refusals = [
      {},
      { cache_set: set.id },
      { cache_set: 5, backing_device: ids[1] },
      { cache_set: set.id, backing_device: ids[1], backing_partition: 5 },
      { backing_device: ids[1] },
      { cache_set: set.id, backing_device: ids[1], cache_mode: 'fast' },
    ];
    for (const form of refusals) expect((await at.ask('POST', `${node}bcaches/`, form)).status).toBe(400);
    expect((await at.ask('POST', `${node}bcache-cache-sets/`)).status).toBe(400);
    await at.must('DELETE', one);
    await at.must('DELETE', `${node}bcache-cache-set/${set.id}/`);
    expect(await planned(id)).toEqual(before);
  });
});

describe('VMFS datastores', () => {
  test('on partitions, mounted where ESXi mounts them', async () => {
    const { id, ids, node } = await machine(3);
    const made = await at.must('POST', `${node}vmfs-datastores/`, { name: 'store', block_devices: ids[1] });
    expect(made).toMatchObject({ system_id: id, name: 'store', filesystem: { fstype: 'vmfs6', mount_point: '/vmfs/volumes/store' } });
    expect(made.devices).toMatchObject([{ type: 'partition', device_id: ids[1], used_for: 'VMFS extent for store' }]);
    const one = `${node}vmfs-datastore/${made.id}/`;
    const more = await at.must('PUT', one, { name: 'big', add_block_devices: ids[2] });
    expect([more.name, more.devices.length, more.filesystem.mount_point]).toEqual(['big', 2, '/vmfs/volumes/big']);
    expect((await at.ask('PUT', one, { remove_partitions: more.devices.map((part: { id: number }) => part.id) })).status).toBe(400);
    expect((await at.ask('POST', `${node}vmfs-datastores/`, { name: 'none' })).status).toBe(400);
    expect((await at.ask('DELETE', one)).status).toBe(204);
    expect(await at.must('GET', `${node}vmfs-datastores/`)).toEqual([]);
  });
});

describe('layouts', () => {
  const uses = (body: { blockdevice_set: { name: string; used_for: string; partitions: { used_for: string }[] }[] }) =>
    body.blockdevice_set.map((one) => [one.name, one.used_for, ...one.partitions.map((part) => part.used_for)]);
  const efi = 'fat32 formatted filesystem mounted at /boot/efi';
  const boot = 'ext4 formatted filesystem mounted at /boot';
  const root = 'ext4 formatted filesystem mounted at /';

  test.each([
    [
      'flat',
      {},
      [
        ['sda', 'GPT partitioned with 2 partitions', efi, root],
        ['sdb', 'Unused'],
      ],
    ],
    [
      'flat',
      { boot_size: '1G', root_size: '20%' },
      [
        ['sda', 'GPT partitioned with 3 partitions', efi, boot, root],
        ['sdb', 'Unused'],
      ],
    ],
    [
      'lvm',
      { vg_name: 'v', lv_size: '10G' },
      [
        ['sda', 'GPT partitioned with 2 partitions', efi, 'LVM volume for v'],
        ['sdb', 'Unused'],
        ['v-lvroot', root],
      ],
    ],
    [
      'bcache',
      { cache_size: '10G' },
      [
        ['bcache0', root],
        ['sda', 'GPT partitioned with 3 partitions', efi, boot, 'Backing device for bcache0'],
        ['sdb', 'GPT partitioned with 1 partition', 'Cache device for cache0'],
      ],
    ],
    [
      'bcache',
      { cache_no_part: true, cache_mode: 'writeback' },
      [
        ['bcache0', root],
        ['sda', 'GPT partitioned with 3 partitions', efi, boot, 'Backing device for bcache0'],
        ['sdb', 'Cache device for cache0'],
      ],
    ],
    [
      'vmfs7',
      {},
      [
        ['datastore1', 'vmfs6 formatted filesystem mounted at /vmfs/volumes/datastore1'],
        ['sda', 'GPT partitioned with 5 partitions', 'Unused', 'Unused', 'Unused', 'Unused', 'VMFS extent for datastore1'],
        ['sdb', 'Unused'],
      ],
    ],
    [
      'blank',
      {},
      [
        ['sda', 'Unused'],
        ['sdb', 'Unused'],
      ],
    ],
  ])('%s %j', async (storage_layout, form, expected) => {
    const { id } = await machine(2);
    // Twice: what was there goes.
    for (let times = 0; times < 2; times += 1) {
      const body = await at.must('POST', `machines/${id}/?op=set_storage_layout`, { storage_layout, ...form });
      expect(uses(body)).toEqual(expected);
    }
  });

  test('what cannot be made changes nothing', async () => {
    const { id, ids } = await machine(1);
    await at.must('POST', `machines/${id}/?op=set_storage_layout`, { storage_layout: 'lvm' });
    const before = await planned(id);
    const set = (form: Record<string, unknown>) => at.ask('POST', `machines/${id}/?op=set_storage_layout`, form);
    expect((await set({})).status).toBe(400);
    expect((await set({ storage_layout: 'fancy' })).status).toBe(400);
    expect((await set({ storage_layout: 'bcache' })).text).toContain("doesn't have an available cache device");
    expect((await set({ storage_layout: 'custom' })).text).toBe(
      "Failed to configure storage layout 'custom': No custom storage layout configuration found",
    );
    expect((await set({ storage_layout: 'flat', boot_size: '1M' })).body).toEqual({
      boot_size: ['Size is too small. Minimum size is 536870912.'],
    });
    expect((await set({ storage_layout: 'flat', root_size: '200G' })).status).toBe(400);
    expect((await set({ storage_layout: 'flat', root_size: '101%' })).status).toBe(400);
    expect((await set({ storage_layout: 'flat', root_device: 5 })).status).toBe(400);
    expect((await set({ storage_layout: 'bcache', cache_device: ids[0] })).status).toBe(400);
    expect(await planned(id)).toEqual(before);
    const bare = await machine(0);
    const refused = await at.ask('POST', `machines/${bare.id}/?op=set_storage_layout`, { storage_layout: 'flat' });
    expect([refused.status, refused.text]).toEqual([400, 'Machine is missing a boot disk; no storage layout can be applied.']);
  });

  test('what cannot be deployed is refused before anything is touched', async () => {
    const { id, node, ids } = await machine(3);
    const deploy = () => at.ask('POST', `machines/${id}/?op=deploy`);
    const layout = (storage_layout: string) => at.must('POST', `machines/${id}/?op=set_storage_layout`, { storage_layout });
    const refusals: [() => Promise<unknown>, string][] = [
      [() => layout('blank'), "Mount the root '/' filesystem to be able to deploy this node."],
      [() => layout('lvm'), 'This machine cannot be deployed with volume group vgroot'],
      [() => layout('bcache'), 'This machine cannot be deployed with cache set cache0'],
      [() => layout('vmfs7'), 'This machine cannot be deployed with VMFS datastore datastore1'],
      [
        async () => {
          await layout('flat');
          await at.must('POST', `${node}raids/`, { level: '1', block_devices: ids.slice(1) });
        },
        'This machine cannot be deployed with RAID md0',
      ],
    ];
    for (const [plan, why] of refusals) {
      await plan();
      const before = await planned(id);
      const refused = await deploy();
      expect([refused.status, refused.text.startsWith(why) ? why : refused.text]).toEqual([400, why]);
      const after = await at.must('GET', `machines/${id}/`);
      expect([after.status_name, after.owner, after.operation]).toEqual(['Ready', null, null]);
      expect(await planned(id)).toEqual(before);
    }
  });

  test('restoring makes the layout of the setting', async () => {
    const { id } = await machine(1);
    await at.must('POST', `machines/${id}/?op=set_storage_layout`, { storage_layout: 'blank' });
    const body = await at.must('POST', `machines/${id}/?op=restore_storage_configuration`);
    expect(uses(body)).toEqual([['sda', 'GPT partitioned with 2 partitions', efi, root]]);
  });

  test('two changes at once: both are done, or one is told to try again', async () => {
    const { disk } = await machine(1);
    const asked = await Promise.all([1, 2, 3].map(() => at.ask('POST', `${disk(0)}partitions/`, { size: '1G' })));
    const done = asked.filter((answer) => answer.status === 200).length;
    expect(asked.every((answer) => [200, 409].includes(answer.status))).toBe(true);
    const body = await at.must('GET', disk(0));
    expect(body.partitions.map((part: { path: string }) => part.path.slice(-1))).toEqual(['1', '2', '3'].slice(0, done));
  });
});
