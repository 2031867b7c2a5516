/** One kind of storage group of a machine behind the API: finding it, showing it, changing it. */
import type { NetworkContext } from './network-context.ts';
import { idOfText } from './network-view.ts';
import { deleteGroup } from '../storage/partitions.ts';
import { groupOf, type Group, type GroupType, type Maker, type Storage } from '../storage/model.ts';
import type { StorageView } from './block-device-body.ts';
import { byAdmin, changeStorage, readStorage, type StorageCall } from './storage-change.ts';

export interface GroupCall extends StorageCall {
  readonly path: { readonly system_id: string; readonly id: string };
}

/** `noun` is what people call it, `model` what a 404 does. */
export interface GroupKind<B> {
  readonly noun: string;
  readonly model: string;
  readonly types: readonly GroupType[];
  readonly body: (view: StorageView, group: Group) => B;
}

/** Ids that parameters name, none when left out. */
export function chosen(devices: readonly number[] | undefined, partitions: readonly number[] | undefined) {
  return { devices: devices ?? [], partitions: partitions ?? [] };
}

export function groupCalls<B>(context: Pick<NetworkContext, 'database'>, { noun, model, types, body }: GroupKind<B>) {
  const show = async (systemId: string, id: number): Promise<B> => {
    const view = await readStorage(context, systemId);
    return body(view, groupOf(view.storage, id, types, model));
  };
  /** Change the group that the path names; the value of `rule` is handed back. */
  const change = <T>(
    call: GroupCall,
    verb: string,
    rule: (storage: Storage, group: Group, make: Maker) => { readonly storage: Storage; readonly value: T },
  ) =>
    changeStorage(context, call, byAdmin(verb), (storage, make) => {
      const group = groupOf(storage, idOfText(call.path.id), types, model);
      return { did: `${verb} of ${group.name}`, ...rule(storage, group, make) };
    });
  return {
    list: async ({ path }: StorageCall): Promise<B[]> => {
      const view = await readStorage(context, path.system_id);
      return view.storage.groups.filter((one) => types.includes(one.type)).map((one) => body(view, one));
    },
    read: ({ path }: GroupCall) => show(path.system_id, idOfText(path.id)),
    create: async (
      call: StorageCall,
      rule: (storage: Storage, make: Maker) => { readonly storage: Storage; readonly group: Group },
    ): Promise<B> => {
      const id = await changeStorage(context, call, byAdmin(`create ${noun}`), (storage, make) => {
        const made = rule(storage, make);
        return { did: `create ${noun} ${made.group.name}`, storage: made.storage, value: made.group.id };
      });
      return show(call.path.system_id, id);
    },
    update: async (call: GroupCall, rule: (storage: Storage, group: Group, make: Maker) => Storage): Promise<B> => {
      await change(call, `update ${noun}`, (storage, group, make) => ({ storage: rule(storage, group, make), value: undefined }));
      return show(call.path.system_id, idOfText(call.path.id));
    },
    remove: async (
      call: GroupCall,
      rule: (storage: Storage, group: Group) => Storage = (storage, group) => deleteGroup(storage, group.id),
    ) => {
      await change(call, `delete ${noun}`, (storage, group) => ({ storage: rule(storage, group), value: undefined }));
    },
    change,
  };
}
