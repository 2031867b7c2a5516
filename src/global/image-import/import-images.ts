/** One import: every source read and judged, then one image after the other, each in the catalogue when it is whole. */
import { isDeepStrictEqual } from 'node:util';
import type { GlobalWriter } from '../authority.ts';
import { stageBootResource } from '../boot-catalogue.ts';
import type { GlobalReader } from '../document.ts';
import type { Draft } from '../draft.ts';
import { keptVersions, removableFiles, removeUnnamed } from '../image-files.ts';
import type { UploadStore } from '../image-uploads.ts';
import type { BodyOf } from '../kinds.ts';
import { placeOf } from '../simplestreams/stream-address.ts';
import { productPathsIn } from '../simplestreams/stream-index.ts';
import { deployableType, productsIn } from '../simplestreams/stream-products.ts';
import { StreamTrouble } from '../simplestreams/stream-trouble.ts';
import { chooseImages, refusalOf, wantedImages, type Choice, type Wanted } from '../simplestreams/wanted-images.ts';
import { download, forgetOthers, isHere } from './image-download.ts';
import { theImport } from './import-document.ts';
import type { SourceReport } from './import-report.ts';
import { keyringOf, unverifiedText, verifiedText } from './signed-text.ts';
import { openStreamSite, type StreamLimits } from './stream-site.ts';

type Source = BodyOf<'boot_source'>;
type Resource = BodyOf<'boot_resource'>;

export interface ImportOptions {
  readonly writer: GlobalWriter;
  readonly reader: GlobalReader;
  readonly uploads: UploadStore;
  /** The image folder. */
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly limits?: StreamLimits;
}

/** In the log. */
export const importer = 'image import';

/** Images of one import; a selection of more is a mistake. */
const mostImages = 500;

/** The ephemeral environment is built here, never fetched. */
const isOwn = (name: string): boolean => name.startsWith('muster/');

/** Import everything. @returns what there is to tell of each source. @throws what is no trouble of a source: the database, or `signal`. */
export async function importImages(options: ImportOptions): Promise<SourceReport[]> {
  const { reader, folder, signal } = options;
  const sources = sourcesToImport(reader);
  const reports = new Map(sources.map((source) => [source.id, { source, troubles: [] as string[], left: [] as string[] }]));
  const note = (source: Source, what: 'troubles' | 'left', text: string) => reports.get(source.id)?.[what].push(text);
  const troubled = (source: Source) => (error: unknown) => {
    signal.throwIfAborted();
    if (!(error instanceof StreamTrouble)) throw error;
    note(source, 'troubles', error.message);
  };

  const offers: { source: Source; images: Wanted['images'] }[] = [];
  const failed = new Set<number>();
  for (const source of sources) {
    const wanted = await readSource(options, source).catch(troubled(source));
    if (!wanted) {
      failed.add(source.id);
      continue;
    }
    for (const text of wanted.left) note(source, 'left', `${text}: no ${deployableType} in it`);
    for (const name of wanted.unmet) note(source, 'left', `${name}: there is none`);
    offers.push({ source, images: wanted.images.filter(({ name }) => !isOwn(name)) });
  }
  const choices = chooseImages(offers).filter((choice) => {
    const refusal = refusalOf(choice, knownAs(reader, choice), failed);
    const { name, architecture } = choice.image;
    if (refusal === 'uploaded') note(choice.source, 'left', `${name} ${architecture}: one was uploaded or built here; delete it first`);
    return refusal === undefined;
  });
  if (choices.length > mostImages) throw new Error(`an import of ${choices.length} images; the limit is ${mostImages}`);
  // Of a source that did not answer this time what is here may be wanted again.
  if (failed.size === 0) await forgetOthers(folder, new Set(choices.map(({ image }) => image.version.file.sha256)));
  for (const choice of choices) await importOne(options, choice).catch(troubled(choice.source));
  return [...reports.values()];
}

/** Those that are enabled and of which something is wanted. */
export function sourcesToImport(reader: Pick<GlobalReader, 'list'>): Source[] {
  const wanted = new Set(reader.list('boot_source_selection').map(({ boot_source }) => boot_source));
  return reader.list('boot_source').filter(({ id, enabled }) => enabled && wanted.has(id));
}

function knownAs(reader: Pick<GlobalReader, 'list'>, { image }: Choice): Resource | undefined {
  return reader.list('boot_resource').find(({ name, architecture }) => name === image.name && architecture === image.architecture);
}

async function readSource({ reader, signal, limits }: ImportOptions, source: Source): Promise<Wanted> {
  const place = placeOf(source.url, !source.skip_keyring_verification);
  const keyring = source.skip_keyring_verification ? undefined : await keyringOf(source);
  await using site = openStreamSite(place.root, limits);
  const textAt = async (path: string): Promise<string> => {
    if (keyring && !path.endsWith('.sjson')) throw new StreamTrouble(`${path}: it is not signed`);
    const message = await site.text(path, signal);
    return keyring ? verifiedText(message, keyring) : unverifiedText(message);
  };
  const selections = reader.list('boot_source_selection').filter(({ boot_source }) => boot_source === source.id);
  const products = [];
  for (const path of productPathsIn(await textAt(place.index))) products.push(...productsIn(await textAt(path)));
  return wantedImages(selections, products);
}

async function importOne(options: ImportOptions, choice: Choice): Promise<void> {
  const { folder, limits, reader, signal, uploads, writer } = options;
  const { source, image } = choice;
  const { file } = image.version;
  if (!(await isHere(folder, file))) {
    await using site = openStreamSite(placeOf(source.url, true).root, limits);
    await download({ folder, site, file, signal });
  }
  const { value: dropped } = await writer.write('config', importer, (draft) => {
    // Stopped, or the source was taken away, while the file came.
    if (!draft.get('image_import', theImport) || draft.get('boot_source', source.id)?.enabled !== true) return [];
    return publish(draft, choice);
  });
  await removeUnnamed(reader, uploads, dropped);
}

/** Stage an image whose file is here. @returns the files that it had before. */
async function publish(draft: Draft, choice: Choice): Promise<{ readonly sha256: string }[]> {
  const { source, image } = choice;
  const known = knownAs(draft, choice);
  if (refusalOf(choice, known, new Set()) !== undefined) return [];
  const { version, label, title, kflavor, file } = image.version;
  const entry = {
    name: image.name,
    architecture: image.architecture,
    type: 'Synced' as const,
    label,
    version,
    ...(title === undefined ? {} : { title }),
    files: { [deployableType]: { filetype: deployableType, sha256: file.sha256, size: file.size } },
  };
  const staged = await stageBootResource(draft, entry);
  // Versions of another source are in no order with these.
  const isSame = known?.boot_source === undefined || known.boot_source === source.id;
  const kept = isSame ? keptVersions(staged.sets).kept : { [version]: staged.sets[version]! };
  const next: Resource = {
    ...staged,
    sets: kept,
    boot_source: source.id,
    ...(image.subarches.length === 0 ? {} : { subarches: image.subarches.join(',').slice(0, 1024) }),
    ...(kflavor === undefined ? {} : { kflavor }),
  };
  if (!isDeepStrictEqual(next, draft.get('boot_resource', staged.id))) draft.put('boot_resource', staged.id, next);
  // The same version with other files forgets its files too.
  return known ? removableFiles(known) : [];
}
