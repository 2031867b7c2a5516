/** What the API of networks asks of DHCP and of the wire. */
import type { NetworkContext } from './api/network-context.ts';
import type { DhcpCare } from './dhcp-care.ts';
import type { DiscoveryCare } from './discovery-care.ts';
import { parseSnippet } from './netboot/dhcp-snippet.ts';

/** A process without DHCP judges snippets by the list of what is allowed; one without a rack interface scans nothing. */
export function networkDoors(
  dhcp?: Pick<DhcpCare, 'refusesSnippet'>,
  discovery?: Pick<DiscoveryCare, 'scan'>,
): Pick<NetworkContext, 'judgeSnippet' | 'scan'> {
  return {
    async judgeSnippet(value, place) {
      const parsed = parseSnippet({ name: '', json: value }, place);
      return 'refused' in parsed ? parsed.refused : dhcp?.refusesSnippet(value);
    },
    scan: (ranges, atOnce) => discovery?.scan(ranges, atOnce) ?? 'elsewhere',
  };
}
