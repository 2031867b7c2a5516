/** Zones: reads from memory, writes to the authority. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Reading } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { authorityOf, commit, uri, type GlobalReads, type WritesTo } from './context.ts';

/** The zone that machines are in when nobody says otherwise. */
export const defaultZone = 1;

export function zoneBody(zone: BodyOf<'zone'>) {
  const { id, name, description, cell } = zone;
  return { id, name, description, ...(cell === undefined ? {} : { cell }), resource_uri: uri('zones', name) };
}

function find(reading: Pick<Reading, 'named'>, name: string): BodyOf<'zone'> {
  const zone = reading.named('zone', name);
  if (!zone) throw fail('not_found', { what: 'Zone' });
  return zone;
}

export function zoneReads({ reader }: GlobalReads): Handlers<'Zones.read' | 'Zone.read'> {
  return {
    'Zones.read': () => reader.list('zone').map(zoneBody),
    'Zone.read': ({ path }) => zoneBody(find(reader, path.name)),
  };
}

/** The zone's cell as it is kept: no name is none. @throws Failure `invalid` when there is no such cell. */
function cellNamed(reading: Pick<Reading, 'named'>, cell: string | undefined): { cell?: string } {
  if (cell === undefined || cell === '') return {};
  if (!reading.named('cell', cell)) throw invalid({ cell: [`No such cell: '${cell}'.`] });
  return { cell };
}

function refuseTaken(reading: Pick<Reading, 'named'>, name: string, id?: number): void {
  const other = reading.named('zone', name);
  if (other && other.id !== id) throw invalid({ name: ['Physical zone with this Name already exists.'] });
}

export function zoneWrites(to: WritesTo, { reader }: GlobalReads): Handlers<'Zones.create' | 'Zone.update' | 'Zone.delete'> {
  return {
    'Zones.create': (call) =>
      commit(to, call, 'config', async (draft) => {
        const { name, description, cell } = call.params;
        refuseTaken(draft, name);
        const zone = { id: await draft.drawId(), name, description: description ?? '', ...cellNamed(draft, cell) };
        draft.put('zone', zone.id, zone);
        return zoneBody(zone);
      }),
    'Zone.update': (call) =>
      commit(to, call, 'config', (draft) => {
        const { cell: before, ...known } = find(draft, call.path.name);
        const { cell = before, ...given } = call.params;
        const zone = { ...known, ...given, ...cellNamed(draft, cell) };
        refuseTaken(draft, zone.name, zone.id);
        draft.put('zone', zone.id, zone);
        return zoneBody(zone);
      }),
    'Zone.delete': async (call) => {
      authorityOf(to);
      const zone = reader.named('zone', call.path.name);
      // Like MAAS: deleting what is not there is no error.
      if (!zone) return;
      if (zone.id === defaultZone) throw fail('bad_request', { reason: 'This zone is the default zone, it cannot be deleted.' });
      await commit(to, call, 'config', (draft) => draft.retire('zone', zone.id));
    },
  };
}
