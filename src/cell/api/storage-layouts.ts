/** What is asked of all disks of a machine at once, and file systems that are on none. */
import { settingOf } from '../../global/api/settings.ts';
import type { Handlers } from '../../http/handler.ts';
import { mountSpecial, unmountSpecial } from '../storage/filesystems.ts';
import { applyLayout, layoutNamed, type LayoutName } from '../storage/layouts.ts';
import type { ApiContext } from './api-context.ts';
import { machineBodyOf } from './machine-page.ts';
import { byAdmin, byOwner, changeStorage } from './storage-change.ts';

type LayoutRoute = `Machine.${'set_storage_layout' | 'restore_storage_configuration' | 'mount_special' | 'unmount_special'}`;

export function storageLayoutHandlers(context: ApiContext): Handlers<LayoutRoute> {
  return {
    'Machine.set_storage_layout': async (call) => {
      const { storage_layout, ...given } = call.params;
      const name: LayoutName = storage_layout;
      await changeStorage(context, call, byAdmin('change the storage layout'), (storage, make) => ({
        did: `Storage layout ${name}`,
        storage: applyLayout(storage, name, given, make),
        value: undefined,
      }));
      return machineBodyOf(context, call.path.system_id);
    },
    'Machine.restore_storage_configuration': async (call) => {
      const name = layoutNamed(settingOf(context.global, 'default_storage_layout'));
      await changeStorage(context, call, byAdmin('restore the storage configuration'), (storage, make) => {
        const fresh = applyLayout(storage, name, {}, make);
        return { did: `Storage layout ${name}, as after commissioning`, storage: fresh, value: undefined };
      });
      return machineBodyOf(context, call.path.system_id);
    },
    'Machine.mount_special': async (call) => {
      const { mount_option, mount_options, ...given } = call.params;
      const options = mount_options ?? mount_option;
      await changeStorage(context, call, byOwner('mount the special filesystem'), (storage, make) => ({
        did: `${given.fstype} at ${given.mount_point}`,
        storage: mountSpecial(storage, { ...given, ...(options === undefined ? {} : { mount_options: options }) }, make),
        value: undefined,
      }));
      return machineBodyOf(context, call.path.system_id);
    },
    'Machine.unmount_special': async (call) => {
      await changeStorage(context, call, byOwner('unmount the special filesystem'), (storage) => ({
        did: `Nothing at ${call.params.mount_point} any more`,
        storage: unmountSpecial(storage, call.params.mount_point),
        value: undefined,
      }));
      return machineBodyOf(context, call.path.system_id);
    },
  };
}
