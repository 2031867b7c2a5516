/** Static routes: none can be made yet (the contract has no creation), so a cell has none; clients list them before they allocate. */
import type { Handlers } from '../../http/handler.ts';

export function staticRouteHandlers(): Handlers<'StaticRoutes.read'> {
  return { 'StaticRoutes.read': () => [] };
}
