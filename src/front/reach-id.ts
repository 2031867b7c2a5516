/** `id`: the cell is in an id of the path. What is in an absent cell is unknown, never gone. */
import { fail } from '../contract/errors.ts';
import { cellNumbered } from './cell-registry.ts';
import { forward, type Reach } from './front-context.ts';
import { cellOfPath } from './named-cells.ts';

export const reachId: Reach = async (context, { route }, call) => {
  const number = cellOfPath(route, call.path);
  const cells = context.registry.list();
  const only = cells.length === 1 ? cells[0] : undefined;
  // Names and specifiers (`cidr:10.0.0.0/24`) say no cell; where there is one cell only, that is no question.
  const cell = number === undefined ? only : cellNumbered(context.registry, number);
  if (!cell) throw fail('not_found', { what: route.handler });
  return forward(context, route, call, cell);
};
