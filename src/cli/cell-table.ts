/** `muster cell list` as a person reads it. What is not known is shown as not known, never as nothing. Pure. */
import { lifecycle } from '../contract/lifecycle.ts';
import type { RouteReply } from '../contract/routes.ts';
import { shown } from './table.ts';

type Cell = RouteReply<'Cells.read'>[number];

const order: readonly string[] = Object.keys(lifecycle);
const severities = ['critical', 'warning', 'info'];

/** `absent` is a cell that should answer and does not. At a hub nobody asks. */
export function standingOf({ state, answering }: Pick<Cell, 'state' | 'answering'>): string {
  return answering === false ? `${state}, absent` : state;
}

function counts(known: Readonly<Record<string, number>> | null, names: readonly string[]): string {
  if (!known) return '?';
  const there = names.filter((name) => (known[name] ?? 0) > 0);
  return there.map((name) => `${known[name]} ${name.replaceAll('_', ' ')}`).join(', ');
}

function machines(known: Cell['machines']): string {
  if (!known) return '?';
  const total = Object.values(known).reduce((sum, count) => sum + count, 0);
  return total === 0 ? 'none' : `${total}: ${counts(known, order)}`;
}

function load(known: Cell['load']): string {
  return known ? `${Math.round(known.cpu * 100)}% cpu, ${Math.round(known.delay)} ms late, ${known.operations} at work` : '?';
}

function row(cell: Cell): string[] {
  const heard = cell.lag === null ? (cell.answering === true ? 'no hub' : '?') : `${cell.lag.toFixed(1)} s`;
  const findings = cell.findings ? counts(cell.findings, severities) || 'none' : '?';
  return [
    String(cell.number),
    shown(cell.name),
    standingOf(cell),
    machines(cell.machines),
    load(cell.load),
    heard,
    shown(cell.version) || '?',
    findings,
  ];
}

/** Who does not answer comes last, in words, because that is what one looks for. */
function sentence(cells: readonly Cell[]): string {
  const absent = cells.filter((cell) => cell.answering === false).map(({ name }) => name);
  const unasked = cells.every(({ answering }) => answering === null);
  if (unasked) return 'Nobody was asked: the hub never asks cells. Log in at a front to see how they are.\n';
  const answered = cells.filter((cell) => cell.answering === true).length;
  const gone = absent.length === 0 ? '' : ` Absent: ${absent.join(', ')}; what they hold is unknown, not gone.`;
  return `${answered} of ${cells.length} answered.${gone}\n`;
}

export function cellTable(cells: readonly Cell[]): string {
  if (cells.length === 0) return 'No cell has joined.\n';
  const rows = [['number', 'name', 'state', 'machines', 'load', 'lag', 'version', 'findings'], ...cells.map(row)];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((one) => one[column]?.length ?? 0)));
  const lines = rows.map((one) =>
    one
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n${sentence(cells)}`;
}
