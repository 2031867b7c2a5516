/** Global config of a front: a replica in memory only, fetched anew at each start, and the reads that it answers from it. */
import type { Authenticate } from '../http/handler.ts';
import { createAuthenticate } from './authentication.ts';
import type { GlobalReader } from './document.ts';
import { createGlobalReads } from './global-handlers.ts';
import type { Membership } from './membership.ts';
import { memoryReplica, type FindingDoor } from './replica.ts';
import { startReplication, type Replication } from './replication.ts';
import { publicKeyFrom, type SigningKey } from './signing-key.ts';

export interface FrontGlobal extends AsyncDisposable {
  readonly reader: GlobalReader;
  /** Keys and sessions; nobody asserts to a front. */
  readonly authenticate: Authenticate;
  /** Reads of global resources; writes are the front's to forward. */
  readonly handlers: ReturnType<typeof createGlobalReads>;
  /** Its `now()` is the time for assertions. */
  readonly replication: Replication;
}

export interface FrontGlobalOptions {
  readonly membership: Membership;
  /** The key that the front joined with; it signs assertions too. */
  readonly key: SigningKey;
  readonly version: string;
  readonly findings: FindingDoor;
  readonly onTrouble: (error: unknown) => void;
}

/** Starts following at once; `replication.caughtUp(ms)` says when it may serve. */
export function openFrontGlobal(options: FrontGlobalOptions): FrontGlobal {
  const { membership, key, version, findings, onTrouble } = options;
  const hubKey = publicKeyFrom(membership.hubKey);
  if (!hubKey) throw new Error('The membership holds no key of the hub. Join again.');
  const replica = memoryReplica({ hubKey, findings });
  const reader = replica.memory;
  const replication = startReplication({ replica, membership, key, version, findings, onTrouble });
  return {
    reader,
    replication,
    authenticate: createAuthenticate({ reader, audience: undefined, sessionKey: hubKey, now: () => replication.now() }),
    handlers: createGlobalReads({ reader }),
    [Symbol.asyncDispose]: () => replication[Symbol.asyncDispose](),
  };
}
