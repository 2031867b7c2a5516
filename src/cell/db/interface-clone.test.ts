import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cloneNetwork, linesOf, type ClonedLink, type ClonedPort, type MachineNetwork } from './interface-clone.ts';
import { arrange, refusePort, vlanName } from './interface-rules.ts';

/** VLAN 1 is untagged, the others have their id as tag. */
const vids = new Map([
  [1, 0],
  [2, 0],
  [10, 10],
  [20, 20],
]);

function card(id: number, name: string, more: Partial<ClonedPort> = {}): ClonedPort {
  const facts = { enabled: true, link_connected: true, interface_speed: 1000, link_speed: 1000, acquired: false };
  const mac = `52:54:00:00:00:${id.toString(16).padStart(2, '0')}`;
  return { id, name, type: 'physical', mac, vlan_id: 1, mtu: null, parents: [], params: {}, tags: [], links: [], ...facts, ...more };
}

const network = (ports: readonly ClonedPort[], more: Partial<MachineNetwork> = {}): MachineNetwork => ({
  ports,
  bootPortId: ports[0]?.id ?? null,
  gateways: [],
  ...more,
});

/** `count` cards eth0, eth1, … with ids from `first`. */
const bare = (count: number, first: number): MachineNetwork =>
  network(
    Array.from({ length: count }, (_, n) =>
      card(first + n, `eth${n}`, { links: [{ id: first + 50 + n, mode: 'link_up', subnet_id: null }] }),
    ),
  );

const counter = (from: number) => {
  let id = from;
  return () => (id += 1);
};
function cloned(source: MachineNetwork, destination: MachineNetwork): MachineNetwork {
  const made = cloneNetwork(source, destination, vids, counter(9000));
  if ('refused' in made) throw new Error(made.refused);
  return made.network;
}

/** A port over one that is there, as the API would have made it; what is refused is passed over. */
function grown(before: MachineNetwork, draw: () => number, id: () => number): MachineNetwork {
  const pick = <T>(from: readonly T[]): T => from[draw() % from.length]!;
  const type = pick(['bond', 'bridge', 'vlan', 'link', 'card'] as const);
  const { ports } = before;
  const parent = pick(ports);
  if (type === 'link') {
    const link: ClonedLink = { id: id(), mode: pick(['auto', 'dhcp', 'static', 'link_up'] as const), subnet_id: pick([5, 6]) };
    const gateways = [{ family: 4 as const, link_id: link.id }];
    return { ...before, ports: ports.map((one) => (one === parent ? { ...one, links: [...one.links, link] } : one)), gateways };
  }
  if (type === 'card') {
    const changed = { ...parent, tags: [`t${draw() % 3}`], mtu: pick([null, 1500, 9000]), params: { accept_ra: true } };
    const after = ports.map((one) => (one === parent ? changed : one));
    return refusePort(after, changed, vids) ? before : { ...before, ports: after };
  }
  const parents = type === 'bond' ? ports.filter((one) => one.type === 'physical' && draw() % 2 === 0) : [parent];
  const vlanId = type === 'vlan' ? pick([10, 20]) : undefined;
  const name = type === 'vlan' ? vlanName(parent.name, vlanId ?? 0) : `${type}${draw() % 100}`;
  const mac = parents[0]?.mac ?? null;
  const subject = card(id(), name, { type, mac, parents: parents.map((one) => one.id), vlan_id: vlanId ?? null });
  const arranged = arrange({ ports, subject, vlanId });
  if ('refused' in arranged || refusePort(arranged.after, arranged.subject, vids)) return before;
  return { ...before, ports: [...ports, { ...subject, vlan_id: arranged.subject.vlan_id }] };
}

const anyNetwork = fc
  .record({ cards: fc.integer({ min: 1, max: 5 }), draws: fc.array(fc.nat(), { minLength: 10, maxLength: 200 }) })
  .map(({ cards, draws }) => {
    let at = 0;
    const draw = () => draws[(at += 1) % draws.length]! + at;
    const id = counter(1000);
    return Array.from({ length: 20 }).reduce<MachineNetwork>((left) => grown(left, draw, id), bare(cards, 1));
  });

