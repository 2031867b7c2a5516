/** `id`: the cell is in an id of the path. What is in an absent cell is unknown, never gone. */
import { fail } from '../contract/errors.ts';
import { pathNames, type Route } from '../contract/route.ts';
import { cellNumbered, whyGone } from './cell-registry.ts';
import { forward, type Reach } from './front-context.ts';
import { cellOfPath } from './named-cells.ts';

/** What the blanks that carry a cell are ids of; a plain `id` is of the route's own kind. */
const named: Readonly<Record<string, string>> = { system_id: 'Machine', fabric_id: 'Fabric', vlan_id: 'VLAN' };

/** What is not there when no cell is: what a cell would say. */
function missing(route: Pick<Route, 'path' | 'handler'>): string {
  // A node itself is named by the kind that was asked for.
  if (/^\w+\/\{system_id\}\/$/.test(route.path)) return route.handler;
  return named[pathNames(route.path)[0] ?? ''] ?? route.handler;
}

export const reachId: Reach = async (context, { route }, call) => {
  const number = cellOfPath(route, call.path);
  const cells = context.registry.list();
  const only = cells.length === 1 ? cells[0] : undefined;
  // Names and specifiers (`cidr:10.0.0.0/24`) say no cell; where there is one cell only, that is no question.
  const cell = number === undefined ? only : cellNumbered(context.registry, number);
  if (!cell) throw (number !== undefined && whyGone(context.registry, { number })) || fail('not_found', { what: missing(route) });
  return forward(context, route, call, cell);
};
