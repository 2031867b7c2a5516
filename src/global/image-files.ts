/** Which files of the image folder the catalogue still needs. */
import type { GlobalReader } from './document.ts';
import type { UploadStore } from './image-uploads.ts';
import type { BodyOf } from './kinds.ts';

type Sets = BodyOf<'boot_resource'>['sets'];

/**
 * Versions that are kept of an image that was uploaded or imported: a deployment is pinned to the one that was newest when it began, and the
 * authority knows no cell's deployments.
 */
const mostVersions = 3;

/** The newest versions, and the others. Pure. */
export function keptVersions(sets: Sets): { readonly kept: Sets; readonly dropped: readonly Sets[string][] } {
  const versions = Object.keys(sets).toSorted().toReversed();
  const kept = Object.fromEntries(versions.slice(0, mostVersions).map((one) => [one, sets[one]!]));
  return { kept, dropped: versions.slice(mostVersions).map((one) => sets[one]!) };
}

/** Remove those of these files that no image of the catalogue has any more, nor an upload that is on its way. */
export async function removeUnnamed(
  reader: Pick<GlobalReader, 'list'>,
  uploads: UploadStore,
  files: readonly { readonly sha256: string }[],
): Promise<void> {
  if (files.length === 0) return;
  const named = reader.list('boot_resource').flatMap(digestsOf);
  const pending = (await uploads.list()).filter((upload) => !upload.done).map((upload) => upload.sha256);
  for (const { sha256 } of files) if (![...named, ...pending].includes(sha256)) await uploads.remove(sha256);
}

function digestsOf({ sets }: { readonly sets: Sets }): string[] {
  return Object.values(sets).flatMap((set) => Object.values(set.files).map((file) => file.sha256));
}

/** Files that came by upload or from a boot source; what was built on this machine is named by manifests of the image folder. */
export function removableFiles({ type, sets }: Pick<BodyOf<'boot_resource'>, 'type' | 'sets'>) {
  const removable = Object.values(sets).filter((set) => type === 'Synced' || set.label === 'uploaded');
  return removable.flatMap((set) => Object.values(set.files));
}
