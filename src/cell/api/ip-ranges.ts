/** IP ranges: inside their subnet, and over nothing that somebody has. */
import { Failure, fail, invalid } from '../../contract/errors.ts';
import { userBody } from '../../global/api/users.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import { deleteRange, obstacleOf, putRange, readRanges, type IpRangeRow, type WantedRange } from '../db/ip-range-store.ts';
import { lockSubnet, type LockedSubnet } from '../db/network-guard.ts';
import { readNetworks, type SubnetRow } from '../db/network-read.ts';
import { formatAddress, isInside, parseAddress, parseNetwork, type IpAddress, type IpNetwork } from './ip-address.ts';
import { uri, type NetworkBodies } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';
import { changeNetwork, found, idOfText, networkView, refuseOtherCell } from './network-view.ts';
import { subnetBy } from './specifier.ts';
import { addressOf, subnetAround } from './subnet-address.ts';

/** MAAS's own floor: a smaller one runs out, as hosts change their DUIDs. */
const leastDynamicIpv6 = 256n;

/** @throws Failure `invalid` when this can be no range of the subnet, whatever else is in it. */
function refuseMisfit(network: IpNetwork, subnet: LockedSubnet, type: 'dynamic' | 'reserved', start: IpAddress, end: IpAddress): void {
  if (start.family !== end.family) throw invalid({ end_ip: ['Start IP address and end IP address must be in the same address family.'] });
  if (end.value < start.value) throw invalid({ end_ip: ['End IP address must not be less than Start IP address.'] });
  const outside = [...(isInside(network, start) ? [] : ['start_ip']), ...(isInside(network, end) ? [] : ['end_ip'])];
  if (outside.length > 0)
    throw invalid(Object.fromEntries(outside.map((field) => [field, [`IP addresses must be within subnet: ${subnet.cidr}.`]])));
  const hasEdges = network.last - network.first > 1n;
  if (hasEdges && start.value === network.first) throw invalid({ start_ip: ['Reserved network address cannot be included in IP range.'] });
  if (hasEdges && network.family === 4 && end.value === network.last)
    throw invalid({ end_ip: ['Broadcast address cannot be included in IP range.'] });
  if (type === 'reserved') return;
  if (network.family === 6 && end.value - start.value + 1n < leastDynamicIpv6) {
    throw invalid({ __all__: [`IPv6 dynamic range must be at least ${leastDynamicIpv6} addresses in size.`] });
  }
  const gateway = parseAddress(subnet.gateway_ip ?? '');
  if (gateway && gateway.value >= start.value && gateway.value <= end.value) {
    throw invalid({ __all__: ["Requested dynamic range conflicts with the subnet's gateway."] });
  }
}

/** The subnet that a new range is in: named, or the one that its first address lies in. */
function subnetOfRange(subnets: ReadonlyMap<number, SubnetRow>, named: string | undefined, start: IpAddress): SubnetRow {
  if (named !== undefined && named !== '') return subnetBy({ subnets }, named);
  const around = subnetAround({ subnets }, start);
  if (!around) throw invalid({ subnet: ['Unable to identify subnet by start_ip and end_ip: name it.'] });
  return around;
}

async function put(tx: CellDb, wanted: WantedRange): Promise<number> {
  const subnet = await lockSubnet(tx, wanted.subnetId);
  const network = parseNetwork(subnet?.cidr ?? '');
  if (!subnet || !network) throw fail('not_found', { what: 'Subnet' });
  refuseMisfit(network, subnet, wanted.type, addressOf(wanted.start, 'start_ip'), addressOf(wanted.end, 'end_ip'));
  const obstacle = await obstacleOf(tx, wanted);
  if (obstacle !== undefined) throw invalid({ __all__: [`Requested ${wanted.type} range conflicts with an existing ${obstacle}.`] });
  return putRange(tx, wanted);
}

