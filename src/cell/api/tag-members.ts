/** Which machines have a tag. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { recordAll } from '../db/event-store.ts';
import { keepControllers } from '../db/node-store.ts';
import { addTag, removeTag } from '../db/tag-store.ts';
import { readAllControllers } from './controllers.ts';
import type { NetworkContext } from './network-context.ts';
import { told } from './network-view.ts';
import { nodeList, type ListedKinds } from './node-lists.ts';
import { mayBeRack } from './rack-id.ts';

type TagRoute = `Tag.${'machines' | 'devices' | 'nodes' | 'rack_controllers' | 'region_controllers' | 'update_nodes'}`;

export function tagMemberHandlers(context: NetworkContext): Handlers<TagRoute> {
  const { database, global } = context;
  const tagId = (name: string): number => {
    const tag = global.named('tag', name);
    if (!tag) throw fail('not_found', { what: 'Tag' });
    return tag.id;
  };
  /** Found out by a definition that is not in force any more: it would put back what was changed. @throws Failure `not_found`, `wrong_state`. */
  const refuseOtherDefinition = (name: string, definition: string | undefined): void => {
    const current = global.named('tag', name)?.definition;
    if (definition === undefined || definition === current) return;
    throw fail('wrong_state', {
      text: `Definition supplied '${definition.slice(0, 1000)}' doesn't match current definition '${(current ?? '').slice(0, 1000)}'`,
    });
  };
  const list = (name: string, kinds: ListedKinds) =>
    nodeList(context, [{ name: 'tags', not: false, test: { is: 'any_tag', of: [tagId(name)] } }], kinds);
  return {
    'Tag.machines': ({ path }) => list(path.name, { machines: true }),
    'Tag.devices': ({ path }) => list(path.name, { devices: true }),
    'Tag.nodes': ({ path }) => list(path.name, { machines: true, devices: true, controllers: 'rackcontrollers' }),
    'Tag.rack_controllers': ({ path }) => list(path.name, { controllers: 'rackcontrollers' }),
    'Tag.region_controllers': ({ path }) => list(path.name, { controllers: 'regioncontrollers' }),
    'Tag.update_nodes': async ({ path, params, caller }) => {
      const { add = [], remove = [] } = params;
      const id = tagId(path.name);
      refuseOtherDefinition(path.name, params.definition);
      const both = add.filter((one) => remove.includes(one));
      if (both.length > 0) throw invalid({ remove: [`Asked to add and to remove: ${both.slice(0, 10).join(', ')}.`] });
      // A controller is in no table before something is said of it.
      const all = add.some(mayBeRack) ? (await readAllControllers(context)).map(({ facts }) => facts.system_id) : [];
      const controllers = all.filter((one) => add.includes(one));
      return told({}, () =>
        database.transaction(async (tx) => {
          await keepControllers(tx, controllers);
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
