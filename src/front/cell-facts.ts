/** Cells as a front sees them: the registry of its replica, and what each cell says of itself at this moment. */
import type { Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { fail } from '../contract/errors.ts';
import { Cell } from '../contract/resources/cells.ts';
import { routes } from '../contract/routes.ts';
import type { LooseCall } from '../http/dispatch.ts';
import { jsonOf } from './answers.ts';
import { Absent } from './cell-line.ts';
import { cellNamed, type CellEntry, type RetiredCell } from './cell-registry.ts';
import { encodeCall } from './encode-call.ts';
import { ask, type FrontContext } from './front-context.ts';

type CellBody = Static<typeof Cell>;

const isCell = Compile(Cell);
const dark = { version: '', revision: null, lag: null, load: null, machines: null, findings: null };

/** What the cell says of itself; undefined when it does not. A cell of an older version leaves out what it does not know. */
async function ownWord(context: FrontContext, call: LooseCall, cell: CellEntry): Promise<CellBody | undefined> {
  const encoded = await encodeCall(routes['Cell.read'], { path: { name: cell.name }, fields: {}, files: [], body: undefined });
  try {
    const reply = await ask(context, call, cell, encoded, { ms: context.gatherMs, firstByte: true });
    if (reply.status !== 200) return void reply.body.destroy();
    const body = { ...dark, ...((await jsonOf(reply)) as object) };
    return isCell.Check(body) ? body : undefined;
  } catch (error) {
    if (error instanceof Absent) return undefined;
    throw error;
  }
}

function registered({ number, name, url }: RetiredCell, state: CellBody['state']) {
  return { number, name, url, state, resource_uri: `/MAAS/api/2.0/cells/${name}/` };
}

async function cellBody(context: FrontContext, call: LooseCall, cell: CellEntry): Promise<CellBody> {
  if (cell.out) return { ...dark, ...registered(cell, 'out'), answering: null };
  const own = await ownWord(context, call, cell);
  return { ...(own ?? dark), ...registered(cell, cell.drained ? 'drained' : 'in'), answering: own !== undefined };
}

function retiredBody(cell: RetiredCell): CellBody {
  return { ...dark, ...registered(cell, 'retired'), answering: null };
}

/** `Cells.read`. */
export async function cellBodies(context: FrontContext, call: LooseCall): Promise<CellBody[]> {
  const gone = call.params['retired'] === true ? context.registry.retired().map(retiredBody) : [];
  const there = await Promise.all(context.registry.list().map((cell) => cellBody(context, call, cell)));
  return [...there, ...gone].toSorted((a, b) => a.number - b.number);
}

/** `Cell.read`. @throws Failure `not_found`. */
export async function cellBodyNamed(context: FrontContext, call: LooseCall, name: string): Promise<CellBody> {
  const cell = cellNamed(context.registry, name);
  if (cell) return cellBody(context, call, cell);
  const gone = context.registry.retired().find((one) => one.name === name);
  if (!gone) throw fail('not_found', { what: 'Cell' });
  return retiredBody(gone);
}
