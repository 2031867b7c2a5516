/** A new or changed interface on its way into the database: what else of its machine changes with it, and whether it may be so. */
import { invalid } from '../../contract/errors.ts';
import type { CellDb } from '../db/cell-db.ts';
import { arrange, refusePort, type Placing, type Port } from '../db/interface-rules.ts';
import { holdVlans, moveInterfaces, setParents, strangerWithMac, unlink } from '../db/interface-store.ts';
import { noVlan } from './interface-settings.ts';

/** An interface that is not in the database yet. */
export const unborn = 0;

export interface Placed {
  readonly subject: Port;
  /** The tags of the VLANs that the machine's interfaces are on. */
  readonly vids: ReadonlyMap<number, number>;
  /** Interfaces that come onto another VLAN with it. */
  readonly moved: readonly number[];
}

/** Cards have their MAC once by an index; what is made of cards must not take that of another machine, which is known by it. */
async function refuseStrangersMac(tx: CellDb, { systemId, subject }: Placing & { readonly systemId: string }): Promise<void> {
  if (subject.type === 'physical' || subject.mac === null) return;
  const host = await strangerWithMac(tx, systemId, subject.mac);
  if (host !== undefined) throw invalid({ mac_address: [`This MAC address is already in use by ${host}.`] });
}

/** Judge it among the others. @throws Failure `invalid`. */
export async function place(tx: CellDb, placing: Placing & { readonly systemId: string }): Promise<Placed> {
  const arranged = arrange(placing);
  if ('refused' in arranged) throw invalid(arranged.refused);
  const { subject, after, moved } = arranged;
  const vids = await holdVlans(tx, [...new Set([...placing.ports, ...after].flatMap((one) => one.vlan_id ?? []))]);
  if (subject.vlan_id !== null && !vids.has(subject.vlan_id)) throw noVlan(String(subject.vlan_id));
  await refuseStrangersMac(tx, placing);
  const refused = refusePort(after, subject, vids);
  if (refused) throw invalid(refused);
  return { subject, vids, moved };
}

/** Write what {@link place} said, but for the row of the interface itself. */
export async function settle(tx: CellDb, id: number, { subject, moved }: Placed, newMembers: readonly number[]): Promise<void> {
  if (subject.type !== 'physical') await setParents(tx, id, subject.parents);
  await moveInterfaces(tx, moved, subject.vlan_id);
  // A bond or bridge is what has addresses, and not what it is made of.
  if (subject.type === 'bond' || subject.type === 'bridge') await unlink(tx, newMembers);
}
