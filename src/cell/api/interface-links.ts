/** Links of interfaces to subnets. */
import { fail, invalid } from '../../contract/errors.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { Handlers } from '../../http/handler.ts';
import { UniqueViolation } from '../../postgres/database-errors.ts';
import type { CellDb } from '../db/cell-db.ts';
import {
  defaultRoute,
  deleteLinks,
  insertLink,
  linksOf,
  updateInterface,
  type NewLink,
  type OwnedInterface,
} from '../db/interface-store.ts';
import { readRanges } from '../db/ip-range-store.ts';
import { lockSubnet, type LockedSubnet } from '../db/network-guard.ts';
import { readNetworks } from '../db/network-read.ts';
import { freeAddress, holderOf } from '../db/subnet-store.ts';
import { formatAddress, isHost, parseAddress, type IpAddress } from './ip-address.ts';
import { ownInterface, showInterface } from './interfaces.ts';
import { changePart } from './machine-part.ts';
import type { NetworkContext } from './network-context.ts';
import { idOfText } from './network-view.ts';
import { subnetBy } from './specifier.ts';
import { networkOf } from './subnet-settings.ts';

type LinkParams = RouteParams<'Interface.link_subnet'>;
type Mode = NewLink['mode'];

function within(address: IpAddress, start: string, end: string): boolean {
  const [from, to] = [parseAddress(start), parseAddress(end)];
  return from?.family === address.family && to !== undefined && address.value >= from.value && address.value <= to.value;
}

/** The address that was asked for. @throws Failure `invalid`, `in_use`. */
async function givenAddress(tx: CellDb, subnet: LockedSubnet, text: string): Promise<string> {
  const address = parseAddress(text);
  if (!address) throw invalid({ ip_address: ['Enter a valid IPv4 or IPv6 address.'] });
  const ip = formatAddress(address);
  if (!isHost(networkOf(subnet.cidr), address)) throw invalid({ ip_address: [`IP address is not in the given subnet '${subnet.cidr}'.`] });
  if (ip === subnet.gateway_ip) throw invalid({ ip_address: ["IP address is the subnet's gateway."] });
  const dynamic = (await readRanges(tx, { subnetId: subnet.id })).find(
    (range) => range.type === 'dynamic' && within(address, range.start_ip, range.end_ip),
  );
  if (dynamic) throw invalid({ ip_address: [`IP address is inside the dynamic range ${dynamic.start_ip} to ${dynamic.end_ip}.`] });
  const host = await holderOf(tx, ip);
  if (host !== undefined) throw fail('in_use', { what: `IP address ${ip}`, by: `machine ${host}` });
  return ip;
}

async function addressFor(tx: CellDb, subnet: LockedSubnet, mode: Mode, wanted: string): Promise<string | null> {
  if (wanted !== '' && mode !== 'static') throw invalid({ ip_address: ['Cannot use ip_address unless the mode is STATIC.'] });
  if (mode !== 'static') return null;
  if (wanted !== '') return givenAddress(tx, subnet, wanted);
  const free = await freeAddress(tx, subnet.id);
  if (free === undefined) throw fail('in_use', { what: `Subnet ${subnet.cidr}`, by: 'no address of it is free' });
  return free;
}

/** The subnet's row, locked, and the interface on its VLAN. @throws Failure `invalid`. */
async function subnetFor(tx: CellDb, nic: OwnedInterface, mode: Mode, named: string): Promise<LockedSubnet | undefined> {
  if (named === '') {
    if (mode !== 'link_up') throw invalid({ subnet: ['This field is required.'] });
    return undefined;
  }
  const { id } = subnetBy(await readNetworks(tx), named);
  const subnet = await lockSubnet(tx, id);
  if (!subnet) throw invalid({ subnet: [`Unable to find subnet ${named.slice(0, 100)}.`] });
  // A link brings an interface that is not connected onto the VLAN, as in MAAS.
  if (nic.vlan_id === null) await updateInterface(tx, nic.id, { vlan_id: subnet.vlan_id });
  else if (nic.vlan_id !== subnet.vlan_id) {
    throw invalid({ subnet: [`Subnet ${subnet.cidr} is on another VLAN than interface ${nic.name}.`] });
  }
  return subnet;
}

