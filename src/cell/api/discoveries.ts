/** Hosts that were seen on the cell's networks, and looking for more. */
import { fail, invalid } from '../../contract/errors.ts';
import { maasTime } from '../../contract/maas-time.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { Handlers } from '../../http/handler.ts';
import { deleteNeighbours, readNeighbours, type NeighbourChoice, type NeighbourRow } from '../db/neighbour-store.ts';
import { readNetworks } from '../db/network-read.ts';
import { formatAddress, parseNetwork, type IpNetwork } from './ip-address.ts';
import { uri } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';
import { changeNetwork, found, idOfText } from './network-view.ts';
import { rackId } from './rack-id.ts';
import { addressOf, macText } from './subnet-address.ts';

/** A /20: what one ping for each address gets through in minutes. */
const mostAddresses = 4096n;

function overlap(a: IpNetwork, b: IpNetwork): IpNetwork | undefined {
  if (a.family !== b.family || a.last < b.first || b.last < a.first) return undefined;
  return a.prefix >= b.prefix ? a : b;
}

type DiscoveryRoute =
  | `Discoveries.${'read' | 'by_unknown_mac' | 'by_unknown_ip' | 'by_unknown_ip_and_mac' | 'clear' | 'clear_by_mac_and_ip' | 'scan'}`
  | 'Discovery.read';

export function discoveryHandlers(context: NetworkContext): Handlers<DiscoveryRoute> {
  const { database, cellName, cellNumber } = context;
  const { db } = database;
  const body = (row: NeighbourRow) => ({
    discovery_id: String(row.id),
    ip: row.ip,
    mac_address: row.mac,
    mac_organization: null,
    last_seen: maasTime(row.last_seen),
    hostname: row.hostname === '' ? null : row.hostname,
    fabric_name: row.fabric,
    vid: row.vid === 0 ? null : row.vid,
    observer: { system_id: row.observer, hostname: cellName, interface_id: null, interface_name: row.interface },
    resource_uri: uri('discovery', row.id),
  });
  const list = async (choice: NeighbourChoice) => (await readNeighbours(db, choice)).map(body);

  /** The parts of subnets that may and shall be scanned, IPv4 only. @throws Failure `bad_request`, `invalid`. */
  async function placesOf({ cidr = [], force = false }: RouteParams<'Discoveries.scan'>): Promise<IpNetwork[]> {
    const asked = cidr.map((text) => {
      const network = parseNetwork(text);
      if (!network) throw invalid({ cidr: [`'${text}' does not appear to be an IPv4 or IPv6 network`] });
      return network;
    });
    if (asked.length === 0 && !force) {
      const reason = 'Scanning all subnets sends packets to every address of them: name what to scan with cidr, or say force=true.';
      throw fail('bad_request', { reason });
    }
    const active = [...(await readNetworks(db)).subnets.values()].flatMap((subnet) =>
      subnet.active_discovery ? (parseNetwork(subnet.cidr) ?? []) : [],
    );
    const places = asked.length === 0 ? active : active.flatMap((subnet) => asked.flatMap((one) => overlap(one, subnet) ?? []));
    return places.filter((one) => one.family === 4);
  }

  return {
    'Discoveries.read': () => list({}),
    'Discoveries.by_unknown_mac': () => list({ unknownMac: true }),
    'Discoveries.by_unknown_ip': () => list({ unknownIp: true }),
    'Discoveries.by_unknown_ip_and_mac': () => list({ unknownMac: true, unknownIp: true }),
    'Discovery.read': async ({ path }) => {
      const id = idOfText(path.discovery_id);
      return found((Number.isNaN(id) ? [] : await list({ id }))[0], 'Discovery');
    },
    'Discoveries.clear': async ({ params, caller }) => {
      const { all = false, neighbours = false, mdns = false } = params;
      if (!all && !neighbours && !mdns) {
        throw fail('bad_request', { reason: 'Could not determine what data to clear: give mdns, neighbours or all as true.' });
      }
      if (!all && !neighbours) return;
      await changeNetwork(context, caller.username, {}, async (tx) => ({
        did: `Discoveries cleared: ${await deleteNeighbours(tx)}`,
        value: undefined,
      }));
    },
    'Discoveries.clear_by_mac_and_ip': async ({ params, caller }) => {
      const ip = formatAddress(addressOf(params.ip, 'ip'));
      const mac = macText(params.mac);
      await changeNetwork(context, caller.username, {}, async (tx) => ({
        did: `Discoveries of ${mac} at ${ip} cleared: ${await deleteNeighbours(tx, { ip, mac })}`,
        value: undefined,
      }));
    },
    'Discoveries.scan': async ({ params }) => {
      const places = await placesOf(params);
      const rack = { system_id: rackId(cellNumber), hostname: cellName };
      const atOnce = params.slow === true ? 1 : (params.threads ?? 16);
      const count = places.reduce((sum, one) => sum + (one.last - one.first + 1n), 0n);
      const ranges = places.map(({ first, last }) => ({ first, last }));
      const outcome = count === 0n ? 'elsewhere' : count > mostAddresses ? 'large' : context.scan(ranges, atOnce);
      const said = {
        started: 'Scanning is in-progress on all rack controllers.',
        busy: 'A scan was already in-progress; another scan cannot be started until it finishes.',
        large: `Nothing is scanned: at most ${mostAddresses} addresses are asked for with one call, and these are ${count}.`,
        elsewhere: 'Nothing is scanned: no subnet with active_discovery, on which this cell has an interface, is among what was asked for.',
      };
      return {
        result: said[outcome],
        scan_started_on: outcome === 'started' ? [rack] : [],
        scan_failed_on: outcome === 'busy' || outcome === 'large' ? [rack] : [],
        scan_attempted_on: outcome === 'elsewhere' ? [] : [rack],
        failed_to_connect_to: [],
        rpc_call_timed_out_on: [],
        failures: outcome === 'large' ? [{ type: 'TooManyAddresses', message: said.large }] : [],
      };
    },
  };
}
