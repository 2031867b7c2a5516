/**
 * The network of a machine as netplan has it (version 2, which is also cloud-init's network-config): what its installed system is told. Pure.
 * An AUTO link is a fixed address like a STATIC one, since the address was given when the deployment began.
 */
import { defaultGateway, familyOf } from '../db/default-gateway.ts';
import { effectiveMtu, jointOf, plainMtu } from '../db/interface-rules.ts';
import type { ModelInterface, ModelLink, NetworkModel } from '../db/network-model.ts';

type Json = string | number | boolean | readonly Json[] | { readonly [key: string]: Json };
type Section = Record<string, Json>;

export interface NetworkConfig {
  readonly version: 2;
  readonly ethernets?: Readonly<Record<string, Section>>;
  readonly bonds?: Readonly<Record<string, Section>>;
  readonly bridges?: Readonly<Record<string, Section>>;
  readonly vlans?: Readonly<Record<string, Section>>;
}

/** netplan's default, and what comes behind it where another interface has the default route. */
const dhcpMetric = { first: 100, other: 200 } as const;
const everything = { 4: '0.0.0.0/0', 6: '::/0' } as const;

const isFixed = (link: ModelLink): boolean => link.mode === 'static' || link.mode === 'auto';

/**
 * One card on a VLAN with DHCP, whose addresses are DHCP's or the one that DHCP keeps for it: systems find that out by themselves, and go on
 * doing so when the subnet changes.
 */
function isPlain({ interfaces, gateway_links }: NetworkModel): boolean {
  const [nic, ...others] = interfaces;
  if (!nic || others.length > 0 || gateway_links.length > 0) return false;
  const fixed = nic.links.filter((link) => link.mode === 'auto');
  const isOwn = nic.mtu === null && Object.keys(nic.params).length === 0;
  const isRouted = nic.links.some((link) => link.routes.length > 0);
  return nic.dhcp_on && isOwn && !isRouted && fixed.length <= 1 && nic.links.every((link) => link.mode === 'auto' || link.mode === 'dhcp');
}

/** What a machine boots from, with what is made of it: the one of them that has addresses. */
function carrierOf(model: NetworkModel): ModelInterface | undefined {
  let at = model.interfaces.find((nic) => nic.id === model.boot_interface_id);
  for (let steps = 0; at && steps < model.interfaces.length; steps += 1) {
    const joint = jointOf(model.interfaces, at.id);
    const next = joint && model.interfaces.find((nic) => nic.id === joint.id);
    if (!next) break;
    at = next;
  }
  return at;
}

function bondParameters(params: ModelInterface['params']): Section {
  const mode = String(params['bond_mode'] ?? 'active-backup');
  const number = (name: string) => Number(params[name] ?? 0);
  return {
    mode,
    'mii-monitor-interval': number('bond_miimon'),
    'up-delay': number('bond_updelay'),
    'down-delay': number('bond_downdelay'),
    // What a mode has no use for, the kernel refuses.
    ...(mode === '802.3ad' ? { 'lacp-rate': String(params['bond_lacp_rate'] ?? 'fast') } : {}),
    ...(['802.3ad', 'balance-xor', 'balance-tlb'].includes(mode)
      ? { 'transmit-hash-policy': String(params['bond_xmit_hash_policy'] ?? 'layer2') }
      : {}),
    ...(mode === 'active-backup' && number('bond_num_grat_arp') > 0 ? { 'gratuitous-arp': number('bond_num_grat_arp') } : {}),
  };
}

function bridgeSection(params: ModelInterface['params']): Section {
  const stp = params['bridge_stp'] === true;
  return {
    parameters: { stp, 'forward-delay': Number(params['bridge_fd'] ?? 15) },
    ...(params['bridge_type'] === 'ovs' ? { openvswitch: {} } : {}),
  };
}

interface Surroundings {
  readonly model: NetworkModel;
  readonly carrier: ModelInterface | undefined;
  /** The links that the default routes go by. */
  readonly routers: readonly { readonly gateway_ip: string; readonly link_id: number }[];
}

