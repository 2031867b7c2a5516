/** DNS records that are no addresses. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import {
  deleteDnsRecord,
  ensureDnsResource,
  insertDnsRecord,
  lockDnsResource,
  readDnsResources,
  updateDnsRecord,
  type DnsRecordRow,
  type DnsResourceRow,
} from '../db/dns-store.ts';
import { readNetworks } from '../db/network-read.ts';
import { fqdnOf, fullyNamedBy } from './dns-name.ts';
import { recordErrors, togetherError } from './dns-record.ts';
import { choiceOf, recordBody } from './dns-resources.ts';
import type { NetworkContext } from './network-context.ts';
import { changeNetwork, found, idOfText, refuseOtherCell } from './network-view.ts';

interface Found {
  readonly resource: DnsResourceRow;
  readonly record: DnsRecordRow;
}

async function findRecord(db: CellDb, text: string): Promise<Found> {
  const recordId = idOfText(text);
  const [resource] = Number.isNaN(recordId) ? [] : await readDnsResources(db, { recordId });
  const record = resource?.records.find((one) => one.id === recordId);
  if (!resource || !record) throw fail('not_found', { what: 'DNSResourceRecord' });
  return { resource, record };
}

/** The name's row is locked. @throws Failure `invalid` when the record cannot be beside what is there. */
export async function refuseBeside(tx: CellDb, resourceId: number, rrtype: string, instead?: number): Promise<void> {
  const [resource] = await readDnsResources(tx, { id: resourceId });
  const others = (resource?.records ?? []).filter((record) => record.id !== instead).map((record) => record.rrtype);
  const wrong = togetherError([...others, ...(resource?.addresses ?? []).map(() => 'A'), rrtype]);
  if (wrong !== undefined) throw invalid({ __all__: [wrong] });
}

function checked(rrtype: string, rrdata: string): { readonly rrtype: string; readonly rrdata: string } {
  const type = rrtype.toUpperCase();
  const errors = recordErrors(type, rrdata);
  if (errors) throw invalid(errors);
  return { rrtype: type, rrdata: type === 'TXT' ? rrdata : rrdata.trim() };
}

type RecordRoute = `DNSResourceRecords.${'read' | 'create'}` | `DNSResourceRecord.${'read' | 'update' | 'delete'}`;

export function dnsResourceRecordHandlers(context: NetworkContext): Handlers<RecordRoute> {
  const { db } = context.database;
  const show = async (text: string) => {
    const { resource, record } = await findRecord(db, text);
    return recordBody(resource, record);
  };
  return {
    'DNSResourceRecords.read': async ({ params }) => {
      const choice = await choiceOf(context, params);
      const rows = choice ? await readDnsResources(db, choice) : [];
      const all = rows.flatMap((row) => row.records.map((record) => recordBody(row, record)));
      return all.filter((record) => choice?.rrtype === undefined || record.rrtype === choice.rrtype);
    },
    'DNSResourceRecord.read': ({ path }) => show(path.id),
    'DNSResourceRecords.create': async ({ params, caller }) => {
      refuseOtherCell(context, params.cell);
      const { rrtype, rrdata } = checked(params.rrtype, params.rrdata);
      const id = await changeNetwork(context, caller.username, {}, async (tx) => {
        const { domain, name } = fullyNamedBy(await readNetworks(tx), params);
        const resourceId = await ensureDnsResource(tx, domain.id, name);
        await refuseBeside(tx, resourceId, rrtype);
        const value = await insertDnsRecord(tx, resourceId, { rrtype, rrdata, ttl: params.ttl || null });
        return { did: `DNS record ${rrtype} of ${fqdnOf(name, domain.name)} created`, value };
      });
      return show(String(id));
    },
    'DNSResourceRecord.update': async ({ path, params, caller }) => {
      await changeNetwork(context, caller.username, {}, async (tx) => {
        const { resource, record } = await findRecord(tx, path.id);
        const { rrtype, rrdata } = checked(params.rrtype ?? record.rrtype, params.rrdata ?? record.rrdata);
        if (!(await lockDnsResource(tx, resource.id))) throw fail('not_found', { what: 'DNSResourceRecord' });
        await refuseBeside(tx, resource.id, rrtype, record.id);
        const ttl = params.ttl === undefined ? record.ttl : params.ttl || null;
        found((await updateDnsRecord(tx, record.id, { rrtype, rrdata, ttl })) || undefined, 'DNSResourceRecord');
        return { did: `DNS record ${record.id} changed`, value: undefined };
      });
      return show(path.id);
    },
    'DNSResourceRecord.delete': ({ path, caller }) =>
      changeNetwork(context, caller.username, {}, async (tx) => {
        const id = idOfText(path.id);
        if (Number.isNaN(id) || !(await deleteDnsRecord(tx, id))) throw fail('not_found', { what: 'DNSResourceRecord' });
        return { did: `DNS record ${id} deleted`, value: undefined };
      }),
  };
}
