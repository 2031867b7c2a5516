/**
 * What firmware and loaders ask over HTTP. Every route answers GET and HEAD, with Content-Length; what a machine boots is decided at the
 * moment of the request (contract/boot.ts) and serving it changes nothing, because firmware asks twice.
 */
import { Type } from 'typebox';
import { get, optional, resource } from '../route.ts';

const script = { reply: Type.String(), type: 'text', policy: 'anonymous', reach: 'own' } as const;
const file = { reply: Type.Unknown(), type: 'binary', errors: ['not_found'], policy: 'anonymous', reach: 'own' } as const;

export const bootRoutes = {
  ...resource(
    'BootStart',
    'start.ipxe',
    'The first script that every iPXE gets.',
    {
      read: get({ doc: 'Fetch the script that asks for script.ipxe with the identity of the machine; it is the same for all.', ...script }),
    },
    'boot',
  ),
  ...resource(
    'BootScript',
    'script.ipxe',
    'The script for one machine.',
    {
      read: get({
        doc: 'Fetch what this machine is to boot now.\n\nA machine is found by any of its MAC addresses or its UUID. Whatever is unsure boots its own disk.',
        params: {
          // Firmware cannot act on a 400: what is no MAC or UUID is left out, and the machine is then an unknown one.
          mac: optional(Type.Array(Type.String()), 'A MAC address of the machine; may be repeated.'),
          uuid: optional(Type.String(), 'Its SMBIOS UUID.'),
          platform: optional(Type.String(), 'What iPXE runs on: pcbios or efi.'),
          arch: optional(Type.String(), 'Its architecture as iPXE calls it: i386, x86_64 or arm64.'),
        },
        ...script,
      }),
    },
    'boot',
  ),
  ...resource(
    'BootLoader',
    'loader/{name}',
    'A loader for UEFI HTTP boot, and the small GRUB that starts the local disk.',
    { read: get({ doc: 'Fetch a loader.', ...file }) },
    'boot',
  ),
  ...resource(
    'BootFile',
    'file/{sha256}/{name}',
    'A kernel, an initramfs or an image, named by its digest.',
    { read: get({ doc: 'Fetch a file; ranges are answered.\n\nThe name is for people and logs, the digest alone decides.', ...file }) },
    'boot',
  ),
};
