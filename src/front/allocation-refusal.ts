/** The sentence of an allocation that found nothing: MAAS's own, then what Muster knows besides. Pure. */
import type { Route } from '../contract/route.ts';
import { routes } from '../contract/routes.ts';
import type { Fields } from './encode-call.ts';

/** What a cell said of its ready machines. */
export interface CellReport {
  readonly cell: string;
  readonly ready: number;
  readonly ruledOut: Readonly<Record<string, number>>;
}

function quoted(text: string): string {
  return text.includes("'") ? `"${text}"` : `'${text}'`;
}

/** Constraints that are numbers of any size: a cell, as MAAS, writes them as Python writes a float. */
function resolved(name: string, values: readonly string[]): string {
  const params: Route['params'] = routes['Machines.allocate'].params;
  const isNumber = (params[name]?.schema as { readonly items?: { readonly type?: string } } | undefined)?.items?.type === 'number';
  return `${name}=${values.map((value) => (isNumber && Number.isInteger(Number(value)) ? `${Number(value)}.0` : value)).join(',')}`;
}

/** `No machine available.`, `No machine with system ID X available.`, or with the constraints as MAAS prints them. */
export function maasSentence(constraints: Fields): string {
  const given = Object.entries(constraints).filter(([, values]) => values.length > 0);
  if (given.length === 0) return 'No machine available.';
  const [only] = given;
  if (only && given.length === 1 && only[0] === 'system_id') return `No machine with system ID ${only[1].join(', ')} available.`;
  const listed = given.map(([name, values]) => `(${quoted(name)}, [${values.map(quoted).join(', ')}])`).join(', ');
  return `No available machine matches constraints: [${listed}] (resolved to "${given.map(([name, values]) => resolved(name, values)).join(' ')}")`;
}

/** The whole text of the 409. */
export function refusalText(constraints: Fields, reports: readonly CellReport[], absent: readonly string[]): string {
  const lines = [maasSentence(constraints)];
  for (const { cell, ready, ruledOut } of reports) {
    const reasons = Object.entries(ruledOut)
      .filter(([, count]) => count > 0)
      .map(([name, count]) => `${name} rules out ${count}`);
    lines.push(`Cell ${cell}: ${ready} ready${reasons.length > 0 ? `; ${reasons.join(', ')}` : ''}.`);
  }
  if (absent.length > 0) lines.push(`Absent: ${absent.join(', ')}; what they have is not known.`);
  return lines.join('\n');
}
