/** Which cell a domain name is reserved for. Names are kept in lower case. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Reading } from '../draft.ts';
import { authorityOf, commit, uri, type GlobalReads, type WritesTo } from './context.ts';

function nameBody(reading: Pick<Reading, 'get'>, name: string, cell: number) {
  return { name, cell: reading.get('cell', cell)?.name ?? '', resource_uri: uri('domain-names', name) };
}

/** The cell that has a name: by a reservation, or because its own default domain begins so. Retired cells have none. */
function ownerOf(reading: Pick<Reading, 'get' | 'named'>, name: string): number | undefined {
  const reserved = reading.get('domain_name', name)?.cell;
  if (reserved !== undefined && reading.get('cell', reserved)) return reserved;
  return name.includes('.') ? reading.named('cell', name.split('.')[0] ?? '')?.number : undefined;
}

export function domainNameReads({ reader }: GlobalReads): Handlers<'DomainNames.read'> {
  return { 'DomainNames.read': () => reader.entries('domain_name').map(([name, { cell }]) => nameBody(reader, name, cell)) };
}

export function domainNameWrites(to: WritesTo): Handlers<'DomainNames.create' | 'DomainName.delete'> {
  return {
    'DomainNames.create': (call) =>
      commit(to, call, 'config', (draft) => {
        const name = call.params.name.toLowerCase();
        const cell = draft.named('cell', call.params.cell);
        if (!cell) throw invalid({ cell: [`No such cell: '${call.params.cell}'.`] });
        const owner = ownerOf(draft, name);
        if (owner !== undefined && owner !== cell.number) {
          throw fail('in_use', { what: `The domain name ${name}`, by: `cell ${draft.get('cell', owner)?.name ?? owner}` });
        }
        if (draft.get('domain_name', name)?.cell !== cell.number) draft.put('domain_name', name, { cell: cell.number });
        return nameBody(draft, name, cell.number);
      }),
    'DomainName.delete': async (call) => {
      authorityOf(to);
      await commit(to, call, 'config', (draft) => {
        const name = call.path.name.toLowerCase();
        const reserved = draft.get('domain_name', name);
        const only = call.params.cell;
        if (only === undefined || (reserved && draft.named('cell', only)?.number === reserved.cell)) draft.retire('domain_name', name);
      });
    },
  };
}
