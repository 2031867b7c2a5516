/** Devices of a machine: disks as far as people know them, and what is planned on them. */
import { fail, invalid } from '../../contract/errors.ts';
import { stateOf } from '../../contract/lifecycle.ts';
import type { Handlers } from '../../http/handler.ts';
import { diskOf, insertDisk, updateDisk } from '../db/block-device-store.ts';
import { renameDevice } from '../storage/groups.ts';
import { deviceOf, partitionsOf, type Device, type Maker, type Storage } from '../storage/model.ts';
import { deleteDevice } from '../storage/partitions.ts';
import { tableRoom } from '../storage/sizes.ts';
import { updateVolume } from '../storage/volume-groups.ts';
import { blockDeviceBody, type BlockDeviceBody } from './block-device-body.ts';
import { formattingCalls } from './formatting.ts';
import { changePart } from './machine-part.ts';
import type { NetworkContext } from './network-context.ts';
import { found, idOfText } from './network-view.ts';
import { byAdmin, changeStorage, readStorage, type StorageCall } from './storage-change.ts';

type Tagging = 'add_tag' | 'remove_tag';
type Formatting = 'format' | 'unformat' | 'mount' | 'unmount';
type DeviceRoute =
  | `BlockDevices.${'read' | 'create'}`
  | `BlockDevice.${'read' | 'update' | 'delete' | 'set_boot_disk' | Tagging | Formatting}`;

const taken = { block_device_system_id_name_key: { name: ['Block device with this Name already exists.'] } };

/** Empty texts are nothing. */
function textOr(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}

function refuseNameless(serial: string | null, idPath: string | null): void {
  if (serial === null && idPath === null)
    throw invalid({ __all__: ['serial or id_path is required: a deployment must know the disk again.'] });
}

interface DeviceCall extends StorageCall {
  readonly path: { readonly system_id: string; readonly id: string };
}

interface DeviceChange {
  readonly name?: string;
  readonly model?: string;
  readonly serial?: string;
  readonly id_path?: string;
  readonly size?: number;
  readonly block_size?: number;
  readonly uuid?: string;
}

function find(storage: Storage, call: DeviceCall): Device {
  return deviceOf(storage, idOfText(call.path.id));
}

/** A disk of another size must still hold what is planned on it. @throws Failure `invalid`. */
function refuseTooSmall(storage: Storage, device: Device, size: number): void {
  const parts = partitionsOf(storage, device.id);
  const least = parts.reduce((sum, one) => sum + one.size, parts.length > 0 ? tableRoom : 0);
  const isMember = storage.members.some(
    (one) => one.block_device_id === device.id || parts.some((partition) => partition.id === one.partition_id),
  );
  if (size < least || (isMember && size < device.size)) throw invalid({ size: ['The disk would be too small for what is planned on it.'] });
}

/** What is known of a virtual device: its name and UUID, and the size of a logical volume. */
function changeVirtual(storage: Storage, device: Device, given: DeviceChange, make: Maker): Storage {
  const group = found(
    storage.groups.find((one) => one.id === device.group_id),
    'BlockDevice',
  );
  const { name, uuid, size, ...physical } = given;
  const [other] = Object.keys(physical);
  if (other !== undefined) throw invalid({ [other]: ['Only disks have this.'] });
  const named = { ...(name === undefined ? {} : { name }), ...(uuid === undefined ? {} : { uuid }) };
  if (group.type === 'lvm-vg') return updateVolume(storage, group, device, { ...named, ...(size === undefined ? {} : { size }) });
  if (size !== undefined && size !== device.size)
    throw invalid({ size: [`Size cannot be changed on a ${group.type} device: its members give it.`] });
  return renameDevice(storage, group, device, named, make);
}

