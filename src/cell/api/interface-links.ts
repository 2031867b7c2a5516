/** Links of interfaces to subnets. */
import { fail, invalid } from '../../contract/errors.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import { familyOf } from '../db/default-gateway.ts';
import { jointOf, segmentOf } from '../db/interface-rules.ts';
import {
  chooseGateway,
  deleteLinks,
  gatewayLinks,
  insertLink,
  linksOf,
  moveInterfaces,
  type NewLink,
  type OwnedInterface,
} from '../db/interface-store.ts';
import { lockSubnet, type LockedSubnet } from '../db/network-guard.ts';
import { readNetworks } from '../db/network-read.ts';
import { freeAddress, holderOf } from '../db/subnet-store.ts';
import { formatAddress } from './ip-address.ts';
import { changeInterfaces, portBy, showInterface } from './interface-change.ts';
import { place } from './interface-plan.ts';
import type { NetworkContext } from './network-context.ts';
import { idOfText } from './network-view.ts';
import { subnetBy } from './specifier.ts';
import { addressOf, refuseDynamic, refuseMisplaced } from './subnet-address.ts';

type LinkParams = RouteParams<'Interface.link_subnet'>;
type Mode = NewLink['mode'];

/** The address that was asked for. @throws Failure `invalid`, `in_use`. */
async function givenAddress(tx: CellDb, subnet: LockedSubnet, text: string, interfaceId: number): Promise<string> {
  const address = addressOf(text, 'ip_address');
  refuseMisplaced(subnet, address, 'ip_address');
  await refuseDynamic(tx, subnet, address, 'ip_address');
  const ip = formatAddress(address);
  const holder = await holderOf(tx, ip, interfaceId);
  if (holder !== undefined) throw fail('in_use', { what: `IP address ${ip}`, by: holder });
  return ip;
}

async function addressFor(tx: CellDb, subnet: LockedSubnet, mode: Mode, wanted: string, interfaceId: number): Promise<string | null> {
  if (wanted !== '' && mode !== 'static') throw invalid({ ip_address: ['Cannot use ip_address unless the mode is STATIC.'] });
  if (mode !== 'static') return null;
  if (wanted !== '') return givenAddress(tx, subnet, wanted, interfaceId);
  const free = await freeAddress(tx, subnet.id);
  if (free === undefined) throw fail('in_use', { what: `Subnet ${subnet.cidr}`, by: 'no address of it is free' });
  return free;
}

interface Linking {
  readonly systemId: string;
  readonly ports: readonly OwnedInterface[];
  readonly port: OwnedInterface;
  readonly mode: Mode;
  readonly params: LinkParams;
}

/** The subnet's row, locked, and the interface on its VLAN. @throws Failure `invalid`. */
async function subnetFor(tx: CellDb, linking: Linking): Promise<LockedSubnet | undefined> {
  const { port, mode, params } = linking;
  const { subnet: named = '', force = false } = params;
  if (named === '') {
    if (mode !== 'link_up') throw invalid({ subnet: ['This field is required.'] });
    return undefined;
  }
  const { id } = subnetBy(await readNetworks(tx), named);
  const subnet = await lockSubnet(tx, id);
  if (!subnet) throw invalid({ subnet: [`Unable to find subnet ${named.slice(0, 100)}.`] });
  if (port.vlan_id === subnet.vlan_id) return subnet;
  // A link brings an interface that is not connected onto the VLAN, and with `force` any, as in MAAS.
  if (port.vlan_id !== null && !force) throw invalid({ subnet: [`Subnet ${subnet.cidr} is on another VLAN than interface ${port.name}.`] });
  await move(tx, linking, subnet.vlan_id);
  return subnet;
}

/** Bring an interface, and what is one port with it, onto this VLAN, or off any. @throws Failure `invalid`. */
async function move(tx: CellDb, { systemId, ports, port }: Linking, vlanId: number | null): Promise<void> {
  const { moved } = await place(tx, { systemId, ports, subject: { ...port, vlan_id: vlanId }, vlanId });
  await moveInterfaces(tx, moved, vlanId);
}

/** Links that cannot be beside the new one. @throws Failure `invalid`. */
async function refuseSecond(tx: CellDb, { ports, port, mode, params }: Linking, subnet: LockedSubnet | undefined): Promise<void> {
  const joint = jointOf(ports, port.id);
  if (joint && mode !== 'link_up')
    throw invalid({ subnet: [`Interface ${port.name} is part of ${joint.name}: that is what is to be linked.`] });
  const links = await linksOf(tx, port.id);
  if (params.force === true) {
    await deleteLinks(tx, port.id);
    return;
  }
  if (mode === 'link_up') {
    if (links.some((one) => one.mode !== 'link_up'))
      throw invalid({ mode: [`Cannot configure interface to link up (with no IP address) while other links are already configured.`] });
    await deleteLinks(tx, port.id);
    return;
  }
  if (links.some((one) => one.mode === mode && mode !== 'static' && one.subnet_id === subnet?.id)) {
    throw invalid({ mode: [`Interface is already set to ${mode.toUpperCase()} from this subnet.`] });
  }
  // A link that says only "up" gives way to one that says more.
  for (const one of links) if (one.mode === 'link_up') await deleteLinks(tx, port.id, one.id);
}

