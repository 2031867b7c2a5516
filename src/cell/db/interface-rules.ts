/**
 * What interfaces may be made of, which VLAN and MTU they may have, and what follows for others when one of them changes. Pure: it is given
 * all interfaces of a machine as they would be after the change, and says what is wrong with the one that is changed.
 */
import type { FieldErrors } from '../../contract/errors.ts';

export interface Port {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly mac: string | null;
  readonly vlan_id: number | null;
  /** Its own MTU in bytes; null: that of its VLAN. */
  readonly mtu: number | null;
  readonly parents: readonly number[];
}

/** The longest name that Linux takes (IFNAMSIZ). */
const longestName = 15;
/** Ethernet's own, where neither interface nor VLAN says more. */
export const plainMtu = 1500;

const isJoint = (port: Port): boolean => port.type === 'bond' || port.type === 'bridge';

function parentsOf(ports: readonly Port[], port: Port): Port[] {
  return port.parents.flatMap((id) => ports.find((one) => one.id === id) ?? []);
}

export function childrenOf(ports: readonly Port[], id: number): Port[] {
  return ports.filter((one) => one.parents.includes(id));
}

/** The bond or bridge that an interface is a member of. */
export function jointOf(ports: readonly Port[], id: number): Port | undefined {
  return childrenOf(ports, id).find(isJoint);
}

/** The interfaces that are one port of the switch: bonds and bridges with all their members, this one among them. */
export function segmentOf(ports: readonly Port[], id: number): Port[] {
  const found = new Set<number>();
  const open = [id];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const port = ports.find((one) => one.id === at);
    if (!port || found.has(at)) continue;
    found.add(at);
    if (isJoint(port)) open.push(...port.parents);
    open.push(...childrenOf(ports, at).flatMap((child) => (isJoint(child) ? child.id : [])));
  }
  return ports.filter((one) => found.has(one.id));
}

/** Everything that an interface is made of, at any depth. */
function ancestorsOf(ports: readonly Port[], port: Port): Set<number> {
  const found = new Set<number>();
  const open = [...port.parents];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (found.has(at)) continue;
    found.add(at);
    open.push(...(ports.find((one) => one.id === at)?.parents ?? []));
  }
  return found;
}

type Rule = (ports: readonly Port[], port: Port, parents: readonly Port[]) => string | undefined;

const alone =
  (what: string): Rule =>
  (_ports, _port, parents) =>
    parents.length === 1 ? undefined : `A ${what} interface must have exactly one parent.`;
const notOver =
  (type: string, text: string): Rule =>
  (_ports, _port, parents) =>
    parents.some((one) => one.type === type) ? text : undefined;
const free: Rule = (ports, port, parents) => {
  const used = parents.filter((one) => childrenOf(ports, one.id).some((child) => child.id !== port.id && isJoint(child)));
  return used.length === 0
    ? undefined
    : `Interfaces already in-use: ${used
        .map((one) => one.name)
        .toSorted()
        .join(', ')}.`;
};
const noCircle: Rule = (ports, port) =>
  ancestorsOf(ports, port).has(port.id) ? `Interface ${port.name} cannot be made of itself.` : undefined;

/** What each type may be made of; the first that says something is what is wrong. */
const parentRules: Readonly<Record<string, readonly Rule[]>> = {
  physical: [(_ports, _port, parents) => (parents.length === 0 ? undefined : 'A physical interface cannot have parents.')],
  bond: [
    (_ports, _port, parents) => (parents.length > 0 ? undefined : 'A bond interface must have one or more parents.'),
    (_ports, _port, parents) => {
      const other = parents.find((one) => one.type !== 'physical');
      return other && `A bond is made of physical interfaces, and ${other.name} is a ${other.type}.`;
    },
    free,
    // Frames of a member belong to the bond: a VLAN interface on it would hear nothing.
    (ports, port, parents) => {
      const tagged = parents.find((one) => childrenOf(ports, one.id).some((child) => child.id !== port.id));
      return tagged && `Interfaces already in-use: ${tagged.name}.`;
    },
  ],
  bridge: [alone('bridge'), notOver('bridge', "A bridge interface can't have another bridge interface as parent."), free, noCircle],
  vlan: [
    alone('VLAN'),
    notOver('vlan', "VLAN interface can't have another VLAN interface as parent."),
    (ports, _port, [parent]) =>
      parent && jointOf(ports, parent.id)?.type === 'bond' ? "A VLAN interface can't have a parent that is already in a bond." : undefined,
    noCircle,
  ],
};

/** A VLAN interface needs a tag that is not what its parent has untagged, and is alone with it. */
function tagProblem(ports: readonly Port[], port: Port, vids: ReadonlyMap<number, number>): string | undefined {
  if (port.type !== 'vlan' || port.vlan_id === null) return undefined;
  if ((vids.get(port.vlan_id) ?? 0) < 1) return 'A VLAN interface can only belong to a tagged VLAN.';
  const [parent] = parentsOf(ports, port);
  if (parent?.vlan_id === port.vlan_id) return `Interface ${parent.name} is on this VLAN itself, without a tag.`;
  const twin =
    parent && childrenOf(ports, parent.id).find((one) => one.id !== port.id && one.type === 'vlan' && one.vlan_id === port.vlan_id);
  return twin && `Interface ${twin.name} is on this VLAN already.`;
}

