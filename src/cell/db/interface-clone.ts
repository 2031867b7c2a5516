/** One machine's interfaces made of the cards of another. Pure. */
import { bridgeName, refusePort, vlanName, type Port } from './interface-rules.ts';

export interface ClonedLink {
  readonly id: number;
  readonly mode: 'auto' | 'dhcp' | 'static' | 'link_up';
  readonly subnet_id: number | null;
}

/** An interface with what is configured of it. */
export interface ClonedPort extends Port {
  readonly enabled: boolean;
  readonly link_connected: boolean;
  readonly interface_speed: number;
  readonly link_speed: number;
  readonly params: Readonly<Record<string, unknown>>;
  readonly tags: readonly string[];
  /** It came with an allocation and goes with it. */
  readonly acquired: boolean;
  readonly links: readonly ClonedLink[];
}

export interface MachineNetwork {
  readonly ports: readonly ClonedPort[];
  readonly bootPortId: number | null;
  /** The links that the default routes were told to go by. */
  readonly gateways: readonly { readonly family: 4 | 6; readonly link_id: number }[];
}

export type ClonedNetwork = { readonly network: MachineNetwork } | { readonly refused: string };

/** Rows that a clone of this network makes at most: how many ids it takes. Cards that the source does not have get a link each. */
export function linesOf(source: MachineNetwork, destination: MachineNetwork): number {
  return source.ports.length + destination.ports.length + source.ports.reduce((sum, one) => sum + one.links.length, 0);
}

const cardsOf = ({ ports }: MachineNetwork): ClonedPort[] => ports.filter((one) => one.type === 'physical');
/** eth2 before eth10. */
const inOrder = (ports: readonly ClonedPort[]): ClonedPort[] =>
  ports.toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }) || a.id - b.id);

/** The card of the destination for each of the source's, by its id: of the same name, else boot card for boot card, else in order. */
function pairCards(source: MachineNetwork, destination: MachineNetwork): Map<number, ClonedPort> | string {
  const [from, onto] = [inOrder(cardsOf(source)), inOrder(cardsOf(destination))];
  if (onto.length < from.length) return `has fewer physical interfaces (${onto.length}) than the source (${from.length}).`;
  const pairs = new Map<number, ClonedPort>();
  const pair = (card: ClonedPort, twin: ClonedPort | undefined): void => {
    if (twin === undefined || pairs.has(card.id) || [...pairs.values()].includes(twin)) return;
    pairs.set(card.id, twin);
  };
  for (const card of from)
    pair(
      card,
      onto.find((one) => one.name === card.name),
    );
  for (const card of from.filter((one) => one.id === source.bootPortId))
    pair(
      card,
      onto.find((one) => one.id === destination.bootPortId),
    );
  for (const card of from)
    pair(
      card,
      onto.find((one) => ![...pairs.values()].includes(one)),
    );
  return pairs;
}

/** Without the bridges that came with an allocation: what was put onto them goes back to what they are over. */
function withoutAcquired(source: MachineNetwork): MachineNetwork {
  const bridge = source.ports.find((one) => one.acquired);
  const [below] = bridge?.parents ?? [];
  if (bridge === undefined || below === undefined) return source;
  const ports = source.ports
    .filter((one) => one !== bridge)
    .map((one) => ({
      ...one,
      parents: one.parents.map((id) => (id === bridge.id ? below : id)),
      links: one.id === below ? [...one.links, ...bridge.links] : one.links,
    }));
  return withoutAcquired({ ...source, ports });
}

/** What is made of others comes behind them. */
function fromTheGround(ports: readonly ClonedPort[]): ClonedPort[] {
  const done = new Set<number>();
  const order: ClonedPort[] = [];
  for (let open = [...ports]; open.length > 0;) {
    const next = open.filter((one) => one.parents.every((id) => done.has(id)));
    if (next.length === 0) return order;
    order.push(...next);
    for (const one of next) done.add(one.id);
    open = open.filter((one) => !done.has(one.id));
  }
  return order;
}

