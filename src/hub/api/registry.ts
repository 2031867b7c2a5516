/** The registry of cells and fronts: who has joined, under which number and key, and how far each has applied the feed. */
import { fail } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { commit, uri, type GlobalAuthority } from '../../global/api/context.ts';
import type { Authority } from '../../global/authority.ts';
import type { BodyOf } from '../../global/kinds.ts';
import { formatRevision } from '../../global/revision.ts';
import type { SigningKey } from '../../global/signing-key.ts';
import { asHub } from '../db/join-token-store.ts';
import { readProgress, type Progress } from '../db/progress-store.ts';
import { invite } from '../invitation.ts';

export interface RegistryApi {
  readonly authority: Authority;
  readonly to: GlobalAuthority;
  readonly key: SigningKey;
}

type RegistryRoutes = 'Cells.read' | 'Cells.create' | 'Cell.read' | 'Cell.update' | 'Fronts.read' | 'Fronts.create';

/** The latest of a program's processes. */
function latest(progress: readonly Progress[], role: 'cell' | 'front', name: string): Progress | undefined {
  return progress.findLast((one) => one.role === role && one.name === name);
}

function revisionsOf(progress: Progress | undefined) {
  return progress ? { access: formatRevision(progress.access), config: formatRevision(progress.config) } : null;
}

/** What the hub knows of a cell: the registry's row and its polls. It never asks a cell, so `answering` is nobody's to say here. */
function cellBody(cell: BodyOf<'cell'>, progress: Progress | undefined) {
  return {
    number: cell.number,
    name: cell.name,
    url: cell.url,
    state: cell.out ? ('out' as const) : ('in' as const),
    answering: null,
    version: progress?.version ?? '',
    revision: revisionsOf(progress),
    lag: progress ? Math.max(0, (Date.now() - progress.seen.getTime()) / 1000) : null,
    machines: null,
    findings: null,
    resource_uri: uri('cells', cell.name),
  };
}

function frontBody(front: BodyOf<'front'>, progress: Progress | undefined) {
  return {
    number: front.number,
    name: front.name,
    url: front.url,
    version: progress?.version ?? '',
    revision: revisionsOf(progress),
    seen: progress?.seen.toISOString() ?? null,
    resource_uri: uri('fronts', front.name),
  };
}

export function registryHandlers({ authority, to, key }: RegistryApi): Handlers<RegistryRoutes> {
  const { memory } = authority;
  const db = asHub(authority.db);
  const find = (name: string): BodyOf<'cell'> => {
    const cell = memory.named('cell', name);
    if (!cell) throw fail('not_found', { what: 'Cell' });
    return cell;
  };
  return {
    'Cells.read': async () => {
      const progress = await readProgress(db);
      return memory.list('cell').map((cell) => cellBody(cell, latest(progress, 'cell', cell.name)));
    },
    'Cell.read': async ({ path }) => cellBody(find(path.name), latest(await readProgress(db), 'cell', path.name)),
    'Cell.update': async (call) => {
      const cell = await commit(to, call, 'config', (draft) => {
        const { state, url } = call.params;
        const current = draft.get('cell', find(call.path.name).number);
        if (!current) throw fail('not_found', { what: 'Cell' });
        const changed = { ...current, ...(url === undefined ? {} : { url }), ...(state === undefined ? {} : { out: state === 'out' }) };
        draft.put('cell', changed.number, changed);
        return changed;
      });
      return cellBody(cell, latest(await readProgress(db), 'cell', cell.name));
    },
    'Cells.create': async ({ params, caller }) => shown(await invite(authority, key, 'cell', params.name, caller.username)),
    'Fronts.read': async () => {
      const progress = await readProgress(db);
      return memory.list('front').map((front) => frontBody(front, latest(progress, 'front', front.name)));
    },
    'Fronts.create': async ({ params, caller }) => shown(await invite(authority, key, 'front', params.name, caller.username)),
  };
}

function shown(invitation: Awaited<ReturnType<typeof invite>>) {
  return { ...invitation, expires: invitation.expires.toISOString() };
}
