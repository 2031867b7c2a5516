/** What a joined cell or front remembers of its joining: a small file in its data folder. */
import { open, readFile, rename } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { TrustedKey } from './hub-trust.ts';

const Membership = Type.Object({
  role: Type.Union([Type.Literal('cell'), Type.Literal('front')]),
  name: Type.String(),
  number: Type.Integer({ minimum: 1 }),
  /** Where the hub is, `https://…`; several, separated by commas, where it has several processes. */
  hub: Type.String(),
  /** The hub's public key: 32 bytes in base64url. */
  hubKey: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
  /** The announcements that led to this key from the one of the joining, oldest first. */
  rotations: Type.Optional(Type.Array(Type.String())),
});

export type Membership = Static<typeof Membership>;

const check = Compile(Membership);
const fileIn = (folder: string): string => joinPath(folder, 'membership.json');

/** The file of the program's own Ed25519 key, in the same folder. */
export function keyFileIn(folder: string): string {
  return joinPath(folder, 'signing-key.pem');
}

/** The membership kept in a data folder; undefined when it has not joined. @throws Error when the file is damaged. */
export async function readMembership(folder: string): Promise<Membership | undefined> {
  let text: string;
  try {
    text = await readFile(fileIn(folder), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (check.Check(value)) return value;
  throw new Error(`${fileIn(folder)} is damaged. Join again: a new token from the hub, and the same data folder.`);
}

/** Remember the hub's new key, and leave the rest as it is: somebody may have written a new address meanwhile. */
export async function rememberHubKey(folder: string, { hubKey, rotations }: TrustedKey): Promise<void> {
  const membership = await readMembership(folder);
  if (!membership) throw new Error(`${folder} has lost its membership. Join again: a new token from the hub, and the same data folder.`);
  await writeMembership(folder, { ...membership, hubKey, rotations: [...rotations] });
}

/** Written beside it, synced, renamed, and the folder synced. */
export async function writeMembership(folder: string, membership: Membership): Promise<void> {
  const draft = `${fileIn(folder)}.new`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(membership, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, fileIn(folder));
  const directory = await open(folder, 'r');
  await directory.sync().finally(() => directory.close());
}
