/** Global config of a cell that stands alone: it is its own authority, over its own database. */
import type { Authenticate } from '../http/handler.ts';
import type { Database } from '../postgres/database.ts';
import type { SpaceDoor, UsageDoor } from './api/context.ts';
import { createAuthenticate } from './authentication.ts';
import { Authority } from './authority.ts';
import { ensureDefaults } from './default-documents.ts';
import type { GlobalReader } from './document.ts';
import { followDatabase } from './follow-database.ts';
import { createGlobalHandlers } from './global-handlers.ts';
import { startImportWorker } from './image-import/import-worker.ts';
import { openUploadStore } from './image-uploads.ts';
import type { CellState } from './member-state.ts';
import { openOutside, type OutsideAddresses } from './outside.ts';
import { loadSigningKey } from './signing-key.ts';
import { keepTrimmed, trimGlobal } from './trim.ts';

/** What a cell has of global config, whether it stands alone or has joined. */
export interface CellGlobal extends AsyncDisposable {
  readonly reader: GlobalReader;
  /** Keys, sessions, assertions. The cell asks it after it has looked for a machine's credential. */
  readonly authenticate: Authenticate;
  /** Of every global route; spread them among the cell's own. */
  readonly handlers: ReturnType<typeof createGlobalHandlers>;
  /** Seconds since the hub was last heard of; undefined when standing alone. */
  lag(): number | undefined;
  /** Take in what another process over this database has committed, now: NOTIFY brings it a moment later anyway. */
  refresh(): Promise<void>;
  /** Fetch something of the hub's own, by its path (`/replica/images/…`); undefined when standing alone. */
  readonly fromHub?: (path: string, init: RequestInit) => Promise<Response>;
  /** How the hub says that this cell stands; a cell that stands alone is in. */
  state(): CellState;
}

export interface CellGlobalOptions<Schema> {
  /** With `globalMigrations` applied. */
  readonly database: Database<Schema>;
  /** The cell's name, as assertions give it. */
  readonly name: string;
  /** Where the cell's Ed25519 key is kept (made when missing): a file in the data folder. */
  readonly keyFile: string;
  readonly usage: UsageDoor;
  readonly spaces: SpaceDoor;
  /** Told when the database could not be asked; memory stays as it is. */
  readonly onTrouble: (error: unknown) => void;
}

export interface StandaloneGlobalOptions<Schema> extends CellGlobalOptions<Schema> {
  /** The image folder, where uploads go. */
  readonly images: string;
  /** Where SSH keys are imported from. */
  readonly outside: OutsideAddresses;
}

/** Also gives the authority, for the first admin, new passwords and the image catalogue. */
export async function openStandaloneGlobal<Schema>(
  options: StandaloneGlobalOptions<Schema>,
): Promise<CellGlobal & { readonly authority: Authority }> {
  const { database, name, usage, spaces, images, outside } = options;
  const key = await loadSigningKey(options.keyFile);
  const authority = await Authority.open(database);
  await ensureDefaults(authority);
  const reader = authority.memory;
  const following = followDatabase(database, () => authority.refresh(), options.onTrouble);
  const uploads = openUploadStore({ folder: images });
  const importing = startImportWorker({ authority, uploads, folder: images, onTrouble: options.onTrouble });
  const trimming = keepTrimmed(() => trimGlobal(authority), options.onTrouble);
  return {
    authority,
    reader,
    authenticate: createAuthenticate({ reader, audience: name, sessionKey: key.publicKey }),
    handlers: createGlobalHandlers(
      { writer: authority, usage, uploads, outside: openOutside(outside) },
      { reader, spaces },
      { db: authority.db, key },
    ),
    lag: () => undefined,
    refresh: () => authority.refresh(),
    state: () => 'in',
    [Symbol.asyncDispose]: async () => {
      await trimming[Symbol.asyncDispose]();
      await importing[Symbol.asyncDispose]();
      await following[Symbol.asyncDispose]();
    },
  };
}
