/** Interfaces of machines and devices. Making bonds, bridges and VLAN interfaces is in interface-stacks.ts, links are in interface-links.ts. */
import { fail, invalid } from '../../contract/errors.ts';
import { stateOf } from '../../contract/lifecycle.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { Handlers } from '../../http/handler.ts';
import { vlanName } from '../db/interface-rules.ts';
import {
  deleteInterface,
  inheritMac,
  insertInterface,
  updateInterface,
  type LockedNode,
  type OwnedInterface,
} from '../db/interface-store.ts';
import { changeInterfaces, interfacesOf, portBy, showInterface } from './interface-change.ts';
import { place, settle, unborn } from './interface-plan.ts';
import { newParams, paramsOf, parentsOf, vlanIdOf } from './interface-settings.ts';
import type { NetworkContext } from './network-context.ts';
import { idOfText } from './network-view.ts';
import { macText } from './subnet-address.ts';
import { wordsOf } from './subnet-settings.ts';

type UpdateParams = RouteParams<'Interface.update'>;

/** What may be changed on a deployed machine: what a replaced card is known by. */
const whileDeployed = new Set(['name', 'mac_address', 'link_connected', 'interface_speed', 'link_speed']);

/** @throws Failure `wrong_state`. */
function refuseWhileDeployed({ machine }: LockedNode, params: UpdateParams): void {
  if (!machine || stateOf(machine.status) !== 'deployed') return;
  const other = Object.keys(params).filter((name) => !whileDeployed.has(name));
  if (other.length > 0)
    throw fail('wrong_state', {
      text: `Cannot change ${other.join(', ')} of an interface of machine ${machine.system_id} because it is Deployed.`,
    });
}

/** @throws Failure `invalid`. */
function refuseSpeeds(port: OwnedInterface, { interface_speed, link_speed }: UpdateParams): void {
  const most = interface_speed ?? port.interface_speed;
  if (link_speed !== undefined && most > 0 && link_speed > most)
    throw invalid({ link_speed: [`The link cannot be faster than the interface, which does ${most} Mbit/s.`] });
}

/** The interface as it shall be, before its place among the others is judged. */
function changed(ports: readonly OwnedInterface[], port: OwnedInterface, params: UpdateParams): OwnedInterface {
  const parents = parentsOf(ports, params) ?? parentsOf(ports, { parents: port.parents.map(String) }) ?? [];
  // A MAC that was its parent's follows the parents.
  const inherits = port.type !== 'physical' && ports.some((one) => port.parents.includes(one.id) && one.mac === port.mac);
  const isKept = parents.some((one) => one.mac === port.mac);
  return {
    ...port,
    name: params.name ?? port.name,
    mac: params.mac_address === undefined ? (inherits && !isKept ? (parents[0]?.mac ?? port.mac) : port.mac) : macText(params.mac_address),
    mtu: params.mtu ?? port.mtu,
    parents: parents.map((one) => one.id),
  };
}

/** The name that a VLAN interface had from its parent and tag. */
function automaticName(ports: readonly OwnedInterface[], port: OwnedInterface, vids: ReadonlyMap<number, number>): string | undefined {
  const parent = ports.find((one) => one.id === port.parents[0]);
  const vid = port.vlan_id === null ? undefined : vids.get(port.vlan_id);
  return port.type === 'vlan' && parent && vid !== undefined ? vlanName(parent.name, vid) : undefined;
}

type InterfaceRoute = `Interfaces.${'read' | 'create_physical'}` | `Interface.${'read' | 'update' | 'delete' | 'add_tag' | 'remove_tag'}`;

