import { chownSync, lchownSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PostgresFailure } from './postgres-failure.ts';

/** The unprivileged user PostgreSQL runs as when we are root: it refuses to run as root. */
export type ServerAccount = { readonly uid: number; readonly gid: number; readonly name: string };

/**
 * Who runs the server: `undefined` (ourselves) unless we are root. As root: whoever owns the data
 * folder already, else `postgres`, else `nobody`. No user is ever created on the host.
 */
export function serverAccount(dataFolder: string): ServerAccount | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(dataFolder, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) {
    return { uid: owner.uid, gid: owner.gid, name: `uid ${owner.uid}` };
  }
  const users = parsePasswd(readFileSync('/etc/passwd', 'utf8'));
  for (const name of ['postgres', 'nobody']) {
    const user = users.find((candidate) => candidate.name === name && candidate.uid !== 0);
    if (user !== undefined) return user;
  }
  throw new PostgresFailure(
    'no_account',
    'PostgreSQL does not run as root, and /etc/passwd has neither "postgres" nor "nobody". ' +
      'Run Muster as a normal user, add one of the two, or set DATABASE_URL.',
  );
}

/** Reads passwd(5); lines that are not entries are passed over. */
export function parsePasswd(text: string): ServerAccount[] {
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    if (name === undefined || name === '' || !/^\d+$/.test(uid ?? '') || !/^\d+$/.test(gid ?? '')) return [];
    return [{ name, uid: Number(uid), gid: Number(gid) }];
  });
}

/** Gives a folder and all in it to the account (a data folder copied or restored by root). */
export function giveTo(account: ServerAccount, folder: string): void {
  chownSync(folder, account.uid, account.gid);
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    lchownSync(join(folder, entry), account.uid, account.gid);
  }
}
