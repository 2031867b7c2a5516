/** What selections want of the products of a stream, and what is imported of several streams. Pure. */
import { machineArchitecture } from '../../contract/architecture.ts';
import type { BodyOf } from '../kinds.ts';
import type { StreamFile, StreamProduct, StreamVersion } from './stream-products.ts';

type Selection = Pick<BodyOf<'boot_source_selection'>, 'os' | 'release' | 'arches' | 'subarches' | 'labels'>;

export interface WantedImage {
  /** `debian/12`. */
  readonly name: string;
  /** `amd64/generic`. */
  readonly architecture: string;
  readonly subarches: readonly string[];
  readonly version: StreamVersion & { readonly file: StreamFile };
}

export interface Wanted {
  /** The newest version of each, each name and architecture once. */
  readonly images: readonly WantedImage[];
  /** What was selected and cannot be deployed here, as `ubuntu/jammy amd64 (squashfs)`. */
  readonly left: readonly string[];
  /** Selections that nothing there meets, as `debian/13`. */
  readonly unmet: readonly string[];
}

const takes = (wanted: readonly string[], given: readonly string[]): boolean =>
  wanted.includes('*') || given.some((one) => wanted.includes(one));

const newest = <V extends StreamVersion>(versions: readonly V[]): V | undefined =>
  versions.toSorted((a, b) => (a.version < b.version ? -1 : 1)).at(-1);

const isDeployable = (version: StreamVersion): version is WantedImage['version'] => version.file !== undefined;

/** Does a selection want this product, and which versions of it? Undefined when it does not. */
function versionsWanted(selections: readonly Selection[], product: StreamProduct): StreamVersion[] {
  const fit = selections.filter(
    ({ os, release, arches, subarches }) =>
      os === product.os &&
      release === product.release &&
      takes(arches, [product.arch]) &&
      (product.subarches.length === 0 || takes(subarches, product.subarches)),
  );
  return product.versions.filter(({ label }) => fit.some(({ labels }) => takes(labels, [label])));
}

export function wantedImages(selections: readonly Selection[], products: readonly StreamProduct[]): Wanted {
  const images = new Map<string, WantedImage>();
  const left = new Map<string, string>();
  const met = new Set<string>();
  for (const product of products) {
    const versions = versionsWanted(selections, product);
    if (versions.length === 0) continue;
    const name = `${product.os}/${product.release}`;
    met.add(name);
    const architecture = machineArchitecture(product.arch);
    const version = newest(versions.filter(isDeployable));
    const key = `${name} ${architecture ?? product.arch}`;
    if (!version || architecture === undefined) {
      const why = architecture === undefined ? 'no architecture of machines here' : (newest(versions)?.types.join(', ') ?? '');
      left.set(key, `${name} ${product.arch} (${why})`);
      continue;
    }
    const other = images.get(key);
    if (!other || other.version.version < version.version) images.set(key, { name, architecture, subarches: product.subarches, version });
  }
  const unmet = new Set(selections.map(({ os, release }) => `${os}/${release}`).filter((one) => !met.has(one)));
  return {
    images: [...images.values()],
    left: [...left].filter(([key]) => !images.has(key)).map(([, text]) => text),
    unmet: [...unmet],
  };
}

/** An image and the source that it is taken from. */
export interface Choice {
  readonly source: BodyOf<'boot_source'>;
  readonly image: WantedImage;
}

/** Of each name and architecture the one of the source with the highest priority; of equal ones, of the older source. */
export function chooseImages(
  offers: readonly { readonly source: BodyOf<'boot_source'>; readonly images: readonly WantedImage[] }[],
): Choice[] {
  const chosen = new Map<string, Choice>();
  const ordered = offers.toSorted((a, b) => b.source.priority - a.source.priority || a.source.id - b.source.id);
  for (const { source, images } of ordered)
    for (const image of images) {
      const key = `${image.name} ${image.architecture}`;
      if (!chosen.has(key)) chosen.set(key, { source, image });
    }
  return [...chosen.values()];
}

/**
 * Why this image does not replace what the catalogue has of its name and architecture; undefined when it may. `failed`: sources that could
 * not be read this time. What is `older` than what is here is left where it is: an old signed stream, shown again, takes nothing back.
 */
export function refusalOf(
  { source, image }: Choice,
  known: BodyOf<'boot_resource'> | undefined,
  failed: ReadonlySet<number>,
): 'uploaded' | 'of a failed source' | 'older' | undefined {
  if (!known) return undefined;
  if (known.type === 'Uploaded') return 'uploaded';
  if (known.boot_source !== undefined && known.boot_source !== source.id)
    return failed.has(known.boot_source) ? 'of a failed source' : undefined;
  return Object.keys(known.sets).some((version) => version > image.version.version) ? 'older' : undefined;
}
