/** Devices: anybody adds them, their owner or an admin changes them. Lists of them are in nodes.ts. */
import { fail, invalid } from '../../contract/errors.ts';
import { isSystemId } from '../../contract/ids.ts';
import type { Handlers } from '../../http/handler.ts';
import { TransactionConflict, UniqueViolation } from '../../postgres/database-errors.ts';
import type { CellDb } from '../db/cell-db.ts';
import {
  changeDevice,
  deleteDevice,
  insertDevice,
  isAncestor,
  lockDevice,
  mergeDeviceKeys,
  readDevice,
  tellOfDevicesOn,
  unlinkDevice,
  type NewDevice,
} from '../db/device-store.ts';
import { record } from '../db/event-store.ts';
import { hostOfMac } from '../db/interface-store.ts';
import { likelyVlan } from '../db/machine-guard.ts';
import { drawSystemId } from '../db/machine-identity.ts';
import { defaultDomain } from '../db/metadata-store.ts';
import { holdNode } from '../db/node-store.ts';
import { deviceBody, type DeviceBody } from './device-body.ts';
import type { Asker } from './judge-action.ts';
import { domainOf, placeOf } from './machine-create.ts';
import { dictionary } from './machine-marks.ts';
import { networkBodies } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';
import { refuseOtherCell } from './network-view.ts';
import { macText } from './subnet-address.ts';

interface DeviceCall {
  readonly path: { readonly system_id: string };
  readonly caller: Asker;
}

const missing = () => fail('not_found', { what: 'Device' });
/** A made-up name may be taken; the second one carries the system_id. */
const nameAttempts = 2;

/** @throws Failure `not_found`. */
export async function deviceBodyOf(
  { database, global }: Pick<NetworkContext, 'database' | 'global'>,
  systemId: string,
): Promise<DeviceBody> {
  const { device, networks } = isSystemId(systemId) ? await readDevice(database.db, systemId) : {};
  if (!device || !networks) throw missing();
  return deviceBody(device, { global, networks: networkBodies(networks, global) });
}

/** What a name or MAC address that is taken is answered with; anything else is thrown on. */
async function explainTaken(db: CellDb, error: unknown, macs: readonly string[]): Promise<never> {
  if (error instanceof TransactionConflict) throw fail('conflict', { what: 'this' });
  if (!(error instanceof UniqueViolation)) throw error;
  if (error.constraint === 'node_name') throw invalid({ hostname: ['Node with this Hostname already exists.'] });
  for (const mac of macs) {
    const host = await hostOfMac(db, mac);
    if (host !== undefined) throw invalid({ mac_addresses: [`MAC address ${mac} is already in use by ${host}.`] });
  }
  throw error;
}

/** The node that a device lives on; null for none. It stays until the transaction ends. @throws Failure `invalid`. */
async function parentOf(tx: CellDb, text: string | undefined, systemId: string): Promise<string | null> {
  if (text === undefined || text === '') return null;
  if (!isSystemId(text) || !(await holdNode(tx, text))) throw invalid({ parent: [`Unable to find node ${text}.`] });
  if (await isAncestor(tx, systemId, text)) throw invalid({ parent: ['A device cannot live on itself.'] });
  return text;
}

/**
 * One transaction on a device whose row is locked, and its event; `work` says in words what it did, and nothing when it did nothing.
 * @throws Failure `not_found`, `not_owner`, `forbidden`; `invalid` for a name that is taken.
 */
async function changing(
  { database, killPoint }: Pick<NetworkContext, 'database' | 'killPoint'>,
  { path, caller }: DeviceCall,
  kind: 'device_updated' | 'device_deleted',
  work: (tx: CellDb, device: { readonly hostname: string }) => Promise<string | undefined>,
): Promise<void> {
  const systemId = path.system_id;
  try {
    await database.transaction(async (tx) => {
      const device = isSystemId(systemId) ? await lockDevice(tx, systemId) : undefined;
      if (!device) throw missing();
      if (!caller.admin && device.owner !== caller.username)
        throw device.owner === null ? fail('forbidden') : fail('not_owner', { what: `Device ${systemId}` });
      const description = await work(tx, device);
      if (description !== undefined) await record(tx, { kind, systemId, username: caller.username, description });
      killPoint('api_device:after-effect');
    });
  } catch (error) {
    await explainTaken(database.db, error, []);
  }
}

