/** Hardware documents, and how a machine is installed. */
import { serialize, Binary } from 'bson';
import { fail } from '../../contract/errors.ts';
import { isSystemId } from '../../contract/ids.ts';
import { stateOf } from '../../contract/lifecycle.ts';
import type { Handlers } from '../../http/handler.ts';
import { documentsOf } from '../db/hardware-store.ts';
import { readMachine } from '../db/machine-read.ts';
import { readNetworkModel } from '../db/network-model.ts';
import type { ApiContext } from './api-context.ts';
import { storageView } from './block-device-body.ts';
import { curtinConfig } from './curtin-config.ts';
import { machineBody } from './machine-body.ts';
import { machineBodyOf } from './machine-page.ts';
import { networkBodies } from './network-body.ts';

/** BSON of what is known of anything that has a system_id. @throws Failure `not_found`, which names `what`. */
export async function detailsOf({ database }: Pick<ApiContext, 'database'>, systemId: string, what: string): Promise<Buffer> {
  const documents = isSystemId(systemId) ? await documentsOf(database.db, systemId) : undefined;
  if (!documents) throw fail('not_found', { what });
  const binary = (bytes: Buffer | null) => (bytes === null ? null : new Binary(bytes));
  return Buffer.from(serialize({ lshw: binary(documents.lshw), lldp: binary(documents.lldp) }));
}

export function machineHardwareHandlers(
  context: ApiContext,
): Handlers<'Machine.details' | 'Machine.get_token' | 'Machine.get_curtin_config'> {
  return {
    'Machine.details': ({ path }) => detailsOf(context, path.system_id, 'Machine'),
    'Machine.get_token': async ({ path }) => {
      await machineBodyOf(context, path.system_id);
      return null;
    },
    'Machine.get_curtin_config': async ({ path }) => {
      const { database, global, cellName } = context;
      const { system_id: systemId } = path;
      const { machine, networks } = isSystemId(systemId) ? await readMachine(database.db, systemId) : {};
      const network = machine && (await readNetworkModel(database.db, systemId));
      if (!machine || !networks || !network) throw fail('not_found', { what: 'Machine' });
      if (!['deploying', 'deployed', 'failed_deployment'].includes(stateOf(machine.status)))
        throw fail('bad_request', { reason: `Machine ${machine.hostname} is not in a deployment state.` });
      const body = machineBody(machine, { global, cellName, networks: networkBodies(networks, global) });
      return curtinConfig(body, storageView(machine).storage, context.systemNetwork(network));
    },
  };
}
