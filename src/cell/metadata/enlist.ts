/** Enlistment: the one anonymous call that writes. A machine makes itself known; what is known already is recognised, never duplicated. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { UniqueViolation } from '../../postgres/database-errors.ts';
import { record } from '../db/event-store.ts';
import { drawSystemId, findByIdentity, insertMachine, reportDuplicates, usableUuid, type Identity } from '../db/machine-identity.ts';
import { defaultDomain, segmentOf } from '../db/metadata-store.ts';
import { agentReply } from './agent-reply.ts';
import { hostNameFor } from './host-name.ts';
import type { MetadataContext } from './metadata-context.ts';

const architectures = ['amd64', 'arm64'];

export function enlistHandlers(context: MetadataContext): Handlers<'AgentEnlist.create'> {
  const { database, door } = context;
  return {
    'AgentEnlist.create': async ({ params, caller }) => {
      if (!architectures.includes(params.architecture)) throw invalid({ architecture: ['Architecture not recognised.'] });
      const identity: Identity = { macs: params.mac, hardwareUuid: params.hardware_uuid ?? '', serial: params.serial ?? '' };
      // A deployed disk in a machine that nobody knows: somebody's system (moved from elsewhere, or the record is lost). Hands off.
      if ((params.marker ?? '').startsWith('muster ')) return agentReply({ ACTION: 'local' });
      const segment = await segmentOf(database.db, caller.address);
      if (!segment?.enlists) throw fail('forbidden');
      const known = await findByIdentity(database.db, identity);
      if (known.length > 0) {
        if (known.length > 1) await database.transaction((tx) => reportDuplicates(tx, known, 'the hardware'));
        return agentReply({ ACTION: 'poweroff', SYSTEM_ID: known[0] ?? '' });
      }
      door.killPoint('enlist:before');
      const systemId = await add(
        identity,
        params.architecture,
        params.firmware === 'uefi' ? 'uefi' : params.firmware === 'bios' ? 'bios' : '',
        segment.vlan_id,
      );
      door.killPoint('enlist:before-reply');
      return agentReply({ ACTION: 'poweroff', SYSTEM_ID: systemId });
    },
  };

  async function add(identity: Identity, architecture: string, firmware: '' | 'bios' | 'uefi', vlanId: number): Promise<string> {
    const domainId = await defaultDomain(database.db);
    const systemId = await drawSystemId(database.db);
    for (let attempt = 0; ; attempt += 1) {
      try {
        await database.transaction(async (tx) => {
          await insertMachine(
            tx,
            {
              systemId,
              hostname: hostNameFor(systemId, attempt),
              domainId,
              architecture: `${architecture}/generic`,
              description: '',
              hardwareUuid: usableUuid(identity.hardwareUuid),
              serial: identity.serial === '' ? null : identity.serial,
              firmware,
              interfaces: identity.macs.map((mac, index) => ({ name: `eth${index}`, mac, vlanId: index === 0 ? vlanId : null })),
              bootMac: identity.macs[0],
            },
            { kind: 'machine_enlisted' },
          );
          door.killPoint('enlist:after-effect');
        });
        return systemId;
      } catch (error) {
        if (!(error instanceof UniqueViolation)) throw error;
        // The same machine enlisted twice at once: the other call won.
        const [winner] = await findByIdentity(database.db, identity);
        if (winner !== undefined) return winner;
        if (attempt > 0) throw error;
        await record(database.db, { kind: 'operation_retry', description: `the host name ${hostNameFor(systemId, attempt)} is taken` });
      }
    }
  }
}
