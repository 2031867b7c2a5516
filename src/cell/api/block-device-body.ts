/** A disk as the API shows it. Pure. */
import type { BlockDevice } from '../../contract/resources/block-devices.ts';
import type { Body } from '../../contract/route.ts';
import type { BlockDeviceRow } from '../db/machine-read.ts';
import { uri } from './network-body.ts';

export type BlockDeviceBody = Body<typeof BlockDevice>;

/** `deployed`: this is the disk that the machine's system was written to. */
export function blockDeviceBody(row: BlockDeviceRow, deployed: boolean): BlockDeviceBody {
  return {
    system_id: row.system_id,
    id: row.id,
    name: row.name,
    type: 'physical',
    uuid: null,
    path: `/dev/disk/by-dname/${row.name}`,
    model: row.model,
    serial: row.serial,
    id_path: row.id_path,
    size: row.size,
    block_size: row.block_size,
    available_size: deployed ? 0 : row.size,
    used_size: deployed ? row.size : 0,
    used_for: deployed ? 'GPT partitioned, the system of this machine' : 'Unused',
    tags: [...row.tags],
    filesystem: null,
    partition_table_type: deployed ? 'GPT' : null,
    partitions: [],
    firmware_version: row.firmware_version,
    storage_pool: null,
    numa_node: null,
    resource_uri: uri('nodes', row.system_id, 'blockdevices', row.id),
  };
}
