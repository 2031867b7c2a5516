import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arrange, bridgeName, childrenOf, effectiveMtu, jointOf, refusePort, segmentOf, vlanName, type Port } from './interface-rules.ts';

/** VLANs 1 and 2 are untagged, 11 to 13 have a tag. */
const vids = new Map([
  [1, 0],
  [2, 0],
  [11, 11],
  [12, 12],
  [13, 13],
]);

const nic = (id: number, more: Partial<Port> = {}): Port => ({
  id,
  name: `eth${id}`,
  type: 'physical',
  mac: null,
  vlan_id: 1,
  mtu: null,
  parents: [],
  ...more,
});

const judge = (ports: readonly Port[], subject: Port, vlanId?: number | null) => {
  const arranged = arrange({ ports, subject, vlanId });
  return 'refused' in arranged ? arranged.refused : refusePort(arranged.after, arranged.subject, vids);
};

describe('what is refused', () => {
  const cards = [nic(1), nic(2), nic(3, { vlan_id: 2 })];
  const bond = nic(4, { name: 'bond0', type: 'bond', parents: [1, 2] });
  const bridge = nic(5, { name: 'br0', type: 'bridge', parents: [4] });
  const tagged = nic(6, { name: 'bond0.11', type: 'vlan', parents: [4], vlan_id: 11 });
  const bonded = [...cards, bond];
  const all = [...bonded, bridge, tagged];
  const next = (more: Partial<Port>) => nic(0, { name: 'new0', vlan_id: null, ...more });

  test.each<[string, readonly Port[], Port, number | null | undefined, object | undefined]>([
    ['a bond', cards, next({ type: 'bond', parents: [1, 2] }), undefined, undefined],
    ['a bridge over a bond', bonded, next({ type: 'bridge', parents: [4] }), undefined, undefined],
    ['a VLAN interface of a bond', bonded, next({ type: 'vlan', parents: [4] }), 11, undefined],
    ['a bridge over a VLAN interface', all, next({ type: 'bridge', parents: [6] }), undefined, undefined],
    ['a VLAN interface of a bridge', all, next({ type: 'vlan', parents: [5] }), 12, undefined],
    ['a card of something', cards, next({ parents: [1] }), 1, { parents: ['A physical interface cannot have parents.'] }],
    ['a bond of nothing', cards, next({ type: 'bond' }), undefined, { parents: ['A bond interface must have one or more parents.'] }],
    [
      'a bond of a bond',
      bonded,
      next({ type: 'bond', parents: [3, 4] }),
      1,
      { parents: ['A bond is made of physical interfaces, and bond0 is a bond.'] },
    ],
    [
      'a bond over two VLANs',
      cards,
      next({ type: 'bond', parents: [1, 3] }),
      undefined,
      { parents: ['All parents must belong to the same VLAN.'] },
    ],
    ['… unless it is said which', cards, next({ type: 'bond', parents: [1, 3] }), 1, undefined],
    ['a second bond', bonded, next({ type: 'bond', parents: [2] }), undefined, { parents: ['Interfaces already in-use: eth2.'] }],
    [
      'a bridge over a member',
      bonded,
      next({ type: 'bridge', parents: [2] }),
      undefined,
      { parents: ['Interfaces already in-use: eth2.'] },
    ],
    [
      'a bridge over two',
      cards,
      next({ type: 'bridge', parents: [1, 2] }),
      undefined,
      { parents: ['A bridge interface must have exactly one parent.'] },
    ],
    [
      'a bridge over a bridge',
      all,
      next({ type: 'bridge', parents: [5] }),
      undefined,
      { parents: ["A bridge interface can't have another bridge interface as parent."] },
    ],
    ['a VLAN interface of nothing', cards, next({ type: 'vlan' }), 11, { parent: ['A VLAN interface must have exactly one parent.'] }],
    [
      'a VLAN interface of one',
      all,
      next({ type: 'vlan', parents: [6] }),
      12,
      { parent: ["VLAN interface can't have another VLAN interface as parent."] },
    ],
    [
      'a VLAN interface of a member',
      bonded,
      next({ type: 'vlan', parents: [1] }),
      11,
      { parent: ["A VLAN interface can't have a parent that is already in a bond."] },
    ],
    ['without a tag', cards, next({ type: 'vlan', parents: [1] }), 2, { vlan: ['A VLAN interface can only belong to a tagged VLAN.'] }],
    [
      'the VLAN of its parent',
      [nic(1, { vlan_id: 11 })],
      next({ type: 'vlan', parents: [1] }),
      11,
      { vlan: ['Interface eth1 is on this VLAN itself, without a tag.'] },
    ],
    ['one VLAN twice', all, next({ type: 'vlan', parents: [4] }), 11, { vlan: ['Interface bond0.11 is on this VLAN already.'] }],
    ['a port that comes onto what is above it', all, bond, 11, { vlan: ['Interface bond0 is on this VLAN itself, without a tag.'] }],
    ['a name twice', cards, next({ name: 'eth2' }), 1, { name: ['The machine already has an interface with this name.'] }],
    [
      'a bridge over what is made of it',
      [...all, nic(7, { name: 'br0.12', type: 'vlan', parents: [5], vlan_id: 12 })],
      { ...bridge, parents: [7] },
      undefined,
      { parents: ['Interface br0 cannot be made of itself.'] },
    ],
    [
      'more than what is below it can',
      [nic(1, { mtu: 1500 })],
      next({ type: 'vlan', parents: [1], mtu: 9000 }),
      11,
      { mtu: ['Interface eth1 below it has the smaller MTU 1500.'] },
    ],
    [
      'less than what is above it needs',
      [nic(1, { mtu: 9000 }), nic(2, { type: 'vlan', parents: [1], vlan_id: 11, mtu: 9000 })],
      nic(1, { mtu: 1500 }),
      1,
      { mtu: ['Interface eth2 above it has the larger MTU 9000.'] },
    ],
  ])('%s', (_what, ports, subject, vlanId, refused) => {
    expect(judge(ports, subject, vlanId)).toEqual(refused);
  });
});

