/** An address that somebody asks for in a subnet, whoever it is for. */
import { fail, invalid } from '../../contract/errors.ts';
import type { CellDb } from '../db/cell-db.ts';
import { readRanges } from '../db/ip-range-store.ts';
import { lockSubnet, type LockedSubnet } from '../db/network-guard.ts';
import { readNetworks, type Networks, type SubnetRow } from '../db/network-read.ts';
import { formatAddress, isHost, isInside, parseAddress, type IpAddress } from './ip-address.ts';
import { subnetBy } from './specifier.ts';
import { networkOf } from './subnet-settings.ts';

/** @throws Failure `invalid` on `field`. */
export function addressOf(text: string, field: string): IpAddress {
  const address = parseAddress(text.trim());
  if (!address) throw invalid({ [field]: ['Enter a valid IPv4 or IPv6 address.'] });
  return address;
}

/** The subnet of the cell in which this address lies. */
export function subnetAround(networks: Pick<Networks, 'subnets'>, address: IpAddress): SubnetRow | undefined {
  return [...networks.subnets.values()].find((subnet) => isInside(networkOf(subnet.cidr), address));
}

/** The subnet that is named, or the one around the address; locked. @throws Failure `invalid`, `bad_request`. */
export async function lockedSubnetFor(tx: CellDb, named: string | undefined, address: IpAddress | undefined): Promise<LockedSubnet> {
  const networks = await readNetworks(tx);
  const subnet = named !== undefined && named !== '' ? subnetBy(networks, named) : address && subnetAround(networks, address);
  if (!subnet) {
    if (!address) throw fail('bad_request', { reason: 'Must supply either a subnet or an ip.' });
    throw invalid({ ip: [`No subnet of this cell has the address ${formatAddress(address)}: create the subnet first.`] });
  }
  const locked = await lockSubnet(tx, subnet.id);
  if (!locked) throw fail('not_found', { what: 'Subnet' });
  return locked;
}

/** @throws Failure `invalid` on `field` when no host of the subnet may have it. */
export function refuseMisplaced(subnet: LockedSubnet, address: IpAddress, field: string): void {
  if (!isHost(networkOf(subnet.cidr), address)) throw invalid({ [field]: [`IP address is not in the given subnet '${subnet.cidr}'.`] });
  if (formatAddress(address) === subnet.gateway_ip) throw invalid({ [field]: ["IP address is the subnet's gateway."] });
}

/** @throws Failure `invalid` on `field` when DHCP gives it out. */
export async function refuseDynamic(tx: CellDb, subnet: LockedSubnet, address: IpAddress, field: string): Promise<void> {
  const range = (await readRanges(tx, { subnetId: subnet.id })).find((one) => {
    const [start, end] = [parseAddress(one.start_ip), parseAddress(one.end_ip)];
    return one.type === 'dynamic' && start !== undefined && end !== undefined && address.value >= start.value && address.value <= end.value;
  });
  if (range) throw invalid({ [field]: [`IP address is inside the dynamic range ${range.start_ip} to ${range.end_ip}.`] });
}

/** Lower case with colons. */
export function macText(text: string): string {
  return text.toLowerCase().replaceAll('-', ':');
}
