/**
 * `place`: something is created in one cell. Which one: `cell=`, an id among the parameters, its domain's cell, its zone's, the only cell, or the
 * only one that has the subnet or address that is named.
 */
import { fail, invalid } from '../contract/errors.ts';
import type { Route } from '../contract/route.ts';
import type { LooseCall } from '../http/dispatch.ts';
import type { GlobalReader } from '../global/document.ts';
import { cellNamed, cellNumbered, whyGone, type CellEntry } from './cell-registry.ts';
import { forward, type FrontContext, type Reach } from './front-context.ts';
import type { Fields } from './encode-call.ts';
import { cellOfFields } from './named-cells.ts';
import { cellOfSubnet } from './subnet-places.ts';

/** What global names say of where things are. */
export interface PlaceDoor {
  /** The number of the cell that a domain name is reserved for. */
  cellOfDomain(name: string): number | undefined;
  /** The name of the cell in which what is created in this zone shall be. */
  cellOfZone(name: string): string | undefined;
}

/** As the replica has it. */
export function replicaPlaces(reader: Pick<GlobalReader, 'get' | 'named'>): PlaceDoor {
  return {
    cellOfDomain: (name) => reader.get('domain_name', name)?.cell,
    cellOfZone: (name) => reader.named('zone', name)?.cell,
  };
}

/** The cell of the domain that is named, or that a whole name ends with. */
function cellOfDomains(fields: Fields, places: PlaceDoor): number | undefined {
  const named = fields['domain']?.at(-1)?.replace(/^name:/, '');
  if (named !== undefined && named !== '') return places.cellOfDomain(named.toLowerCase());
  const labels = (fields['fqdn']?.at(-1) ?? '').toLowerCase().replace(/\.$/, '').split('.').slice(0, 128);
  for (let at = 0; at < labels.length; at += 1) {
    const cell = places.cellOfDomain(labels.slice(at).join('.'));
    if (cell !== undefined) return cell;
  }
  return undefined;
}

/** @throws Failure `unplaced` when nothing says where. */
async function placeOf(context: FrontContext, route: Pick<Route, 'errors'>, call: LooseCall, places: PlaceDoor): Promise<CellEntry> {
  const { registry } = context;
  const { fields } = call;
  const named = fields['cell']?.at(-1);
  const cells = registry.list().filter((cell) => !refusesNew(cell, route));
  const names = cells.map((cell) => cell.name);
  if (named !== undefined && named !== '') {
    const cell = cellNamed(registry, named);
    if (cell) return cell;
    throw invalid({ cell: [`No such cell: '${named}'. There are: ${names.join(', ')}.`] });
  }
  const number = cellOfFields(fields) ?? cellOfDomains(fields, places);
  if (number !== undefined) {
    const cell = cellNumbered(registry, number);
    if (cell) return cell;
    throw whyGone(registry, { number }) ?? fail('bad_request', { reason: 'An id in this request belongs to a cell that there is not.' });
  }
  const ofZone = places.cellOfZone(fields['zone']?.at(-1) ?? '');
  if (ofZone !== undefined) {
    const cell = cellNamed(registry, ofZone);
    if (cell) return cell;
    throw whyGone(registry, { name: ofZone }) ?? fail('unplaced', { cells: names.join(', ') });
  }
  const [only, ...more] = cells;
  if (only && more.length === 0) return only;
  const ofSubnet = await cellOfSubnet(context, call);
  if (ofSubnet) return ofSubnet;
  throw fail('unplaced', { cells: names.join(', ') });
}

/** What a drained cell refuses is what can answer `drained`. */
function refusesNew({ drained }: CellEntry, { errors }: Pick<Route, 'errors'>): boolean {
  return drained && errors.includes('drained');
}

/** `cell` is the front's own parameter and does not go on. */
export function reachPlace(places: PlaceDoor): Reach {
  return async (context, { route }, call) => {
    const cell = await placeOf(context, route, call, places);
    if (refusesNew(cell, route)) throw fail('drained', { cell: cell.name });
    const { cell: _, ...fields } = call.fields;
    return forward(context, route, call, cell, { ...call, fields });
  };
}
