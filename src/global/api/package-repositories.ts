/** Package repositories. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Draft, Reading } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { authorityOf, commit, idOfPath, uri, type GlobalReads, type WritesTo } from './context.ts';

type Repository = BodyOf<'package_repository'>;

/** What holds of a repository where nothing else was said. */
const plain = {
  distributions: [] as string[],
  disabled_pockets: [] as string[],
  disabled_components: [] as string[],
  components: [] as string[],
  arches: ['amd64', 'i386'],
  key: '',
  disable_sources: true,
  enabled: true,
};

function repositoryBody(repository: Repository) {
  return { ...plain, ...repository, resource_uri: uri('package-repositories', repository.id) };
}

function find(reading: Pick<Reading, 'get'>, id: string): Repository {
  const repository = reading.get('package_repository', idOfPath(id));
  if (!repository) throw fail('not_found', { what: 'PackageRepository' });
  return repository;
}

export function packageRepositoryReads({ reader }: GlobalReads): Handlers<'PackageRepositories.read' | 'PackageRepository.read'> {
  return {
    'PackageRepositories.read': () => reader.list('package_repository').map(repositoryBody),
    'PackageRepository.read': ({ path }) => repositoryBody(find(reader, path.id)),
  };
}

function put(draft: Draft, repository: Repository): Repository {
  const other = draft.named('package_repository', repository.name);
  if (other && other.id !== repository.id) throw invalid({ name: ['Package repository with this Name already exists.'] });
  draft.put('package_repository', repository.id, repository);
  return repository;
}

export function packageRepositoryWrites(
  to: WritesTo,
): Handlers<'PackageRepositories.create' | 'PackageRepository.update' | 'PackageRepository.delete'> {
  return {
    'PackageRepositories.create': (call) =>
      commit(to, call, 'config', async (draft) => repositoryBody(put(draft, { ...plain, ...call.params, id: await draft.drawId() }))),
    'PackageRepository.update': (call) =>
      commit(to, call, 'config', (draft) => repositoryBody(put(draft, { ...find(draft, call.path.id), ...call.params }))),
    'PackageRepository.delete': async (call) => {
      authorityOf(to);
      await commit(to, call, 'config', (draft) => draft.retire('package_repository', find(draft, call.path.id).id));
    },
  };
}
