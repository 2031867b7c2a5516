/** Names in DNS domains and their addresses. */
import { fail, invalid } from '../../contract/errors.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import {
  deleteDnsResource,
  insertDnsResource,
  lockDnsResource,
  readDnsResources,
  readNodeNames,
  setDnsAddresses,
  updateDnsResource,
  type DnsChoice,
  type DnsResourceRow,
  type NodeNameRow,
} from '../db/dns-store.ts';
import type { HeldAddress } from '../db/ip-address-store.ts';
import { readNetworks } from '../db/network-read.ts';
import { domainBy, fqdnOf, fullyNamedBy, namedBy, splitFqdn, type DnsNaming } from './dns-name.ts';
import { togetherError } from './dns-record.ts';
import { formatAddress } from './ip-address.ts';
import { ipAddressBodies } from './ip-address-body.ts';
import { uri } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';
import { changeNetwork, found, idOfText, networkView, refuseOtherCell } from './network-view.ts';
import { addressOf } from './subnet-address.ts';
import { wordsOf } from './subnet-settings.ts';

export const takenName = { dns_resource_domain_id_name_key: { __all__: ['Labels must be unique within their zone.'] } };

export function recordBody(resource: Pick<DnsResourceRow, 'name' | 'domain'>, record: DnsResourceRow['records'][number]) {
  const { id, rrtype, rrdata, ttl } = record;
  return { id, fqdn: fqdnOf(resource.name, resource.domain), rrtype, rrdata, ttl, resource_uri: uri('dnsresourcerecords', id) };
}

/** Bodies of names: one statement more, however many. */
async function resourceBodies(context: NetworkContext, rows: readonly DnsResourceRow[]) {
  const held = rows.flatMap((row) =>
    row.addresses.map((one): HeldAddress => ({ ...one, created: new Date(one.created), mac: null, interface_id: null, system_id: null })),
  );
  const addresses = await ipAddressBodies(context, held, await networkView(context));
  let at = 0;
  return rows.map((row) => ({
    id: row.id,
    fqdn: fqdnOf(row.name, row.domain),
    address_ttl: row.address_ttl,
    ip_addresses: addresses.slice(at, (at += row.addresses.length)),
    resource_records: row.records.map((record) => recordBody(row, record)),
    resource_uri: uri('dnsresources', row.id),
  }));
}

/** As MAAS shows what follows from a machine by itself: without an id, and its addresses as records. */
function nodeBody(row: NodeNameRow, rrtype: string | undefined) {
  const records = row.ips
    .map((ip) => ({
      ttl: row.ttl,
      rrtype: ip.includes(':') ? 'AAAA' : 'A',
      rrdata: ip,
      system_id: row.system_id,
      node_type: row.node_type,
    }))
    .filter((record) => rrtype === undefined || record.rrtype === rrtype);
  const fqdn = fqdnOf(row.name, row.domain);
  return { id: -1, fqdn, address_ttl: null, ip_addresses: null, resource_records: records, resource_uri: uri('dnsresources', '-1') };
}

/** What a list is to show; undefined when its domain is none of this cell. */
export async function choiceOf(
  { database }: Pick<NetworkContext, 'database'>,
  filters: DnsNaming & { readonly rrtype?: string | undefined },
): Promise<DnsChoice | undefined> {
  const { fqdn, name, domain } = filters;
  const rrtype = filters.rrtype?.toUpperCase();
  if (fqdn === undefined && domain === undefined) return { name: name?.toLowerCase(), rrtype };
  const networks = await readNetworks(database.db);
  if (name === undefined && domain === undefined) {
    const split = splitFqdn(networks, fqdn ?? '');
    return split && { domainId: split.domain.id, name: split.name, rrtype };
  }
  const within = domain === undefined ? undefined : domainBy(networks, domain);
  return domain !== undefined && !within ? undefined : { domainId: within?.id, name: name?.toLowerCase(), rrtype };
}

function addressesOf(texts: readonly string[]): string[] {
  return [...new Set(wordsOf(texts).map((word) => formatAddress(addressOf(word, 'ip_addresses'))))];
}

async function setAddresses(tx: CellDb, id: number, ips: readonly string[]): Promise<void> {
  const [resource] = await readDnsResources(tx, { id });
  const types = [...(resource?.records ?? []).map((record) => record.rrtype), ...ips.map(() => 'A')];
  const wrong = togetherError(types);
  if (wrong !== undefined) throw invalid({ __all__: [wrong] });
  await setDnsAddresses(tx, id, ips);
}

async function create(tx: CellDb, params: RouteParams<'DNSResources.create'>): Promise<{ readonly id: number; readonly fqdn: string }> {
  const { domain, name } = fullyNamedBy(await readNetworks(tx), params);
  const ips = addressesOf(params.ip_addresses ?? []);
  const id = await insertDnsResource(tx, { domain_id: domain.id, name, address_ttl: params.address_ttl || null });
  await setAddresses(tx, id, ips);
  return { id, fqdn: fqdnOf(name, domain.name) };
}

type ResourceRoute = `DNSResources.${'read' | 'create'}` | `DNSResource.${'read' | 'update' | 'delete'}`;

export function dnsResourceHandlers(context: NetworkContext): Handlers<ResourceRoute> {
  const { db } = context.database;
  const show = async (id: number) =>
    found((await resourceBodies(context, Number.isNaN(id) ? [] : await readDnsResources(db, { id })))[0], 'DNSResource');
  return {
    'DNSResources.read': async ({ params }) => {
      const choice = await choiceOf(context, params);
      if (!choice) return [];
      const kept = await resourceBodies(context, await readDnsResources(db, choice));
      if (params.all !== true) return kept;
      const implied = (await readNodeNames(db, choice)).map((row) => nodeBody(row, choice.rrtype));
      return [...kept, ...implied.filter((one) => one.resource_records.length > 0)];
    },
    'DNSResource.read': ({ path }) => show(idOfText(path.id)),
    'DNSResources.create': async ({ params, caller }) => {
      refuseOtherCell(context, params.cell);
      const id = await changeNetwork(context, caller.username, takenName, async (tx) => {
        const made = await create(tx, params);
        return { did: `DNS resource ${made.fqdn} created`, value: made.id };
      });
      return show(id);
    },
    'DNSResource.update': async ({ path, params, caller }) => {
      const id = idOfText(path.id);
      await changeNetwork(context, caller.username, takenName, async (tx) => {
        if (Number.isNaN(id) || !(await lockDnsResource(tx, id))) throw fail('not_found', { what: 'DNSResource' });
        const { domain, name } = namedBy(await readNetworks(tx), params);
        await updateDnsResource(tx, id, {
          ...(domain ? { domain_id: domain.id } : {}),
          ...(name === undefined ? {} : { name }),
          ...(params.address_ttl === undefined ? {} : { address_ttl: params.address_ttl || null }),
        });
        if (params.ip_addresses !== undefined) await setAddresses(tx, id, addressesOf(params.ip_addresses));
        return { did: `DNS resource ${id} changed`, value: undefined };
      });
      return show(id);
    },
    'DNSResource.delete': ({ path, caller }) =>
      changeNetwork(context, caller.username, {}, async (tx) => {
        const id = idOfText(path.id);
        if (Number.isNaN(id) || !(await deleteDnsResource(tx, id))) throw fail('not_found', { what: 'DNSResource' });
        return { did: `DNS resource ${id} deleted`, value: undefined };
      }),
  };
}