export function interfaceHandlers(context: NetworkContext): Handlers<InterfaceRoute> {
  return {
    'Interfaces.read': ({ path }) => interfacesOf(context, path.system_id),
    'Interface.read': ({ path }) => showInterface(context, path.system_id, idOfText(path.id)),
    'Interfaces.create_physical': async (call) => {
      const { name, tags = [], vlan = '', mtu = null } = call.params;
      const mac = macText(call.params.mac_address);
      const made = await changeInterfaces(context, { ...call, mac }, async (tx, node, ports) => {
        const port = { id: unborn, name: name ?? '', type: 'physical', mac, vlan_id: vlanIdOf(vlan), mtu, parents: [] };
        await place(tx, { systemId: node.system_id, ports, subject: port, vlanId: port.vlan_id });
        const params = newParams('physical', call.params);
        const { system_id } = node;
        const id = await insertInterface(tx, { system_id, name, mac, vlan_id: port.vlan_id, mtu, params, tags: wordsOf(tags) });
        return { did: `Interface ${name ?? mac} added`, id };
      });
      return showInterface(context, call.path.system_id, made);
    },
    'Interface.update': async (call) => {
      const { params } = call;
      const mac = params.mac_address === undefined ? undefined : macText(params.mac_address);
      const id = await changeInterfaces(context, { ...call, mac, also: ['deployed'] }, async (tx, node, ports) => {
        const port = portBy(ports, call.path.id);
        refuseWhileDeployed(node, params);
        refuseSpeeds(port, params);
        const wanted = changed(ports, port, params);
        const isMoved = params.vlan !== undefined || wanted.parents.join() === port.parents.join();
        const vlanId = params.vlan === undefined ? (isMoved ? port.vlan_id : undefined) : vlanIdOf(params.vlan);
        const subject = { ...wanted, vlan_id: vlanId === undefined ? port.vlan_id : vlanId };
        const placed = await place(tx, { systemId: node.system_id, ports, subject, vlanId });
        const old = automaticName(ports, port, placed.vids);
        const name =
          (params.name === undefined && old === port.name
            ? automaticName(ports, { ...wanted, ...placed.subject }, placed.vids)
            : undefined) ?? wanted.name;
        const { link_connected, interface_speed, link_speed } = params;
        await updateInterface(tx, port.id, {
          ...Object.fromEntries(Object.entries({ link_connected, interface_speed, link_speed }).filter(([, value]) => value !== undefined)),
          name,
          mac: wanted.mac,
          mtu: wanted.mtu,
          vlan_id: placed.subject.vlan_id,
          params: JSON.stringify({ ...port.params, ...paramsOf(port.type, params) }),
          ...(params.tags === undefined ? {} : { tags: wordsOf(params.tags) }),
        });
        if (port.mac !== null && wanted.mac !== null && port.mac !== wanted.mac) await inheritMac(tx, node.system_id, port.mac, wanted.mac);
        await settle(
          tx,
          port.id,
          placed,
          wanted.parents.filter((one) => !port.parents.includes(one)),
        );
        return { did: `Interface ${port.name} changed`, id: port.id };
      });
      return showInterface(context, call.path.system_id, id);
    },
    'Interface.delete': async (call) => {
      await changeInterfaces(context, call, async (tx, node, ports) => {
        if (node.machine && !call.caller.admin) throw fail('forbidden');
        const port = portBy(ports, call.path.id);
        if (port.id === node.machine?.boot_interface_id) {
          throw fail('bad_request', {
            reason: `Interface ${port.name} is what machine ${node.system_id} boots from, it cannot be deleted.`,
          });
        }
        await deleteInterface(tx, port.id);
        return { did: `Interface ${port.name} deleted`, id: port.id };
      });
    },
    'Interface.add_tag': async (call) => {
      const { tag } = call.params;
      const id = await changeInterfaces(context, call, async (tx, _node, ports) => {
        const port = portBy(ports, call.path.id);
        if (port.tags.length >= 100) throw invalid({ tag: ['An interface has at most 100 tags.'] });
        await updateInterface(tx, port.id, { tags: [...new Set([...port.tags, tag])] });
        return { did: `Interface ${port.name} tagged ${tag}`, id: port.id };
      });
      return showInterface(context, call.path.system_id, id);
    },
    'Interface.remove_tag': async (call) => {
      const { tag } = call.params;
      const id = await changeInterfaces(context, call, async (tx, _node, ports) => {
        const port = portBy(ports, call.path.id);
        await updateInterface(tx, port.id, { tags: port.tags.filter((one) => one !== tag) });
        return { did: `Interface ${port.name} not tagged ${tag} any more`, id: port.id };
      });
      return showInterface(context, call.path.system_id, id);
    },
  };
}
