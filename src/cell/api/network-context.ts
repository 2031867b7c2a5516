/** What the handlers of networks, parts of machines and the cell itself work with. */
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
  /** What runs beside the API here: `dhcpd`, `tftp`. */
  services(): readonly { readonly name: string; readonly status: 'running' | 'dead' | 'off'; readonly status_info: string }[];
}
