/** Boot sources and what is wanted of each. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Draft, Reading } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { authorityOf, commit, idOfPath, uri, type GlobalReads, type WritesTo } from './context.ts';

type Source = BodyOf<'boot_source'>;
type Selection = BodyOf<'boot_source_selection'>;

function sourceBody(source: Source) {
  return { ...source, resource_uri: uri('boot-sources', source.id) };
}

function selectionBody({ boot_source, ...selection }: Selection) {
  return { ...selection, boot_source_id: boot_source, resource_uri: uri('boot-sources', boot_source, 'selections', selection.id) };
}

function findSource(reading: Pick<Reading, 'get'>, id: string): Source {
  const source = reading.get('boot_source', idOfPath(id));
  if (!source) throw fail('not_found', { what: 'BootSource' });
  return source;
}

/** A selection is found below its own source only. */
function findSelection(reading: Pick<Reading, 'get'>, path: { readonly boot_source_id: string; readonly id: string }): Selection {
  const source = findSource(reading, path.boot_source_id);
  const selection = reading.get('boot_source_selection', idOfPath(path.id));
  if (!selection || selection.boot_source !== source.id) throw fail('not_found', { what: 'BootSourceSelection' });
  return selection;
}

export function bootSourceReads({
  reader,
}: GlobalReads): Handlers<'BootSources.read' | 'BootSource.read' | 'BootSourceSelections.read' | 'BootSourceSelection.read'> {
  return {
    'BootSources.read': () => reader.list('boot_source').map(sourceBody),
    'BootSource.read': ({ path }) => sourceBody(findSource(reader, path.id)),
    'BootSourceSelections.read': ({ path }) => {
      const { id } = findSource(reader, path.boot_source_id);
      return reader
        .list('boot_source_selection')
        .filter((selection) => selection.boot_source === id)
        .map(selectionBody);
    },
    'BootSourceSelection.read': ({ path }) => selectionBody(findSelection(reader, path)),
  };
}

/** One source a URL, one keyring a source. @throws Failure `invalid`. */
function putSource(draft: Draft, source: Source): Source {
  if (draft.list('boot_source').some((other) => other.url === source.url && other.id !== source.id)) {
    throw invalid({ url: ['Boot source with this Url already exists.'] });
  }
  if (source.keyring_filename !== '' && source.keyring_data !== '') {
    throw invalid({ keyring_filename: ['Give the keyring as a file name or as data, not both.'] });
  }
  draft.put('boot_source', source.id, source);
  return source;
}

function putSelection(draft: Draft, selection: Selection): Selection {
  const same = (other: Selection) =>
    other.boot_source === selection.boot_source && other.os === selection.os && other.release === selection.release;
  if (draft.list('boot_source_selection').some((other) => same(other) && other.id !== selection.id)) {
    throw invalid({ __all__: ['Boot source selection with this Boot source, Os and Release already exists.'] });
  }
  draft.put('boot_source_selection', selection.id, selection);
  return selection;
}

/** A keyring in base64. @throws Failure `invalid` for what is neither an armoured key nor base64. */
function keyringOf(data: string): string {
  if (data.trimStart().startsWith('-----BEGIN PGP PUBLIC KEY BLOCK-----')) return Buffer.from(data, 'utf8').toString('base64');
  const packed = data.replace(/\s+/g, '');
  if (Buffer.from(packed, 'base64').toString('base64') !== packed) throw invalid({ keyring_data: ['Not base64, nor an armoured key.'] });
  return packed;
}

type Routes =
  | 'BootSources.create'
  | `BootSource.${'update' | 'delete'}`
  | 'BootSourceSelections.create'
  | `BootSourceSelection.${'update' | 'delete'}`;

/** `now`: for tests. */
export function bootSourceWrites(to: WritesTo, now: () => Date = () => new Date()): Handlers<Routes> {
  return {
    'BootSources.create': (call) =>
      commit(to, call, 'config', async (draft) => {
        const { url, name = url, keyring_data = '', ...given } = call.params;
        const at = now().toISOString();
        const plain = { keyring_filename: '', priority: 0, enabled: true, skip_keyring_verification: false, ...given };
        const source = { ...plain, id: await draft.drawId(), name, url, keyring_data: keyringOf(keyring_data), created: at, updated: at };
        return sourceBody(putSource(draft, source));
      }),
    'BootSource.update': (call) =>
      commit(to, call, 'config', (draft) => {
        const { keyring_data, ...given } = call.params;
        const data = keyring_data === undefined ? {} : { keyring_data: keyringOf(keyring_data) };
        return sourceBody(putSource(draft, { ...findSource(draft, call.path.id), ...given, ...data, updated: now().toISOString() }));
      }),
    'BootSource.delete': async (call) => {
      authorityOf(to);
      await commit(to, call, 'config', (draft) => {
        const { id } = findSource(draft, call.path.id);
        for (const selection of draft.list('boot_source_selection')) {
          if (selection.boot_source === id) draft.retire('boot_source_selection', selection.id);
        }
        draft.retire('boot_source', id);
      });
    },
    'BootSourceSelections.create': (call) =>
      commit(to, call, 'config', async (draft) => {
        const { id: boot_source } = findSource(draft, call.path.boot_source_id);
        const { os, release, arches = ['*'], subarches = ['*'], labels = ['*'] } = call.params;
        return selectionBody(putSelection(draft, { id: await draft.drawId(), boot_source, os, release, arches, subarches, labels }));
      }),
    'BootSourceSelection.update': (call) =>
      commit(to, call, 'config', (draft) => selectionBody(putSelection(draft, { ...findSelection(draft, call.path), ...call.params }))),
    'BootSourceSelection.delete': async (call) => {
      authorityOf(to);
      await commit(to, call, 'config', (draft) => draft.retire('boot_source_selection', findSelection(draft, call.path).id));
    },
  };
}
