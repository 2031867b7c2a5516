/** DNS domains of the cell. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { deleteDomain, insertDomain, setDefaultDomain, setZoneSerial, updateDomain, useOfDomain } from '../db/domain-store.ts';
import { readNetworks } from '../db/network-read.ts';
import { domainBy } from './dns-name.ts';
import { formatAddress } from './ip-address.ts';
import type { NetworkContext } from './network-context.ts';
import { changeNetwork, found, networkView, refuseOtherCell } from './network-view.ts';
import { refusingInUse } from './fabrics.ts';
import { addressOf } from './subnet-address.ts';
import { wordsOf } from './subnet-settings.ts';

const taken = { domain_name_key: { name: ['Domain with this Name already exists.'] } };

/** Undefined when nothing was given. @throws Failure `invalid`. */
function serversOf(texts: readonly string[] | undefined): string[] | undefined {
  return texts && wordsOf(texts).map((word) => formatAddress(addressOf(word, 'forward_dns_servers')));
}

function refuseBoth(authoritative: boolean, servers: readonly string[]): void {
  if (authoritative && servers.length > 0)
    throw invalid({ __all__: ['a domain cannot be both authoritative and have forward dns servers'] });
}

function usedBy({ nodes, resources }: { readonly nodes: number; readonly resources: number }): string | undefined {
  const parts = [
    ...(nodes > 0 ? [`${nodes} ${nodes === 1 ? 'machine' : 'machines'}`] : []),
    ...(resources > 0 ? [`${resources} DNS ${resources === 1 ? 'resource' : 'resources'}`] : []),
  ];
  return parts.length > 0 ? parts.join(' and ') : undefined;
}

type DomainRoute = `Domains.${'read' | 'create' | 'set_serial'}` | `Domain.${'read' | 'update' | 'delete' | 'set_default'}`;

export function domainHandlers(context: NetworkContext): Handlers<DomainRoute> {
  const { cellNumber, global, hub } = context;
  const show = async (id: number) => found((await networkView(context)).domains.get(id), 'Domain');
  /** In a fleet the hub says whose a name is. A front has reserved it; the hub's word of it may come later than the front's call. */
  const refuseUnreserved = (name: string, via: string): void => {
    if (hub === undefined) return;
    const owner = global.get('domain_name', name)?.cell;
    if (owner !== undefined && owner !== cellNumber) {
      throw fail('in_use', { what: `The domain name ${name}`, by: `cell ${global.get('cell', owner)?.name ?? owner}` });
    }
    if (owner === undefined && via !== 'assertion') throw fail('hub_owned', { hub });
  };
  return {
    'Domains.read': async () => [...(await networkView(context)).domains.values()].toSorted((a, b) => a.id - b.id),
    'Domain.read': async ({ path }) => show(domainBy(await readNetworks(context.database.db), path.id)?.id ?? Number.NaN),
    'Domains.create': async ({ params, caller }) => {
      refuseOtherCell(context, params.cell);
      const { authoritative = true, ttl = null } = params;
      const forward_dns_servers = serversOf(params.forward_dns_servers) ?? [];
      refuseBoth(params.authoritative === true, forward_dns_servers);
      const name = params.name.toLowerCase();
      refuseUnreserved(name, caller.via);
      return show(
        await changeNetwork(context, caller.username, taken, async (tx) => {
          const value = await insertDomain(tx, {
            name,
            authoritative: authoritative && forward_dns_servers.length === 0,
            ttl,
            forward_dns_servers,
          });
          return { did: `Domain ${name} created`, value };
        }),
      );
    },
    'Domains.set_serial': ({ params, caller }) =>
      changeNetwork(context, caller.username, {}, async (tx) => {
        await setZoneSerial(tx, params.serial);
        return { did: `The serial number of DNS zones is ${params.serial}`, value: null };
      }),
    'Domain.update': async ({ path, params, caller }) => {
      const id = domainBy(await readNetworks(context.database.db), path.id)?.id ?? Number.NaN;
      const { forward_dns_servers: forwarding, ...plain } = params;
      const forward_dns_servers = serversOf(forwarding);
      refuseBoth(params.authoritative === true, forward_dns_servers ?? []);
      const set = {
        ...plain,
        ...(params.name === undefined ? {} : { name: params.name.toLowerCase() }),
        ...(forward_dns_servers === undefined ? {} : { forward_dns_servers }),
      };
      const before = set.name === undefined ? undefined : (await networkView(context)).domains.get(id)?.name;
      if (set.name !== undefined && set.name !== before) refuseUnreserved(set.name, caller.via);
      await changeNetwork(context, caller.username, taken, async (tx) => {
        if (Number.isNaN(id) || !(await updateDomain(tx, id, set))) throw fail('not_found', { what: 'Domain' });
        return { did: `Domain ${id} changed`, value: undefined };
      });
      return show(id);
    },
    'Domain.set_default': async ({ path, caller }) => {
      const id = await changeNetwork(context, caller.username, {}, async (tx) => {
        const domain = found(domainBy(await readNetworks(tx), path.id), 'Domain');
        if (!(await setDefaultDomain(tx, domain.id))) throw fail('not_found', { what: 'Domain' });
        return { did: `Domain ${domain.name} is the default domain`, value: domain.id };
      });
      return show(id);
    },
    'Domain.delete': ({ path, caller }) =>
      changeNetwork(context, caller.username, {}, async (tx) => {
        const domain = found(domainBy(await readNetworks(tx), path.id), 'Domain');
        if (domain.is_default) throw fail('bad_request', { reason: 'This domain is the default domain, it cannot be deleted.' });
        const by = usedBy(await useOfDomain(tx, domain.id));
        const isGone = await refusingInUse(`Domain ${domain.name}`, by, () => deleteDomain(tx, domain.id));
        if (!isGone) throw fail('conflict', { what: `domain ${domain.name}` });
        return { did: `Domain ${domain.name} deleted`, value: undefined };
      }),
  };
}
