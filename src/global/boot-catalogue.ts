/** Putting images into the catalogue: a version of a boot resource, its files named by digest. */
import { isDeepStrictEqual } from 'node:util';
import type { GlobalWriter } from './authority.ts';
import type { Draft } from './draft.ts';
import type { BodyOf } from './kinds.ts';

export interface CatalogueEntry {
  /** `debian/12`, or `muster/agent` for the ephemeral environment. */
  readonly name: string;
  /** `amd64/generic`. */
  readonly architecture: string;
  readonly type: 'Synced' | 'Uploaded';
  readonly title?: string;
  readonly base_image?: string;
  /** How it came: `release` (when left out) or `uploaded`. */
  readonly label?: string;
  /** `20260824.1`. */
  readonly version: string;
  /** By file name. `sha256` in hex, `size` in bytes. */
  readonly files: Readonly<Record<string, { readonly filetype: string; readonly sha256: string; readonly size: number }>>;
}

type Resource = BodyOf<'boot_resource'>;

function setOf({ version, label = 'release', files: given }: CatalogueEntry): Resource['sets'][string] {
  const files = Object.fromEntries(Object.entries(given).map(([filename, file]) => [filename, { filename, ...file, complete: true }]));
  const size = Object.values(given).reduce((sum, file) => sum + file.size, 0);
  return { version, label, size, complete: true, files };
}

/** The newest version of a resource: the last in the order of their texts. */
export function newestVersion({ sets }: Pick<Resource, 'sets'>): string | undefined {
  return Object.keys(sets).toSorted().at(-1);
}

/** Stage this version, or the same version with other files. `id`: what a resource that is new gets; drawn when left out. */
export async function stageBootResource(draft: Draft, entry: CatalogueEntry, id?: number): Promise<Resource> {
  const { name, architecture, type, title, base_image, version } = entry;
  const set = setOf(entry);
  const known = draft.list('boot_resource').find((resource) => resource.name === name && resource.architecture === architecture);
  const isFree = id !== undefined && !draft.isRetired('boot_resource', id);
  const body: Resource = {
    ...known,
    id: known?.id ?? (isFree ? id : await draft.drawId()),
    name,
    architecture,
    type,
    ...(title === undefined ? {} : { title }),
    ...(base_image === undefined ? {} : { base_image }),
    sets: { ...known?.sets, [version]: set },
  };
  // The same again (each start of `muster up`) is no change: it would cost every cell a batch.
  if (!isDeepStrictEqual(known?.sets[version], set)) draft.put('boot_resource', body.id, body);
  return body;
}

/** Add this version, or replace it if it is there with other files. Returns the resource's id. */
export async function putBootResource(writer: GlobalWriter, by: string, entry: CatalogueEntry): Promise<number> {
  const { value } = await writer.write('config', by, async (draft) => (await stageBootResource(draft, entry)).id);
  return value;
}

/**
 * The same for an image that is found on this machine again and again: a version that somebody has retired stays retired, a newer one is
 * wanted, and what comes from a boot source goes on coming from there. Returns the resource's id, undefined when nothing was put.
 */
export async function putBuiltImage(writer: GlobalWriter, by: string, entry: CatalogueEntry): Promise<number | undefined> {
  const { name, architecture, version } = entry;
  const { value } = await writer.write('config', by, async (draft) => {
    const isGone = draft
      .retired('boot_resource')
      .some((resource) => resource.name === name && resource.architecture === architecture && Object.hasOwn(resource.sets, version));
    const isImported = draft
      .list('boot_resource')
      .some((resource) => resource.name === name && resource.architecture === architecture && resource.type === 'Synced');
    return isGone || isImported ? undefined : (await stageBootResource(draft, entry)).id;
  });
  return value;
}
