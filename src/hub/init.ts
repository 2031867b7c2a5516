/** Setting up a hub that does not run yet: key, database, first admin. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Authority } from '../global/authority.ts';
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
  const key = await loadSigningKey(join(config.folder, 'signing-key.pem'));
  const admin = await withAuthority(config, log, (authority) => createFirstAdmin(authority, username));
  return { fingerprint: fingerprintOf(key.text), admin };
}

/** A lost password: a new random one, and an end to all sessions of the user. Undefined when there is no such user. */
export function resetHubPassword(config: HubConfig, log: Logger, username: string): Promise<string | undefined> {
  return withAuthority(config, log, (authority) => resetPassword(authority, username));
}