/** @throws Failure `invalid`. */
function refuseGateway(mode: Mode, subnet: LockedSubnet | undefined): void {
  if (mode !== 'auto' && mode !== 'static') throw invalid({ default_gateway: [`Cannot use in mode '${mode}'.`] });
  if ((subnet?.gateway_ip ?? null) === null)
    throw invalid({ default_gateway: ['Cannot set as default gateway because the subnet has no gateway.'] });
}

async function link(tx: CellDb, linking: Linking): Promise<void> {
  const { systemId, port, mode, params } = linking;
  const subnet = await subnetFor(tx, linking);
  const isDefault = params.default_gateway === true;
  if (isDefault) refuseGateway(mode, subnet);
  await refuseSecond(tx, linking, subnet);
  const ip = subnet ? await addressFor(tx, subnet, mode, params.ip_address ?? '', port.id) : null;
  const id = await insertLink(tx, { interface_id: port.id, mode, subnet_id: subnet?.id ?? null, ip });
  if (isDefault) await chooseGateway(tx, systemId, familyOf(subnet?.gateway_ip ?? ''), id);
}

/** Choose the routers of an interface's links, one of each family, or that of one link. @throws Failure `bad_request`, `invalid`. */
async function setGateway(tx: CellDb, systemId: string, port: OwnedInterface, linkId: string): Promise<void> {
  const usable = (await gatewayLinks(tx, systemId)).filter((one) => one.interface_id === port.id);
  if (usable.length === 0) throw fail('bad_request', { reason: 'This interface has no usable gateways.' });
  const named = linkId === '' ? usable : usable.filter((one) => one.id === idOfText(linkId));
  if (named.length === 0) throw invalid({ link_id: ['Select a valid choice. That choice is not one of the available choices.'] });
  for (const family of [4, 6] as const) {
    const [first, ...others] = named.filter((one) => one.family === family);
    if (others.length > 0) throw invalid({ link_id: [`This field is required; Interface has more than one usable IPv${family} gateway.`] });
    if (first) await chooseGateway(tx, systemId, family, first.id);
  }
}

type LinkRoute = `Interface.${'link_subnet' | 'unlink_subnet' | 'disconnect' | 'set_default_gateway'}`;

export function interfaceLinkHandlers(context: NetworkContext): Handlers<LinkRoute> {
  return {
    'Interface.link_subnet': async (call) => {
      const id = await changeInterfaces(context, call, async (tx, node, ports) => {
        const port = portBy(ports, call.path.id);
        const mode = call.params.mode.toLowerCase() as Mode;
        await link(tx, { systemId: node.system_id, ports, port, mode, params: call.params });
        return { did: `Interface ${port.name} linked (${mode})`, id: port.id };
      });
      return showInterface(context, call.path.system_id, id);
    },
    'Interface.unlink_subnet': async (call) => {
      const id = await changeInterfaces(context, call, async (tx, _node, ports) => {
        const port = portBy(ports, call.path.id);
        const linkId = idOfText(call.params.id);
        if (Number.isNaN(linkId) || (await deleteLinks(tx, port.id, linkId)) === 0) {
          throw invalid({ id: ['Select a valid choice. That choice is not one of the available choices.'] });
        }
        return { did: `Interface ${port.name} unlinked`, id: port.id };
      });
      return showInterface(context, call.path.system_id, id);
    },
    'Interface.disconnect': async (call) => {
      const id = await changeInterfaces(context, call, async (tx, _node, ports) => {
        const port = portBy(ports, call.path.id);
        await deleteLinks(tx, port.id);
        const segment = segmentOf(ports, port.id).map((one) => one.id);
        await moveInterfaces(tx, segment, null);
        return { did: `Interface ${port.name} disconnected`, id: port.id };
      });
      return showInterface(context, call.path.system_id, id);
    },
    'Interface.set_default_gateway': async (call) => {
      const id = await changeInterfaces(context, call, async (tx, node, ports) => {
        const port = portBy(ports, call.path.id);
        await setGateway(tx, node.system_id, port, call.params.link_id ?? '');
        return { did: `The default route goes by interface ${port.name}`, id: port.id };
      });
      return showInterface(context, call.path.system_id, id);
    },
  };
}
