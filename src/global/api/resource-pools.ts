/** Resource pools: reads from memory, writes to the authority. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Reading } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { authorityOf, commit, idOfPath, refuseInUse, uri, type GlobalReads, type WritesTo } from './context.ts';

/** The pool that machines are in when nobody says otherwise. */
export const defaultPool = 0;

export function poolBody(pool: BodyOf<'pool'>) {
  return { id: pool.id, name: pool.name, description: pool.description, resource_uri: uri('resourcepool', pool.id) };
}

/** By id, or by name: clients of MAAS do either. A name that is a number is an id. */
function seek(reading: Pick<Reading, 'get' | 'named'>, given: string): BodyOf<'pool'> | undefined {
  const id = idOfPath(given);
  return Number.isNaN(id) ? reading.named('pool', given) : reading.get('pool', id);
}

function find(reading: Pick<Reading, 'get' | 'named'>, given: string): BodyOf<'pool'> {
  const pool = seek(reading, given);
  if (!pool) throw fail('not_found', { what: 'ResourcePool' });
  return pool;
}

export function poolReads({ reader }: GlobalReads): Handlers<'ResourcePools.read' | 'ResourcePool.read'> {
  return {
    'ResourcePools.read': () => reader.list('pool').map(poolBody),
    'ResourcePool.read': ({ path }) => poolBody(find(reader, path.id)),
  };
}

function refuseTaken(reading: Pick<Reading, 'named'>, name: string, id?: number): void {
  const other = reading.named('pool', name);
  if (other && other.id !== id) throw invalid({ name: ['Resource pool with this Name already exists.'] });
}

export function poolWrites(
  to: WritesTo,
  { reader }: GlobalReads,
): Handlers<'ResourcePools.create' | 'ResourcePool.update' | 'ResourcePool.delete'> {
  return {
    'ResourcePools.create': (call) =>
      commit(to, call, 'config', async (draft) => {
        const { name, description } = call.params;
        refuseTaken(draft, name);
        const pool = { id: await draft.drawId(), name, description: description ?? '' };
        draft.put('pool', pool.id, pool);
        return poolBody(pool);
      }),
    'ResourcePool.update': (call) =>
      commit(to, call, 'config', (draft) => {
        const pool = { ...find(draft, call.path.id), ...call.params };
        refuseTaken(draft, pool.name, pool.id);
        draft.put('pool', pool.id, pool);
        return poolBody(pool);
      }),
    'ResourcePool.delete': async (call) => {
      authorityOf(to);
      const pool = seek(reader, call.path.id);
      // Like MAAS: deleting what is not there is no error.
      if (!pool) return;
      if (pool.id === defaultPool) throw fail('bad_request', { reason: 'This is the default pool, it cannot be deleted.' });
      await refuseInUse(to, 'pool', pool.id, `Resource pool ${pool.name}`);
      await commit(to, call, 'config', (draft) => draft.retire('pool', pool.id));
    },
  };
}
