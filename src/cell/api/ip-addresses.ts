/** Addresses that users take for themselves and give back. */
import { Failure, fail, invalid } from '../../contract/errors.ts';
import { stateOf } from '../../contract/lifecycle.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import { addDnsAddress, deleteDnsAddresses, ensureDnsResource } from '../db/dns-store.ts';
import { record } from '../db/event-store.ts';
import { addressesOfMac, deleteAddress, deleteLink, insertAddress, lockLinkOf, readAddresses } from '../db/ip-address-store.ts';
import { deleteNeighbours } from '../db/neighbour-store.ts';
import { readNetworks, type Networks } from '../db/network-read.ts';
import { freeAddress, holderOf } from '../db/subnet-store.ts';
import { isOwnerName } from './dns-record.ts';
import { refuseBeside } from './dns-resource-records.ts';
import { formatAddress } from './ip-address.ts';
import { ipAddressBodies } from './ip-address-body.ts';
import type { NetworkContext } from './network-context.ts';
import { changeNetwork, networkView, refuseOtherCell } from './network-view.ts';
import { addressOf, lockedSubnetFor, macText, refuseDynamic, refuseMisplaced } from './subnet-address.ts';

const taken = { ip_address_ip_key: { ip: ['IP address is already in use.'] } };

/** The domain and label of a name that is wanted for an address. @throws Failure `invalid`. */
function nameFor(networks: Networks, hostname: string): { readonly domainId: number; readonly name: string } {
  const [, label = '', rest] = /^([^.]*)(?:\.(.*))?$/.exec(hostname.toLowerCase()) ?? [];
  const domain = [...networks.domains.values()].find((one) => (rest === undefined ? one.is_default : one.name === rest));
  if (!domain) throw invalid({ hostname: [`Unable to find the domain of ${hostname}.`] });
  if (!isOwnerName(label)) throw invalid({ hostname: [`${label} is no name in a domain: it is longer than 63 characters.`] });
  return { domainId: domain.id, name: label };
}

async function reserve(tx: CellDb, params: RouteParams<'IPAddresses.reserve'>, owner: string): Promise<string> {
  const text = params.ip_address ?? params.ip;
  const wanted = text === undefined ? undefined : addressOf(text, params.ip_address === undefined ? 'ip' : 'ip_address');
  const subnet = await lockedSubnetFor(tx, params.subnet, wanted);
  if (wanted) {
    refuseMisplaced(subnet, wanted, 'ip');
    await refuseDynamic(tx, subnet, wanted, 'ip');
    const holder = await holderOf(tx, formatAddress(wanted));
    if (holder !== undefined) throw fail('in_use', { what: `IP address ${formatAddress(wanted)}`, by: holder });
  }
  const mac = params.mac === undefined ? null : macText(params.mac);
  const known = mac === null ? [] : await addressesOfMac(tx, subnet.id, mac);
  if (known.length > 0) throw fail('wrong_state', { text: `MAC address ${mac} already has the IP address(es) ${known.join(', ')}.` });
  const ip = wanted ? formatAddress(wanted) : await freeAddress(tx, subnet.id);
  if (ip === undefined) throw fail('addresses_exhausted', { cidr: subnet.cidr });
  await insertAddress(tx, { subnet_id: subnet.id, ip, owner, mac });
  if (params.hostname !== undefined) {
    const { domainId, name } = nameFor(await readNetworks(tx), params.hostname);
    const resource = await ensureDnsResource(tx, domainId, name);
    await refuseBeside(tx, resource, 'A');
    await addDnsAddress(tx, resource, ip);
  }
  return ip;
}

/** The states in which interfaces of a machine may be changed (machine-part.ts). */
const changeable: ReadonlySet<string> = new Set(['new', 'ready', 'allocated', 'failed_testing', 'broken']);

/** Take an address from whoever has it. @throws Failure `not_found`, `wrong_state`. */
async function force(tx: CellDb, ip: string, username: string): Promise<void> {
  if (await deleteAddress(tx, ip)) return;
  const link = await lockLinkOf(tx, ip);
  if (!link) throw fail('not_found', { what: 'IPAddress' });
  if (link.status !== null && !changeable.has(stateOf(link.status))) {
    throw fail('wrong_state', { text: `IP address ${ip} is configured on machine ${link.hostname}, which is in use: release it first.` });
  }
  await deleteLink(tx, link.link_id);
  await record(tx, { kind: 'interface_changed', systemId: link.system_id, username, description: `IP address ${ip} was taken away` });
}

type AddressRoute = `IPAddresses.${'read' | 'reserve' | 'release'}`;

export function ipAddressHandlers(context: NetworkContext): Handlers<AddressRoute> {
  const { database } = context;
  const bodies = async (choice: { readonly ip?: string | undefined; readonly owner?: string | undefined }) => {
    const rows = await readAddresses(database.db, choice);
    return ipAddressBodies(context, rows, await networkView(context));
  };
  return {
    'IPAddresses.read': ({ params, caller }) => {
      const ip = params.ip === undefined ? undefined : formatAddress(addressOf(params.ip, 'ip'));
      if ((params.all === true || (params.owner !== undefined && params.owner !== caller.username)) && !caller.admin)
        throw new Failure('forbidden', 'Only admins may list the IP addresses of others.');
      return bodies(params.all === true ? { ip } : { ip, owner: params.owner ?? caller.username });
    },
    'IPAddresses.reserve': async ({ params, caller }) => {
      refuseOtherCell(context, params.cell);
      const ip = await changeNetwork(context, caller.username, taken, async (tx) => {
        const value = await reserve(tx, params, caller.username);
        return { did: `IP address ${value} reserved by ${caller.username}`, value };
      });
      const [body] = await bodies({ ip, owner: caller.username });
      if (!body) throw fail('conflict', { what: `IP address ${ip}` });
      return body;
    },
    'IPAddresses.release': async ({ params, caller }) => {
      refuseOtherCell(context, params.cell);
      const ip = formatAddress(addressOf(params.ip, 'ip'));
      if (params.force === true && !caller.admin)
        throw new Failure('forbidden', 'Only admins may release IP addresses of others by force.');
      await changeNetwork(context, caller.username, {}, async (tx) => {
        if (params.discovered === true && params.force === true) {
          if ((await deleteNeighbours(tx, { ip })) === 0) throw fail('not_found', { what: 'IPAddress' });
          return { did: `IP address ${ip} forgotten`, value: undefined };
        }
        if (params.force === true) await force(tx, ip, caller.username);
        else if (!(await deleteAddress(tx, ip, caller.username))) throw fail('not_found', { what: 'IPAddress' });
        await deleteDnsAddresses(tx, ip);
        return { did: `IP address ${ip} released`, value: undefined };
      });
    },
  };
}
