/** The cell's own entry among the cells, and those that its replica names. The registry itself is the hub's. */
import { fail } from '../../contract/errors.ts';
import { findingKinds } from '../../contract/findings.ts';
import { stateOf } from '../../contract/lifecycle.ts';
import type { RouteReply } from '../../contract/routes.ts';
import type { BodyOf } from '../../global/kinds.ts';
import { stateOfCell } from '../../global/member-state.ts';
import { formatRevision } from '../../global/revision.ts';
import type { Handlers } from '../../http/handler.ts';
import { countCell } from '../db/usage-store.ts';
import { uri } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';

type CellBody = RouteReply<'Cell.read'>;
type CellRoute = `Cells.${'read' | 'create'}` | `Cell.${'read' | 'update'}` | `Fronts.${'read' | 'create'}` | 'Front.update';

/** What this cell knows of another: its name and place, and nothing of how it is. */
function otherBody({ number, name, url }: BodyOf<'cell'>, state: CellBody['state']): CellBody {
  const unknown = { answering: null, version: '', revision: null, lag: null, load: null, machines: null, findings: null };
  return { number, name, url, state, ...unknown, resource_uri: uri('cells', name) };
}

/** Numbers for people: a hundredth of a core, a tenth of a millisecond. */
function loadBody({ cpu, delay }: { readonly cpu: number; readonly delay: number }, operations: number) {
  return { cpu: Math.round(cpu * 100) / 100, delay: Math.round(delay * 10) / 10, operations };
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
  const others = () => global.list('cell').filter((cell) => cell.number !== cellNumber);
  const gone = () => global.retired('cell').filter((cell) => cell.number !== cellNumber);
  const self = async (): Promise<CellBody> => {
    const { machines, operations, findings } = await countCell(context.database.db);
    return {
      number: cellNumber,
      name: cellName,
      url: context.url,
      state: context.state(),
      answering: true,
      version: context.version,
      revision: { access: formatRevision(global.revision('access')), config: formatRevision(global.revision('config')) },
      lag: context.lag() ?? null,
      load: loadBody(context.load(), operations),
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
    'Cells.read': async ({ params }) => {
      const retired = params.retired === true ? gone().map((cell) => otherBody(cell, 'retired')) : [];
      const listed = [await self(), ...others().map((cell) => otherBody(cell, stateOfCell(cell))), ...retired];
      return listed.toSorted((a, b) => a.number - b.number);
    },
    'Cell.read': async ({ path }) => {
      if (path.name === cellName) return self();
      const other = others().find((cell) => cell.name === path.name);
      if (other) return otherBody(other, stateOfCell(other));
      const retired = gone().find((cell) => cell.name === path.name);
      if (!retired) throw fail('not_found', { what: 'Cell' });
      return otherBody(retired, 'retired');
    },
    'Cells.create': refuse,
    'Cell.update': refuse,
    'Fronts.read': () =>
      global.list('front').map(({ number, name, url }) => ({
        number,
        name,
        url,
        state: 'in' as const,
        version: '',
        revision: null,
        seen: null,
        resource_uri: uri('fronts', name),
      })),
    'Fronts.create': refuse,
    'Front.update': refuse,
  };
}
