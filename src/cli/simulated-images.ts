/**
 * Images for simulated machines: real files, named by digest, with manifests like those of `muster image build`, and labelled as what they
 * are. Simulated machines fetch and check every byte of them, and run none.
 */
import { createHash } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

interface SimulatedFile {
  readonly ftype: string;
  /** Bytes. */
  readonly size: number;
}

interface SimulatedImage {
  readonly name: string;
  readonly files: readonly SimulatedFile[];
}

/** What the ephemeral environment is called in the catalogue, and what is deployed. Sizes small enough for 24 machines on a laptop. */
const images: readonly SimulatedImage[] = [
  {
    name: 'muster-agent',
    files: [
      { ftype: 'boot-kernel', size: 64 * 1024 },
      { ftype: 'boot-initrd', size: 256 * 1024 },
    ],
  },
  { name: 'simulated-1', files: [{ ftype: 'root-tar.zst', size: 512 * 1024 }] },
];

/** How the image that is deployed is named in the API. */
export const simulatedSeries = 'simulated/1';

/** The same bytes at every start: text that says what it is, repeated. */
function bytesOf(image: string, { ftype, size }: SimulatedFile): Buffer {
  return Buffer.alloc(size, `muster simulated image ${image} ${ftype}: fetched and checked by simulated machines, nothing that boots\n`);
}

/** Write those that `names` lists (all of them when left out) into the image folder. */
export async function writeSimulatedImages(folder: string, names: readonly string[] = images.map(({ name }) => name)): Promise<void> {
  await mkdir(join(folder, 'manifests'), { recursive: true });
  for (const { name, files } of images.filter((image) => names.includes(image.name))) {
    const written = [];
    for (const file of files) {
      const bytes = bytesOf(name, file);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      await place(join(folder, sha256), bytes);
      written.push({ ftype: file.ftype, sha256, size: bytes.length });
    }
    const recipe = createHash('sha256').update(`simulated ${name}`).digest('hex');
    const manifest = {
      name,
      architecture: 'amd64',
      recipe,
      key: recipe,
      builtAt: '2026-01-01T00:00:00.000Z',
      packages: [],
      facts: { simulated: 'yes' },
      files: written,
    };
    await place(join(folder, 'manifests', `${name}-amd64-simulated.json`), Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`));
  }
}

/** Whole or not there. */
async function place(path: string, bytes: Buffer): Promise<void> {
  await writeFile(`${path}.new`, bytes, { mode: 0o644 });
  await rename(`${path}.new`, path);
}
