/**
 * `products:1.0` of a simplestream: which images it has. Fields hold for everything below the level that they stand at (document, product,
 * version, item). Of the files only those that can be deployed here are looked at, and those exactly. Pure.
 */
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { largestImage } from '../../contract/resources/boot-resources.ts';
import { isStreamPath } from './stream-address.ts';
import { jsonOf } from './stream-index.ts';
import { StreamTrouble } from './stream-trouble.ts';

/** The one form of a system that is deployed: a tree with kernel and initrd in it, as uploads and `muster image build` have it. */
export const deployableType = 'root-tar.zst';

export interface StreamFile {
  readonly path: string;
  /** 64 hex digits. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

export interface StreamVersion {
  /** `20260824.1`: the later text is the newer one. */
  readonly version: string;
  readonly label: string;
  readonly title?: string;
  readonly kflavor?: string;
  /** What there is: `squashfs`, `boot-kernel`, … */
  readonly types: readonly string[];
  /** What can be deployed of it; undefined when nothing can. */
  readonly file?: StreamFile;
}

export interface StreamProduct {
  readonly os: string;
  readonly release: string;
  readonly arch: string;
  readonly subarches: readonly string[];
  readonly versions: readonly StreamVersion[];
}

const Level = Type.Record(Type.String(), Type.Unknown());
const Products = Compile(
  Type.Object({
    format: Type.Literal('products:1.0'),
    products: Type.Record(
      Type.String(),
      Type.Object({
        versions: Type.Optional(Type.Record(Type.String(), Type.Object({ items: Type.Optional(Type.Record(Type.String(), Level)) }))),
      }),
    ),
  }),
);

const mostProducts = 20_000;
const mostItems = 500_000;
const word = /^[A-Za-z0-9][A-Za-z0-9._~+-]{0,99}$/;
/** Names of the catalogue. */
const name = /^[a-z0-9][a-z0-9.-]{0,99}$/;
const versionWord = /^[0-9][A-Za-z0-9.-]{0,63}$/;

type Fields = Readonly<Record<string, unknown>>;

/** The innermost level that says it. */
function said(key: string, ...levels: readonly Fields[]): string | undefined {
  const value = levels.findLast((level) => Object.hasOwn(level, key))?.[key];
  return typeof value === 'string' ? value : undefined;
}

/** A text for people: bounded, and one that can be stored. */
const plain = (text: string | undefined): string | undefined =>
  text !== undefined && text !== '' && text.length <= 255 && text.isWellFormed() && !/\p{Cc}/u.test(text) ? text : undefined;

const fits = (pattern: RegExp, text: string | undefined): string | undefined =>
  text !== undefined && pattern.test(text) ? text : undefined;

function fileOf(item: Fields, where: string): StreamFile {
  const { path, sha256, size } = item;
  if (typeof path !== 'string' || !isStreamPath(path)) throw new StreamTrouble(`${where} has a file that may not be asked for`);
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) throw new StreamTrouble(`${where} has a file without a SHA-256 digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 1 || size > largestImage)
    throw new StreamTrouble(`${where} has a file whose size is not between 1 and ${largestImage} bytes`);
  return { path, sha256, size };
}

function versionOf(
  key: string,
  where: string,
  above: readonly Fields[],
  given: Fields & { readonly items?: Readonly<Record<string, Fields>> },
) {
  const version = fits(versionWord, key);
  if (version === undefined) return undefined;
  const items = Object.values(given.items ?? {});
  const levels = [...above, given];
  const typeOf = (item: Fields): string | undefined => fits(word, said('ftype', ...levels, item));
  const roots = items.filter((item) => typeOf(item) === deployableType);
  if (roots.length > 1) throw new StreamTrouble(`${where} has more than one ${deployableType}`);
  const title = plain(said('release_title', ...levels));
  const kflavor = fits(word, said('kflavor', ...levels));
  return {
    version,
    label: fits(word, said('label', ...levels)) ?? 'release',
    ...(title === undefined ? {} : { title }),
    ...(kflavor === undefined ? {} : { kflavor }),
    types: [...new Set(items.flatMap((item) => typeOf(item) ?? []))].slice(0, 20),
    ...(roots[0] ? { file: fileOf(roots[0], where) } : {}),
  } satisfies StreamVersion;
}

/** The systems of a document; products that are none (boot loaders) are left out. @throws StreamTrouble */
export function productsIn(text: string): StreamProduct[] {
  const document = jsonOf(text, 'a list of its products');
  if (!Products.Check(document)) throw new StreamTrouble('a list of its products is no products:1.0');
  const entries = Object.entries(document.products);
  if (entries.length > mostProducts) throw new StreamTrouble(`it has more than ${mostProducts} products`);
  let items = 0;
  return entries.flatMap(([key, product]) => {
    const levels: Fields[] = [document, product];
    const os = fits(name, said('os', ...levels));
    const release = fits(name, said('release', ...levels));
    const arch = fits(word, said('arch', ...levels));
    if (os === undefined || release === undefined || arch === undefined) return [];
    const listed = [said('subarch', ...levels), ...(said('subarches', ...levels)?.split(',', 200) ?? [])];
    const subarches = [...new Set(listed.flatMap((one) => fits(word, one?.trim()) ?? []))];
    const versions = Object.entries(product.versions ?? {}).flatMap(([version, given]) => {
      items += Object.keys(given.items ?? {}).length;
      if (items > mostItems) throw new StreamTrouble(`it has more than ${mostItems} files`);
      return versionOf(version, `${key.slice(0, 100)} ${version.slice(0, 40)}`, levels, given) ?? [];
    });
    return [{ os, release, arch, subarches, versions }];
  });
}
