/** Joining a hub, the joiner's side: a one-time token, and the fingerprint that says who the hub is. */
import { randomBytes, sign, verify, type KeyObject } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { createClient } from '../http/client.ts';
import { keyFileIn, readMembership, writeMembership, type Membership } from './membership.ts';
import { pinnedFetch, wrongKeyIn } from './pinned-fetch.ts';
import { fingerprintOf, keyTextFromSpki, loadSigningKey, publicKeyFrom, spkiOf } from './signing-key.ts';

export interface JoinRequest {
  /** The hub, `https://host:port`. */
  readonly url: string;
  readonly token: string;
  /** SHA-256 of the hub's public key (SPKI), 64 hex digits. */
  readonly fingerprint: string;
  readonly role: 'cell' | 'front';
  /** The data folder: key and membership are kept there, 0600. */
  readonly folder: string;
  /** Where fronts reach the joiner. */
  readonly ownUrl?: string;
  /** The number that a standalone cell has drawn and wants to keep. */
  readonly number?: number;
  /** The name that a standalone cell has: an invitation for another name is refused. */
  readonly name?: string;
  readonly version?: string;
}

/**
 * Join, and remember it. Safe to repeat: with the same folder it is the same key, for which the same token works again.
 * @throws ApiError (`unauthorized`: the token is wrong, used or too old; `in_use`: the number) or WrongKey.
 */
export async function join(request: JoinRequest): Promise<Membership> {
  const membership = await askToJoin(request);
  await writeMembership(request.folder, membership);
  return membership;
}

/** @throws RangeError when it is none. */
export function fingerprintIn(text: string): string {
  const fingerprint = text
    .trim()
    .toLowerCase()
    .replace(/^sha256:/, '');
  if (!/^[0-9a-f]{64}$/.test(fingerprint)) throw new RangeError('A fingerprint is 64 hexadecimal digits.');
  return fingerprint;
}

/** Join, without remembering it yet: until `writeMembership` the folder is what it was, and the same call gets the same answer. */
export async function askToJoin(request: JoinRequest): Promise<Membership> {
  const fingerprint = fingerprintIn(request.fingerprint);
  if (!request.url.startsWith('https://')) throw new RangeError(`${request.url}: a hub is joined over https.`);
  await mkdir(request.folder, { recursive: true, mode: 0o700 });
  // A damaged membership is a reason to join again.
  const known = await readMembership(request.folder).catch(() => undefined);
  if (known && known.role !== request.role) throw new RangeError(`${request.folder} belongs to a ${known.role}, not to a ${request.role}.`);
  const key = await loadSigningKey(keyFileIn(request.folder));
  const nonce = randomBytes(24).toString('base64url');
  await using pinned = pinnedFetch(fingerprint);
  const client = createClient({ url: request.url, fetch: (url, init) => pinned.fetch(url, init) });
  const { ownUrl, token, number, name, version } = request;
  const params = {
    token,
    key: spkiOf(key.text),
    nonce,
    ...(ownUrl === undefined ? {} : { url: ownUrl }),
    ...(number === undefined ? {} : { number }),
    ...(name === undefined ? {} : { name }),
    kind: request.role,
    ...(version === undefined ? {} : { version }),
  };
  const reply = await client.call('ReplicaJoin.join', {}, params).catch((error: unknown) => {
    throw wrongKeyIn(error) ?? error;
  });
  const hubKey = keyTextFromSpki(reply.hub_key);
  const hubPublic = hubKey === undefined ? undefined : publicKeyFrom(hubKey);
  if (hubKey === undefined || !hubPublic || fingerprintOf(hubKey) !== fingerprint)
    throw new Error('The hub answered with a key that is not the one named.');
  if (!checkJoinProof(hubPublic, nonce, params.key, reply.signature)) throw new Error('The hub could not show that it holds its own key.');
  if (reply.kind !== request.role) throw new RangeError(`This token lets a ${reply.kind} join, not a ${request.role}.`);
  return { role: request.role, name: reply.name, number: reply.number, hub: request.url, hubKey };
}

function proofBytes(nonce: string, joinerKey: string): Buffer {
  return Buffer.from(`muster join\n${nonce}\n${joinerKey}`, 'utf8');
}

/** The hub's signature over a joiner's nonce and key, base64. */
export function joinProof(hubKey: KeyObject, nonce: string, joinerKey: string): string {
  return sign(null, proofBytes(nonce, joinerKey), hubKey).toString('base64');
}

function checkJoinProof(hubKey: KeyObject, nonce: string, joinerKey: string, signature: string): boolean {
  return verify(null, proofBytes(nonce, joinerKey), hubKey, Buffer.from(signature, 'base64'));
}
