/**
 * Image files where a cell has several processes, each with a folder of its own. A machine may ask any of them at any moment, so a deployment
 * begins when every live process has its image, and what one process has the others fetch from it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CellDb } from './db/cell-db.ts';
import { imagesToFetch, processesWithout, saveImages, wakeWorkers, type ProcessRow } from './db/process-store.ts';
import type { ImageCatalogue } from './image-catalogue.ts';
import type { ImageStore } from './images/store.ts';

export interface ImageCopiesOptions {
  readonly db: CellDb;
  readonly store: ImageStore;
  readonly catalogue: ImageCatalogue;
  readonly processId: string;
  /** No other process of the cell lives: nobody is asked and nobody waited for. */
  readonly alone: () => boolean;
  readonly onTrouble: (error: unknown) => void;
}

export interface ImageCopies {
  /** Is the file here, and at every other live process? These are waited for only so long: a full disk there must not stop the cell. */
  isReady(sha256: string, waitedMs: number): Promise<boolean>;
  /** Fetch it here, tell the others, and give them a few seconds to fetch it too. @throws FetchError */
  bring(sha256: string, signal: AbortSignal): Promise<void>;
  /** Say what is here, and fetch what the other processes have or a live deployment wants. */
  refresh(signal: AbortSignal): Promise<void>;
}

/** From a deployment's start; a whole-disk image of 4 GB takes 40 s in a rack. */
const longestWaitMs = 120_000;
const giveOthersMs = 10_000;

export function imageCopies(options: ImageCopiesOptions): ImageCopies {
  const { db, store, catalogue, processId, alone, onTrouble } = options;

  let told = '';
  async function tell(): Promise<string[]> {
    const here: string[] = [];
    for (const sha256 of catalogue.digests()) if (await store.open(sha256)) here.push(sha256);
    const text = here.toSorted().join();
    if (text !== told) await saveImages(db, processId, here);
    told = text;
    return here;
  }

  return {
    async isReady(sha256, waitedMs) {
      if ((await store.open(sha256)) === undefined) return false;
      return alone() || waitedMs > longestWaitMs || (await processesWithout(db, processId, sha256)).length === 0;
    },
    async bring(sha256, signal) {
      await catalogue.fetch(sha256, signal);
      await tell();
      if (alone()) return;
      await wakeWorkers(db);
      for (const end = Date.now() + giveOthersMs; Date.now() < end;) {
        if ((await processesWithout(db, processId, sha256)).length === 0) return;
        await sleep(250, undefined, { signal });
      }
    },
    async refresh(signal) {
      const here = await tell();
      if (alone()) return;
      const known = new Set(catalogue.digests());
      let fetched = 0;
      for (const sha256 of await imagesToFetch(db, processId, here)) {
        if (!known.has(sha256)) continue;
        await catalogue.fetch(sha256, signal).then(() => (fetched += 1), onTrouble);
        if (signal.aborted) return;
      }
      if (fetched > 0) await tell();
    },
  };
}

/** Where a file of the catalogue can be had: first from processes of this cell that have it. */
export function sourcesWithPeers(
  configured: readonly string[],
  peersWith: (sha256: string) => Promise<readonly Pick<ProcessRow, 'address' | 'port'>[]>,
): (sha256: string) => Promise<readonly string[]> {
  return async (sha256) => [...(await peersWith(sha256)).map(({ address, port }) => `http://${address}:${port}/boot/file`), ...configured];
}