/**
 * What is wrong with an interface that is about to be made or changed; undefined when nothing is.
 * @param ports All interfaces of the machine as they would be, `subject` among them.
 * @param vids The tags of the VLANs that they are on.
 */
export function refusePort(ports: readonly Port[], subject: Port, vids: ReadonlyMap<number, number>): FieldErrors | undefined {
  if (ports.some((one) => one.id !== subject.id && one.name === subject.name))
    return { name: ['The machine already has an interface with this name.'] };
  const parents = parentsOf(ports, subject);
  for (const rule of parentRules[subject.type] ?? []) {
    const problem = rule(ports, subject, parents);
    if (problem !== undefined) return { [subject.type === 'vlan' ? 'parent' : 'parents']: [problem] };
  }
  const segment = segmentOf(ports, subject.id);
  const tagged = [...segment, ...segment.flatMap((one) => childrenOf(ports, one.id))];
  for (const port of [subject, ...tagged]) {
    const problem = tagProblem(ports, port, vids);
    if (problem !== undefined) return { vlan: [problem] };
  }
  return mtuProblem(ports, subject, parents);
}

/** Nothing sends more at once than what it is made of can: an MTU that was set is no less than those that were set above it. */
function mtuProblem(ports: readonly Port[], subject: Port, parents: readonly Port[]): FieldErrors | undefined {
  const { mtu } = subject;
  if (mtu === null) return undefined;
  const small = parents.find((one) => one.mtu !== null && one.mtu < mtu);
  if (small) return { mtu: [`Interface ${small.name} below it has the smaller MTU ${small.mtu}.`] };
  const large = childrenOf(ports, subject.id).find((one) => one.mtu !== null && one.mtu > mtu);
  return large && { mtu: [`Interface ${large.name} above it has the larger MTU ${large.mtu}.`] };
}

export interface Placing {
  /** All interfaces of the machine as they are. */
  readonly ports: readonly Port[];
  /** The new or changed one as it shall be, but for its VLAN where `vlanId` does not say it. */
  readonly subject: Port;
  /** The VLAN that was asked for; undefined when none was named: then a bond or bridge has that of what it is made of. */
  readonly vlanId: number | null | undefined;
}

export interface Arranged {
  readonly subject: Port;
  /** All interfaces as they would be. */
  readonly after: readonly Port[];
  /** Those that come onto another VLAN: what is one port of the switch is on one VLAN. */
  readonly moved: readonly number[];
}

/** What else of a machine changes with one interface. Whether it may be so is {@link refusePort}'s to say. */
export function arrange({ ports, subject: wanted, vlanId }: Placing): Arranged | { readonly refused: FieldErrors } {
  const others = ports.filter((one) => one.id !== wanted.id);
  const [first, ...more] =
    isJoint(wanted) && vlanId === undefined ? new Set(parentsOf(others, wanted).map((one) => one.vlan_id)) : [wanted.vlan_id];
  if (more.length > 0) return { refused: { parents: ['All parents must belong to the same VLAN.'] } };
  const subject = { ...wanted, vlan_id: vlanId === undefined ? (first ?? null) : vlanId };
  const segment = new Set(segmentOf([...others, subject], subject.id).map((one) => one.id));
  const after = [...others.map((one) => (segment.has(one.id) ? { ...one, vlan_id: subject.vlan_id } : one)), subject];
  const moved = ports.filter((one) => segment.has(one.id) && one.vlan_id !== subject.vlan_id).map((one) => one.id);
  return { subject, after, moved };
}

/** The MTU that an interface runs with: its own or its VLAN's, and never less than what is above it needs. */
export function effectiveMtu(ports: readonly Port[], id: number, mtuOfVlan: (vlanId: number) => number | undefined): number {
  const port = ports.find((one) => one.id === id);
  if (!port) return plainMtu;
  const own = port.mtu ?? (port.vlan_id === null ? undefined : mtuOfVlan(port.vlan_id)) ?? plainMtu;
  const above = ports.filter((one) => ancestorsOf(ports, one).has(id) && one.id !== id);
  return Math.max(own, ...above.map((one) => one.mtu ?? (one.vlan_id === null ? undefined : mtuOfVlan(one.vlan_id)) ?? plainMtu));
}

/** `eth0.100`; where that is too long for a name, `vlan100`. */
export function vlanName(parent: string, vid: number): string {
  const name = `${parent}.${vid}`;
  return name.length <= longestName ? name : `vlan${vid}`;
}

/** `br-eth0`; where that is too long for a name, `b-` and the name's end. */
export function bridgeName(parent: string): string {
  const name = `br-${parent}`;
  return name.length <= longestName ? name : `b-${parent.slice(-(longestName - 2))}`;
}
