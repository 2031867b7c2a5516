/** The read half of MAAS's metadata contract: index, facts and user-data, as cloud-init's MAAS datasource asks for them (maas-api.md §5). */
import { fail } from '../../contract/errors.ts';
import { stateOf } from '../../contract/lifecycle.ts';
import { enlistingMachine, metadataVersions } from '../../contract/metadata.ts';
import type { Handlers, MachineCaller } from '../../http/handler.ts';
import { bytes, text } from '../../http/reply.ts';
import { machineFacts, type MachineFacts } from '../db/metadata-store.ts';
import { systemSeen } from '../db/ticket-store.ts';
import type { MetadataContext } from './metadata-context.ts';

type MetaDataRoutes =
  | 'MetadataIndex.read'
  | 'Metadata.read'
  | 'MetaData.read'
  | 'MetaDataItem.read'
  | 'UserData.read'
  | 'EnlistMetaData.read'
  | 'EnlistMetaDataItem.read'
  | 'EnlistUserData.read';

export function metaDataHandlers(context: MetadataContext): Handlers<MetaDataRoutes> {
  const { database, door } = context;

  async function machineOf(caller: MachineCaller, version: string): Promise<MachineFacts> {
    checkVersion(version);
    const machine = await machineFacts(database.db, caller.systemId);
    if (!machine) throw fail('not_found', { what: 'machine' });
    return machine;
  }

  function items(machine: MachineFacts): Map<string, string> {
    const keys = machine.owner === null ? [] : door.publicKeysOf(machine.owner);
    const certificates = machine.owner === null ? [] : door.certificatesOf(machine.owner);
    const facts: [string, string][] = [
      ['instance-id', machine.system_id],
      ['local-hostname', machine.fqdn],
      ...(keys.length > 0 ? [['public-keys', keys.map((key) => `${key}\n`).join('')] as [string, string]] : []),
      ['vendor-data', vendorData()],
      ...(certificates.length > 0 ? [['x509', certificates.join('')] as [string, string]] : []),
    ];
    return new Map(facts);
  }

  return {
    'MetadataIndex.read': () => metadataVersions.join('\n'),
    'Metadata.read': async ({ path, caller }) => {
      const machine = await machineOf(caller, path.version);
      return ['maas-commissioning-scripts', 'meta-data', ...(machine.user_data === null ? [] : ['user-data'])].join('\n');
    },
    'MetaData.read': async ({ path, caller }) => [...items(await machineOf(caller, path.version)).keys()].join('\n'),
    'MetaDataItem.read': async ({ path, caller }) => {
      const value = items(await machineOf(caller, path.version)).get(path.item);
      if (value === undefined) throw fail('not_found', { what: `metadata ${path.item.slice(0, 40)}` });
      return path.item === 'vendor-data' ? text(value, 'application/x-yaml; charset=utf-8') : value;
    },
    'UserData.read': async ({ path, caller }) => {
      const machine = await machineOf(caller, path.version);
      // The installed system has come up: with its own credential, which the boot credential is not.
      if (caller.credential === 'system' && ['deploying', 'deployed'].includes(stateOf(machine.status))) {
        door.killPoint('user_data:before');
        await database.transaction(async (tx) => {
          await systemSeen(tx, machine.system_id);
          door.killPoint('user_data:after-effect');
        });
        door.killPoint('user_data:before-reply');
      }
      if (machine.user_data === null) throw fail('not_found', { what: 'user-data' });
      return bytes(machine.user_data);
    },
    'EnlistMetaData.read': ({ path }) => {
      checkVersion(path.version);
      return Object.keys(enlistingMachine).join('\n');
    },
    'EnlistMetaDataItem.read': ({ path }) => {
      checkVersion(path.version);
      const value = new Map<string, string>(Object.entries(enlistingMachine)).get(path.item);
      if (value === undefined) throw fail('not_found', { what: `metadata ${path.item.slice(0, 40)}` });
      return value;
    },
    'EnlistUserData.read': ({ path }) => {
      checkVersion(path.version);
      throw fail('not_found', { what: 'user-data' });
    },
  };
}

export function checkVersion(version: string): void {
  if (!(metadataVersions as readonly string[]).includes(version))
    throw fail('not_found', { what: `metadata version ${version.slice(0, 40)}` });
}

/** cloud-init reads the key `cloud-init` of this YAML; JSON is YAML. */
function vendorData(): string {
  return JSON.stringify({ 'cloud-init': '#cloud-config\n{}\n' });
}
