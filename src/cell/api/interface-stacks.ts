/** Bonds, bridges and VLAN interfaces: interfaces that are made of others. */
import { invalid } from '../../contract/errors.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import { bridgeName, vlanName } from '../db/interface-rules.ts';
import { holdVlans, insertInterface, type OwnedInterface } from '../db/interface-store.ts';
import { changeInterfaces, showInterface, type InterfaceCall } from './interface-change.ts';
import { place, settle, unborn } from './interface-plan.ts';
import { newParams, parentsOf, vlanIdOf } from './interface-settings.ts';
import type { NetworkContext } from './network-context.ts';
import { macText } from './subnet-address.ts';
import { wordsOf } from './subnet-settings.ts';

type Kind = 'bond' | 'bridge' | 'vlan';
type Given = Partial<
  RouteParams<'Interfaces.create_bond'> & RouteParams<'Interfaces.create_bridge'> & RouteParams<'Interfaces.create_vlan'>
>;

/** The name that was given, or that of the interface it is made of with something more. @throws Failure `invalid`. */
async function nameFor(tx: CellDb, kind: Kind, given: Given, parents: readonly OwnedInterface[], vlanId: number | null): Promise<string> {
  if (given.name !== undefined) return given.name;
  const parent = parents[0]?.name ?? '';
  if (kind === 'bridge') return bridgeName(parent);
  const vid = vlanId === null ? undefined : (await holdVlans(tx, [vlanId])).get(vlanId);
  return vlanName(parent, vid ?? 0);
}

type StackRoute = `Interfaces.create_${Kind}`;

export function interfaceStackHandlers(context: NetworkContext): Handlers<StackRoute> {
  async function create(kind: Kind, call: InterfaceCall & { readonly params: Given }) {
    const { params } = call;
    const id = await changeInterfaces(context, call, async (tx, { system_id }, ports) => {
      const parents = parentsOf(ports, params) ?? [];
      const vlanId = params.vlan === undefined ? undefined : vlanIdOf(params.vlan);
      // A VLAN interface is nothing without its VLAN.
      if (kind === 'vlan' && (vlanId ?? null) === null) throw invalid({ vlan: ['This field is required.'] });
      const name = await nameFor(tx, kind, params, parents, vlanId ?? null);
      const mac = params.mac_address === undefined ? (parents[0]?.mac ?? null) : macText(params.mac_address);
      const mtu = params.mtu ?? null;
      const subject = { id: unborn, name, type: kind, mac, vlan_id: vlanId ?? null, mtu, parents: parents.map((one) => one.id) };
      const placed = await place(tx, { systemId: system_id, ports, subject, vlanId: kind === 'vlan' ? (vlanId ?? null) : vlanId });
      const { vlan_id } = placed.subject;
      const made = await insertInterface(tx, {
        system_id,
        name,
        type: kind,
        mac,
        vlan_id,
        mtu,
        params: newParams(kind, params),
        tags: wordsOf(params.tags ?? []),
        // As much as its members do is what it does.
        link_connected: parents.some((one) => one.link_connected),
        interface_speed: Math.max(0, ...parents.map((one) => one.interface_speed)),
        link_speed: Math.max(0, ...parents.map((one) => one.link_speed)),
      });
      await settle(tx, made, placed, subject.parents);
      return { did: `Interface ${name} added (${kind} of ${parents.map((one) => one.name).join(', ')})`, id: made };
    });
    return showInterface(context, call.path.system_id, id);
  }
  return {
    'Interfaces.create_bond': (call) => create('bond', call),
    'Interfaces.create_bridge': (call) => create('bridge', call),
    'Interfaces.create_vlan': (call) => create('vlan', call),
  };
}
