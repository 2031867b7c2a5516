/** What netboot sees of the cell: the facts of one asker, the files of the store, and the boot log (written in batches). */
import type { BootFacts } from '../contract/boot.ts';
import { stateOf } from '../contract/lifecycle.ts';
import type { CellDb } from './db/cell-db.ts';
import { bootFacts, logBootRequests, type BootRequest } from './db/boot-store.ts';
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
  readonly onError: (error: unknown) => void;
}

/** Entries wait at most this long (milliseconds) and are written together; a boot never waits for its log. */
const logAge = 200;

export function bootDoors(options: BootDoorOptions): BootDoors & AsyncDisposable {
  const { db, catalogue } = options;
  let entries: BootRequest[] = [];
  let timer: NodeJS.Timeout | undefined;
  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const batch = entries;
    entries = [];
    await logBootRequests(db, batch).catch(options.onError);
  }
  return {
    findBoot: (asker) => findBoot(options, asker),
    async openFile(sha256) {
      const file = await options.store.open(sha256);
      if (file) return { size: file.size, read: (first, last) => file.stream(first, last) };
      // The ephemeral environment is fetched when the first machine asks for it; the machine asks again meanwhile.
      if (catalogue.agent('amd64')?.kernel.sha256 === sha256 || catalogue.agent('amd64')?.initrd.sha256 === sha256) {
        await catalogue.fetch(sha256, AbortSignal.timeout(60_000));
        const fetched = await options.store.open(sha256);
        return fetched && { size: fetched.size, read: (first, last) => fetched.stream(first, last) };
      }
      return undefined;
    },
    log(entry: BootLogEntry) {
      const { because, ...rest } = entry;
      entries.push({ ...rest, answer: because === undefined ? entry.answer : `${entry.answer} (${because})` });
      timer ??= setTimeout(() => void flush(), logAge);
    },
    [Symbol.asyncDispose]: flush,
  };
}

async function findBoot({ db, catalogue, secretKey, parameters }: BootDoorOptions, asker: BootAsker): Promise<BootFound> {
  const row = await bootFacts(db, { mac: asker.mac, uuid: asker.uuid, address: asker.address });
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
    unsure: row.matches > 1,
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
    parameters,
  };
}
