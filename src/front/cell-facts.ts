/** Cells and fronts as a front sees them: the registry of its replica, and what each cell says of itself at this moment. */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { fail } from '../contract/errors.ts';
import { Cell } from '../contract/resources/cells.ts';
import { Finding } from '../contract/resources/findings.ts';
import { Version } from '../contract/resources/program.ts';
import { routes } from '../contract/routes.ts';
import type { LooseCall } from '../http/dispatch.ts';
import { jsonOf } from './answers.ts';
import { cellNamed, type CellEntry } from './cell-registry.ts';
import { encodeCall, type Fields } from './encode-call.ts';
import { ask, type FrontContext } from './front-context.ts';

type CellBody = Static<typeof Cell>;

const isVersion = Compile(Version);
const isSummary = Compile(Type.Object({ by_status: Type.Record(Type.String(), Type.Integer()) }));
const isFindings = Compile(Type.Array(Type.Pick(Finding, ['severity'])));
/** `access=3.12 config=3.40`, as every program's version says it. */
const revisionText = /^access=(\S+) config=(\S+)$/;

type Asked = 'Version.read' | 'Machines.summary' | 'Findings.read';

async function read(context: FrontContext, call: LooseCall, cell: CellEntry, id: Asked, fields: Fields = {}) {
  const encoded = await encodeCall(routes[id], { path: {}, fields, files: [], body: undefined });
  const reply = await ask(context, call, cell, encoded, { ms: context.gatherMs, firstByte: true });
  if (reply.status === 200) return { body: await jsonOf(reply), lag: Number(reply.headers['muster-config-lag'] ?? Number.NaN) };
  reply.body.destroy();
  throw new Error(`answered ${reply.status}`);
}

function countBySeverity(findings: readonly { readonly severity: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { severity } of findings) counts[severity] = (counts[severity] ?? 0) + 1;
  return counts;
}

async function cellBody(context: FrontContext, call: LooseCall, cell: CellEntry): Promise<CellBody> {
  const registered = {
    number: cell.number,
    name: cell.name,
    url: cell.url,
    state: cell.out ? ('out' as const) : ('in' as const),
    resource_uri: `/MAAS/api/2.0/cells/${cell.name}/`,
  };
  const dark = { version: '', revision: null, lag: null, machines: null, findings: null };
  if (cell.out) return { ...registered, ...dark, answering: null };
  const [version, summary, findings] = await Promise.all(
    [read(context, call, cell, 'Version.read'), read(context, call, cell, 'Machines.summary'), read(context, call, cell, 'Findings.read')].map((one) =>
      one.catch(() => undefined),
    ),
  );
  if (!version || !isVersion.Check(version.body)) return { ...registered, ...dark, answering: false };
  const [, access, config] = revisionText.exec(version.body.muster?.revision ?? '') ?? [];
  return {
    ...registered,
    answering: true,
    version: version.body.muster?.version ?? version.body.version,
    revision: access === undefined || config === undefined ? null : { access, config },
    lag: Number.isFinite(version.lag) ? version.lag : null,
    machines: summary && isSummary.Check(summary.body) ? summary.body.by_status : null,
    findings: findings && isFindings.Check(findings.body) ? countBySeverity(findings.body) : null,
  };
}

/** `Cells.read`. */
export async function cellBodies(context: FrontContext, call: LooseCall): Promise<CellBody[]> {
  return Promise.all(context.registry.list().map((cell) => cellBody(context, call, cell)));
}

/** `Cell.read`. @throws Failure `not_found`. */
export async function cellBodyNamed(context: FrontContext, call: LooseCall, name: string): Promise<CellBody> {
  const cell = cellNamed(context.registry, name);
  if (!cell) throw fail('not_found', { what: 'Cell' });
  return cellBody(context, call, cell);
}
