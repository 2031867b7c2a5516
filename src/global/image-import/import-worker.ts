/**
 * The worker of the authority that imports images. It takes no input: it looks whether an import is asked for (a document, so every program
 * sees it), has a lease on it with the other processes over this database, and goes on where a process that died has left off.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { settingOf } from '../api/settings.ts';
import type { Authority } from '../authority.ts';
import { leaveImportLease, sinceLastImport, takeImportLease } from '../db/import-lease-store.ts';
import type { UploadStore } from '../image-uploads.ts';
import { askForImport, endImport, theImport } from './import-document.ts';
import { importer, importImages, sourcesToImport } from './import-images.ts';
import { putNotices } from './import-report.ts';
import type { StreamLimits } from './stream-site.ts';

export interface ImportWorkerOptions {
  readonly authority: Authority;
  readonly uploads: UploadStore;
  /** The image folder. */
  readonly folder: string;
  /** Told of what is no trouble of a source; it is tried again. */
  readonly onTrouble: (error: unknown) => void;
  readonly limits?: StreamLimits;
  /** How long a process that died keeps the others from going on, in ms. */
  readonly leaseMs?: number;
  /** Seconds between imports that nobody asked for. */
  readonly everySeconds?: number;
  /** How often it looks without being woken, in ms. */
  readonly lookMs?: number;
}

/** Import whenever it is asked for, until disposed of. An import that goes on then is left to the next process. */
export function startImportWorker(options: ImportWorkerOptions): AsyncDisposable {
  const { authority, uploads, folder, onTrouble, limits } = options;
  const { leaseMs = 30_000, everySeconds = 3_600, lookMs = 5_000 } = options;
  const { memory: reader, db } = authority;
  const holder = randomUUID();
  const over = new AbortController();
  const started = performance.now();
  let wake: () => void = () => undefined;
  const unlisten = reader.onChange((stream) => stream === 'config' && wake());

  /** Ask for an import when the last one was long ago. */
  const askWhenDue = async (): Promise<void> => {
    if (!settingOf(reader, 'boot_images_auto_import') || sourcesToImport(reader).length === 0) return;
    const seconds = (await sinceLastImport(db)) ?? (performance.now() - started) / 1000;
    if (seconds >= everySeconds) await authority.write('config', importer, (draft) => askForImport(draft, importer, new Date()));
  };

  const work = async (since: string): Promise<void> => {
    const stop = new AbortController();
    const signal = AbortSignal.any([over.signal, stop.signal]);
    const isStopped = (): boolean => reader.get('image_import', theImport)?.since !== since;
    const deafen = reader.onChange(() => isStopped() && stop.abort());
    let held = performance.now();
    const hold = async (): Promise<void> => {
      const asked = performance.now();
      const isOurs = await takeImportLease(db, holder, leaseMs).catch(() => performance.now() - held < leaseMs);
      if (!isOurs) stop.abort();
      else held = asked;
    };
    const holding = setInterval(() => void hold(), leaseMs / 3);
    let isOver = false;
    try {
      const reports = await importImages({ writer: authority, reader, uploads, folder, signal, ...(limits ? { limits } : {}) });
      await authority.write('config', importer, async (draft) => {
        if (draft.get('image_import', theImport)?.since !== since) return;
        await putNotices(draft, reports);
        endImport(draft);
      });
      isOver = true;
    } catch (error) {
      if (!signal.aborted) throw error;
      isOver = isStopped();
    } finally {
      clearInterval(holding);
      deafen();
      await leaveImportLease(db, holder, isOver).catch(onTrouble);
    }
  };

  const look = async (): Promise<void> => {
    const asked = reader.get('image_import', theImport);
    if (!asked) await askWhenDue();
    else if (await takeImportLease(db, holder, leaseMs)) await work(asked.since);
  };

  const run = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, lookMs);
        wake = () => (clearTimeout(timer), resolve());
      });
      let isTroubled = false;
      await look().catch((error: unknown) => {
        isTroubled = true;
        onTrouble(error);
      });
      // What went wrong goes wrong again: not at once.
      if (isTroubled) await sleep(Math.min(lookMs, 1_000), undefined, { signal: over.signal }).catch(() => undefined);
      await woken;
    }
  };
  const running = run();
  return {
    [Symbol.asyncDispose]: async () => {
      unlisten();
      over.abort();
      wake();
      await running;
    },
  };
}
