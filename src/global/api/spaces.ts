/** Spaces: the names are global, the networks in them come from the cell through a door. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Reading } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { authorityOf, commit, idOfPath, uri, type GlobalReads, type SpaceDoor, type WritesTo } from './context.ts';

/** The space of VLANs that are in none. */
const undefinedSpace = { id: -1, name: 'undefined', description: '' } as const;
const nothing: SpaceDoor = { networksOf: async () => ({ vlans: [], subnets: [] }) };

async function spaceBody(door: SpaceDoor, space: { readonly id: number; readonly name: string; readonly description: string }) {
  const networks = await door.networksOf(space.id < 0 ? null : space.id);
  return { id: space.id, name: space.name, description: space.description, ...networks, resource_uri: uri('spaces', space.id) };
}

function find(reading: Pick<Reading, 'get' | 'named'>, idOrName: string): BodyOf<'space'> {
  const space = reading.get('space', idOfPath(idOrName)) ?? reading.named('space', idOrName);
  if (!space) throw fail('not_found', { what: 'Space' });
  return space;
}

export function spaceReads({ reader, spaces = nothing }: GlobalReads): Handlers<'Spaces.read' | 'Space.read'> {
  return {
    'Spaces.read': async () => {
      const known = await Promise.all(reader.list('space').map((space) => spaceBody(spaces, space)));
      const rest = await spaceBody(spaces, undefinedSpace);
      return rest.vlans.length > 0 ? [rest, ...known] : known;
    },
    'Space.read': ({ path }) => spaceBody(spaces, path.id === '-1' || path.id === 'undefined' ? undefinedSpace : find(reader, path.id)),
  };
}

function refuseTaken(reading: Pick<Reading, 'named'>, name: string, id?: number): void {
  const other = reading.named('space', name);
  if ((other && other.id !== id) || name === undefinedSpace.name) throw invalid({ name: ['Space with this Name already exists.'] });
}

export function spaceWrites(
  to: WritesTo,
  { reader, spaces = nothing }: GlobalReads,
): Handlers<'Spaces.create' | 'Space.update' | 'Space.delete'> {
  return {
    'Spaces.create': async (call) =>
      spaceBody(
        spaces,
        await commit(to, call, 'config', async (draft) => {
          const { name, description } = call.params;
          refuseTaken(draft, name);
          const space = { id: await draft.drawId(), name, description: description ?? '' };
          draft.put('space', space.id, space);
          return space;
        }),
      ),
    'Space.update': async (call) =>
      spaceBody(
        spaces,
        await commit(to, call, 'config', (draft) => {
          const space = { ...find(draft, call.path.id), ...call.params };
          refuseTaken(draft, space.name, space.id);
          draft.put('space', space.id, space);
          return space;
        }),
      ),
    'Space.delete': async (call) => {
      authorityOf(to);
      const space = find(reader, call.path.id);
      await commit(to, call, 'config', (draft) => draft.retire('space', space.id));
    },
  };
}
