/** What a hand-over will do, as a person reads it before it is done. Pure. */
import type { RouteReply } from '../contract/routes.ts';
import { shown } from './table.ts';

type Item = RouteReply<'GlobalObjects.plan'>[number];

export interface ShownPlan {
  readonly items: readonly Item[];
  /** Kind → how many stay behind. */
  readonly behind: ReadonlyMap<string, number>;
}

const heads: Readonly<Record<Item['outcome'], string>> = {
  create: 'The hub gets:',
  same: 'The hub has already:',
  conflict: "The hub has others of the same name, and the hub's stay:",
  left: 'Not handed over:',
};

function lineOf({ kind, name, detail }: Item): string {
  return `  ${kind.replaceAll('_', ' ').padEnd(18)} ${shown(name)}${detail === '' ? '' : `  ${shown(detail)}`}\n`;
}

/** The things by what becomes of them; what is the same is only counted when there is much of it. */
export function handOverText({ items, behind }: ShownPlan): string {
  const parts = (['create', 'conflict', 'left', 'same'] as const).flatMap((outcome) => {
    const here = items.filter((item) => item.outcome === outcome);
    return here.length === 0 ? [] : [`${heads[outcome]}\n${here.map(lineOf).join('')}`];
  });
  const left = [...behind].map(([kind, count]) => `  ${kind.replaceAll('_', ' ').padEnd(18)} ${count}\n`);
  if (left.length > 0) parts.push(`Staying behind, for images come by the hub:\n${left.join('')}`);
  return parts.length === 0 ? 'There is nothing to hand over.\n' : parts.join('\n');
}
