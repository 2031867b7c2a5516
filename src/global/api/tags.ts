/** Tag definitions. Which machines have a tag is each cell's to know, by the tag's id. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Reading } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { refuseDefinition } from '../tag-judge.ts';
import { authorityOf, commit, uri, type GlobalReads, type WritesTo } from './context.ts';

export function tagBody({ name, definition, comment, kernel_opts }: BodyOf<'tag'>) {
  return { name, definition, comment, kernel_opts, resource_uri: uri('tags', name) };
}

function find(reading: Pick<Reading, 'named'>, name: string): BodyOf<'tag'> {
  const tag = reading.named('tag', name);
  if (!tag) throw fail('not_found', { what: 'Tag' });
  return tag;
}

export function tagReads({ reader }: GlobalReads): Handlers<'Tags.read' | 'Tag.read'> {
  return {
    'Tags.read': () => reader.list('tag').map(tagBody),
    'Tag.read': ({ path }) => tagBody(find(reader, path.name)),
  };
}

function refuseTaken(reading: Pick<Reading, 'named'>, name: string, id?: number): void {
  const other = reading.named('tag', name);
  if (other && other.id !== id) throw invalid({ name: ['Tag with this Name already exists.'] });
}

/** An empty one is none. Judged before anything is written: it takes a thread and up to two seconds. @throws Failure `invalid`. */
async function refuseBadDefinition(definition: string | undefined): Promise<void> {
  const problem = definition === undefined || definition === '' ? undefined : await refuseDefinition(definition);
  if (problem !== undefined) throw invalid({ definition: [`Invalid XPath expression: ${problem}`] });
}

export function tagWrites(to: WritesTo): Handlers<'Tags.create' | 'Tag.update' | 'Tag.delete' | 'Tag.rebuild'> {
  return {
    'Tags.create': async (call) => {
      authorityOf(to);
      await refuseBadDefinition(call.params.definition);
      return commit(to, call, 'config', async (draft) => {
        const { name, comment, definition, kernel_opts } = call.params;
        refuseTaken(draft, name);
        const tag = {
          id: await draft.drawId(),
          name,
          definition: definition ?? '',
          comment: comment ?? '',
          kernel_opts: kernel_opts ?? '',
        };
        draft.put('tag', tag.id, tag);
        return tagBody(tag);
      });
    },
    'Tag.update': async (call) => {
      authorityOf(to);
      await refuseBadDefinition(call.params.definition);
      return commit(to, call, 'config', (draft) => {
        const tag = { ...find(draft, call.path.name), ...call.params };
        refuseTaken(draft, tag.name, tag.id);
        draft.put('tag', tag.id, tag);
        return tagBody(tag);
      });
    },
    // Every cell compares the count with what it has judged by: one that is absent now does it when it is back.
    'Tag.rebuild': (call) =>
      commit(to, call, 'config', (draft) => {
        const tag = find(draft, call.path.name);
        if (tag.definition !== '') draft.put('tag', tag.id, { ...tag, rebuilds: (tag.rebuilds ?? 0) + 1 });
        return { rebuilding: tag.name };
      }),
    'Tag.delete': (call) =>
      commit(to, call, 'config', (draft) => {
        draft.retire('tag', find(draft, call.path.name).id);
      }),
  };
}