function addressing(nic: ModelInterface, { model, carrier, routers }: Surroundings): Section {
  // What is part of a bond or bridge has no addresses of its own.
  if (jointOf(model.interfaces, nic.id)) return {};
  const fixed = nic.links.filter((link) => isFixed(link) && link.ip !== null && link.cidr !== null);
  const dhcp = nic.links.filter((link) => link.mode === 'dhcp');
  const hasNone = nic === carrier && nic.links.length === 0;
  const families = new Set(hasNone ? [4 as const] : dhcp.map((link) => familyOf(link.cidr ?? '')));
  const routes = fixed.flatMap((link) => [
    ...routers.filter((one) => one.link_id === link.id).map((one) => ({ to: everything[familyOf(one.gateway_ip)], via: one.gateway_ip })),
    ...link.routes.map(({ to, via, metric }) => ({ to, via, metric })),
  ]);
  const servers = [...new Set(fixed.flatMap((link) => link.dns_servers))];
  // Where a fixed address has the default route, DHCP's stays behind it; of several with DHCP the carrier's is first.
  const isFirst = nic === carrier || nic.links.some((link) => routers.some((one) => one.link_id === link.id));
  const overrides = { 'route-metric': isFirst ? dhcpMetric.first : dhcpMetric.other };
  return {
    ...(families.has(4) ? { dhcp4: true, 'dhcp4-overrides': overrides } : {}),
    ...(families.has(6) ? { dhcp6: true, 'dhcp6-overrides': overrides } : {}),
    ...(fixed.length === 0 ? {} : { addresses: fixed.map((link) => `${link.ip}/${link.cidr?.split('/')[1]}`) }),
    ...(routes.length === 0 ? {} : { routes }),
    ...(servers.length === 0 ? {} : { nameservers: { addresses: servers, search: [model.domain] } }),
    // Booting does not wait for what may never come up, or has nothing to come up for.
    ...(fixed.length === 0 && families.size === 0 ? { optional: true } : nic.link_connected ? {} : { optional: true }),
  };
}

function sectionOf(nic: ModelInterface, around: Surroundings): Section | undefined {
  const { interfaces } = around.model;
  const parents = interfaces.filter((one) => nic.parents.includes(one.id)).map((one) => one.name);
  const vlanMtu = new Map(
    interfaces.flatMap((one) => (one.vlan_id === null || one.vlan_mtu === null ? [] : [[one.vlan_id, one.vlan_mtu]])),
  );
  const mtu = effectiveMtu(interfaces, nic.id, (id) => vlanMtu.get(id));
  const shared: Section = {
    ...addressing(nic, around),
    ...(mtu === plainMtu ? {} : { mtu }),
    ...(typeof nic.params['accept_ra'] === 'boolean' ? { 'accept-ra': nic.params['accept_ra'] } : {}),
  };
  const mac: Section = nic.mac === null ? {} : { macaddress: nic.mac };
  switch (nic.type) {
    case 'physical':
      return nic.mac === null ? undefined : { match: mac, 'set-name': nic.name, ...shared };
    case 'bond':
      return { interfaces: parents, ...mac, parameters: bondParameters(nic.params), ...shared };
    case 'bridge':
      return { interfaces: parents, ...mac, ...bridgeSection(nic.params), ...shared };
    case 'vlan':
      return nic.vid === null || parents[0] === undefined ? undefined : { id: nic.vid, link: parents[0], ...shared };
    default:
      return undefined;
  }
}

const kinds = { physical: 'ethernets', bond: 'bonds', bridge: 'bridges', vlan: 'vlans' } as const;

/** Is everything that it is made of there? What is switched off, or has lost its card or VLAN, takes along what stands on it. */
function stands(model: NetworkModel, nic: ModelInterface): boolean {
  const isWhole = nic.type === 'vlan' ? nic.vid !== null : nic.type !== 'physical' || nic.mac !== null;
  if (!nic.enabled || !isWhole || !Object.hasOwn(kinds, nic.type)) return false;
  return nic.parents.every((id) => model.interfaces.some((one) => one.id === id && stands(model, one)));
}

/** What the installed system is told; undefined when it is to find out by itself, by DHCP on its one card. */
export function networkConfig(given: NetworkModel): NetworkConfig | undefined {
  if (isPlain(given) || given.interfaces.every((nic) => nic.links.length === 0 && nic.type === 'physical')) return undefined;
  const model = { ...given, interfaces: given.interfaces.filter((nic) => stands(given, nic)) };
  const routers = ([4, 6] as const).flatMap(
    (family) => defaultGateway(model.interfaces, model.boot_interface_id, model.gateway_links, family) ?? [],
  );
  const around: Surroundings = { model, carrier: carrierOf(model), routers };
  const sections: Partial<Record<(typeof kinds)[keyof typeof kinds], Record<string, Section>>> = {};
  for (const nic of model.interfaces) {
    const kind = Object.hasOwn(kinds, nic.type) ? kinds[nic.type as keyof typeof kinds] : undefined;
    const section = sectionOf(nic, around);
    if (kind && section) (sections[kind] ??= {})[nic.name] = section;
  }
  return { version: 2, ...sections };
}

/** Where cloud-init reads it: curtin's own place for it, so that what looks for curtin's finds it. */
export const networkConfigPath = '/etc/cloud/cloud.cfg.d/50-curtin-networking.cfg';

/** The file. JSON is YAML: nothing to escape by hand. */
export function networkConfigFile(config: NetworkConfig): string {
  return `#cloud-config\nnetwork: ${JSON.stringify(config, null, 1)}\n`;
}
