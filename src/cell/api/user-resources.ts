/** What a user has in this cell, and giving it to another. Machines know their owner by name. */
import { fail } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { countResources, transferResources } from '../db/user-resource-store.ts';
import type { ApiContext } from './api-context.ts';

export function userResourceHandlers({
  database,
  global,
}: Pick<ApiContext, 'database' | 'global'>): Handlers<'User.resources' | 'User.transfer_resources'> {
  return {
    // Of somebody whom nobody knows any more there may still be machines.
    'User.resources': ({ path }) => countResources(database.db, path.username),
    'User.transfer_resources': ({ path, params, caller }) => {
      if (!global.named('user', params.to)) throw fail('not_found', { what: 'User' });
      return transferResources(database.db, { from: path.username, to: params.to, by: caller.username });
    },
  };
}
