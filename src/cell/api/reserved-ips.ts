/** Reserved IPs: an address that DHCP keeps for one MAC. */
import { fail, invalid } from '../../contract/errors.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import {
  addressesOfMac,
  deleteReservedIp,
  insertReservedIp,
  readReservedIps,
  updateReservedIp,
  type ReservedIpRow,
} from '../db/ip-address-store.ts';
import { holderOf } from '../db/subnet-store.ts';
import { formatAddress } from './ip-address.ts';
import { uri, type NetworkBodies } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';
import { changeNetwork, found, idOfText, networkView, refuseOtherCell } from './network-view.ts';
import { addressOf, lockedSubnetFor, macText, refuseMisplaced } from './subnet-address.ts';

const taken = {
  reserved_ip_ip_key: { ip: ['Reserved IP with this Ip already exists.'] },
  reserved_ip_subnet_id_mac_key: { mac_address: ['This MAC address has a reserved IP in this subnet already.'] },
};

function body(row: ReservedIpRow, view: NetworkBodies) {
  const subnet = found(view.subnets.get(row.subnet_id), 'Subnet');
  const { id, ip, mac, comment } = row;
  return { id, ip, mac_address: mac, comment, subnet, vlan: subnet.vlan, resource_uri: uri('reservedips', id) };
}

async function create(tx: CellDb, params: RouteParams<'ReservedIps.create'>): Promise<{ readonly id: number; readonly ip: string }> {
  const address = addressOf(params.ip, 'ip');
  const ip = formatAddress(address);
  const mac = macText(params.mac_address);
  const subnet = await lockedSubnetFor(tx, params.subnet, address);
  refuseMisplaced(subnet, address, 'ip');
  const known = await addressesOfMac(tx, subnet.id, mac);
  const holder = await holderOf(tx, ip);
  // Of two reservations the unique index says which field is wrong.
  if (holder !== undefined && !holder.startsWith('MAC ') && !known.includes(ip))
    throw invalid({ ip: [`The ip ${ip} is already in use by ${holder}.`] });
  const other = known.find((one) => one !== ip);
  if (other !== undefined) throw invalid({ mac_address: [`This MAC address has the address ${other} in this subnet already.`] });
  return { id: await insertReservedIp(tx, { subnet_id: subnet.id, ip, mac, comment: params.comment ?? '' }), ip };
}

type ReservedRoute = `ReservedIps.${'read' | 'create'}` | `ReservedIp.${'read' | 'update' | 'delete'}`;

export function reservedIpHandlers(context: NetworkContext): Handlers<ReservedRoute> {
  const { database } = context;
  const list = async (id?: number) => {
    const rows = await readReservedIps(database.db, id);
    const view = await networkView(context);
    return rows.filter((row) => view.subnets.has(row.subnet_id)).map((row) => body(row, view));
  };
  const show = async (id: number) => found((Number.isNaN(id) ? [] : await list(id))[0], 'ReservedIp');
  return {
    'ReservedIps.read': () => list(),
    'ReservedIp.read': ({ path }) => show(idOfText(path.id)),
    'ReservedIps.create': async ({ params, caller }) => {
      refuseOtherCell(context, params.cell);
      const id = await changeNetwork(context, caller.username, taken, async (tx) => {
        const made = await create(tx, params);
        return { did: `IP address ${made.ip} reserved for ${macText(params.mac_address)}`, value: made.id };
      });
      return show(id);
    },
    'ReservedIp.update': async ({ path, params, caller }) => {
      const now = await show(idOfText(path.id));
      const subnet = params.subnet?.replace(/^id:/, '');
      const isOther =
        (params.ip !== undefined && formatAddress(addressOf(params.ip, 'ip')) !== now.ip) ||
        (params.mac_address !== undefined && macText(params.mac_address) !== now.mac_address) ||
        (subnet !== undefined && ![String(now.subnet.id), now.subnet.cidr, now.subnet.name].includes(subnet));
      if (isOther)
        throw invalid({ __all__: ['The IP address, MAC address and subnet of a reserved IP stay: delete it and make another.'] });
      const { comment } = params;
      if (comment !== undefined) {
        await changeNetwork(context, caller.username, {}, async (tx) => {
          if (!(await updateReservedIp(tx, now.id, comment))) throw fail('not_found', { what: 'ReservedIp' });
          return { did: `Reserved IP ${now.ip} changed`, value: undefined };
        });
      }
      return show(now.id);
    },
    'ReservedIp.delete': ({ path, caller }) =>
      changeNetwork(context, caller.username, {}, async (tx) => {
        const id = idOfText(path.id);
        if (Number.isNaN(id) || !(await deleteReservedIp(tx, id))) throw fail('not_found', { what: 'ReservedIp' });
        return { did: `Reserved IP ${id} deleted`, value: undefined };
      }),
  };
}
