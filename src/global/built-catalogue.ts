/**
 * Images that were built on this machine (`muster image build`) go into the catalogue by themselves: their manifests are read from the image
 * folder again and again, and what is new becomes a version of a boot resource.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { GlobalWriter } from './authority.ts';
import { putBuiltImage, type CatalogueEntry } from './boot-catalogue.ts';

const Manifest = Compile(
  Type.Object({
    name: Type.String({ pattern: '^[a-z0-9]+-[a-z0-9.]+$' }),
    architecture: Type.String({ pattern: '^[a-z0-9]+$' }),
    builtAt: Type.String({ minLength: 1 }),
    files: Type.Array(
      Type.Object({
        ftype: Type.String({ pattern: '^[A-Za-z0-9._-]+$' }),
        sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
        size: Type.Integer({ minimum: 0 }),
      }),
      { minItems: 1 },
    ),
  }),
);

/** `debian-12` is `debian/12` in the catalogue; the version is when it was built. Undefined when the text is no manifest. */
export function catalogueEntryOf(text: string): CatalogueEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Manifest.Check(value)) return undefined;
  return {
    name: value.name.replace('-', '/'),
    architecture: `${value.architecture}/generic`,
    type: 'Uploaded',
    version: value.builtAt.replace(/\D/g, '').slice(0, 14),
    files: Object.fromEntries(value.files.map(({ ftype, sha256, size }) => [ftype, { filetype: ftype, sha256, size }])),
  };
}

/** What was built here, oldest first. An unreadable manifest is left out: it is half written or not ours. */
export async function readBuiltCatalogue(folder: string): Promise<CatalogueEntry[]> {
  const manifests = join(folder, 'manifests');
  const names = await readdir(manifests).catch(() => []);
  const entries = await Promise.all(
    names
      .filter((name) => name.endsWith('.json'))
      .map((name) => readFile(join(manifests, name), 'utf8').then(catalogueEntryOf, () => undefined)),
  );
  return entries.filter((entry) => entry !== undefined).toSorted((a, b) => (a.version < b.version ? -1 : 1));
}

/** Keep the catalogue in step with the folder until `signal` aborts. The same again is no change. */
export async function followBuiltCatalogue(
  writer: GlobalWriter,
  folder: string,
  signal: AbortSignal,
  onTrouble: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      for (const entry of await readBuiltCatalogue(folder)) await putBuiltImage(writer, 'image build', entry);
    } catch (error) {
      onTrouble(error);
    }
    await sleep(5_000, undefined, { signal }).catch(() => undefined);
  }
}