/** A range as the API shows it; its subnet must be among the networks. @throws Failure `not_found`. */
export function rangeBody({ global }: Pick<NetworkContext, 'global'>, range: IpRangeRow, view: NetworkBodies) {
  const user = range.owner === null ? undefined : global.named('user', range.owner);
  return {
    id: range.id,
    type: range.type,
    start_ip: range.start_ip,
    end_ip: range.end_ip,
    comment: range.comment,
    user: user ? userBody(user) : null,
    subnet: found(view.subnets.get(range.subnet_id), 'Subnet'),
    resource_uri: uri('ipranges', range.id),
  };
}

interface Asker {
  readonly username: string;
  readonly admin: boolean;
}

/** Admins change every range, others the reserved ones that are theirs. @throws Failure `forbidden`. */
function refuseStranger(range: Pick<IpRangeRow, 'owner' | 'type'>, caller: Asker): void {
  if (caller.admin || (range.type === 'reserved' && range.owner === caller.username)) return;
  throw new Failure('forbidden', 'Unable to modify IP range. You do not own this range.');
}

type RangeRoute = `IPRanges.${'read' | 'create'}` | `IPRange.${'read' | 'update' | 'delete'}`;

export function ipRangeHandlers(context: NetworkContext): Handlers<RangeRoute> {
  const { database } = context;
  const list = async (id?: number) => {
    const ranges = await readRanges(database.db, id === undefined ? {} : { id });
    const view = await networkView(context);
    // A subnet that was deleted between the two statements took its ranges with it.
    return ranges.filter((range) => view.subnets.has(range.subnet_id)).map((range) => rangeBody(context, range, view));
  };
  const show = async (id: number) => found((Number.isNaN(id) ? [] : await list(id))[0], 'IPRange');
  return {
    'IPRanges.read': () => list(),
    'IPRange.read': ({ path }) => show(idOfText(path.id)),
    'IPRanges.create': async ({ params, caller }) => {
      refuseOtherCell(context, params.cell);
      const { type, comment = '' } = params;
      if (type === 'dynamic' && !caller.admin) throw new Failure('forbidden', 'Only admins may make dynamic ranges.');
      const [from, to] = [addressOf(params.start_ip, 'start_ip'), addressOf(params.end_ip, 'end_ip')];
      const [start, end] = [formatAddress(from), formatAddress(to)];
      const id = await changeNetwork(context, caller.username, {}, async (tx) => {
        const subnet = subnetOfRange((await readNetworks(tx)).subnets, params.subnet, from);
        const value = await put(tx, { subnetId: subnet.id, type, start, end, comment, owner: caller.username });
        return { did: `IP range ${start} to ${end} (${type}) created in ${subnet.cidr}`, value };
      });
      return show(id);
    },
    'IPRange.update': async ({ path, params, caller }) => {
      const id = idOfText(path.id);
      await changeNetwork(context, caller.username, {}, async (tx) => {
        const [seen] = Number.isNaN(id) ? [] : await readRanges(tx, { id });
        await lockSubnet(tx, found(seen, 'IPRange').subnet_id);
        // As it is now that nobody else changes it.
        const [known] = await readRanges(tx, { id });
        const before = found(known, 'IPRange');
        refuseStranger(before, caller);
        const start = params.start_ip === undefined ? before.start_ip : formatAddress(addressOf(params.start_ip, 'start_ip'));
        const end = params.end_ip === undefined ? before.end_ip : formatAddress(addressOf(params.end_ip, 'end_ip'));
        const wanted = { id, subnetId: before.subnet_id, type: before.type, start, end, comment: params.comment ?? before.comment };
        found((await put(tx, { ...wanted, owner: before.owner ?? caller.username })) || undefined, 'IPRange');
        return { did: `IP range ${before.start_ip} to ${before.end_ip} is now ${start} to ${end}`, value: id };
      });
      return show(id);
    },
    'IPRange.delete': ({ path, caller }) =>
      changeNetwork(context, caller.username, {}, async (tx) => {
        const id = idOfText(path.id);
        const [known] = Number.isNaN(id) ? [] : await readRanges(tx, { id });
        refuseStranger(found(known, 'IPRange'), caller);
        found((await deleteRange(tx, id)) || undefined, 'IPRange');
        return { did: `IP range ${id} deleted`, value: undefined };
      }),
  };
}
