/** Which machines have a tag. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { recordAll } from '../db/event-store.ts';
import { findMachines } from '../db/machine-read.ts';
import { addTag, removeTag } from '../db/tag-store.ts';
import { jsonList } from './json-list.ts';
import { chosenFields, machinePages } from './machine-page.ts';
import type { NetworkContext } from './network-context.ts';
import { told } from './network-view.ts';

export function tagMemberHandlers(context: NetworkContext): Handlers<'Tag.machines' | 'Tag.nodes' | 'Tag.update_nodes'> {
  const { database, global } = context;
  const tagId = (name: string): number => {
    const tag = global.named('tag', name);
    if (!tag) throw fail('not_found', { what: 'Tag' });
    return tag.id;
  };
  const list = async (name: string) => {
    const condition = { name: 'tags', not: false, test: { is: 'any_tag', of: [tagId(name)] } } as const;
    const ids = await findMachines(database.db, [condition], { by: 'system_id', falling: false }, { limit: undefined, after: undefined });
    return jsonList(
      machinePages(
        context,
        ids.map((one) => one.system_id),
        chosenFields(undefined),
      ),
    );
  };
  return {
    'Tag.machines': ({ path }) => list(path.name),
    'Tag.nodes': ({ path }) => list(path.name),
    'Tag.update_nodes': ({ path, params, caller }) => {
      const { add = [], remove = [] } = params;
      const id = tagId(path.name);
      const both = add.filter((one) => remove.includes(one));
      if (both.length > 0) throw invalid({ remove: [`Asked to add and to remove: ${both.slice(0, 10).join(', ')}.`] });
      return told({}, () =>
        database.transaction(async (tx) => {
          const added = await addTag(tx, id, add);
          const removed = await removeTag(tx, id, remove);
          const event = (systemId: string, did: string) =>
            ({ kind: 'tags_changed', systemId, username: caller.username, description: `Tag ${path.name} ${did}` }) as const;
          await recordAll(tx, [...added.map((one) => event(one, 'added')), ...removed.map((one) => event(one, 'removed'))]);
          return { added: added.length, removed: removed.length };
        }),
      );
    },
  };
}
