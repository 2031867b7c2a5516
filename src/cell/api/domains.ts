/** DNS domains of the cell. */
import { fail } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { deleteDomain, insertDomain, setDefaultDomain, updateDomain } from '../db/domain-store.ts';
import { readNetworks } from '../db/network-read.ts';
import type { NetworkContext } from './network-context.ts';
import { changeNetwork, found, idOfText, networkView, refuseOtherCell } from './network-view.ts';
import { refusingInUse } from './fabrics.ts';

const taken = { domain_name_key: { name: ['Domain with this Name already exists.'] } };

type DomainRoute = `Domains.${'read' | 'create'}` | `Domain.${'read' | 'update' | 'delete' | 'set_default'}`;

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
    'Domain.read': ({ path }) => show(idOfText(path.id)),
    'Domains.create': async ({ params, caller }) => {
      refuseOtherCell(context, params.cell);
      const { authoritative = true, ttl = null } = params;
      const name = params.name.toLowerCase();
      refuseUnreserved(name, caller.via);
      return show(
        await changeNetwork(context, caller.username, taken, async (tx) => {
          const value = await insertDomain(tx, { name, authoritative, ttl });
          return { did: `Domain ${name} created`, value };
        }),
      );
    },
    'Domain.update': async ({ path, params, caller }) => {
      const id = idOfText(path.id);
      const set = { ...params, ...(params.name === undefined ? {} : { name: params.name.toLowerCase() }) };
      const before = set.name === undefined ? undefined : (await networkView(context)).domains.get(id)?.name;
      if (set.name !== undefined && set.name !== before) refuseUnreserved(set.name, caller.via);
      await changeNetwork(context, caller.username, taken, async (tx) => {
        if (Number.isNaN(id) || !(await updateDomain(tx, id, set))) throw fail('not_found', { what: 'Domain' });
        return { did: `Domain ${id} changed`, value: undefined };
      });
      return show(id);
    },
    'Domain.set_default': async ({ path, caller }) => {
      const id = idOfText(path.id);
      await changeNetwork(context, caller.username, {}, async (tx) => {
        const domain = found((await readNetworks(tx)).domains.get(id), 'Domain');
        if (!(await setDefaultDomain(tx, id))) throw fail('not_found', { what: 'Domain' });
        return { did: `Domain ${domain.name} is the default domain`, value: undefined };
      });
      return show(id);
    },
    'Domain.delete': ({ path, caller }) =>
      changeNetwork(context, caller.username, {}, async (tx) => {
        const domain = found((await readNetworks(tx)).domains.get(idOfText(path.id)), 'Domain');
        if (domain.is_default) throw fail('bad_request', { reason: 'This domain is the default domain, it cannot be deleted.' });
        const { records } = domain;
        const by = records > 0 ? `${records} ${records === 1 ? 'machine' : 'machines'}` : undefined;
        const isGone = await refusingInUse(`Domain ${domain.name}`, by, () => deleteDomain(tx, domain.id));
        if (!isGone) throw fail('conflict', { what: `domain ${domain.name}` });
        return { did: `Domain ${domain.name} deleted`, value: undefined };
      }),
  };
}
