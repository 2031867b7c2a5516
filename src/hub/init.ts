/** Setting up a hub that does not run yet: key, database, first admin. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Authority, beginEpoch } from '../global/authority.ts';
import { readRevisions } from '../global/db/document-store.ts';
import { asGlobalDatabase } from '../global/db/global-tables.ts';
import { createFirstAdmin, ensureDefaults, resetPassword, type FirstAdmin } from '../global/default-documents.ts';
import { fingerprintOf, loadSigningKey } from '../global/signing-key.ts';
import type { HubConfig } from './config.ts';
import { openHubDatabase } from './hub-database.ts';

export interface InitialisedHub {
  /** SHA-256 of the hub's public key, 64 hex digits. */
  readonly fingerprint: string;
  /** Password and API key are shown only here; undefined when there was an admin already. */
  readonly admin: FirstAdmin | undefined;
}

async function withAuthority<T>(config: HubConfig, log: Logger, work: (authority: Authority) => Promise<T>): Promise<T> {
  await mkdir(config.folder, { recursive: true, mode: 0o700 });
  await using base = await openHubDatabase(config, log);
  const authority = await Authority.open(base.database);
  await ensureDefaults(authority);
  return await work(authority);
}

/** `muster hub init`. Safe to repeat. @throws PostgresFailure `folder_locked` while a hub with an embedded database runs on the folder. */
export async function initHub(config: HubConfig, log: Logger, username?: string): Promise<InitialisedHub> {
  const admin = await withAuthority(config, log, (authority) => createFirstAdmin(authority, username));
  const key = await loadSigningKey(join(config.folder, 'signing-key.pem'));
  return { fingerprint: fingerprintOf(key.text), admin };
}

/**
 * For a database that was put back to an older state without the hub noticing: what it gave out since counts no more, and every replica takes
 * a snapshot. Returns the epoch.
 */
export async function beginHubEpoch(config: HubConfig, log: Logger): Promise<number> {
  await using base = await openHubDatabase(config, log);
  const revisions = await readRevisions(asGlobalDatabase(base.database).db);
  const epoch = Math.max(0, ...[...revisions.values()].map((revision) => revision.epoch)) + 1;
  await asGlobalDatabase(base.database).transaction((tx) => beginEpoch(tx, epoch));
  return epoch;
}

/** A lost password: a new random one, and an end to all sessions of the user. Undefined when there is no such user. */
export function resetHubPassword(config: HubConfig, log: Logger, username: string): Promise<string | undefined> {
  return withAuthority(config, log, (authority) => resetPassword(authority, username));
}