/** Everything that is configured, by names in the place of ids; addresses are never there. */
function told({ ports, gateways }: MachineNetwork) {
  const names = new Map(ports.map((one) => [one.id, one.name]));
  const shown = new Map(ports.map((one) => [one.mac, one.type === 'physical' ? one.name : undefined]));
  for (const one of ports) if (one.type === 'physical') shown.set(one.mac, one.name);
  const linkText = (link: ClonedLink) => `${link.mode === 'static' ? 'auto' : link.mode}/${link.subnet_id}`;
  const places = new Map(ports.flatMap((one) => one.links.map((link) => [link.id, `${one.name} ${linkText(link)}`])));
  return {
    gateways: gateways.map((one) => ({ family: one.family, link: places.get(one.link_id) })),
    ports: ports
      .map(({ name, type, mac, vlan_id, mtu, parents, params, tags, enabled, links }) => ({
        name,
        type,
        vlan_id,
        mtu,
        params,
        tags,
        enabled,
        mac: shown.get(mac),
        parents: parents.map((id) => names.get(id)).toSorted(),
        links: [...new Set(links.map(linkText))],
      }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

const cardsIn = ({ ports }: MachineNetwork) => ports.filter((one) => one.type === 'physical');

describe('a clone of any network', () => {
  test('on the same cards says the same, with ids and MACs of its own and no address', () => {
    fc.assert(
      fc.property(anyNetwork, (source) => {
        const other = bare(cardsIn(source).length, 200);
        const copy = cloned(source, other);
        expect(told(copy)).toEqual(told(source));
        const ids = [...copy.ports, ...copy.ports.flatMap((one) => one.links)].map((one) => one.id);
        expect(new Set(ids).size).toBe(ids.length);
        expect(ids.length - cardsIn(copy).length).toBeLessThanOrEqual(linesOf(source, other));
        const macs = new Set(source.ports.map((one) => one.mac));
        expect(copy.ports.filter((one) => macs.has(one.mac))).toEqual([]);
        expect(copy.ports.flatMap((one) => one.links).filter((link) => link.mode === 'static')).toEqual([]);
      }),
    );
  });

  test('over whatever was configured there says the same', () => {
    fc.assert(
      fc.property(anyNetwork, anyNetwork, (source, other) => {
        fc.pre(cardsIn(source).length === cardsIn(other).length);
        expect(told(cloned(source, other))).toEqual(told(source));
      }),
    );
  });

  test('on more cards leaves the others alone on their VLAN', () => {
    fc.assert(
      fc.property(anyNetwork, fc.integer({ min: 1, max: 3 }), (source, more) => {
        const count = cardsIn(source).length;
        const copy = cloned(source, bare(count + more, 200));
        const extra = cardsIn(copy).filter((one) => Number(one.name.slice(3)) >= count);
        expect(extra.map((one) => [one.vlan_id, one.mtu, one.links.map((link) => link.mode)])).toEqual(
          Array.from({ length: more }, () => [1, null, ['link_up']]),
        );
        const rest = { ...copy, ports: copy.ports.filter((one) => !extra.includes(one)) };
        expect(told(rest)).toEqual(told(source));
      }),
    );
  });
});

test('cards of other names: the boot card for the boot card, the rest in order; names that came from a card come from the other', () => {
  const source = network([
    card(1, 'eth0'),
    card(2, 'eth2', { tags: ['two'] }),
    card(3, 'eth10', { tags: ['ten'], vlan_id: 2 }),
    card(4, 'eth0.10', { type: 'vlan', vlan_id: 10, parents: [1], mac: card(1, '').mac }),
    card(5, 'br-eth2', { type: 'bridge', parents: [2], mac: '02:00:00:00:00:01' }),
    card(6, 'storage', { type: 'vlan', vlan_id: 20, parents: [3], mac: card(3, '').mac }),
  ]);
  const onto = network([card(21, 'ens3'), card(22, 'ens1'), card(23, 'ens2')], { bootPortId: 23 });
  const copy = cloned(source, onto);
  const by = new Map(copy.ports.map((one) => [one.name, one]));
  expect([by.get('ens2')!.tags, by.get('ens1')!.tags, by.get('ens3')!.tags]).toEqual([[], ['two'], ['ten']]);
  expect(by.get('ens3')!.vlan_id).toBe(2);
  expect(by.get('ens2.10')).toMatchObject({ parents: [23], mac: card(23, '').mac });
  // A MAC that is no card's is not taken along.
  expect(by.get('br-ens1')).toMatchObject({ parents: [22], mac: card(22, '').mac });
  expect(by.get('storage')).toMatchObject({ parents: [21], mac: card(21, '').mac });
});

test('a static link is AUTO, one with an AUTO of its subnet, and stays the default gateway', () => {
  const links: ClonedLink[] = [
    { id: 31, mode: 'static', subnet_id: 5 },
    { id: 32, mode: 'auto', subnet_id: 5 },
    { id: 33, mode: 'dhcp', subnet_id: 6 },
  ];
  const source = network([card(1, 'eth0', { links })], { gateways: [{ family: 4, link_id: 32 }] });
  const copy = cloned(source, bare(1, 200));
  const made = copy.ports[0]!.links;
  expect(made.map(({ mode, subnet_id }) => [mode, subnet_id])).toEqual([
    ['auto', 5],
    ['dhcp', 6],
  ]);
  expect(copy.gateways).toEqual([{ family: 4, link_id: made[0]!.id }]);
});

test('bridges that came with an allocation are not copied, what is on them is', () => {
  const auto: ClonedLink = { id: 31, mode: 'auto', subnet_id: 5 };
  const source = network(
    [
      card(1, 'eth0'),
      card(2, 'br-eth0', { type: 'bridge', acquired: true, parents: [1], links: [auto] }),
      card(3, 'br-eth0.10', { type: 'vlan', vlan_id: 10, parents: [2] }),
    ],
    { gateways: [{ family: 4, link_id: 31 }] },
  );
  const copy = cloned(source, bare(1, 200));
  expect(copy.ports.map((one) => [one.name, one.parents, one.links.map((link) => link.mode)])).toEqual([
    ['eth0', [], ['auto']],
    ['br-eth0.10', [200], []],
  ]);
  expect(copy.gateways).toHaveLength(1);
});

test('fewer cards, and a card that is called as what would be made, are refused', () => {
  const vlan = card(3, 'eth9', { type: 'vlan', vlan_id: 10, parents: [1] });
  expect(cloneNetwork(bare(2, 1), bare(1, 200), vids, counter(9000))).toEqual({
    refused: 'has fewer physical interfaces (1) than the source (2).',
  });
  const other = network([card(201, 'eth0'), card(202, 'eth9')]);
  expect(cloneNetwork(network([card(1, 'eth0'), vlan]), other, vids, counter(9000))).toEqual({
    refused: 'cannot have these interfaces: The machine already has an interface with this name.',
  });
});
