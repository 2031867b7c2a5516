/** Disks of a machine, as far as people change them by hand. */
import { invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import { deleteDisk, diskOf, insertDisk, setBootDisk, updateDisk, type OwnedDisk } from '../db/block-device-store.ts';
import type { LockedMachine } from '../db/machine-part-store.ts';
import { blockDeviceBody, type BlockDeviceBody } from './block-device-body.ts';
import { changePart, partsOf, type PartCall } from './machine-part.ts';
import type { NetworkContext } from './network-context.ts';
import { found, idOfText } from './network-view.ts';

type DiskRoute =
  | `BlockDevices.${'read' | 'create'}`
  | `BlockDevice.${'read' | 'update' | 'delete' | 'add_tag' | 'remove_tag' | 'set_boot_disk'}`;

const taken = { block_device_system_id_name_key: { name: ['Block device with this Name already exists.'] } };

/** Empty texts are nothing. */
function textOr(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}

function refuseNameless(serial: string | null, idPath: string | null): void {
  if (serial === null && idPath === null)
    throw invalid({ __all__: ['serial or id_path is required: a deployment must know the disk again.'] });
}

type DiskCall = PartCall & { readonly path: { readonly system_id: string; readonly id: string } };

export function blockDeviceHandlers(context: NetworkContext): Handlers<DiskRoute> {
  const bodies = async (systemId: string): Promise<BlockDeviceBody[]> => {
    const machine = await partsOf(context, systemId, 'disks');
    return machine.disks.map((disk) => blockDeviceBody(disk, machine.osystem !== '' && disk.id === machine.boot_disk_id));
  };
  const show = async (systemId: string, id: number): Promise<BlockDeviceBody> =>
    found(
      (await bodies(systemId)).find((disk) => disk.id === id),
      'BlockDevice',
    );
  const change = (call: DiskCall, did: string, work: (tx: CellDb, disk: OwnedDisk, machine: LockedMachine) => Promise<void>) =>
    changePart(context, call, 'block_device_changed', taken, async (tx, machine) => {
      const id = idOfText(call.path.id);
      const disk = found(Number.isNaN(id) ? undefined : await diskOf(tx, machine.system_id, id), 'BlockDevice');
      await work(tx, disk, machine);
      return { did: `Block device ${disk.name} ${did}`, value: disk.id };
    });
  const changed = async (...given: Parameters<typeof change>): Promise<BlockDeviceBody> =>
    show(given[0].path.system_id, await change(...given));
  return {
    'BlockDevices.read': ({ path }) => bodies(path.system_id),
    'BlockDevice.read': ({ path }) => show(path.system_id, idOfText(path.id)),
    'BlockDevices.create': async (call) => {
      const { name, size, block_size, ...texts } = call.params;
      const [model, serial, id_path] = [textOr(texts.model), textOr(texts.serial), textOr(texts.id_path)];
      refuseNameless(serial, id_path);
      const id = await changePart(context, call, 'block_device_changed', taken, async (tx, machine) => {
        const value = await insertDisk(tx, { system_id: machine.system_id, name, size, block_size, model, serial, id_path });
        return { did: `Block device ${name} added`, value };
      });
      return show(call.path.system_id, id);
    },
    'BlockDevice.update': (call) => {
      const { model, serial, id_path, ...plain } = call.params;
      return changed(call, 'changed', async (tx, disk) => {
        const after = {
          serial: serial === undefined ? disk.serial : textOr(serial),
          id_path: id_path === undefined ? disk.id_path : textOr(id_path),
        };
        refuseNameless(after.serial, after.id_path);
        const isAnother = after.serial !== disk.serial || after.id_path !== disk.id_path || (plain.size ?? disk.size) !== disk.size;
        await updateDisk(tx, disk.id, { ...plain, ...after, ...(model === undefined ? {} : { model: textOr(model) }) }, isAnother);
      });
    },
    'BlockDevice.delete': async (call) => {
      await change(call, 'deleted', (tx, disk) => deleteDisk(tx, disk.id));
    },
    'BlockDevice.add_tag': (call) =>
      changed(call, 'tagged', (tx, disk) => updateDisk(tx, disk.id, { tags: [...new Set([...disk.tags, call.params.tag])] }, false)),
    'BlockDevice.remove_tag': (call) =>
      changed(call, 'untagged', (tx, disk) => updateDisk(tx, disk.id, { tags: disk.tags.filter((tag) => tag !== call.params.tag) }, false)),
    'BlockDevice.set_boot_disk': async (call) => {
      await change(call, 'is the boot disk', (tx, disk, machine) => setBootDisk(tx, machine.system_id, disk.id));
      return 'OK';
    },
  };
}
