/** Making and mounting file systems on devices and partitions: the same four operations, by what is at the place. */
import { bytesOf } from '../../contract/resources/byte-size.ts';
import { format, mount, unformat, unmount, type FormatGiven, type MountGiven } from '../storage/filesystems.ts';
import type { Maker, Place, Storage } from '../storage/model.ts';
import { byOwner, changeStorage, type StorageCall } from './storage-change.ts';
import type { NetworkContext } from './network-context.ts';

/** Bytes of a size parameter that may be left out. */
export function sizeOf(text: string | undefined): { readonly size?: number } {
  return text === undefined ? {} : { size: bytesOf(text) };
}

/** `find` names the place in the storage, or throws 404; `what` is `block device` or `partition`. */
export function formattingCalls<C extends StorageCall>(
  context: Pick<NetworkContext, 'database'>,
  what: string,
  find: (storage: Storage, call: C) => Place,
) {
  const change = (call: C, verb: string, rule: (storage: Storage, place: Place, make: Maker) => Storage) =>
    changeStorage(context, call, byOwner(`${verb} ${what}`), (storage, make) => {
      const place = find(storage, call);
      const name = place.kind === 'device' ? place.device.name : `${place.device.name}-part${place.partition.number}`;
      return { did: `${what} ${name}: ${verb}`, storage: rule(storage, place, make), value: undefined };
    });
  return {
    format: (call: C & { readonly params: FormatGiven }) =>
      change(call, 'format', (storage, place, make) => format(storage, place, call.params, make)),
    unformat: (call: C) => change(call, 'unformat', unformat),
    mount: (call: C & { readonly params: MountGiven }) => change(call, 'mount', (storage, place) => mount(storage, place, call.params)),
    unmount: (call: C) => change(call, 'unmount', unmount),
  };
}