/** Forget a device. @throws Failure `not_found`, `not_owner`, `forbidden`. */
export function forgetDevice(context: NetworkContext, call: DeviceCall): Promise<void> {
  return changing(context, call, 'device_deleted', async (tx, { hostname }) => {
    await tellOfDevicesOn(tx, call.path.system_id, call.caller.username);
    await deleteDevice(tx, call.path.system_id);
    return hostname;
  });
}

type DeviceRoute =
  | 'Devices.create'
  | `Device.${'read' | 'update' | 'delete' | 'set_owner_data' | 'set_workload_annotations'}`
  | `Device.restore_${'default' | 'networking'}_configuration`;

export function deviceHandlers(context: NetworkContext): Handlers<DeviceRoute> {
  const { database, global, scripts } = context;

  const write = async (
    call: DeviceCall & { readonly free: Readonly<Record<string, readonly string[]>> },
    column: 'owner_data' | 'workload_annotations',
  ) => {
    const given = dictionary(call.free);
    await changing(context, call, 'device_updated', async (tx) => {
      await mergeDeviceKeys(tx, call.path.system_id, column, given);
      return `${column}: ${Object.keys(given).join(', ').slice(0, 1024)}`;
    });
    return deviceBodyOf(context, call.path.system_id);
  };
  const restore = async (call: DeviceCall) => {
    await changing(context, call, 'device_updated', async (tx) => {
      await unlinkDevice(tx, call.path.system_id);
      return 'networking configuration restored';
    });
    return deviceBodyOf(context, call.path.system_id);
  };

  return {
    'Devices.create': async ({ params, caller }) => {
      refuseOtherCell(context, params.cell);
      const macs = [...new Set(params.mac_addresses.map(macText))];
      const zoneId = placeOf(global, 'zone', params.zone);
      const domainId = (await domainOf(database.db, params.domain)) ?? (await defaultDomain(database.db));
      const [systemId, vlanId] = [await drawSystemId(database.db), await likelyVlan(database.db)];
      const device: Omit<NewDevice, 'hostname' | 'parent'> = {
        systemId,
        domainId,
        description: params.description ?? '',
        owner: caller.username,
        zoneId,
        macs,
        vlanId,
      };
      for (let attempt = 0; ; attempt += 1) {
        try {
          const hostname = params.hostname ?? scripts.hostName(systemId, attempt);
          await database.transaction(async (tx) => {
            await insertDevice(tx, { ...device, hostname, parent: await parentOf(tx, params.parent, systemId) });
            context.killPoint('api_device:after-effect');
          });
          break;
        } catch (error) {
          const isMadeUp = params.hostname === undefined && error instanceof UniqueViolation && error.constraint === 'node_name';
          if (!isMadeUp || attempt + 1 >= nameAttempts) await explainTaken(database.db, error, macs);
        }
      }
      return deviceBodyOf(context, systemId);
    },
    'Device.read': ({ path }) => deviceBodyOf(context, path.system_id),
    'Device.update': async (call) => {
      const { hostname, description, domain, parent, zone } = call.params;
      const given = { hostname, description, zone_id: placeOf(global, 'zone', zone), domain_id: await domainOf(database.db, domain) };
      await changing(context, call, 'device_updated', async (tx) => {
        const set = {
          ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
          ...(parent === undefined ? {} : { parent: await parentOf(tx, parent, call.path.system_id) }),
        };
        const names = Object.keys(set);
        if (names.length === 0) return undefined;
        await changeDevice(tx, call.path.system_id, set);
        return names.map((name) => name.replace(/_id$/, '')).join(', ');
      });
      return deviceBodyOf(context, call.path.system_id);
    },
    'Device.delete': (call) => forgetDevice(context, call),
    'Device.restore_default_configuration': restore,
    'Device.restore_networking_configuration': restore,
    'Device.set_owner_data': (call) => write(call, 'owner_data'),
    'Device.set_workload_annotations': (call) => write(call, 'workload_annotations'),
  };
}
