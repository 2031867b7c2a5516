/** What netboot sees of the cell: the facts of one asker, the files of the store, and the boot log (written in batches). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BootFacts } from '../contract/boot.ts';
import { stateOf } from '../contract/lifecycle.ts';
import type { CellDb } from './db/cell-db.ts';
import { allBootFacts, bootFacts, logBootRequests, type BootRequest, type BootRow } from './db/boot-store.ts';
import type { SecretKey } from './db/secret-key.ts';
import type { ImageCatalogue } from './image-catalogue.ts';
import type { ImageStore } from './images/store.ts';
import type { BootAsker } from './netboot/boot-asker.ts';
import type { BootDoors, BootFound, BootLogEntry } from './netboot/http-boot.ts';
import type { KernelParameter } from './netboot/kernel-parameters.ts';
import { rescueNonce } from './metadata/machine-credential.ts';

export interface BootDoorOptions {
  readonly db: CellDb;
  readonly store: ImageStore;
  readonly catalogue: ImageCatalogue;
  readonly secretKey: SecretKey;
  readonly parameters: readonly KernelParameter[];
  /** What the setting `kernel_opts`, and those of these tags, add at this moment. */
  readonly operatorParameters?: (tagIds: readonly number[]) => readonly KernelParameter[];
  readonly onError: (error: unknown) => void;
  /** Ends fetches. */
  readonly signal?: AbortSignal;
}

/** Entries wait at most this long (milliseconds) and are written together; a boot never waits for its log. */
const logAge = 200;
/** How long a machine's request waits for a file that is being fetched (milliseconds); then it is told to ask again. */
const fetchWait = 20_000;

export function bootDoors(options: BootDoorOptions): BootDoors & AsyncDisposable & { refreshSnapshot(): Promise<void> } {
  const { db, catalogue } = options;
  let entries: BootRequest[] = [];
  let timer: NodeJS.Timeout | undefined;
  let snapshot: ReadonlyMap<string, BootRow> = new Map();
  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const batch = entries;
    entries = [];
    await logBootRequests(db, batch).catch(options.onError);
  }
  /** Goes on when the machine that asked has gone. */
  function fetching(sha256: string): Promise<void> {
    return catalogue.fetch(sha256, options.signal ?? AbortSignal.timeout(3_600_000));
  }
  return {
    async findBoot(asker) {
      return foundOf(options, asker, await bootFacts(db, { mac: asker.mac, uuid: asker.uuid, address: asker.address }));
    },
    lastKnown(asker) {
      const row = asker.mac === undefined ? undefined : snapshot.get(asker.mac);
      // Only what seconds do not change: a ticket that was live, a system that runs, a rescue. Anything else may have got its ticket since.
      const lasts = row && (row.nonce !== null || ['deployed', 'rescue_mode'].includes(stateOf(row.status ?? 0)));
      return lasts ? foundOf(options, asker, row) : undefined;
    },
    async refreshSnapshot() {
      const rows = await allBootFacts(db);
      const next = new Map<string, BootRow>();
      // A card that two machines have identifies neither.
      for (const { mac, ...row } of rows) next.set(mac, { ...row, enlists: false, matches: (next.get(mac)?.matches ?? 0) + 1 });
      snapshot = next;
    },
    async openFile(sha256) {
      const file = await options.store.open(sha256);
      if (file) return { size: file.size, read: (first, last) => file.stream(first, last) };
      if (!catalogue.digests().includes(sha256)) return undefined;
      // What the catalogue has and this process has not yet is fetched when the first machine asks for it, and a machine asks again meanwhile:
      // firmware within its own minute, the agent for half an hour and at every other process of the cell.
      await Promise.race([fetching(sha256), sleep(fetchWait, undefined, { ref: false })]);
      const fetched = await options.store.open(sha256);
      if (!fetched) throw new Error('the file is being fetched');
      return { size: fetched.size, read: (first, last) => fetched.stream(first, last) };
    },
    log(entry: BootLogEntry) {
      const { because, ...rest } = entry;
      entries.push({ ...rest, answer: because === undefined ? entry.answer : `${entry.answer} (${because})` });
      timer ??= setTimeout(() => void flush(), logAge);
    },
    [Symbol.asyncDispose]: flush,
  };
}

function foundOf({ catalogue, secretKey, parameters, operatorParameters }: BootDoorOptions, asker: BootAsker, row: BootRow): BootFound {
  const agent = catalogue.agent(asker.architecture);
  const known = row.system_id !== null && row.status !== null;
  const facts: BootFacts = {
    ...(known
      ? {
          machine: {
            state: stateOf(row.status ?? 0),
            locked: row.locked ?? false,
            movedAway: row.moved ?? false,
            ephemeral: row.ephemeral ?? false,
          },
        }
      : {}),
    ...(row.purpose === null ? {} : { ticket: { purpose: row.purpose } }),
    enlists: row.enlists ?? false,
    // A card of two machines, or of a device: what has it is none of ours to boot.
    unsure: row.matches > (row.system_id === null ? 0 : 1),
  };
  const rescue = facts.machine?.state === 'rescue_mode' || facts.machine?.state === 'entering_rescue_mode';
  const nonce = row.nonce ?? (rescue && row.system_id !== null ? rescueNonce(secretKey, row.system_id) : undefined);
  return {
    facts,
    ...(row.system_id === null ? {} : { systemId: row.system_id }),
    ...(nonce === undefined ? {} : { nonce }),
    ...(agent
      ? {
          environment: {
            kernel: { sha256: agent.kernel.sha256, name: 'vmlinuz' },
            initrd: { sha256: agent.initrd.sha256, name: 'initrd.img' },
          },
        }
      : {}),
    parameters: [...parameters, ...(operatorParameters?.(row.tag_ids) ?? [])],
  };
}
