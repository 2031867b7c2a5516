/** What the handlers of networks, parts of machines and the cell itself work with. */
import type { CellState } from '../../global/member-state.ts';
import type { ProcessRow } from '../db/process-store.ts';
import type { ApiContext } from './api-context.ts';

/** Where a DHCP snippet is for. */
export type SnippetPlace = 'global' | 'subnet' | 'range' | 'node';

export interface NetworkContext extends Pick<
  ApiContext,
  'database' | 'global' | 'cellName' | 'cellNumber' | 'power' | 'scripts' | 'killPoint'
> {
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
  /** Why this is no DHCP snippet for that place; undefined when Kea takes it. */
  judgeSnippet(value: string, place: SnippetPlace): Promise<string | undefined>;
  /** Send a ping to each of these addresses, so many at once, in the background; `elsewhere`: none of them is on an interface of this process. */
  scan(ranges: readonly { readonly first: bigint; readonly last: bigint }[], atOnce: number): 'started' | 'busy' | 'elsewhere';
  /** What runs beside the API here: `dhcpd`, `tftp`. */
  services(): readonly { readonly name: string; readonly status: 'running' | 'dead' | 'off'; readonly status_info: string }[];
}
