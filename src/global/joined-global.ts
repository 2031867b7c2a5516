/** Global config of a cell that has joined a hub: a replica in its own database, good from the first moment after a restart, hub or no hub. */
import { dirname } from 'node:path';
import { createAuthenticate } from './authentication.ts';
import { createGlobalHandlers } from './global-handlers.ts';
import { followDatabase } from './follow-database.ts';
import { createHubTrust, type TrustedKey } from './hub-trust.ts';
import { ownState } from './member-state.ts';
import { rememberHubKey, type Membership } from './membership.ts';
import { databaseReplica, type FindingDoor } from './replica.ts';
import { startReplication, type Replication } from './replication.ts';
import { loadSigningKey } from './signing-key.ts';
import type { CellGlobal, CellGlobalOptions } from './standalone-global.ts';

export interface JoinedGlobalOptions<Schema> extends CellGlobalOptions<Schema> {
  readonly membership: Membership;
  readonly version: string;
  readonly findings: FindingDoor;
}

/** The membership's name is the cell's; `keyFile` is the key that it joined with. */
export async function openJoinedGlobal<Schema>(
  options: JoinedGlobalOptions<Schema>,
): Promise<CellGlobal & { readonly replication: Replication }> {
  const { database, membership, findings, version, spaces, onTrouble } = options;
  const { hubKey, rotations = [] } = membership;
  const remember = (trusted: TrustedKey) => rememberHubKey(dirname(options.keyFile), trusted);
  const trust = createHubTrust({ trusted: { hubKey, rotations }, remember, findings });
  const key = await loadSigningKey(options.keyFile);
  const replica = await databaseReplica(database, { hubKey: trust, findings });
  const reader = replica.memory;
  const following = followDatabase(database, () => replica.refresh(), onTrouble);
  const replication = startReplication({ replica, membership, trust, key, version, findings, onTrouble });
  return {
    reader,
    replication,
    authenticate: createAuthenticate({ reader, audience: membership.name, sessionKey: trust.sessionKeys, now: () => replication.now() }),
    handlers: createGlobalHandlers({ hub: membership.hub }, { reader, spaces }),
    lag: () => replication.lag(),
    refresh: () => replica.refresh(),
    fromHub: (path, init) => replication.fetch(path, init),
    state: () => (replication.retired() ? 'retired' : ownState(reader, membership.number)),
    [Symbol.asyncDispose]: async () => {
      await replication[Symbol.asyncDispose]();
      await following[Symbol.asyncDispose]();
    },
  };
}