interface Wish {
  readonly at: number;
  readonly type: string;
  readonly parents: readonly number[];
  readonly vlanId: number | null | undefined;
  readonly mtu: number | null;
  readonly drop: boolean;
}

const wish: fc.Arbitrary<Wish> = fc.record({
  at: fc.nat(9),
  type: fc.constantFrom('physical', 'bond', 'bridge', 'vlan', 'vlan', 'bridge'),
  parents: fc.uniqueArray(fc.integer({ min: 1, max: 10 }), { maxLength: 3 }),
  vlanId: fc.constantFrom(undefined, null, 1, 2, 11, 12, 13),
  mtu: fc.constantFrom(null, null, 1500, 9000),
  drop: fc.boolean(),
});

/** What is made of nothing any more goes, as the database has it. */
function without(ports: readonly Port[], id: number): Port[] {
  const left = ports.filter((one) => one.id !== id).map((one) => ({ ...one, parents: one.parents.filter((parent) => parent !== id) }));
  const orphan = left.find((one) => one.type !== 'physical' && one.parents.length === 0);
  return orphan ? without(left, orphan.id) : left;
}

test('whatever is asked for one after the other, what was let through is a network that Linux can have', () => {
  fc.assert(
    fc.property(fc.array(wish, { minLength: 5, maxLength: 40 }), (wishes) => {
      let ports: readonly Port[] = [1, 2, 3, 4].map((id) => nic(id, { vlan_id: id > 3 ? 2 : 1 }));
      let last = 4;
      for (const { at, type, parents, vlanId, mtu, drop } of wishes) {
        const known = ports[at];
        if (known && drop && last % 3 === 0) {
          ports = without(ports, known.id);
          continue;
        }
        const id = known?.id ?? (last += 1);
        const base = known ?? nic(id, { type, name: `n${id}`, vlan_id: null });
        const subject = { ...base, mtu, parents: parents.filter((parent) => ports.some((one) => one.id === parent)) };
        const arranged = arrange({ ports, subject, vlanId });
        if ('refused' in arranged || refusePort(arranged.after, arranged.subject, vids)) continue;
        ports = arranged.after;
      }
      for (const port of ports) {
        const below = ports.filter((one) => port.parents.includes(one.id));
        expect(below).toHaveLength(port.parents.length);
        expect(childrenOf(ports, port.id).filter((one) => one.type === 'bond' || one.type === 'bridge').length).toBeLessThan(2);
        expect(new Set(segmentOf(ports, port.id).map((one) => one.vlan_id)).size).toBe(1);
        if (port.type === 'bond') {
          expect(below.length).toBeGreaterThan(0);
          for (const one of below) expect([one.type, childrenOf(ports, one.id).length]).toEqual(['physical', 1]);
        }
        if (port.type === 'bridge') expect(below.map((one) => one.type)).toEqual([expect.not.stringMatching('bridge')]);
        if (port.type === 'vlan') {
          expect(below.map((one) => one.type)).toEqual([expect.not.stringMatching('vlan')]);
          expect(jointOf(ports, below[0]?.id ?? 0)?.type).not.toBe('bond');
          if (port.vlan_id !== null) expect([vids.get(port.vlan_id) !== 0, port.vlan_id === below[0]?.vlan_id]).toEqual([true, false]);
        }
        for (const one of below) {
          expect(effectiveMtu(ports, one.id, () => undefined)).toBeGreaterThanOrEqual(effectiveMtu(ports, port.id, () => undefined));
          if (one.mtu !== null && port.mtu !== null) expect(one.mtu).toBeGreaterThanOrEqual(port.mtu);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('names that are made fit', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '0', '-'), minLength: 1, maxLength: 15 }),
      fc.integer({ min: 1, max: 4094 }),
      (name, vid) => {
        expect(vlanName(name, vid).length).toBeLessThanOrEqual(15);
        expect(bridgeName(name).length).toBeLessThanOrEqual(15);
      },
    ),
  );
  expect([vlanName('eth0', 100), vlanName('enp130s0f1np1', 100), bridgeName('eth0'), bridgeName('enp130s0f1np1')]).toEqual([
    'eth0.100',
    'vlan100',
    'br-eth0',
    'b-enp130s0f1np1',
  ]);
});
