/** Handlers of what is asked of all interfaces of a machine at once. */
import { settingOf } from '../../global/api/settings.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import { record } from '../db/event-store.ts';
import { forgetGateways } from '../db/interface-store.ts';
import { resetNetwork } from '../db/machine-network.ts';
import { applyLayout, layoutNamed } from '../storage/layouts.ts';
import type { ApiContext } from './api-context.ts';
import { changePart, type PartCall } from './machine-part.ts';
import { machineBodyOf } from './machine-page.ts';
import { byAdmin, changeStorage } from './storage-change.ts';

type Route = `Machine.${'clear_default_gateways' | 'restore_networking_configuration' | 'restore_default_configuration'}`;

export function machineNetworkingHandlers(context: ApiContext): Handlers<Route> {
  async function change(call: PartCall, did: string, work: (tx: CellDb, systemId: string) => Promise<void>) {
    const systemId = call.path.system_id;
    await changePart(context, call, 'interface_changed', {}, async (tx) => {
      await work(tx, systemId);
      return { did, value: undefined };
    });
    return machineBodyOf(context, systemId);
  }
  return {
    'Machine.clear_default_gateways': (call) => change(call, 'Default gateways forgotten', forgetGateways),
    'Machine.restore_networking_configuration': (call) => change(call, 'Network restored', resetNetwork),
    'Machine.restore_default_configuration': async (call) => {
      const systemId = call.path.system_id;
      const layout = layoutNamed(settingOf(context.global, 'default_storage_layout'));
      await changeStorage(context, call, byAdmin('restore the default configuration'), async (storage, make, tx) => {
        await resetNetwork(tx, systemId);
        await record(tx, { kind: 'interface_changed', systemId, username: call.caller.username, description: 'Network restored' });
        return {
          did: `Storage layout ${layout}, as after commissioning`,
          storage: applyLayout(storage, layout, {}, make),
          value: undefined,
        };
      });
      return machineBodyOf(context, systemId);
    },
  };
}
