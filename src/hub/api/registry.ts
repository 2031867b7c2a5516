/** The registry of cells and fronts: who has joined, under which number and key, how they stand, and how far each has applied the feed. */
import { fail, invalid } from '../../contract/errors.ts';
import type { RouteReply } from '../../contract/routes.ts';
import type { Handlers } from '../../http/handler.ts';
import { commit, uri, type GlobalAuthority } from '../../global/api/context.ts';
import type { Authority } from '../../global/authority.ts';
import type { Draft } from '../../global/draft.ts';
import type { BodyOf } from '../../global/kinds.ts';
import { fieldsOfState, retiredNamed, stateOfCell, type CellState } from '../../global/member-state.ts';
import { formatRevision } from '../../global/revision.ts';
import type { SigningKey } from '../../global/signing-key.ts';
import type { Role } from '../db/hub-tables.ts';
import { asHub } from '../db/join-token-store.ts';
import { forgetMember, readProgress, type Progress } from '../db/progress-store.ts';
import { invite, memberName } from '../invitation.ts';

export interface RegistryApi {
  readonly authority: Authority;
  readonly to: GlobalAuthority;
  /** The hub's key, which may change. */
  readonly key: () => SigningKey;
}

type RegistryRoutes = `Cells.${'read' | 'create'}` | `Cell.${'read' | 'update'}` | `Fronts.${'read' | 'create'}` | 'Front.update';

/** The latest of a program's processes. */
function latest(progress: readonly Progress[], role: Role, name: string): Progress | undefined {
  return progress.findLast((one) => one.role === role && one.name === name);
}

function revisionsOf(progress: Progress | undefined) {
  return progress ? { access: formatRevision(progress.access), config: formatRevision(progress.config) } : null;
}

/** What the hub knows of a cell: the registry's row and its polls. It never asks a cell, so `answering` is nobody's to say here. */
function cellBody(cell: BodyOf<'cell'>, state: CellState, progress: Progress | undefined): RouteReply<'Cell.read'> {
  return {
    number: cell.number,
    name: cell.name,
    url: cell.url,
    state,
    answering: null,
    version: progress?.version ?? '',
    revision: revisionsOf(progress),
    lag: progress ? Math.max(0, (Date.now() - progress.seen.getTime()) / 1000) : null,
    load: null,
    machines: null,
    findings: null,
    resource_uri: uri('cells', cell.name),
  };
}

function frontBody(front: BodyOf<'front'>, state: 'in' | 'retired', progress: Progress | undefined): RouteReply<'Front.update'> {
  return {
    number: front.number,
    name: front.name,
    url: front.url,
    state,
    version: progress?.version ?? '',
    revision: revisionsOf(progress),
    seen: progress?.seen.toISOString() ?? null,
    resource_uri: uri('fronts', front.name),
  };
}

/** Of this name, under the stream's lock. @throws Failure `not_found`, or `retired` when it was. */
function memberOf<R extends Role>(draft: Draft, { memory }: Authority, role: R, name: string): BodyOf<R> {
  const member = draft.named(role, name);
  if (member) return member;
  if (retiredNamed(memory, role, name)) throw fail('retired', { what: memberName(role, name) });
  throw fail('not_found', { what: role === 'cell' ? 'Cell' : 'Front' });
}

async function retire(draft: Draft, role: Role, member: { readonly number: number; readonly name: string }): Promise<void> {
  draft.retire(role, member.number);
  await forgetMember(asHub(draft.db), role, member.name);
}

/** Only what nobody counts on any more is retired: a cell goes out of use first. */
async function changeCell(draft: Draft, cell: BodyOf<'cell'>, state: CellState | undefined, url: string | undefined): Promise<CellState> {
  const before = stateOfCell(cell);
  const after = state ?? before;
  const moved = { ...cell, ...(url === undefined ? {} : { url }) };
  if (after !== 'retired') {
    draft.put('cell', cell.number, { ...moved, ...fieldsOfState(after) });
    return after;
  }
  if (before === 'in') {
    const text = `Cell ${cell.name} is in use. Drain it, or mark it out, before it is retired: that cannot be undone.`;
    throw fail('wrong_state', { text });
  }
  await retire(draft, 'cell', cell);
  return 'retired';
}

function refuseBadUrl(url: string | undefined): void {
  if (url !== undefined && !/^https?:\/\/[^/]/.test(url)) throw invalid({ url: ['http://HOST:PORT is meant.'] });
}

export function registryHandlers({ authority, to, key }: RegistryApi): Handlers<RegistryRoutes> {
  const { memory } = authority;
  const db = asHub(authority.db);
  return {
    'Cells.read': async ({ params }) => {
      const progress = await readProgress(db);
      const there = memory.list('cell').map((cell) => cellBody(cell, stateOfCell(cell), latest(progress, 'cell', cell.name)));
      const gone = params.retired === true ? memory.retired('cell').map((cell) => cellBody(cell, 'retired', undefined)) : [];
      return [...there, ...gone].toSorted((a, b) => a.number - b.number);
    },
    'Cell.read': async ({ path: { name } }) => {
      const cell = memory.named('cell', name);
      if (cell) return cellBody(cell, stateOfCell(cell), latest(await readProgress(db), 'cell', name));
      const gone = retiredNamed(memory, 'cell', name);
      if (!gone) throw fail('not_found', { what: 'Cell' });
      return cellBody(gone, 'retired', undefined);
    },
    'Cell.update': async (call) => {
      const { state, url } = call.params;
      refuseBadUrl(url);
      const { name } = call.path;
      const changed = await commit(to, call, 'config', async (draft) => {
        const cell = memberOf(draft, authority, 'cell', name);
        return { cell: { ...cell, url: url ?? cell.url }, state: await changeCell(draft, cell, state, url) };
      });
      return cellBody(changed.cell, changed.state, latest(await readProgress(db), 'cell', name));
    },
    'Cells.create': async ({ params, caller }) => shown(await invite(authority, key(), { ...params, role: 'cell' }, caller.username)),
    'Fronts.read': async ({ params }) => {
      const progress = await readProgress(db);
      const there = memory.list('front').map((front) => frontBody(front, 'in', latest(progress, 'front', front.name)));
      const gone = params.retired === true ? memory.retired('front').map((front) => frontBody(front, 'retired', undefined)) : [];
      return [...there, ...gone].toSorted((a, b) => a.number - b.number);
    },
    'Fronts.create': async ({ params, caller }) => shown(await invite(authority, key(), { ...params, role: 'front' }, caller.username)),
    'Front.update': async (call) => {
      const { state, url } = call.params;
      refuseBadUrl(url);
      const { name } = call.path;
      const front = await commit(to, call, 'config', async (draft) => {
        const known = memberOf(draft, authority, 'front', name);
        const changed = { ...known, url: url ?? known.url };
        if (state === 'retired') await retire(draft, 'front', known);
        else draft.put('front', known.number, changed);
        return changed;
      });
      return frontBody(front, state ?? 'in', latest(await readProgress(db), 'front', name));
    },
  };
}

function shown(invitation: Awaited<ReturnType<typeof invite>>) {
  return { ...invitation, expires: invitation.expires.toISOString() };
}
