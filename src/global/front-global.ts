/** Global config of a front: a replica in memory only, fetched anew at each start, and the reads that it answers from it. */
import type { Authenticate } from '../http/handler.ts';
import { createAuthenticate } from './authentication.ts';
import type { GlobalReader } from './document.ts';
import { createGlobalReads } from './global-handlers.ts';
import { createHubTrust, type HubTrust, type TrustedKey } from './hub-trust.ts';
import type { Membership } from './membership.ts';
import { memoryReplica, type FindingDoor } from './replica.ts';
import { startReplication, type Replication } from './replication.ts';
import type { SigningKey } from './signing-key.ts';

export interface FrontGlobal extends AsyncDisposable {
  readonly reader: GlobalReader;
  /** Keys and sessions; nobody asserts to a front. */
  readonly authenticate: Authenticate;
  /** Reads of global resources; writes are the front's to forward. */
  readonly handlers: ReturnType<typeof createGlobalReads>;
  /** Its `now()` is the time for assertions. */
  readonly replication: Replication;
  /** The hub's key, for other connections to it. */
  readonly trust: HubTrust;
}

export interface FrontGlobalOptions {
  readonly membership: Membership;
  /** Makes a new key of the hub last (`rememberHubKey`); left out: it is followed anew after each start. */
  readonly remember?: (trusted: TrustedKey) => Promise<void>;
  /** The key that the front joined with; it signs assertions too. */
  readonly key: SigningKey;
  readonly version: string;
  readonly findings: FindingDoor;
  readonly onTrouble: (error: unknown) => void;
}

/** Starts following at once; `replication.caughtUp(ms)` says when it may serve. */
export function openFrontGlobal(options: FrontGlobalOptions): FrontGlobal {
  const { membership, key, version, findings, onTrouble } = options;
  const { hubKey, rotations = [] } = membership;
  const remember = options.remember ?? (async () => undefined);
  const trust = createHubTrust({ trusted: { hubKey, rotations }, remember, findings });
  const replica = memoryReplica({ hubKey: trust, findings });
  const reader = replica.memory;
  const replication = startReplication({ replica, membership, trust, key, version, findings, onTrouble });
  return {
    reader,
    replication,
    trust,
    authenticate: createAuthenticate({ reader, audience: undefined, sessionKey: trust.sessionKeys, now: () => replication.now() }),
    handlers: createGlobalReads({ reader }),
    [Symbol.asyncDispose]: () => replication[Symbol.asyncDispose](),
  };
}
