/** Static routes: what machines on one subnet are told of how to reach another. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import { lockNetworks } from '../db/network-guard.ts';
import { readNetworks } from '../db/network-read.ts';
import {
  deleteStaticRoute,
  insertStaticRoute,
  readStaticRoutes,
  updateStaticRoute,
  type StaticRouteRow,
} from '../db/static-route-store.ts';
import { formatAddress, isHost } from './ip-address.ts';
import { uri, type NetworkBodies } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';
import { changeNetwork, found, idOfText, networkView, refuseOtherCell } from './network-view.ts';
import { subnetBy } from './specifier.ts';
import { addressOf } from './subnet-address.ts';
import { networkOf } from './subnet-settings.ts';

const taken = {
  static_route_source_id_destination_id_gateway_ip_key: {
    __all__: ['Static route with this Source, Destination and Gateway ip already exists.'],
  },
};

interface Wanted {
  readonly source: string;
  readonly destination: string;
  readonly gateway_ip: string;
  readonly metric: number;
}

/** The route's row. The networks are locked. @throws Failure `invalid`. */
async function routeOf(tx: CellDb, wanted: Wanted): Promise<Omit<StaticRouteRow, 'id'>> {
  const networks = await readNetworks(tx);
  const source = subnetBy(networks, wanted.source, 'source');
  const destination = subnetBy(networks, wanted.destination, 'destination');
  const gateway = addressOf(wanted.gateway_ip, 'gateway_ip');
  const [from, to] = [networkOf(source.cidr), networkOf(destination.cidr)];
  if (source.id === destination.id) throw invalid({ destination: ['source and destination cannot be the same subnet.'] });
  if (from.family !== to.family) throw invalid({ destination: ['source and destination must be the same IP family.'] });
  if (!isHost(from, gateway)) throw invalid({ gateway_ip: ['gateway_ip must be with in the source subnet.'] });
  return { source_id: source.id, destination_id: destination.id, gateway_ip: formatAddress(gateway), metric: wanted.metric };
}

function body(row: StaticRouteRow, { subnets }: NetworkBodies) {
  const [source, destination] = [subnets.get(row.source_id), subnets.get(row.destination_id)];
  if (!source || !destination) return [];
  return [{ id: row.id, source, destination, gateway_ip: row.gateway_ip, metric: row.metric, resource_uri: uri('static-routes', row.id) }];
}

type StaticRouteId = `StaticRoutes.${'read' | 'create'}` | `StaticRoute.${'read' | 'update' | 'delete'}`;

export function staticRouteHandlers(context: NetworkContext): Handlers<StaticRouteId> {
  const list = async (id?: number) => {
    const rows = await readStaticRoutes(context.database.db, id);
    const view = await networkView(context);
    return rows.flatMap((row) => body(row, view));
  };
  const show = async (id: number) => found((Number.isNaN(id) ? [] : await list(id))[0], 'StaticRoute');
  return {
    'StaticRoutes.read': () => list(),
    'StaticRoute.read': ({ path }) => show(idOfText(path.id)),
    'StaticRoutes.create': async ({ params, caller }) => {
      refuseOtherCell(context, params.cell);
      const id = await changeNetwork(context, caller.username, taken, async (tx) => {
        await lockNetworks(tx);
        const route = await routeOf(tx, { ...params, metric: params.metric ?? 0 });
        return { did: `Static route by ${route.gateway_ip} created`, value: await insertStaticRoute(tx, route) };
      });
      return show(id);
    },
    'StaticRoute.update': async ({ path, params, caller }) => {
      const id = idOfText(path.id);
      await changeNetwork(context, caller.username, taken, async (tx) => {
        await lockNetworks(tx);
        const [known] = Number.isNaN(id) ? [] : await readStaticRoutes(tx, id);
        const { source_id, destination_id, gateway_ip, metric } = found(known, 'StaticRoute');
        const before = { source: String(source_id), destination: String(destination_id), gateway_ip, metric };
        await updateStaticRoute(tx, { id, ...(await routeOf(tx, { ...before, ...params })) });
        return { did: `Static route ${id} changed`, value: undefined };
      });
      return show(id);
    },
    'StaticRoute.delete': ({ path, caller }) =>
      changeNetwork(context, caller.username, {}, async (tx) => {
        const id = idOfText(path.id);
        if (Number.isNaN(id) || !(await deleteStaticRoute(tx, id))) throw fail('not_found', { what: 'StaticRoute' });
        return { did: `Static route ${id} deleted`, value: undefined };
      }),
  };
}
