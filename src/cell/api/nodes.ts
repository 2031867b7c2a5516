/** What can be asked of machines, devices and controllers alike. What they are is told by their id. */
import { serialize } from 'bson';
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { TransactionConflict } from '../../postgres/database-errors.ts';
import { LostRace } from '../db/cell-db.ts';
import { readGuards } from '../db/machine-guard.ts';
import { isMacKnown, nodeTypes, setZones } from '../db/node-store.ts';
import { controllerBodyOf, readAllControllers, type ControllerList } from './controllers.ts';
import { deviceBodyOf, forgetDevice } from './devices.ts';
import { refuseChange, type Asker } from './judge-action.ts';
import { machineConditions, type FilterParams } from './machine-conditions.ts';
import { placeOf } from './machine-create.ts';
import { detailsOf } from './machine-hardware.ts';
import { machineBodyOf } from './machine-page.ts';
import { powerParametersOf } from './machine-power.ts';
import { forgetMachine } from './machine-update.ts';
import type { NetworkContext } from './network-context.ts';
import { nodeList, type ListedKinds } from './node-lists.ts';
import { forgetControllerOf } from './rack-controllers.ts';
import { mayBeRack } from './rack-id.ts';
import { macText } from './subnet-address.ts';

type Collection = 'Nodes' | 'Devices' | 'RackControllers' | 'RegionControllers';
type NodeRoute =
  | `${Collection}.${'read' | 'is_registered' | 'set_zone'}`
  | 'Machines.is_registered'
  | 'RackControllers.power_parameters'
  | `${'Device' | 'RackController' | 'RegionController'}.${'details' | 'power_parameters'}`
  | `Node.${'read' | 'delete' | 'details' | 'power_parameters'}`;

type Kind = 'machine' | 'device' | 'controller';

const everything: ListedKinds = { machines: true, devices: true, controllers: 'rackcontrollers' };

/** What MAAS calls each kind when there is none. */
const missing: Readonly<Record<Kind, string>> = { machine: 'Machine', device: 'Device', controller: 'RackController' };

