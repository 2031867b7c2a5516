/**
 * The network as plain data: the door through which the cell tells netboot what DHCP and router advertisements are derived from. A
 * store produces it in one read. Addresses and MACs are texts as the database has them; what is wrong in them is netboot's to name.
 */

export interface NetworkPlan {
  /** For every subnet. */
  readonly snippets?: readonly Snippet[];
  readonly vlans: readonly VlanPlan[];
}

export interface VlanPlan {
  readonly id: number;
  readonly dhcpOn: boolean;
  /** The cell's own interface on this VLAN; undefined when it is reached only through relays. */
  readonly interface?: string;
  readonly mtu?: number;
  readonly subnets: readonly SubnetPlan[];
}

export interface SubnetPlan {
  /** The row's id (`cell × 10¹¹ + n`); n becomes Kea's subnet id, so leases stay with their subnet. */
  readonly id: number;
  readonly cidr: string;
  readonly gateway?: string;
  readonly dnsServers: readonly string[];
  readonly ntpServers: readonly string[];
  readonly domain?: string;
  /** Addresses of DHCP relays that forward for this subnet. */
  readonly relays: readonly string[];
  /** Dynamic ranges, both ends included. */
  readonly ranges: readonly DynamicRange[];
  readonly reservations: readonly Reservation[];
  readonly snippets: readonly Snippet[];
}

export interface DynamicRange {
  readonly start: string;
  readonly end: string;
  readonly snippets?: readonly Snippet[];
}

export interface Reservation {
  readonly mac: string;
  readonly address: string;
  readonly hostname?: string;
  readonly snippets?: readonly Snippet[];
}

/** A piece of Kea's JSON, written by an operator: options, and where it is for everything or for a subnet, lifetimes. */
export interface Snippet {
  readonly name: string;
  readonly json: string;
}
