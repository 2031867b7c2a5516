/** What the handlers of the cell's API work with. */
import type { PowerParameters, PowerTypeName } from '../../contract/power-types.ts';
import type { GlobalReader } from '../../global/document.ts';
import type { Database } from '../../postgres/database.ts';
import type { FeedWakeups } from '../../postgres/feed-wakeups.ts';
import type { NetworkModel } from '../db/network-model.ts';
import type { CellTables, DeployedImage, PowerState } from '../db/schema.ts';
import type { SecretKey } from '../db/secret-key.ts';
import type { DestructiveLimit } from './destructive-limit.ts';
import type { Turns } from './turns.ts';

/** What the API needs of the power room. */
export interface ApiPowerDoor {
  /** A machine's settings in the clear; undefined when it has none. */
  targetsOf(
    systemIds: readonly string[],
  ): Promise<ReadonlyMap<string, { readonly type: string; readonly target: { readonly parameters: PowerParameters } }>>;
  /** Judge settings and, unless told not to, try them at the BMC at once. @throws Failure `invalid`, `power_refused`. */
  check(
    type: string,
    given: Readonly<Record<string, unknown>>,
    skipQuery: boolean,
  ): Promise<{ readonly type: PowerTypeName; readonly parameters: PowerParameters; readonly reading?: PowerReadingNow }>;
  /** The machines that these settings lead to; not stored. @throws Failure `invalid`, `power_refused`. */
  membersAt(type: 'ipmi' | 'redfish', given: Readonly<Record<string, unknown>>): Promise<readonly ChassisMemberNow[]>;
  /** Ask the BMC now and keep its answer on the machine's row. Never throws for what the BMC does: that is state `error`. */
  query(systemId: string): Promise<PowerReadingNow>;
}

/** One machine behind a BMC. */
export interface ChassisMemberNow {
  /** What the driver calls it; empty where the BMC has one machine only. */
  readonly nodeId: string;
  readonly name: string;
  readonly macs: readonly string[];
}

export interface PowerReadingNow {
  readonly state: PowerState;
  readonly evidence: string;
}

/** What the API needs of the images room. */
export interface ApiImageDoor {
  /** `debian/12` or `12`; undefined when nothing of that name fits the architecture. */
  find(name: string, architecture: string): DeployedImage | undefined;
  /** What is deployed when nobody says. */
  fallback(architecture: string): DeployedImage | undefined;
}

/** What the API needs of the metadata room. */
export interface ApiScriptDoor {
  /** Names of all scripts that a commissioning runs when nobody says otherwise, built-in ones too. */
  commissioning(): readonly string[];
  testing(): readonly string[];
  /** A name for a machine that nobody has named; another for another `attempt`. */
  hostName(systemId: string, attempt: number): string;
}

export interface ApiContext {
  readonly database: Database<CellTables>;
  readonly wakeups: FeedWakeups;
  readonly global: GlobalReader;
  readonly secretKey: SecretKey;
  readonly cellName: string;
  readonly cellNumber: number;
  readonly power: ApiPowerDoor;
  readonly images: ApiImageDoor;
  readonly scripts: ApiScriptDoor;
  /** What a machine's installed system is told of its network (netplan's); undefined when it finds out by itself. The network room's. */
  systemNetwork(model: NetworkModel): object | undefined;
  /** How many machines may be released, erased or deployed. */
  readonly destructive: DestructiveLimit;
  /** Who may work on many machines now. */
  readonly bulkTurns: Turns;
  /** Named points where a test may kill the process. */
  killPoint(name: string): void;
}
