/**
 * What the processes of one cell share besides the database: secret.key, which an operator copies, and the signing key and the membership,
 * which lie sealed with it in the database. A new process needs `secret.key` and `database_url`, and takes the rest from there.
 */
import { chmod, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { keyFileIn } from '../global/membership.ts';
import { loadSigningKey } from '../global/signing-key.ts';
import { WrongDatabase } from './db/cell-identity.ts';
import type { CellDb } from './db/cell-db.ts';
import type { SecretKey } from './db/secret-key.ts';
import { keepSharedFile, readSharedFile } from './db/shared-file-store.ts';

const signingKey = 'signing-key.pem';
const membership = 'membership.json';

interface Place {
  readonly db: CellDb;
  readonly folder: string;
  readonly key: SecretKey;
}

/**
 * Make folder and database agree. A folder without a signing key is a new process': it takes what the database has, as one with the right key
 * takes the membership that it lacks. In any other the folder is right, unless a process lives that uses something else.
 * @param othersLive whether another process of the cell is up
 * @throws WrongDatabase that says which file differs and what to do
 */
export async function shareFiles({ db, folder, key }: Place, othersLive: () => Promise<boolean>): Promise<void> {
  const kept = { key: await readSharedFile(db, key, signingKey), membership: await readSharedFile(db, key, membership) };
  const own = { key: await textOf(join(folder, signingKey)), membership: await textOf(join(folder, membership)) };
  if (own.key === undefined && kept.key !== undefined) {
    await writePrivately(join(folder, signingKey), kept.key);
    if (kept.membership !== undefined && own.membership === undefined) await writePrivately(join(folder, membership), kept.membership);
    return;
  }
  if (own.key === undefined) {
    await loadSigningKey(keyFileIn(folder));
    own.key = await textOf(join(folder, signingKey));
  }
  const sameKey = kept.key === own.key;
  if (sameKey && own.membership === undefined && kept.membership !== undefined) {
    // The cell has joined a hub by another process, or this folder has lost the file. Absence is never a decision: there is no way back from a hub.
    await writePrivately(join(folder, membership), kept.membership);
    return;
  }
  const differs =
    kept.key === undefined || (sameKey && whose(kept.membership) === whose(own.membership)) ? undefined : sameKey ? membership : signingKey;
  if (differs !== undefined && (await othersLive())) {
    throw new WrongDatabase(
      `${differs} in ${folder} is not what another process of this cell uses now. Stop that process first when this one is right; ` +
        `else remove ${signingKey} and ${membership} from ${folder}, and it takes them from the database.`,
    );
  }
  if (own.membership === undefined && kept.membership !== undefined) {
    throw new WrongDatabase(
      `${signingKey} in ${folder} is not the one with which this cell joined its hub. Remove it, and the cell takes key and membership ` +
        'from the database; or join again with a new token.',
    );
  }
  if (!sameKey && own.key !== undefined) await keepSharedFile(db, key, signingKey, own.key);
  if (own.membership !== undefined && own.membership !== kept.membership) await keepSharedFile(db, key, membership, own.membership);
}

/** The hub's address or key has changed while the cell ran: whoever comes next finds the new ones. */
export async function shareMembership({ db, folder, key }: Place): Promise<void> {
  const own = await textOf(join(folder, membership));
  const kept = await readSharedFile(db, key, membership);
  if (own !== undefined && own !== kept && whose(own) === whose(kept)) await keepSharedFile(db, key, membership, own);
}

/** A hub moves and changes its key; a cell that is another one, or stands alone, is something else. */
function whose(text: string | undefined): string {
  if (text === undefined) return '';
  try {
    const { role, name, number } = JSON.parse(text) as Record<string, unknown>;
    return JSON.stringify([role, name, number]);
  } catch {
    return text;
  }
}

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

async function writePrivately(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  await chmod(path, 0o600);
}
