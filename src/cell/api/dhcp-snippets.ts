/** DHCP snippets. Whether Kea takes a value is asked before it is kept: a snippet never takes DHCP from a network. */
import { fail, invalid } from '../../contract/errors.ts';
import { maasTime } from '../../contract/maas-time.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import {
  addSnippetValue,
  deleteDhcpSnippet,
  forgetLaterValues,
  insertDhcpSnippet,
  lockDhcpSnippet,
  readDhcpSnippets,
  updateDhcpSnippet,
  type DhcpSnippetRow,
  type SnippetSettings,
} from '../db/dhcp-snippet-store.ts';
import { readRanges, type IpRangeRow } from '../db/ip-range-store.ts';
import { readNetworks } from '../db/network-read.ts';
import { holdNode } from '../db/node-store.ts';
import { rangeBody } from './ip-ranges.ts';
import { uri, type NetworkBodies } from './network-body.ts';
import type { NetworkContext, SnippetPlace } from './network-context.ts';
import { changeNetwork, found, idOfText, networkView, refuseOtherCell } from './network-view.ts';
import { subnetBy } from './specifier.ts';

type Place = Pick<SnippetSettings, 'node' | 'subnet_id' | 'ip_range_id'>;
type PlaceParams = Pick<RouteParams<'DHCPSnippet.update'>, 'node' | 'subnet' | 'iprange' | 'global_snippet'>;

const nowhere: Place = { node: null, subnet_id: null, ip_range_id: null };

/** Where it is for, by what was given; `now` when nothing was. @throws Failure `invalid`. */
async function placeOf(tx: CellDb, params: PlaceParams, now: Place): Promise<Place> {
  const { node = '', subnet = '', iprange = '', global_snippet } = params;
  const isPlaced = node !== '' || subnet !== '' || iprange !== '';
  if (global_snippet === true) {
    if (isPlaced) throw invalid({ __all__: ['A global snippet has no node, subnet or iprange.'] });
    return nowhere;
  }
  if (node !== '' && (subnet !== '' || iprange !== '')) throw invalid({ __all__: ['Only one of node and subnet can be set.'] });
  if (node !== '') {
    if (!(await holdNode(tx, node))) throw invalid({ node: [`Node with system id ${node.slice(0, 100)} does not exist.`] });
    return { ...nowhere, node };
  }
  if (iprange !== '') {
    const id = idOfText(iprange.replace(/^id:/, ''));
    const [range] = Number.isNaN(id) ? [] : await readRanges(tx, { id });
    if (range?.type !== 'dynamic') throw invalid({ iprange: [`There is no dynamic range ${iprange.slice(0, 100)}.`] });
    if (subnet !== '' && subnetBy(await readNetworks(tx), subnet).id !== range.subnet_id)
      throw invalid({ iprange: ['The range is in another subnet.'] });
    return { node: null, subnet_id: range.subnet_id, ip_range_id: range.id };
  }
  return subnet === '' ? now : { ...nowhere, subnet_id: subnetBy(await readNetworks(tx), subnet).id };
}

function kindOf({ node, subnet_id, ip_range_id }: Place): SnippetPlace {
  if (node !== null) return 'node';
  return ip_range_id !== null ? 'range' : subnet_id !== null ? 'subnet' : 'global';
}

interface View {
  readonly networks: NetworkBodies;
  readonly ranges: ReadonlyMap<number, IpRangeRow>;
}

function snippetBody(context: NetworkContext, row: DhcpSnippetRow, { networks, ranges }: View) {
  const [current, ...history] = row.values;
  const range = row.ip_range_id === null ? undefined : ranges.get(row.ip_range_id);
  const { id, name, description, enabled, node } = row;
  return {
    id,
    name,
    value: current?.value ?? '',
    history: history.map((one) => ({ id: one.id, value: one.value, created: maasTime(new Date(one.created)) })),
    description,
    enabled,
    node:
      node === null
        ? null
        : {
            system_id: node,
            hostname: row.hostname ?? '',
            node_type: row.node_type ?? 0,
            resource_uri: uri(row.node_type === 1 ? 'devices' : 'machines', node),
          },
    subnet: (row.subnet_id === null ? undefined : networks.subnets.get(row.subnet_id)) ?? null,
    iprange: range ? rangeBody(context, range, networks) : null,
    global_snippet: node === null && row.subnet_id === null,
    resource_uri: uri('dhcp-snippets', id),
  };
}