export function blockDeviceHandlers(context: NetworkContext): Handlers<DeviceRoute> {
  const show = async (call: DeviceCall): Promise<BlockDeviceBody> => {
    const view = await readStorage(context, call.path.system_id);
    return blockDeviceBody(view, deviceOf(view.storage, idOfText(call.path.id)));
  };
  const showing = async (call: DeviceCall, done: Promise<unknown>): Promise<BlockDeviceBody> => {
    await done;
    return show(call);
  };
  const tagged = (call: DeviceCall, change: (tags: readonly string[]) => string[]) =>
    showing(
      call,
      changeStorage(context, call, byAdmin('update block device'), (storage) => {
        const device = find(storage, call);
        const devices = storage.devices.map((one) => (one.id === device.id ? { ...one, tags: change(one.tags) } : one));
        return { did: `Block device ${device.name} has other tags`, storage: { ...storage, devices }, value: undefined };
      }),
    );
  const files = formattingCalls<DeviceCall>(context, 'block device', (storage, call) => ({ kind: 'device', device: find(storage, call) }));

  /** Of a disk of a Deployed machine only what it is known by changes: it was replaced. */
  const updateDeployed = (call: DeviceCall & { readonly params: DeviceChange }) =>
    changePart(
      context,
      call,
      'block_device_changed',
      taken,
      async (tx, machine) => {
        const disk = found(await diskOf(tx, machine.system_id, idOfText(call.path.id)), 'BlockDevice');
        const { name, model, serial, id_path } = call.params;
        const after = {
          ...(name === undefined ? {} : { name }),
          ...(model === undefined ? {} : { model: textOr(model) }),
          serial: serial === undefined ? disk.serial : textOr(serial),
          id_path: id_path === undefined ? disk.id_path : textOr(id_path),
        };
        refuseNameless(after.serial, after.id_path);
        if (disk.type === 'virtual')
          throw fail('wrong_state', { text: 'Cannot update virtual block device because the machine is Deployed.' });
        await updateDisk(tx, disk.id, after, after.serial !== disk.serial || after.id_path !== disk.id_path);
        return { did: `Block device ${disk.name} changed`, value: undefined };
      },
      ['deployed'],
    );

  return {
    'BlockDevices.read': async ({ path }) => {
      const view = await readStorage(context, path.system_id);
      return view.storage.devices.map((one) => blockDeviceBody(view, one));
    },
    'BlockDevice.read': show,
    'BlockDevices.create': async (call) => {
      const { name, size, block_size, ...texts } = call.params;
      const [model, serial, id_path] = [textOr(texts.model), textOr(texts.serial), textOr(texts.id_path)];
      refuseNameless(serial, id_path);
      const id = await changePart(context, call, 'block_device_changed', taken, async (tx, machine) => {
        const value = await insertDisk(tx, { system_id: machine.system_id, name, size, block_size, model, serial, id_path });
        return { did: `Block device ${name} added`, value };
      });
      const view = await readStorage(context, call.path.system_id);
      return blockDeviceBody(view, deviceOf(view.storage, id));
    },
    'BlockDevice.update': async (call) => {
      const view = await readStorage(context, call.path.system_id);
      if (stateOf(view.status) === 'deployed') return showing(call, updateDeployed(call));
      return showing(
        call,
        changeStorage(context, call, byAdmin('update block device'), async (storage, make, tx) => {
          const device = find(storage, call);
          const did = `Block device ${device.name} changed`;
          if (device.type === 'virtual') return { did, storage: changeVirtual(storage, device, call.params, make), value: undefined };
          const { model, serial, id_path, uuid: _, ...plain } = call.params;
          const disk = found(await diskOf(tx, call.path.system_id, device.id), 'BlockDevice');
          const after = {
            serial: serial === undefined ? disk.serial : textOr(serial),
            id_path: id_path === undefined ? disk.id_path : textOr(id_path),
          };
          refuseNameless(after.serial, after.id_path);
          if (plain.size !== undefined) refuseTooSmall(storage, device, plain.size);
          const isAnother = after.serial !== disk.serial || after.id_path !== disk.id_path || (plain.size ?? disk.size) !== disk.size;
          await updateDisk(tx, disk.id, { ...plain, ...after, ...(model === undefined ? {} : { model: textOr(model) }) }, isAnother);
          return { did, storage, value: undefined };
        }),
      );
    },
    'BlockDevice.delete': async (call) => {
      await changeStorage(context, call, byAdmin('delete block device'), (storage) => {
        const device = find(storage, call);
        return { did: `Block device ${device.name} deleted`, storage: deleteDevice(storage, device), value: undefined };
      });
    },
    'BlockDevice.add_tag': (call) => tagged(call, (tags) => [...new Set([...tags, call.params.tag])]),
    'BlockDevice.remove_tag': (call) => tagged(call, (tags) => tags.filter((tag) => tag !== call.params.tag)),
    'BlockDevice.format': (call) => showing(call, files.format(call)),
    'BlockDevice.unformat': (call) => showing(call, files.unformat(call)),
    'BlockDevice.mount': (call) => showing(call, files.mount(call)),
    'BlockDevice.unmount': (call) => showing(call, files.unmount(call)),
    'BlockDevice.set_boot_disk': async (call) => {
      await changeStorage(context, call, byAdmin('set as boot disk'), (storage) => {
        const device = find(storage, call);
        if (device.type === 'virtual') throw fail('bad_request', { reason: 'Cannot set a virtual block device as the boot disk.' });
        return { did: `Block device ${device.name} is the boot disk`, storage: { ...storage, bootDiskId: device.id }, value: undefined };
      });
      return 'OK';
    },
  };
}
