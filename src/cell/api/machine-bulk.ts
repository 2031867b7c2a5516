/** What is asked of many machines at once, with an outcome for each. `bulk-works.ts` says what is done, `bulk-chunks.ts` carries it out. */
import { randomUUID } from 'node:crypto';
import { Compile } from 'typebox/compile';
import { fail, invalid } from '../../contract/errors.ts';
import { BulkId, type Bulk } from '../../contract/resources/machine-bulk.ts';
import type { Body } from '../../contract/route.ts';
import type { Handlers } from '../../http/handler.ts';
import type { ApiContext } from './api-context.ts';
import { inChunks, type ChunkWork, type Destroying, type Outcome } from './bulk-chunks.ts';
import { commissioning, placing, releasedBefore, releasing, tagging } from './bulk-works.ts';
import { commissionPlan } from './commission.ts';
import type { Asker } from './judge-action.ts';
import { placeOf } from './machine-create.ts';
import { releasePlan } from './release-plan.ts';

export type MachineBulkRoute =
  | 'Machines.bulk_commission'
  | 'Machines.bulk_release'
  | 'Machines.bulk_tag'
  | 'Machines.bulk_untag'
  | 'Machines.bulk_set_zone'
  | 'Machines.bulk_set_pool';

const isBulkId = Compile(BulkId);

interface BulkCall {
  readonly params: { readonly machines: readonly string[]; readonly bulk?: string; readonly comment?: string };
  readonly caller: Asker;
  readonly request: { readonly idempotencyKey?: string | undefined };
}

/** What a call is known by: what the caller says, or a new one. */
function bulkIdOf({ params, request }: BulkCall): string {
  if (params.bulk !== undefined) return params.bulk;
  return isBulkId.Check(request.idempotencyKey) ? request.idempotencyKey : randomUUID();
}

/** The reply of a bulk call. */
export function bulkBody(bulk: string, found: readonly Outcome[]): Body<typeof Bulk> {
  const outcomes = found.map((one) =>
    'refused' in one
      ? { system_id: one.systemId, outcome: 'refused' as const, operation: null, code: one.refused.code, error: one.refused.message }
      : { system_id: one.systemId, outcome: 'done' as const, operation: one.operation, code: null, error: '' },
  );
  const done = outcomes.filter(({ outcome }) => outcome === 'done').length;
  return { bulk, done, refused: outcomes.length - done, unknown: 0, outcomes };
}

export function machineBulkHandlers(context: ApiContext): Handlers<MachineBulkRoute> {
  const { global } = context;

  async function each(
    call: BulkCall,
    work: (bulk: string) => ChunkWork,
    destroying?: (bulk: string) => Destroying,
  ): Promise<Body<typeof Bulk>> {
    const bulk = bulkIdOf(call);
    const ids = [...new Set(call.params.machines)];
    const found = new Map((await inChunks(context, ids, destroying?.(bulk) ?? false, work(bulk))).map((one) => [one.systemId, one]));
    return bulkBody(
      bulk,
      ids.flatMap((id) => found.get(id) ?? []),
    );
  }
  const tag = (name: string): number => {
    const found = global.named('tag', name);
    if (!found) throw fail('not_found', { what: 'Tag' });
    return found.id;
  };
  const place = (call: BulkCall, kind: 'zone' | 'pool', name: string) => {
    const id = placeOf(global, kind, name);
    if (id === undefined) throw invalid({ [kind]: ['This field is required.'] });
    return each(call, () => placing(kind === 'zone' ? 'zone_id' : 'pool_id', id, `${kind}: ${name}`, call.caller));
  };

  return {
    'Machines.bulk_commission': (call) => {
      const plan = commissionPlan(context, call.params);
      return each(call, (bulk) => commissioning(plan, call.caller, bulk, call.params.comment));
    },
    'Machines.bulk_release': (call) => {
      const plan = releasePlan(global, call.params);
      const { username } = call.caller;
      return each(
        call,
        (bulk) => releasing(plan, call.caller, bulk, call.params.comment),
        (bulk) => ({ before: (ids) => releasedBefore(context.database.db, bulk, username, ids) }),
      );
    },
    'Machines.bulk_tag': (call) => {
      const id = tag(call.params.tag);
      return each(call, () => tagging(id, call.params.tag, true, call.caller));
    },
    'Machines.bulk_untag': (call) => {
      const id = tag(call.params.tag);
      return each(call, () => tagging(id, call.params.tag, false, call.caller));
    },
    'Machines.bulk_set_zone': (call) => place(call, 'zone', call.params.zone),
    'Machines.bulk_set_pool': (call) => place(call, 'pool', call.params.pool),
  };
}
