/** What can be asked of all shown machines at once, and what came of it in words. Pure, but for the call itself. */
import type { RouteReply } from '../../src/contract/routes.ts';
import { ApiError } from '../../src/http/client.ts';
import { client } from '../api.ts';
import type { Person } from '../session.ts';
import { disabledReason, type JudgedMachine } from './action.ts';
import { erasures, type ActionChoices } from './perform.ts';

export type BulkReply = RouteReply<'Machines.bulk_commission'>;
export type BulkOutcome = BulkReply['outcomes'][number];
export type OperationCounts = RouteReply<'Operations.summary'>;

export interface BulkEntry {
  readonly label: string;
  readonly ask: string;
  readonly danger: boolean;
  readonly adminOnly: boolean;
  /** What has to be named: a tag, a zone, a pool. */
  readonly names: 'tag' | 'zone' | 'pool' | null;
  /** The action on one machine that this is many of; null for a change that any machine takes. */
  readonly action: 'commission' | 'release' | null;
}

export const bulkTable = {
  commission: {
    label: 'Commission',
    ask: 'They are booted, looked at and tested.',
    danger: false,
    adminOnly: true,
    names: null,
    action: 'commission',
  },
  release: {
    label: 'Release',
    ask: 'They are switched off and given back. What runs on them ends.',
    danger: true,
    adminOnly: false,
    names: null,
    action: 'release',
  },
  tag: { label: 'Tag', ask: 'They get a tag.', danger: false, adminOnly: true, names: 'tag', action: null },
  untag: { label: 'Take a tag off', ask: 'They lose a tag.', danger: false, adminOnly: true, names: 'tag', action: null },
  set_zone: {
    label: 'Put into a zone',
    ask: 'They are in this zone from then on.',
    danger: false,
    adminOnly: true,
    names: 'zone',
    action: null,
  },
  set_pool: {
    label: 'Put into a pool',
    ask: 'They are in this resource pool from then on.',
    danger: false,
    adminOnly: true,
    names: 'pool',
    action: null,
  },
} as const satisfies Record<string, BulkEntry>;

export type BulkAction = keyof typeof bulkTable;
export const bulkActions = Object.keys(bulkTable) as BulkAction[];

/** Those of the machines that this can be asked of now, by what the page knows; the cells judge again. */
export function fitting<M extends JudgedMachine>(machines: readonly M[], action: BulkAction, person: Person): M[] {
  const entry: BulkEntry = bulkTable[action];
  if (entry.adminOnly && !person.admin) return [];
  const { action: single } = entry;
  if (single === null) return machines.filter((machine) => !machine.locked || entry.names === 'tag');
  return machines.filter((machine) => disabledReason(machine, single, person) === undefined);
}

/** Machines that were not done for the same reason. */
export interface Reason {
  readonly outcome: 'refused' | 'unknown';
  readonly text: string;
  readonly machines: readonly string[];
}

/** Why what is not done is not done: each reason once, the commonest first. `nameOf`: how people know a machine. */
export function reasonsOf(outcomes: readonly BulkOutcome[], nameOf: (systemId: string) => string): Reason[] {
  const reasons = new Map<string, { outcome: 'refused' | 'unknown'; text: string; machines: string[] }>();
  for (const { system_id, outcome, error } of outcomes) {
    if (outcome === 'done') continue;
    // The sentences of two machines differ by their ids.
    const text = error.replaceAll(` (${system_id})`, '').replaceAll(system_id, '…');
    const known = reasons.get(`${outcome} ${text}`) ?? { outcome, text, machines: [] };
    known.machines.push(nameOf(system_id));
    reasons.set(`${outcome} ${text}`, known);
  }
  return [...reasons.values()].sort((a, b) => b.machines.length - a.machines.length);
}

/** How far the operations of a bulk call have come. */
export function progressOf(counts: OperationCounts): { readonly total: number; readonly ended: number; readonly failed: number } {
  const of = (outcome: string) => counts.by_outcome[outcome] ?? 0;
  return { total: counts.operations, ended: counts.operations - of('live'), failed: of('failed') + of('aborted') };
}

/** Look again? Yes before the first answer, and while a cell that is absent keeps one from being given (503): it may be at work. */
export function isUnderWay(counts: OperationCounts | undefined, error: unknown): boolean {
  if (error instanceof ApiError && error.status === 503) return true;
  return counts === undefined || (counts.by_outcome['live'] ?? 0) > 0;
}

export interface BulkChoices extends Pick<ActionChoices, 'erase'> {
  readonly name?: string;
}

/** @throws ApiError when nothing at all was done. */
export function performBulk(action: BulkAction, machines: string[], choices: BulkChoices): Promise<BulkReply> {
  const name = choices.name ?? '';
  // A key that is pressed twice, or a reply that is lost, must not ask for two.
  const named = { machines, bulk: crypto.randomUUID?.() ?? `page-${Date.now()}-${Math.round(Math.random() * 1e9)}` };
  switch (action) {
    case 'commission':
      return client.call('Machines.bulk_commission', {}, named);
    case 'release':
      return client.call('Machines.bulk_release', {}, { ...named, ...erasures[choices.erase ?? 'keep'] });
    case 'tag':
      return client.call('Machines.bulk_tag', {}, { ...named, tag: name });
    case 'untag':
      return client.call('Machines.bulk_untag', {}, { ...named, tag: name });
    case 'set_zone':
      return client.call('Machines.bulk_set_zone', {}, { ...named, zone: name });
    default:
      return client.call('Machines.bulk_set_pool', {}, { ...named, pool: name });
  }
}