/** The name that it would have been given over another parent, where its own is the one that it would have been given. */
function nameOver(port: ClonedPort, before: Port | undefined, after: Port | undefined, vids: ReadonlyMap<number, number>): string {
  if (before === undefined || after === undefined) return port.name;
  const vid = port.vlan_id === null ? undefined : vids.get(port.vlan_id);
  if (port.type === 'vlan' && vid !== undefined && port.name === vlanName(before.name, vid)) return vlanName(after.name, vid);
  if (port.type === 'bridge' && port.name === bridgeName(before.name)) return bridgeName(after.name);
  return port.name;
}

interface Links {
  readonly links: readonly ClonedLink[];
  /** The new link for each of the old ones. */
  readonly heirs: ReadonlyMap<number, number>;
}

/** The same links without their addresses: what was static is AUTO, and two that become the same are one. */
function withoutAddresses(links: readonly ClonedLink[], id: () => number): Links {
  const made = new Map<string, ClonedLink>();
  const heirs = new Map<number, number>();
  for (const link of links) {
    const mode = link.mode === 'static' ? 'auto' : link.mode;
    const key = `${mode}/${link.subnet_id}`;
    const heir = made.get(key) ?? { id: id(), mode, subnet_id: link.subnet_id };
    made.set(key, heir);
    heirs.set(link.id, heir.id);
  }
  return { links: [...made.values()], heirs };
}

/**
 * The interfaces of `destination`, configured as those of `source`: the same but for ids, names and MACs of cards, and static addresses. What
 * the destination had configured is gone; cards that the source has no counterpart of stay on their VLAN, and are only "up".
 * @param vids The tags of the VLANs that the interfaces of both are on.
 */
export function cloneNetwork(
  given: MachineNetwork,
  destination: MachineNetwork,
  vids: ReadonlyMap<number, number>,
  id: () => number,
): ClonedNetwork {
  const source = withoutAcquired(given);
  const pairs = pairCards(source, destination);
  if (typeof pairs === 'string') return { refused: pairs };
  const heirs = new Map<number, number>();
  const linked = (links: readonly ClonedLink[]): readonly ClonedLink[] => {
    const made = withoutAddresses(links, id);
    for (const [old, heir] of made.heirs) heirs.set(old, heir);
    return made.links;
  };
  /** What was made for each of the source's. */
  const made = new Map<number, ClonedPort>();
  for (const port of fromTheGround(source.ports)) {
    const { enabled, params, tags, mtu, vlan_id } = port;
    const configured = { enabled, params, tags, mtu, vlan_id, links: linked(port.links) };
    const card = pairs.get(port.id);
    const below = port.parents.flatMap((parent) => made.get(parent) ?? []);
    const [first] = below;
    // A card's MAC that was taken from it is taken from its counterpart.
    const ground = source.ports.find((one) => one.type === 'physical' && one.mac === port.mac);
    const mac = (ground && made.get(ground.id)?.mac) ?? first?.mac ?? null;
    const name = nameOver(
      port,
      source.ports.find((one) => one.id === port.parents[0]),
      first,
      vids,
    );
    const parents = below.map((one) => one.id);
    made.set(port.id, card ? { ...card, ...configured } : { ...port, ...configured, id: id(), name, mac, parents, acquired: false });
  }
  const used = new Set([...pairs.values()].map((one) => one.id));
  const alone = cardsOf(destination).filter((one) => !used.has(one.id));
  const up = (): readonly ClonedLink[] => [{ id: id(), mode: 'link_up', subnet_id: null }];
  const rest = alone.map((one): ClonedPort => ({ ...one, mtu: null, params: {}, enabled: true, links: up() }));
  const ports = [...made.values(), ...rest];
  const wrong = ports.map((port) => refusePort(ports, port, vids)).find((problem) => problem !== undefined);
  if (wrong) return { refused: `cannot have these interfaces: ${Object.values(wrong).flat().join(' ')}` };
  const gateways = source.gateways.flatMap(({ family, link_id }) => {
    const heir = heirs.get(link_id);
    return heir === undefined ? [] : [{ family, link_id: heir }];
  });
  return { network: { ports, bootPortId: destination.bootPortId, gateways } };
}
