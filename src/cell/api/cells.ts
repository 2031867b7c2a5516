/** The cell's own entry among the cells, and those that its replica names. The registry itself is the hub's. */
import { fail } from '../../contract/errors.ts';
import { findingKinds } from '../../contract/findings.ts';
import { stateOf } from '../../contract/lifecycle.ts';
import type { RouteReply } from '../../contract/routes.ts';
import type { BodyOf } from '../../global/kinds.ts';
import { formatRevision } from '../../global/revision.ts';
import type { Handlers } from '../../http/handler.ts';
import { countCell } from '../db/usage-store.ts';
import { uri } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';

type CellBody = RouteReply<'Cell.read'>;
type CellRoute = `Cells.${'read' | 'create'}` | `Cell.${'read' | 'update'}` | `Fronts.${'read' | 'create'}`;

/** What this cell knows of another: its name and place, and nothing of how it is. */
function otherBody(cell: BodyOf<'cell'>): CellBody {
  const unknown = { answering: null, version: '', revision: null, lag: null, machines: null, findings: null };
  const { number, name, url, out } = cell;
  return { number, name, url, state: out ? 'out' : 'in', ...unknown, resource_uri: uri('cells', name) };
}

function countBySeverity(findings: readonly { readonly kind: string; readonly count: number }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  const rules: Readonly<Record<string, { readonly severity: string } | undefined>> = findingKinds;
  for (const { kind, count } of findings) {
    const severity = rules[kind]?.severity ?? 'warning';
    counts[severity] = (counts[severity] ?? 0) + count;
  }
  return counts;
}

export function cellHandlers(context: NetworkContext): Handlers<CellRoute> {
  const { global, cellName, cellNumber } = context;
  const registered = () => global.list('cell').filter((cell) => cell.number !== cellNumber);
  const self = async (): Promise<CellBody> => {
    const { machines, findings } = await countCell(context.database.db);
    return {
      number: cellNumber,
      name: cellName,
      url: context.url,
      state: global.get('cell', cellNumber)?.out === true ? 'out' : 'in',
      answering: true,
      version: context.version,
      revision: { access: formatRevision(global.revision('access')), config: formatRevision(global.revision('config')) },
      lag: context.lag() ?? null,
      machines: Object.fromEntries(machines.map(({ status, count }) => [stateOf(status), count])),
      findings: countBySeverity(findings),
      resource_uri: uri('cells', cellName),
    };
  };
  const refuse = (): never => {
    if (context.hub !== undefined) throw fail('hub_owned', { hub: context.hub });
    throw fail('bad_request', { reason: `Cell ${cellName} stands alone: cells and fronts are registered at a hub, and it has none.` });
  };
  return {
    'Cells.read': async () => [await self(), ...registered().map(otherBody)].toSorted((a, b) => a.number - b.number),
    'Cell.read': async ({ path }) => {
      if (path.name === cellName) return self();
      const other = registered().find((cell) => cell.name === path.name);
      if (!other) throw fail('not_found', { what: 'Cell' });
      return otherBody(other);
    },
    'Cells.create': refuse,
    'Cell.update': refuse,
    'Fronts.read': () =>
      global.list('front').map(({ number, name, url }) => ({
        number,
        name,
        url,
        version: '',
        revision: null,
        seen: null,
        resource_uri: uri('fronts', name),
      })),
    'Fronts.create': refuse,
  };
}
