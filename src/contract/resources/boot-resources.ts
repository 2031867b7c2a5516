/** Boot resources: the images that can be deployed, and the ephemeral environment. The catalogue is global, files are named by digest. */
import { Type } from 'typebox';
import { get, optional, resource } from '../route.ts';
import { Id, nullable, oneOf } from './field.ts';

const BootFile = Type.Object({
  filename: Type.String(),
  filetype: Type.String(),
  sha256: Type.String(),
  size: Type.Integer(),
  complete: Type.Boolean(),
});

export const BootResource = Type.Object({
  id: Id,
  type: oneOf('Synced', 'Uploaded'),
  /** Such as debian/12. */
  name: Type.String(),
  architecture: Type.String(),
  title: Type.Optional(Type.String()),
  subarches: Type.Optional(Type.String()),
  kflavor: Type.Optional(Type.String()),
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
    is_importing: get({ op: 'is_importing', doc: 'Is an import going on?', reply: Type.Boolean(), policy: 'user', reach: 'hub' }),
  }),
  ...resource('BootResource', 'boot-resources/{id}/', 'One boot resource.', {
    read: get({
      doc: 'Read a boot resource with its versions and files.',
      reply: BootResourceWithSets,
      errors: ['not_found'],
      policy: 'user',
      reach: 'hub',
    }),
  }),
};
