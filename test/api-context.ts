// What a cell's machine handlers work with, over a test's database: the real drivers, or a BMC that says what the test says.
import { randomBytes } from 'node:crypto';
import type { ApiContext, PowerReadingNow } from '../src/cell/api/api-context.ts';
import { mostCalls } from '../src/cell/api/bulk-chunks.ts';
import { Turns } from '../src/cell/api/turns.ts';
import { DestructiveLimit } from '../src/cell/api/destructive-limit.ts';
import type { NetworkContext } from '../src/cell/api/network-context.ts';
import type { CellTables, DeployedImage } from '../src/cell/db/schema.ts';
import { makeSecretKey, type SecretKey } from '../src/cell/db/secret-key.ts';
import { hostNameFor } from '../src/cell/metadata/host-name.ts';
import { networkConfig } from '../src/cell/network/network-config.ts';
import { networkDoors } from '../src/cell/network-doors.ts';
import { powerDoors } from '../src/cell/power-door.ts';
import { fail } from '../src/contract/errors.ts';
import type { GlobalReader } from '../src/global/document.ts';
import { openFeedWakeups } from '../src/postgres/feed-wakeups.ts';
import type { TestDatabase } from './postgres.ts';

export const image: DeployedImage = {
  name: 'debian/12',
  architecture: 'amd64/generic',
  sha256: 'a'.repeat(64),
  size: 1000,
  cloud_init: true,
};

/** The cell whose API a test asks. */
export const cellNumber = 17;
export const cellName = 'c17';

export interface ContextOptions {
  readonly number?: number;
  readonly name?: string;
  /** What every BMC says when it is tried; undefined: it refuses. Left out: the real drivers are used. */
  readonly bmc?: () => PowerReadingNow | undefined;
  readonly killPoint?: (name: string) => void;
  readonly secretKey?: SecretKey;
  readonly destructive?: { readonly perCall?: number; readonly perMinute?: number; readonly now?: () => number };
}

/** A context; its wake-ups must be closed. */
export function apiContext(database: TestDatabase<CellTables>, global: GlobalReader, options: ContextOptions = {}): ApiContext {
  const { number = cellNumber, name = cellName, bmc, secretKey = makeSecretKey(randomBytes(32)) } = options;
  const real = powerDoors(database.db, secretKey, new AbortController().signal);
  return {
    database,
    wakeups: openFeedWakeups(database.connection),
    global,
    secretKey,
    cellName: name,
    cellNumber: number,
    power:
      bmc === undefined
        ? real
        : {
            targetsOf: (systemIds) => real.targetsOf(systemIds),
            check: async (type, given, skipQuery) => {
              const checked = await real.check(type, given, true);
              if (skipQuery || type === 'manual') return checked;
              const reading = bmc();
              if (reading === undefined) throw fail('power_refused', { address: String(given['power_address']), reason: 'no answer' });
              return { ...checked, reading };
            },
            membersAt: (type, given) => real.membersAt(type, given),
            query: async () => bmc() ?? { state: 'error', evidence: 'no answer' },
          },
    images: {
      find: (wanted) => (['debian/12', '12'].includes(wanted) ? image : undefined),
      fallback: () => image,
    },
    scripts: { commissioning: () => ['50-muster-inventory'], testing: () => ['10-muster-disk-read'], hostName: hostNameFor },
    systemNetwork: networkConfig,
    bulkTurns: new Turns(mostCalls),
    destructive: new DestructiveLimit({ cellName: name, perCall: 2_500, perMinute: 100_000, ...options.destructive }),
    killPoint: options.killPoint ?? (() => undefined),
  };
}

/** The same cell's context of networks and of the cell itself. */
export function networkContext(context: ApiContext, options: Partial<NetworkContext> = {}): NetworkContext {
  return {
    ...context,
    version: '0.1.0',
    serviceAddress: `10.40.${context.cellNumber}.1`,
    url: `http://10.40.${context.cellNumber}.1:5240`,
    hub: undefined,
    lag: () => undefined,
    state: () => 'in',
    load: () => ({ cpu: 0, delay: 0 }),
    services: () => [],
    ...networkDoors(),
    ...options,
  };
}
