/** The hub's image files for cells, by digest. */
import { fail } from '../../contract/errors.ts';
import type { UploadStore } from '../../global/image-uploads.ts';
import type { Handlers } from '../../http/handler.ts';
import { file } from '../../http/reply.ts';

export function imageHandlers(store: Pick<UploadStore, 'open'> | undefined): Handlers<'ReplicaImage.read'> {
  return {
    'ReplicaImage.read': async ({ path }) => {
      const found = await store?.open(path.sha256);
      if (!found) throw fail('not_found', { what: 'BootResourceFile' });
      return file(found);
    },
  };
}
