/** Putting images into the catalogue: a version of a boot resource, its files named by digest. */
import { isDeepStrictEqual } from 'node:util';
import type { GlobalWriter } from './authority.ts';
import type { BodyOf } from './kinds.ts';

export interface CatalogueEntry {
  /** `debian/12`, or `muster/agent` for the ephemeral environment. */
  readonly name: string;
  /** `amd64/generic`. */
  readonly architecture: string;
  readonly type: 'Synced' | 'Uploaded';
  readonly title?: string;
  /** `20260824.1`. */
  readonly version: string;
  /** By file name. `sha256` in hex, `size` in bytes. */
  readonly files: Readonly<Record<string, { readonly filetype: string; readonly sha256: string; readonly size: number }>>;
}

/** Add this version, or replace it if it is there with other files. Returns the resource's id. */
export async function putBootResource(writer: GlobalWriter, by: string, entry: CatalogueEntry): Promise<number> {
  const { name, architecture, type, title, version } = entry;
  const files = Object.fromEntries(
    Object.entries(entry.files).map(([filename, file]) => [filename, { filename, ...file, complete: true }]),
  );
  const size = Object.values(entry.files).reduce((sum, file) => sum + file.size, 0);
  const set = { version, label: 'release', size, complete: true, files };
  const { value } = await writer.write('config', by, async (draft) => {
    const known = draft.list('boot_resource').find((resource) => resource.name === name && resource.architecture === architecture);
    const id = known?.id ?? (await draft.drawId());
    const body: BodyOf<'boot_resource'> = {
      ...known,
      id,
      name,
      architecture,
      type,
      ...(title === undefined ? {} : { title }),
      sets: { ...known?.sets, [version]: set },
    };
    // The same again (each start of `muster up`) is no change: it would cost every cell a batch.
    if (!isDeepStrictEqual(known?.sets[version], set)) draft.put('boot_resource', id, body);
    return id;
  });
  return value;
}
