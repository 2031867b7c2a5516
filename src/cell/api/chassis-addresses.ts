/** Which BMCs `op=add_chassis` is to ask. Pure. */
import { invalid } from '../../contract/errors.ts';
import { formatIpv4, isHostOf, parseIpv4, parseSubnet } from '../../contract/ipv4.ts';
import { mostAddresses } from '../../contract/resources/machine-chassis.ts';

function range(first: number, last: number): string[] {
  const count = last - first + 1;
  if (count > mostAddresses) throw invalid({ hostname: [`These are ${count} addresses; one call tries at most ${mostAddresses}.`] });
  return Array.from({ length: count }, (_, index) => formatIpv4(first + index));
}

/**
 * `10.0.0.10-10.0.0.40` and `10.0.0.0/28` are all their addresses, anything else is one host or URL.
 * @throws Failure `invalid` for a range that is none, or one of more than 256 addresses.
 */
export function chassisAddresses(hostname: string): string[] {
  const text = hostname.trim();
  const [from = '', to] = text.split('-').map((part) => part.trim());
  const first = parseIpv4(from);
  if (to !== undefined && first !== undefined) {
    const last = parseIpv4(to);
    if (last === undefined || last < first) throw invalid({ hostname: ['A range is two IPv4 addresses, the lower one first.'] });
    return range(first, last);
  }
  const subnet = /^[0-9.]+\/\d+$/.test(text) ? parseSubnet(text) : undefined;
  if (subnet !== undefined) return range(subnet.first, subnet.last).filter((address) => isHostOf(subnet, parseIpv4(address) ?? 0));
  if (/[\s,]/.test(text) || /^[0-9.]+\/\d+$/.test(text))
    throw invalid({ hostname: ['Enter one address, a range such as 10.0.0.10-10.0.0.40, or a network.'] });
  return [text];
}
