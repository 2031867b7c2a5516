/** The image catalogue: which boot resources there are, with their versions and files by digest. */
import { fail } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { BodyOf } from '../kinds.ts';
import { theImport } from '../image-import/import-document.ts';
import { idOfPath, uri, type GlobalReads } from './context.ts';

/** A boot resource without its versions. */
export function resourceBody({ id, type, name, architecture, title, subarches, kflavor, base_image }: BodyOf<'boot_resource'>) {
  return {
    id,
    type,
    name,
    architecture,
    ...(title === undefined ? {} : { title }),
    ...(base_image === undefined ? {} : { base_image }),
    ...(subarches === undefined ? {} : { subarches }),
    ...(kflavor === undefined ? {} : { kflavor }),
    last_deployed: null,
    resource_uri: uri('boot-resources', id),
  };
}

export function bootResourceReads({
  reader,
}: GlobalReads): Handlers<'BootResources.read' | 'BootResources.is_importing' | 'BootResource.read'> {
  return {
    'BootResources.read': ({ params }) =>
      reader
        .list('boot_resource')
        .filter((resource) => params.type === undefined || resource.type.toLowerCase() === params.type)
        .map(resourceBody),
    'BootResources.is_importing': () => reader.get('image_import', theImport) !== undefined,
    'BootResource.read': ({ path }) => {
      const resource = reader.get('boot_resource', idOfPath(path.id));
      if (!resource) throw fail('not_found', { what: 'BootResource' });
      return { ...resourceBody(resource), sets: resource.sets };
    },
  };
}
