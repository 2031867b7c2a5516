/**
 * The hub's key as a joined cell or front trusts it, and how that moves: only along announcements that the old and the new key have both
 * signed. The new key is remembered on disk before the old one is given up, so a kill in between leaves a program that trusts one of them.
 */
import type { KeyObject } from 'node:crypto';
import { judgeRotations, readRotation } from './key-rotation.ts';
import { unpinnedText } from './pinned-fetch.ts';
import type { FindingDoor } from './replica.ts';
import { replacedKeys, type SessionKey } from './session.ts';
import { fingerprintOf, publicKeyFrom } from './signing-key.ts';

/** What is remembered: in the membership file, and beside the replica in a cell's database. */
export interface TrustedKey {
  /** The hub's public key: 32 bytes in base64url. */
  readonly hubKey: string;
  /** The announcements that led to it, oldest first. */
  readonly rotations: readonly string[];
}

/** Another process of the hub may take a moment longer to change its key: what the former one shows and signs counts for this long. */
const graceMs = 60_000;
/** Where every hub serves its announcements. */
const keysPath = '/replica/keys/';
const largestChain = 1 << 20;

export interface HubTrust {
  readonly now: () => TrustedKey;
  /** Who may sign batches. The present key comes first. */
  batchKeys(): readonly KeyObject[];
  sessionKeys(): readonly SessionKey[];
  /** What TLS is pinned to: see `pinnedFetch`. */
  readonly pin: {
    readonly wanted: () => string;
    fits(fingerprint: string | undefined): boolean;
    /** Ask whoever answers there for announcements, and follow them. */
    renew(origin: string): Promise<void>;
  };
  /** Was this key the hub's, before one or more changes? */
  wasTrusted(key: string): boolean;
  /** Follow announcements, wherever they are from. @returns whether the trusted key has changed. */
  follow(rotations: readonly string[]): Promise<boolean>;
  /** Also remember every later change here. Called after the membership has it. */
  onChange(remember: (trusted: TrustedKey) => Promise<void>): void;
}

export interface HubTrustOptions {
  readonly trusted: TrustedKey;
  /** Makes a new key last; nothing changes when it throws. */
  readonly remember: (trusted: TrustedKey) => Promise<void>;
  readonly findings: FindingDoor;
  /** For tests. */
  readonly graceMs?: number;
}

/** @throws Error when the key is none. */
export function createHubTrust(options: HubTrustOptions): HubTrust {
  const { remember, findings } = options;
  let trusted = options.trusted;
  let key = keyOf(trusted.hubKey);
  let sessionKeys = sessionKeysOf(trusted);
  let former: { readonly key: KeyObject; readonly fingerprint: string; readonly until: number } | undefined;
  const listeners: ((trusted: TrustedKey) => Promise<void>)[] = [];
  const graced = () => (former !== undefined && performance.now() < former.until ? former : undefined);

  const move = async (path: readonly string[], to: string): Promise<void> => {
    const next = { hubKey: to, rotations: [...trusted.rotations, ...path] };
    const nextKey = keyOf(to);
    await remember(next);
    former = { key, fingerprint: fingerprintOf(trusted.hubKey), until: performance.now() + (options.graceMs ?? graceMs) };
    [trusted, key, sessionKeys] = [next, nextKey, sessionKeysOf(next)];
    for (const listener of listeners) await listener(next);
  };
  const follow = async (rotations: readonly string[]): Promise<boolean> => {
    const judgement = judgeRotations(rotations, trusted.hubKey);
    if (judgement.verdict === 'refuse') await findings.report({ kind: 'refused_batch', subject: 'hub key', data: refusal(judgement.text) });
    if (judgement.verdict !== 'follow') return false;
    await move(judgement.path, judgement.to);
    return true;
  };
  const refusal = (text: string) => ({ reason: `rotation, ${text}`, revision: `key ${fingerprintOf(trusted.hubKey)}` });
  let renewing: Promise<void> | undefined;
  return {
    now: () => trusted,
    batchKeys: () => [key, ...(graced() ? [graced()!.key] : [])],
    sessionKeys: () => sessionKeys,
    pin: {
      wanted: () => fingerprintOf(trusted.hubKey),
      fits: (shown) => shown !== undefined && (shown === fingerprintOf(trusted.hubKey) || shown === graced()?.fingerprint),
      renew: (origin) =>
        (renewing ??= unpinnedText(origin + keysPath, largestChain)
          .then(async (text) => void (await follow(text.split('\n').filter((line) => line !== ''))))
          .finally(() => (renewing = undefined))),
    },
    wasTrusted: (candidate) => trusted.rotations.some((text) => readRotation(text)?.from === candidate),
    follow,
    onChange: (listener) => void listeners.push(listener),
  };
}

/** Made once for each change: every request with a session asks for them. */
function sessionKeysOf({ hubKey, rotations }: TrustedKey): SessionKey[] {
  return [{ key: keyOf(hubKey) }, ...replacedKeys(rotations.flatMap((text) => readRotation(text) ?? []))];
}

function keyOf(text: string): KeyObject {
  const key = publicKeyFrom(text);
  if (!key) throw new Error('The membership holds no key of the hub. Join again.');
  return key;
}
