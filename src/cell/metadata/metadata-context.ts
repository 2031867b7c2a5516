/**
 * The metadata room: what machines ask their cell and tell it. It judges credentials and nonces, and writes only through the stores of
 * tickets, script results and inventory. It never decides what a machine boots (netboot) nor what comes next (lifecycle's planner).
 */
import type { Database } from '../../postgres/database.ts';
import type { CellTables } from '../db/schema.ts';
import type { SecretKey } from '../db/secret-key.ts';
import type { ClaimJudge } from './claim-judge.ts';

/** What this room needs from the rest of the cell. */
export interface MetadataDoor {
  /** SSH keys of a user, one line each; empty for none. */
  publicKeysOf(username: string): readonly string[];
  /** SSL keys of a user: certificates in PEM. */
  certificatesOf(username: string): readonly string[];
  /** The script with this name: built in or global; undefined when it is not known any more. */
  script(name: string): { readonly content: string; readonly timeoutSeconds: number } | undefined;
  /** Judge a claim and plan the disks (lifecycle's pure functions). */
  readonly judge: ClaimJudge;
  /** Named points where a test may kill the process. */
  killPoint(name: string): void;
}

export interface MetadataContext {
  readonly database: Database<CellTables>;
  readonly secretKey: SecretKey;
  /** `http://10.40.1.1:5240`: the only addresses ever given to machines, this process' own first. */
  readonly serviceUrls: readonly string[];
  readonly door: MetadataDoor;
}
