/**
 * How a machine is installed, in the shape of a curtin config: storage (version 1) as curtin's documentation has it, and network (version 2), which is
 * netplan's. Muster's agent is no curtin and never reads this; it says truly what the agent was, or will be, told to do. Pure.
 */
import type { Group, Member, Storage } from '../storage/model.ts';
import type { MachineBody } from './machine-body.ts';

type Action = Readonly<Record<string, unknown>> & { readonly id: string; readonly type: string };

/**
 * Key order and content follow the machine alone: the same machine gives the same text. JSON is YAML.
 * @param network What its system is told; undefined when it finds out by itself, by DHCP.
 */
export function curtinConfig(machine: MachineBody, storage: Storage, network: object | undefined): string {
  const config = {
    install: { target: '/target' },
    storage: { version: 1, config: storageActions(machine, storage) },
    ...(network === undefined ? {} : { network }),
    ...(machine.swap_size === null ? {} : { swap: { size: `${machine.swap_size}B` } }),
    osystem: machine.osystem,
    distro_series: machine.distro_series,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

function refersTo(place: Pick<Member, 'block_device_id' | 'partition_id'>): string {
  return place.partition_id === null ? `device-${place.block_device_id}` : `partition-${place.partition_id}`;
}

function storageActions(machine: MachineBody, storage: Storage): Action[] {
  const shown = new Map(machine.blockdevice_set.map((disk) => [disk.id, disk]));
  const table = { GPT: 'gpt', MBR: 'msdos' } as const;
  const tableOf = (type: keyof typeof table | null) => (type === null ? {} : { ptable: table[type] });
  const physical = storage.devices.filter((device) => device.type === 'physical');
  const disks = physical.map((device): Action => {
    const disk = shown.get(device.id);
    const boots = device.id === storage.bootDiskId;
    return {
      id: `device-${device.id}`,
      type: 'disk',
      name: device.name,
      ...(disk?.serial ? { serial: disk.serial } : { path: disk?.id_path ?? `/dev/${device.name}` }),
      ...(disk?.model ? { model: disk.model } : {}),
      ...tableOf(device.partition_table_type),
      ...(boots ? { grub_device: true, wipe: 'superblock' } : {}),
    };
  });
  const virtual = storage.groups.flatMap((group) => groupActions(storage, group, tableOf));
  const partitions = storage.partitions.map((part): Action => ({
    id: `partition-${part.id}`,
    type: 'partition',
    name: `${storage.devices.find((device) => device.id === part.block_device_id)?.name ?? ''}-part${part.number}`,
    device: `device-${part.block_device_id}`,
    number: part.number,
    size: `${part.size}B`,
    uuid: part.uuid,
    ...(part.bootable ? { flag: 'boot' } : {}),
  }));
  const formats = storage.filesystems.flatMap((filesystem): Action[] => {
    const volume = filesystem.block_device_id === null && filesystem.partition_id === null ? undefined : refersTo(filesystem);
    const { id, fstype, label, uuid } = filesystem;
    return volume === undefined
      ? []
      : [{ id: `format-${id}`, type: 'format', fstype, uuid, volume, ...(label === null || label === '' ? {} : { label }) }];
  });
  const mounts = storage.filesystems.flatMap((filesystem): Action[] => {
    const { id, fstype, mount_point: path, mount_options: options } = filesystem;
    if (path === null || path === '') return [];
    const isOnNothing = filesystem.block_device_id === null && filesystem.partition_id === null;
    const on = isOnNothing ? { fstype, spec: fstype } : { device: `format-${id}` };
    return [{ id: `mount-${id}`, type: 'mount', path, ...on, ...(options === null || options === '' ? {} : { options }) }];
  });
  return inOrder([...disks, ...partitions, ...virtual, ...formats, ...mounts]);
}

function groupActions(storage: Storage, group: Group, tableOf: (type: 'GPT' | 'MBR' | null) => object): Action[] {
  const members = storage.members.filter((member) => member.group_id === group.id);
  const made = storage.devices.filter((device) => device.group_id === group.id);
  const named = (role: Member['role']) => members.filter((member) => member.role === role).map(refersTo);
  const [first] = made;
  const device = first ? { id: `device-${first.id}`, name: first.name, ...tableOf(first.partition_table_type) } : undefined;
  switch (group.type) {
    case 'lvm-vg':
      return [
        { id: `group-${group.id}`, type: 'lvm_volgroup', name: group.name, uuid: group.uuid, devices: named('active') },
        ...made.map((volume): Action => ({
          id: `device-${volume.id}`,
          type: 'lvm_partition',
          name: volume.name.startsWith(`${group.name}-`) ? volume.name.slice(group.name.length + 1) : volume.name,
          volgroup: `group-${group.id}`,
          size: `${volume.size}B`,
        })),
      ];
    case 'bcache': {
      const cache = storage.members.find((member) => member.group_id === group.cache_set_id);
      const [backing] = named('active');
      return device
        ? [
            {
              ...device,
              type: 'bcache',
              ...(backing === undefined ? {} : { backing_device: backing }),
              ...(cache === undefined ? {} : { cache_device: refersTo(cache) }),
              ...(group.cache_mode === null ? {} : { cache_mode: group.cache_mode }),
            },
          ]
        : [];
    }
    case 'cache-set':
    case 'vmfs6':
      return [];
    default:
      return device
        ? [
            {
              ...device,
              type: 'raid',
              raidlevel: Number(group.type.slice('raid-'.length)),
              devices: named('active'),
              spare_devices: named('spare'),
            },
          ]
        : [];
  }
}

/** Each behind what it refers to: curtin carries them out one after the other. What refers to something left out comes last. */
function inOrder(actions: readonly Action[]): Action[] {
  const ids = new Set(actions.map((action) => action.id));
  const needs = (action: Action): string[] =>
    Object.entries(action)
      .filter(([key]) => key !== 'id')
      .flatMap(([, value]) => value)
      .filter((value): value is string => typeof value === 'string' && ids.has(value));
  const placed = new Set<string>();
  const ordered: Action[] = [];
  for (let left = [...actions]; left.length > 0;) {
    const ready = left.filter((action) => needs(action).every((id) => placed.has(id)));
    const next = ready.length > 0 ? ready : left;
    ordered.push(...next);
    for (const { id } of next) placed.add(id);
    left = left.filter((action) => !placed.has(action.id));
  }
  return ordered;
}
