/** What the handlers of networks, parts of machines and the cell itself work with. */
import type { CellState } from '../../global/member-state.ts';
import type { ProcessRow } from '../db/process-store.ts';
import type { ApiContext } from './api-context.ts';

export interface NetworkContext extends Pick<ApiContext, 'database' | 'global' | 'cellName' | 'cellNumber'> {
  /** The program's own version. */
  readonly version: string;
  /** The only address ever given to machines. */
  readonly serviceAddress: string;
  /** Where people and fronts reach this cell. */
  readonly url: string;
  /** Where the hub is; undefined for a cell that stands alone. */
  readonly hub: string | undefined;
  /** Seconds since the hub was last heard of; undefined when standing alone. */
  lag(): number | undefined;
  /** How the hub says that this cell stands. */
  state(): CellState;
  /** How busy this process is. */
  load(): { readonly cpu: number; readonly delay: number };
  /** The processes of the cell that MAAS's clients see as its racks; left out: this one. */
  processes?(): Promise<readonly ProcessRow[]>;
  /** What runs beside the API here: `dhcpd`, `tftp`. */
  services(): readonly { readonly name: string; readonly status: 'running' | 'dead' | 'off'; readonly status_info: string }[];
}