export function nodeHandlers(context: NetworkContext): Handlers<NodeRoute> {
  const { database, global } = context;

  const controllerIds = async () => new Set((await readAllControllers(context)).map(({ facts }) => facts.system_id));
  /** Each of these that is there, with its kind. A controller without settings is in no table. */
  const kindsOf = async (ids: readonly string[]): Promise<ReadonlyMap<string, Kind>> => {
    const types = await nodeTypes(database.db, ids);
    const controllers = ids.some(mayBeRack) ? await controllerIds() : new Set<string>();
    return new Map(
      ids.flatMap((id): [string, Kind][] => {
        if (controllers.has(id)) return [[id, 'controller']];
        const type = types.get(id);
        return type === 0 ? [[id, 'machine']] : type === 1 ? [[id, 'device']] : [];
      }),
    );
  };
  /** @throws Failure `not_found`. */
  const kindOf = async (systemId: string, only?: Kind, what = 'Node'): Promise<Kind> => {
    const kind = (await kindsOf([systemId])).get(systemId);
    if (kind === undefined || (only !== undefined && kind !== only)) throw fail('not_found', { what });
    return kind;
  };

  const list = (call: { readonly params: FilterParams; readonly free: Readonly<Record<string, unknown>> }, kinds: ListedKinds) =>
    nodeList(context, machineConditions(global, call.params, call.free), kinds);
  const isRegistered = ({ params }: { readonly params: { readonly mac_address: string } }) =>
    isMacKnown(database.db, macText(params.mac_address));

  const setZone = async (
    { params, caller }: { readonly params: { readonly zone: string; readonly nodes: readonly string[] }; readonly caller: Asker },
    among: readonly Kind[],
  ): Promise<null> => {
    const zone = placeOf(global, 'zone', params.zone);
    if (zone === undefined) throw invalid({ zone: ['This field is required.'] });
    const ids = [...new Set(params.nodes)];
    const kinds = await kindsOf(ids);
    const unknown = ids.filter((id) => !among.some((kind) => kinds.get(id) === kind));
    if (unknown.length > 0) throw fail('bad_request', { reason: `Unknown node(s): ${unknown.join(', ')}.` });
    const of = (kind: Kind) => ids.filter((id) => kinds.get(id) === kind);
    const machines = of('machine');
    const locked = (await readGuards(database.db, machines)).map(refuseChange).find((refused) => refused !== undefined);
    if (locked) throw locked;
    try {
      await database.transaction((tx) =>
        setZones(tx, { machines, devices: of('device'), controllers: of('controller') }, { id: zone, name: params.zone }, caller.username),
      );
    } catch (error) {
      if (error instanceof LostRace || error instanceof TransactionConflict) throw fail('conflict', { what: 'one of these nodes' });
      throw error;
    }
    return null;
  };

  const details = async (systemId: string, only?: Kind, what?: string): Promise<Buffer> => {
    // Only machines tell of themselves.
    if ((await kindOf(systemId, only, what)) === 'machine') return detailsOf(context, systemId, 'Node');
    return Buffer.from(serialize({ lshw: null, lldp: null }));
  };
  const noPower = async (systemId: string, only: Kind, what: string) => {
    await kindOf(systemId, only, what);
    return {};
  };
  const controllers = (resource: ControllerList): ListedKinds => ({ controllers: resource });
  const region = 'RegionController';

  return {
    'Nodes.read': (call) => list(call, everything),
    'Devices.read': (call) => list(call, { devices: true }),
    'RackControllers.read': (call) => list(call, controllers('rackcontrollers')),
    'RegionControllers.read': (call) => list(call, controllers('regioncontrollers')),
    'Machines.is_registered': isRegistered,
    'Nodes.is_registered': isRegistered,
    'Devices.is_registered': isRegistered,
    'RackControllers.is_registered': isRegistered,
    'RegionControllers.is_registered': isRegistered,
    'Nodes.set_zone': (call) => setZone(call, ['machine', 'device', 'controller']),
    'Devices.set_zone': (call) => setZone(call, ['device']),
    'RackControllers.set_zone': (call) => setZone(call, ['controller']),
    'RegionControllers.set_zone': (call) => setZone(call, ['controller']),
    'RackControllers.power_parameters': async ({ params }) => {
      const known = await controllerIds();
      return Object.fromEntries(params.id.filter((id) => known.has(id)).map((id) => [id, {}]));
    },
    'Node.read': async ({ path }) => {
      const kind = await kindOf(path.system_id);
      if (kind === 'machine') return machineBodyOf(context, path.system_id);
      return kind === 'device' ? deviceBodyOf(context, path.system_id) : controllerBodyOf(context, path.system_id, 'rackcontrollers');
    },
    'Node.delete': async (call) => {
      const kind = await kindOf(call.path.system_id);
      if (kind === 'device') return forgetDevice(context, call);
      if (!call.caller.admin) throw fail('forbidden');
      return kind === 'machine' ? forgetMachine(context, call) : forgetControllerOf(context, call);
    },
    'Node.details': ({ path }) => details(path.system_id),
    'Device.details': ({ path }) => details(path.system_id, 'device', missing.device),
    'RackController.details': ({ path }) => details(path.system_id, 'controller', missing.controller),
    'RegionController.details': ({ path }) => details(path.system_id, 'controller', region),
    'Node.power_parameters': async ({ path, caller }) =>
      (await kindOf(path.system_id)) === 'machine' ? powerParametersOf(context, path.system_id, caller.username) : {},
    'Device.power_parameters': ({ path }) => noPower(path.system_id, 'device', missing.device),
    'RackController.power_parameters': ({ path }) => noPower(path.system_id, 'controller', missing.controller),
    'RegionController.power_parameters': ({ path }) => noPower(path.system_id, 'controller', region),
  };
}