async function refuseSecond(tx: CellDb, nic: OwnedInterface, mode: Mode, subnet: LockedSubnet | undefined, force: boolean): Promise<void> {
  const links = await linksOf(tx, nic.id);
  if (mode === 'link_up') {
    if (links.length > 0 && !force)
      throw invalid({ mode: [`Cannot configure interface to link up (with no IP address) while other links are already configured.`] });
    await deleteLinks(tx, nic.id);
    return;
  }
  if (links.some((link) => link.mode === mode && mode !== 'static' && link.subnet_id === subnet?.id)) {
    throw invalid({ mode: [`Interface is already set to ${mode.toUpperCase()} from this subnet.`] });
  }
  // A link that says only "up" gives way to one that says more.
  for (const link of links) if (link.mode === 'link_up') await deleteLinks(tx, nic.id, link.id);
}

/** There is no flag for it: the default route follows the boot interface's links. What would not come true is refused. */
async function refuseOtherRoute(tx: CellDb, systemId: string, linkId: number, subnet: LockedSubnet | undefined): Promise<void> {
  const gateway = subnet?.gateway_ip ?? '';
  if (gateway === '') throw invalid({ default_gateway: ['Cannot set as default gateway because the subnet has no gateway.'] });
  if ((await defaultRoute(tx, systemId, gateway.includes(':') ? 6 : 4)) === linkId) return;
  throw invalid({ default_gateway: ["The default route goes by the boot interface's first link with a gateway; this would be another."] });
}

async function link(tx: CellDb, systemId: string, nic: OwnedInterface, params: LinkParams): Promise<void> {
  const mode = params.mode.toLowerCase() as Mode;
  const subnet = await subnetFor(tx, nic, mode, params.subnet ?? '');
  await refuseSecond(tx, nic, mode, subnet, params.force ?? false);
  const ip = subnet ? await addressFor(tx, subnet, mode, params.ip_address ?? '') : null;
  const id = await insertLink(tx, { interface_id: nic.id, mode, subnet_id: subnet?.id ?? null, ip });
  if (params.default_gateway === true) await refuseOtherRoute(tx, systemId, id, subnet);
}

type LinkRoute = `Interface.${'link_subnet' | 'unlink_subnet' | 'disconnect'}`;

export function interfaceLinkHandlers(context: NetworkContext): Handlers<LinkRoute> {
  return {
    'Interface.link_subnet': async (call) => {
      const id = await changePart(context, call, 'interface_changed', {}, async (tx, machine) => {
        const nic = await ownInterface(tx, machine, call.path.id);
        await link(tx, machine.system_id, nic, call.params);
        return { did: `Interface ${nic.name} linked (${call.params.mode.toLowerCase()})`, value: nic.id };
      }).catch((error: unknown) => {
        // Who gives out addresses without the subnet's lock is caught by the index.
        if (error instanceof UniqueViolation && error.constraint === 'interface_link_by_ip')
          throw fail('conflict', { what: 'this address' });
        throw error;
      });
      return showInterface(context, call.path.system_id, id);
    },
    'Interface.unlink_subnet': async (call) => {
      const id = await changePart(context, call, 'interface_changed', {}, async (tx, machine) => {
        const nic = await ownInterface(tx, machine, call.path.id);
        const linkId = idOfText(call.params.id);
        if (Number.isNaN(linkId) || (await deleteLinks(tx, nic.id, linkId)) === 0) {
          throw invalid({ id: ['Select a valid choice. That choice is not one of the available choices.'] });
        }
        return { did: `Interface ${nic.name} unlinked`, value: nic.id };
      });
      return showInterface(context, call.path.system_id, id);
    },
    'Interface.disconnect': async (call) => {
      const id = await changePart(context, call, 'interface_changed', {}, async (tx, machine) => {
        const nic = await ownInterface(tx, machine, call.path.id);
        await deleteLinks(tx, nic.id);
        await updateInterface(tx, nic.id, { vlan_id: null });
        return { did: `Interface ${nic.name} disconnected`, value: nic.id };
      });
      return showInterface(context, call.path.system_id, id);
    },
  };
}