/** The entry that `to` means: an id, or how many back. @throws Failure `invalid`. */
function entryOf(row: DhcpSnippetRow, to: number): DhcpSnippetRow['values'][number] {
  const entry = to < 0 ? row.values[-to] : row.values.find((one) => one.id === to);
  if (entry) return entry;
  throw invalid({ to: [to < 0 ? `Goes too far back: there are ${row.values.length - 1} former values.` : `${to} not found in history.`] });
}

type SnippetRoute = `DHCPSnippets.${'read' | 'create'}` | `DHCPSnippet.${'read' | 'update' | 'delete' | 'revert'}`;

export function dhcpSnippetHandlers(context: NetworkContext): Handlers<SnippetRoute> {
  const { database } = context;
  const list = async (id?: number) => {
    const rows = await readDhcpSnippets(database.db, id);
    const ranges = rows.some((row) => row.ip_range_id !== null) ? await readRanges(database.db) : [];
    const view = { networks: await networkView(context), ranges: new Map(ranges.map((range) => [range.id, range])) };
    return rows.map((row) => snippetBody(context, row, view));
  };
  const show = async (id: number) => found((Number.isNaN(id) ? [] : await list(id))[0], 'DHCPSnippet');
  /** Before the transaction: Kea may take seconds. */
  const refuseBad = async (value: string, place: Place): Promise<void> => {
    const refused = await context.judgeSnippet(value, kindOf(place));
    if (refused !== undefined) throw invalid({ value: [`This is no DHCP snippet: ${refused}`] });
  };
  const locked = async (tx: CellDb, text: string): Promise<DhcpSnippetRow> => {
    const id = idOfText(text);
    if (Number.isNaN(id) || !(await lockDhcpSnippet(tx, id))) throw fail('not_found', { what: 'DHCPSnippet' });
    return found((await readDhcpSnippets(tx, id))[0], 'DHCPSnippet');
  };
  return {
    'DHCPSnippets.read': () => list(),
    'DHCPSnippet.read': ({ path }) => show(idOfText(path.id)),
    'DHCPSnippets.create': async ({ params, caller }) => {
      refuseOtherCell(context, params.cell);
      const { name, value, description = '', enabled = true } = params;
      await refuseBad(value, await placeOf(database.db, params, nowhere));
      const id = await changeNetwork(context, caller.username, {}, async (tx) => {
        const place = await placeOf(tx, params, nowhere);
        return {
          did: `DHCP snippet ${name} created`,
          value: await insertDhcpSnippet(tx, { name, description, enabled, ...place }, value),
        };
      });
      return show(id);
    },
    'DHCPSnippet.update': async ({ path, params, caller }) => {
      const [before] = await readDhcpSnippets(database.db, idOfText(path.id) || -1);
      const known = found(before, 'DHCPSnippet');
      await refuseBad(params.value ?? known.values[0]?.value ?? '', await placeOf(database.db, params, known));
      const id = await changeNetwork(context, caller.username, {}, async (tx) => {
        const now = await locked(tx, path.id);
        const place = await placeOf(tx, params, now);
        const { name = now.name, description = now.description, enabled = now.enabled, value } = params;
        const { node, subnet_id, ip_range_id } = place;
        await updateDhcpSnippet(tx, now.id, { name, description, enabled, node, subnet_id, ip_range_id });
        if (value !== undefined && value !== now.values[0]?.value) await addSnippetValue(tx, now.id, value);
        return { did: `DHCP snippet ${name} changed`, value: now.id };
      });
      return show(id);
    },
    'DHCPSnippet.delete': ({ path, caller }) =>
      changeNetwork(context, caller.username, {}, async (tx) => {
        const now = await locked(tx, path.id);
        await deleteDhcpSnippet(tx, now.id);
        return { did: `DHCP snippet ${now.name} deleted`, value: undefined };
      }),
    'DHCPSnippet.revert': async ({ path, params, caller }) => {
      const id = await changeNetwork(context, caller.username, {}, async (tx) => {
        const now = await locked(tx, path.id);
        await forgetLaterValues(tx, now.id, entryOf(now, params.to).id);
        return { did: `DHCP snippet ${now.name} reverted`, value: now.id };
      });
      return show(id);
    },
  };
}
