/** A machine's disks for tests: sda, sdb, … of 100 GiB with ids from 1, the first the boot disk, the others SSDs, and nothing planned. */
import type { TargetDisk } from './installation.ts';
import type { Device, Maker, Storage } from './model.ts';
import { gibibyte } from './sizes.ts';

export type ExampleDevice = Device & TargetDisk;

export function exampleStorage(disks: number, size: (n: number) => number = () => 100 * gibibyte): Storage<ExampleDevice> {
  const devices = Array.from({ length: disks }, (_, n): ExampleDevice => {
    const plain = { type: 'physical', uuid: null, group_id: null, block_size: 512, partition_table_type: null, wwn: null } as const;
    return { id: n + 1, name: `sd${'abcdefgh'[n] ?? n}`, size: size(n), tags: n === 0 ? [] : ['ssd'], serial: `s${n + 1}`, ...plain };
  });
  const nothing = { partitions: [], filesystems: [], shadowed: [], groups: [], members: [] };
  return { devices, ...nothing, bootDiskId: devices[0]?.id ?? null, layout: null, own: false };
}

/** Ids from 1000 on, and UUIDs that count. */
export function maker(): Maker {
  let id = 1000;
  let uuid = 0;
  return {
    id: () => (id += 1),
    uuid: () => `00000000-0000-4000-8000-${String((uuid += 1)).padStart(12, '0')}`,
  };
}
