import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PostgresFailure } from './postgres-failure.ts';
import { identityOf, isAlive, type ProcessIdentity } from './process-identity.ts';

/** The sole right to use a data folder; ends with `release()` or with the process, however it dies. */
export type FolderLock = { release(): void };

/** How long an entry from another container counts as live after its last touch. */
const foreignMs = 15_000;
const touchMs = 3_000;

/**
 * Takes the lock on `folder` (which must exist) or throws `folder_locked`, naming the holder's pid.
 *
 * Everyone first writes an entry of its own, then looks at the others: of two that start at once at
 * least one sees the other, so never both go on. Entries of dead processes are removed by whoever
 * looks; names are never used twice, so that removal cannot hit a newer holder. Both may step back;
 * then they try again after a random pause.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const entries = join(folder, 'lock');
  mkdirSync(entries, { recursive: true, mode: 0o700 });
  const own = identityOf(process.pid);
  if (own === undefined) throw new PostgresFailure('start_failed', 'This process is not in /proc.');
  for (let attempt = 1; ; attempt += 1) {
    const name = `${own.pid}-${randomBytes(6).toString('hex')}`;
    const file = join(entries, name);
    writeFileSync(`${file}.new`, JSON.stringify(own), { mode: 0o600 });
    renameSync(`${file}.new`, file);
    const holder = liveEntry(entries, name);
    if (holder === undefined) return hold(file);
    rmSync(file, { force: true });
    if (attempt === 4) {
      throw new PostgresFailure(
        'folder_locked',
        `The data folder ${folder} is in use by process ${holder.pid}` +
          `${holder.pid === process.pid ? ' (this one)' : ''}. Stop that process, or choose another data folder.`,
      );
    }
    await sleep(20 + Math.random() * 80);
  }
}

function hold(file: string): FolderLock {
  const touch = setInterval(() => {
    try {
      utimesSync(file, new Date(), new Date());
    } catch {
      // The folder was removed under us: nothing left to protect.
    }
  }, touchMs);
  touch.unref();
  return {
    release: () => {
      clearInterval(touch);
      rmSync(file, { force: true });
    },
  };
}

function liveEntry(entries: string, own: string): ProcessIdentity | undefined {
  for (const name of readdirSync(entries)) {
    if (name === own) continue;
    const file = join(entries, name);
    const entry = readEntry(file);
    if (entry === undefined) {
      // Half-written by a process that died, unless it is being renamed right now.
      if (olderThan(file, foreignMs)) rmSync(file, { force: true });
      continue;
    }
    if (isAlive(entry) ?? !olderThan(file, foreignMs)) return entry;
    rmSync(file, { force: true });
  }
  return undefined;
}

function olderThan(file: string, ms: number): boolean {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined || Date.now() - found.mtimeMs > ms;
}

function readEntry(file: string): ProcessIdentity | undefined {
  if (file.endsWith('.new')) return undefined;
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    const { pid, start, boot, namespace } = value as Record<string, unknown>;
    if (typeof pid !== 'number' || typeof start !== 'string') return undefined;
    if (typeof boot !== 'string' || typeof namespace !== 'string') return undefined;
    return { pid, start, boot, namespace };
  } catch {
    return undefined;
  }
}
