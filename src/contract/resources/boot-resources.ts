/** Boot resources: the images that can be deployed, and the ephemeral environment. The catalogue is global, files are named by digest. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Id, Nothing, nullable, oneOf } from './field.ts';

const BootFile = Type.Object({
  filename: Type.String(),
  filetype: Type.String(),
  sha256: Type.String(),
  size: Type.Integer(),
  complete: Type.Boolean(),
  /** While it is being uploaded: where its bytes go, how many are here, and what share of it that is (0 to 1). */
  upload_uri: Type.Optional(Type.String()),
  received: Type.Optional(Type.Integer()),
  progress: Type.Optional(Type.Number()),
});

/** The largest image: 64 GiB. */
export const largestImage = 64 * 2 ** 30;

export const BootResource = Type.Object({
  id: Id,
  type: oneOf('Synced', 'Uploaded'),
  /** Such as debian/12. */
  name: Type.String(),
  architecture: Type.String(),
  title: Type.Optional(Type.String()),
  subarches: Type.Optional(Type.String()),
  kflavor: Type.Optional(Type.String()),
  /** Of an uploaded image: the system that it was made from, such as ubuntu/jammy. */
  base_image: Type.Optional(Type.String()),
  last_deployed: nullable(Type.String()),
  resource_uri: Type.String(),
});

/** A single one lists its versions too. */
export const BootResourceWithSets = Type.Interface([BootResource], {
  sets: Type.Record(
    Type.String(),
    Type.Object({
      version: Type.String(),
      label: Type.String(),
      size: Type.Integer(),
      complete: Type.Boolean(),
      files: Type.Record(Type.String(), BootFile),
    }),
  ),
});

export const bootResources = {
  ...resource('BootResources', 'boot-resources/', 'Images that machines can be deployed with or boot from.', {
    read: get({
      doc: 'List boot resources.',
      params: { type: optional(oneOf('synced', 'uploaded'), 'Only those that were imported (synced) or built and uploaded (uploaded).') },
      reply: Type.Array(BootResource),
      policy: 'user',
      reach: 'hub',
    }),
    create: post({
      doc: 'Begin to upload an image.\n\nThe reply says in upload_uri where its bytes go, in chunks, in order, at most 4 MiB each. The image is in the catalogue when the last one is here and the whole has the digest. Asked again, an upload that broke off goes on behind the bytes that were received.',
      params: {
        name: required(
          Type.String({ minLength: 1, maxLength: 255, pattern: '^([a-z0-9][a-z0-9.-]*/)?[a-z0-9][a-z0-9.-]*$' }),
          'What it is deployed by, such as debian/12; a bare name is put below custom/.',
        ),
        architecture: required(Type.String({ minLength: 1, maxLength: 80 }), 'What it runs on, such as amd64/generic.'),
        sha256: required(Type.String({ pattern: '^[0-9a-fA-F]{64}$' }), 'The SHA-256 of the file, 64 hexadecimal digits.'),
        size: required(Type.Integer({ minimum: 1, maximum: largestImage }), 'The bytes of the file.'),
        title: optional(Type.String({ maxLength: 255 }), 'What people call it.'),
        base_image: optional(
          Type.String({ maxLength: 255, pattern: '^[a-z0-9][a-z0-9.-]*/[a-z0-9][a-z0-9.-]*$' }),
          'The system that it was made from, such as ubuntu/jammy.',
        ),
        filetype: optional(oneOf('tar.zst', 'root-tar.zst'), 'The form of the file: a system as a tar archive, compressed by zstd.'),
      },
      reply: BootResourceWithSets,
      status: 201,
      errors: ['bad_request', 'too_many'],
      policy: 'admin',
      reach: 'hub',
    }),
    import: post({
      op: 'import',
      doc: 'Begin to import images from the boot sources, by their selections.\n\nIt goes on in the background; while one goes on, another is not begun. What could not be imported, and why, is a notification for administrators.',
      reply: Type.Literal('Import of boot resources started'),
      type: 'text',
      policy: 'admin',
      reach: 'hub',
    }),
    is_importing: get({ op: 'is_importing', doc: 'Is an import going on?', reply: Type.Boolean(), policy: 'user', reach: 'hub' }),
    stop_import: post({
      op: 'stop_import',
      doc: 'Stop the import that goes on.\n\nImages that are whole stay; the next import goes on with what is here of the others.',
      reply: Type.Literal('Import of boot resources stopped'),
      type: 'text',
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('BootResource', 'boot-resources/{id}/', 'One boot resource.', {
    read: get({
      doc: 'Read a boot resource with its versions and files.',
      reply: BootResourceWithSets,
      errors: ['not_found'],
      policy: 'user',
      reach: 'hub',
    }),
    delete: remove({
      doc: 'Retire a boot resource.\n\nIts files go when no other image has them. Machines that are deployed with it stay as they are.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('BootResourceFileUpload', 'boot-resources/{resource_id}/upload/{id}/', 'The bytes of an image that is being uploaded.', {
    update: put({
      doc: 'Send the next chunk of a file.\n\nWith Content-Range a chunk may be sent again, and one that leaves a gap is refused.',
      reply: Type.Literal('OK'),
      type: 'text',
      raw: true,
      errors: ['bad_request', 'not_found', 'invalid'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};
