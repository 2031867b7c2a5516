/**
 * Kea's whole Dhcp4 configuration as a pure function of the network. Nothing in it depends on a machine's state: addresses by MAC, and
 * by firmware class a loader that is the same for everyone. What is wrong in the input is left out and named, so that one bad row
 * never takes DHCP from the others.
 */
import { createHash } from 'node:crypto';
import type { NetworkPlan, SubnetPlan, VlanPlan } from './network-plan.ts';
import { clientClasses, type BootService } from './kea-classes.ts';
import { withSnippets, type Json, type JsonObject } from './dhcp-snippet.ts';
import { pairSettings, type KeaPair } from './kea-pair.ts';
import { keaSubnet } from './kea-subnet.ts';

export interface KeaSettings {
  readonly service: BootService;
  readonly controlSocket: string;
  readonly leaseFile: string;
  readonly logFile: string;
  /** Where Debian keeps Kea's hooks; undefined leaves the lease commands out. */
  readonly hooksFolder?: string;
  /** Seconds. */
  readonly leaseTime: number;
  /** Another Kea serves the same network; needs the hooks. */
  readonly pair?: KeaPair;
  /** Interfaces that exist here; Kea refuses a whole configuration for one it does not find. */
  readonly interfaces: readonly string[];
}

export interface KeaConfig {
  /** JSON text, byte for byte the same for the same input. */
  readonly text: string;
  readonly value: JsonObject;
  /** sha256 of the configuration without this; Kea gives it back in its `user-context`. */
  readonly hash: string;
  /** Where Kea is told to listen. */
  readonly interfaces: readonly string[];
  /** What was left out and why, one sentence each. */
  readonly problems: readonly string[];
}

const byId = (a: { readonly id: number }, b: { readonly id: number }): number => a.id - b.id;

/** Kea refuses a whole configuration in which an id or a prefix comes twice. */
interface Taken {
  readonly ids: Set<number>;
  readonly cidrs: Set<string>;
}

function network(vlan: VlanPlan, taken: Taken, problems: string[]): JsonObject | undefined {
  const subnets = [...vlan.subnets].sort(byId).flatMap((subnet: SubnetPlan) => {
    const rendered = keaSubnet(subnet, vlan, problems);
    if (!rendered) return [];
    if (taken.ids.has(rendered.id) || taken.cidrs.has(subnet.cidr)) {
      problems.push(`subnet ${subnet.cidr}: another subnet has the same ${taken.ids.has(rendered.id) ? `id ${rendered.id}` : 'addresses'}`);
      return [];
    }
    taken.ids.add(rendered.id);
    taken.cidrs.add(subnet.cidr);
    return [rendered.subnet];
  });
  if (!subnets.length) return undefined;
  return { name: `vlan-${vlan.id}`, ...(vlan.interface === undefined ? {} : { interface: vlan.interface }), subnet4: subnets };
}

/** The same network without operators' snippets: what is used when Kea refuses one of them. */
export function withoutSnippets(plan: NetworkPlan): NetworkPlan {
  const plain = (subnet: SubnetPlan): SubnetPlan => ({
    ...subnet,
    snippets: [],
    ranges: subnet.ranges.map((range) => ({ ...range, snippets: [] })),
    reservations: subnet.reservations.map((host) => ({ ...host, snippets: [] })),
  });
  return { vlans: plan.vlans.map((vlan) => ({ ...vlan, subnets: vlan.subnets.map(plain) })) };
}

function leaseTimes(seconds: number): JsonObject {
  return { 'valid-lifetime': seconds, 'renew-timer': Math.floor(seconds / 2), 'rebind-timer': Math.floor((seconds * 7) / 8) };
}

/** Renders it. Never throws on a plan. */
export function renderKeaConfig(plan: NetworkPlan, settings: KeaSettings): KeaConfig {
  const problems: string[] = [];
  const present = new Set(settings.interfaces);
  const taken: Taken = { ids: new Set(), cidrs: new Set() };
  const interfaces = new Set<string>();
  const networks: Json[] = [];
  for (const vlan of [...plan.vlans].filter(({ dhcpOn }) => dhcpOn).sort(byId)) {
    if (vlan.interface !== undefined && !present.has(vlan.interface)) {
      problems.push(`VLAN ${vlan.id}: this host has no interface ${JSON.stringify(vlan.interface)}, so there is no DHCP on it`);
      continue;
    }
    const rendered = network(vlan, taken, problems);
    if (!rendered) continue;
    networks.push(rendered);
    if (vlan.interface !== undefined) interfaces.add(vlan.interface);
  }
  const { hooksFolder } = settings;
  const pair = settings.pair && hooksFolder !== undefined ? pairSettings(settings.pair, hooksFolder) : undefined;
  const body: JsonObject = {
    'interfaces-config': { interfaces: [...interfaces].sort(), 'dhcp-socket-type': 'raw', 're-detect': true },
    'control-socket': { 'socket-type': 'unix', 'socket-name': settings.controlSocket },
    'lease-database': { type: 'memfile', persist: true, name: settings.leaseFile, 'lfc-interval': 3600 },
    ...withSnippets(leaseTimes(settings.leaseTime), plan.snippets ?? [], 'global', 'every subnet', problems),
    // A machine is its MAC: firmware, agent and installed system send different client ids and must get the same address.
    'match-client-id': false,
    'host-reservation-identifiers': ['hw-address'],
    authoritative: true,
    // The lease commands first: the other hook is built on them.
    'hooks-libraries': hooksFolder === undefined ? [] : [{ library: `${hooksFolder}/libdhcp_lease_cmds.so` }, ...(pair ? [pair.hook] : [])],
    ...pair?.more,
    'option-def': [{ name: 'ipxe-encapsulated', code: 175, type: 'binary', space: 'dhcp4' }],
    'client-classes': clientClasses(settings.service),
    'shared-networks': networks,
    loggers: [
      { name: 'kea-dhcp4', output_options: [{ output: settings.logFile, flush: true, maxsize: 10_240_000, maxver: 3 }], severity: 'INFO' },
    ],
  };
  const hash = createHash('sha256').update(JSON.stringify(body)).digest('hex');
  const value = { Dhcp4: { ...body, 'user-context': { 'muster-config': hash } } };
  return { text: `${JSON.stringify(value, undefined, 1)}\n`, value, hash, interfaces: [...interfaces].sort(), problems };
}
