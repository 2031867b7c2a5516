/**
 * The cloud-config that starts a boot for environments with cloud-init in them. With the nonce of a live ticket it holds the boot
 * credential, bound to address and boot id; without, nothing of value. User-data and keys are never served by nonce alone.
 */
import { fail } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { ticketByNonce } from '../db/ticket-store.ts';
import { checkInBoot } from './boot-check-in.ts';
import { checkVersion } from './meta-data.ts';
import type { MetadataContext } from './metadata-context.ts';

export function preseedHandlers(
  context: MetadataContext,
): Handlers<'MetadataById.get_preseed' | 'MetadataById.netboot_off' | 'EnlistPreseed.get_enlist_preseed'> {
  const { database } = context;
  // cloud-init takes one address. Where there are several, this process' own: it has just answered.
  const serviceUrl = context.serviceUrls[0] ?? '';
  return {
    'MetadataById.get_preseed': async ({ path, params, caller }) => {
      checkVersion(path.version);
      const { nonce } = params;
      if (nonce === undefined) return cloudConfig({ datasource_list: ['MAAS'] });
      // Without a boot id of its own (cloud-init draws none) the nonce itself stands for the boot: one boot, as the first one binds it.
      const bootId = params.boot_id ?? nonce;
      const ticket = await ticketByNonce(database.db, nonce);
      if (!ticket || ticket.system_id !== path.system_id) throw fail('forbidden');
      const { outcome, credential } = await checkInBoot(context, ticket, bootId, caller.address);
      if (outcome !== 'first' && outcome !== 'again') throw fail('forbidden');
      const keys = { consumer_key: credential.consumerKey, token_key: credential.tokenKey, token_secret: credential.tokenSecret };
      return cloudConfig({
        manage_etc_hosts: true,
        datasource_list: ['MAAS'],
        datasource: { MAAS: { metadata_url: `${serviceUrl}/MAAS/metadata/`, consumer_secret: '', ...keys } },
        reporting: { maas: { type: 'webhook', endpoint: `${serviceUrl}/MAAS/metadata/status/${ticket.system_id}`, ...keys } },
      });
    },
    // Answers 200 and changes nothing: what a machine boots follows from its ticket, never from an anonymous call.
    'MetadataById.netboot_off': () => 'OK',
    'EnlistPreseed.get_enlist_preseed': ({ path }) => {
      checkVersion(path.version);
      return cloudConfig({ datasource_list: ['MAAS'], datasource: { MAAS: { metadata_url: `${serviceUrl}/MAAS/metadata/enlist` } } });
    },
  };
}

function cloudConfig(config: object): string {
  return `#cloud-config\n${JSON.stringify(config, null, 1)}\n`;
}
