import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from '../../../test/network-server.ts';

let at: NetworkServer;
beforeAll(async () => {
  at = await networkServer();
});
afterAll(() => at.drop());

const gigabyte = 1_000_000_000;
const disk = (name: string, more: Record<string, unknown> = {}) => ({
  name,
  size: 8 * gigabyte,
  block_size: 512,
  serial: `serial-${name}`,
  ...more,
});

describe('block devices', () => {
  test('a disk as MAAS shows it', async () => {
    const id = await at.machine();
    const disks = `nodes/${id}/blockdevices/`;
    const made = await at.must('POST', disks, disk('sda', { model: 'VIRTIO' }));
    expect(made).toEqual({
      system_id: id,
      id: made.id,
      name: 'sda',
      type: 'physical',
      uuid: null,
      path: '/dev/disk/by-dname/sda',
      model: 'VIRTIO',
      serial: 'serial-sda',
      id_path: null,
      size: 8 * gigabyte,
      block_size: 512,
      available_size: 8 * gigabyte,
      used_size: 0,
      used_for: 'Unused',
      tags: [],
      filesystem: null,
      partition_table_type: null,
      partitions: [],
      firmware_version: null,
      storage_pool: null,
      numa_node: null,
      resource_uri: `/MAAS/api/2.0/nodes/${id}/blockdevices/${made.id}/`,
    });
    const one = `${disks}${made.id}/`;
    expect(await at.must('GET', one, undefined, 'ann')).toEqual(made);
    expect((await at.must('POST', `${one}?op=add_tag`, { tag: 'ssd' })).tags).toEqual(['ssd']);
    expect((await at.must('POST', `${one}?op=add_tag`, { tag: 'ssd' })).tags).toEqual(['ssd']);
    expect((await at.must('POST', `${one}?op=remove_tag`, { tag: 'ssd' })).tags).toEqual([]);
    const boot = await at.ask('POST', `${one}?op=set_boot_disk`);
    expect([boot.status, boot.text]).toEqual([200, 'OK']);
    expect(
      (await at.db.selectFrom('machine').select('boot_disk_id').where('system_id', '=', id).executeTakeFirstOrThrow()).boot_disk_id,
    ).toBe(made.id);
    expect((await at.ask('DELETE', one)).status).toBe(204);
    expect(
      (await at.db.selectFrom('machine').select('boot_disk_id').where('system_id', '=', id).executeTakeFirstOrThrow()).boot_disk_id,
    ).toBeNull();
    const gone = await at.ask('GET', one);
    expect([gone.status, gone.text]).toEqual([404, 'No BlockDevice matches the given query.']);
    expect(await at.must('GET', disks)).toEqual([]);
  });

  test('a disk that becomes another one loses what was known of its contents', async () => {
    const id = await at.machine();
    const made = await at.must('POST', `nodes/${id}/blockdevices/`, disk('sda'));
    const account = () =>
      at.db.selectFrom('block_device').select(['account_signatures', 'account_marker']).where('id', '=', made.id).executeTakeFirstOrThrow();
    const known = () =>
      at.db
        .updateTable('block_device')
        .set({ account_signatures: ['ext4'], account_marker: 'm' })
        .where('id', '=', made.id)
        .execute();
    await known();
    await at.must('PUT', `nodes/${id}/blockdevices/${made.id}/`, { model: 'other', name: 'vda', serial: 'serial-sda' });
    expect(await account()).toEqual({ account_signatures: ['ext4'], account_marker: 'm' });
    await at.must('PUT', `nodes/${id}/blockdevices/${made.id}/`, { serial: 'swapped' });
    expect(await account()).toEqual({ account_signatures: null, account_marker: null });
    await known();
    await at.must('PUT', `nodes/${id}/blockdevices/${made.id}/`, { size: 9 * gigabyte });
    expect((await account()).account_marker).toBeNull();
  });

  test('bad input, taken names, foreign disks', async () => {
    const id = await at.machine();
    const disks = `nodes/${id}/blockdevices/`;
    const made = await at.must('POST', disks, disk('sda'));
    expect((await at.ask('POST', disks, disk('sda', { serial: 'x' }))).body).toEqual({
      name: ['Block device with this Name already exists.'],
    });
    expect(Object.keys((await at.ask('POST', disks, { name: 'sdb', size: gigabyte, block_size: 512 })).body)).toEqual(['__all__']);
    expect(Object.keys((await at.ask('POST', disks, disk('sdb', { size: 12 }))).body)).toEqual(['size']);
    expect(Object.keys((await at.ask('POST', disks, disk('../sdb'))).body)).toEqual(['name']);
    expect(Object.keys((await at.ask('PUT', `${disks}${made.id}/`, { serial: '' })).body)).toEqual(['__all__']);
    const other = await at.machine();
    expect((await at.ask('PUT', `nodes/${other}/blockdevices/${made.id}/`, { name: 'mine' })).status).toBe(404);
    expect((await at.ask('POST', disks, disk('sdc'), 'ann')).status).toBe(403);
    const raced = await Promise.all([1, 2, 3].map((serial) => at.ask('POST', disks, disk('sdz', { serial }))));
    expect(raced.map((one) => one.status).toSorted()).toEqual([200, 400, 400]);
  });

  test('of a deployed machine only what a disk is known by changes: a bad one was replaced', async () => {
    const id = await at.machine();
    const made = await at.must('POST', `nodes/${id}/blockdevices/`, disk('sda'));
    await at.db.updateTable('machine').set({ status: 6 }).where('system_id', '=', id).execute();
    const one = `nodes/${id}/blockdevices/${made.id}/`;
    const asked = [
      await at.ask('POST', `nodes/${id}/blockdevices/`, disk('sdb')),
      await at.ask('DELETE', one),
      await at.ask('POST', `${one}?op=set_boot_disk`),
      await at.ask('POST', `${one}?op=add_tag`, { tag: 'x' }),
      await at.ask('POST', `${one}?op=format`, { fstype: 'ext4' }),
    ];
    expect(asked.map((answer) => answer.status)).toEqual([409, 409, 409, 409, 409]);
    expect(asked[1]?.text).toBe('Cannot delete block device because the machine is not Ready.');
    expect(asked[4]?.text).toBe('Cannot format block device because the machine is not Ready or Allocated.');
    const after = await at.must('PUT', one, { name: 'vda', serial: 'new', size: 12 * gigabyte });
    expect([after.name, after.serial, after.size]).toEqual(['vda', 'new', 8 * gigabyte]);
    expect((await at.ask('PUT', one, { name: 'vdb' }, 'ann')).status).toBe(403);
  });
});
