/** Which image is meant by a name, and where its files come from: the global catalogue read for this cell. */
import { settingOf } from '../global/api/settings.ts';
import type { GlobalReader } from '../global/document.ts';
import type { BodyOf } from '../global/kinds.ts';
import type { DeployedImage } from './db/schema.ts';
import type { ImageStore } from './images/store.ts';

/** The ephemeral environment's name in the catalogue. */
export const agentResource = 'muster/agent';

export interface CatalogueFile {
  readonly sha256: string;
  readonly size: number;
}

export interface ImageCatalogue {
  /** `debian/12`, `12`, `bookworm`-like names; undefined when nothing of that name fits the architecture. */
  find(name: string, architecture: string): DeployedImage | undefined;
  /** What is deployed when nobody says: the settings `default_osystem` and `default_distro_series`, else the first there is. */
  fallback(architecture: string): DeployedImage | undefined;
  /** Kernel and initrd of the ephemeral environment. */
  agent(architecture: string): { readonly kernel: CatalogueFile; readonly initrd: CatalogueFile } | undefined;
  /** Every file that any version of an image has. */
  digests(): string[];
  /** Fetch a file of the catalogue into the cell's store. @throws FetchError */
  fetch(sha256: string, signal: AbortSignal): Promise<void>;
}

type Resource = BodyOf<'boot_resource'>;

/** @param sources base URLs that serve `<sha256>/<name>`: other processes of the cell, the hub's store, a site's cache. */
export function imageCatalogue(
  reader: GlobalReader,
  store: ImageStore,
  sources: readonly string[] | ((sha256: string) => Promise<readonly string[]>),
): ImageCatalogue {
  const fits = (resource: Resource, architecture: string) => resource.architecture.split('/')[0] === architecture.split('/')[0];
  const deployed = (resource: Resource): DeployedImage | undefined => {
    const root = newestFiles(resource).find((file) => file.filetype.startsWith('root-'));
    if (!root) return undefined;
    return {
      name: resource.name,
      architecture: resource.architecture,
      sha256: root.sha256,
      size: root.size,
      cloud_init: (resource as { cloud_init?: boolean }).cloud_init !== false,
    };
  };
  return {
    find(name, architecture) {
      const all = reader.list('boot_resource').filter((resource) => resource.name !== agentResource && fits(resource, architecture));
      const found = all.find((resource) => resource.name === name) ?? all.find((resource) => resource.name.split('/')[1] === name);
      return found && deployed(found);
    },
    fallback(architecture) {
      const series = settingOf(reader, 'default_distro_series');
      const named = this.find(`${settingOf(reader, 'default_osystem')}/${series}`, architecture) ?? this.find(series, architecture);
      if (named) return named;
      const first = reader
        .list('boot_resource')
        .find((resource) => resource.name !== agentResource && fits(resource, architecture) && deployed(resource));
      return first && deployed(first);
    },
    agent(architecture) {
      const resource = reader.list('boot_resource').find((one) => one.name === agentResource && fits(one, architecture));
      const files = resource ? newestFiles(resource) : [];
      const kernel = files.find((file) => file.filetype === 'boot-kernel');
      const initrd = files.find((file) => file.filetype === 'boot-initrd');
      return kernel && initrd ? { kernel, initrd } : undefined;
    },
    digests: () => [
      ...new Set(
        reader
          .list('boot_resource')
          .flatMap(allFiles)
          .map((file) => file.sha256),
      ),
    ],
    async fetch(sha256, signal) {
      // Any version: a deployment is pinned to the one that was newest when it was asked for.
      const file = reader
        .list('boot_resource')
        .flatMap(allFiles)
        .find((one) => one.sha256 === sha256);
      if (!file) throw new Error(`no image of the catalogue has the file ${sha256.slice(0, 12)}…`);
      await store.fetch({
        sha256,
        size: file.size,
        exact: true,
        urls: (typeof sources === 'function' ? await sources(sha256) : sources).map((base) => `${base}/${sha256}/${file.filetype}`),
        signal,
      });
    },
  };
}

function newestFiles(resource: Resource): (CatalogueFile & { readonly filetype: string })[] {
  const newest = resource.sets[Object.keys(resource.sets).toSorted().at(-1) ?? ''];
  return Object.values(newest?.files ?? {});
}

function allFiles(resource: Resource): (CatalogueFile & { readonly filetype: string })[] {
  return Object.values(resource.sets).flatMap((set) => Object.values(set.files));
}
