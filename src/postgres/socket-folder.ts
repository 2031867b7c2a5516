import { createHash } from 'node:crypto';
import { accessSync, chmodSync, chownSync, constants, lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { PostgresFailure } from './postgres-failure.ts';
import type { ServerAccount } from './server-account.ts';

/**
 * A folder for the unix socket whose path is short whatever the data folder's is: sockaddr_un holds
 * 108 bytes (unix(7)), and `/.s.PGSQL.5432.lock` is added. Named by a hash of the data folder, so it
 * is the same after a crash. Mode 0700: only the server's account and root get in, which is why the
 * server asks for no password.
 */
export function socketFolder(folder: string, account: ServerAccount | undefined): string {
  const hash = createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 12);
  const path = join(isWritable('/run') ? '/run' : '/tmp', `muster-pg-${hash}`);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const own = process.getuid?.() ?? 0;
  const found = lstatSync(path);
  if (!found.isDirectory() || (found.uid !== own && found.uid !== account?.uid)) {
    throw new PostgresFailure(
      'not_permitted',
      `${path} should be the folder of PostgreSQL's socket but belongs to uid ${found.uid}. Remove it.`,
    );
  }
  chmodSync(path, 0o700);
  if (account !== undefined) chownSync(path, account.uid, account.gid);
  return path;
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
