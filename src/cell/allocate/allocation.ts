/** Allocating a machine: at once on a cell that is asked directly, or by ask, claim and confirm through a front (architecture §8). */
import { fail } from '../../contract/errors.ts';
import type { RouteReply } from '../../contract/routes.ts';
import type { GlobalReader } from '../../global/document.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Database } from '../../postgres/database.ts';
import { cheapest, confirmClaim, findClaim, supply, takeCheapest } from '../db/allocation-store.ts';
import { once } from '../db/idempotency-store.ts';
import type { CellTables } from '../db/schema.ts';
import { readConstraints, refusalText, type Constraint } from './constraints.ts';

/** What this room needs from the rest of the cell. */
export interface AllocateDoor {
  /** The machine as the API shows it. @throws Failure `not_found`. */
  shown(systemId: string): Promise<RouteReply<'Machine.read'>>;
  /** Named points where a test may kill the process. */
  killPoint(name: string): void;
}

export interface AllocateContext {
  readonly database: Database<CellTables>;
  readonly global: Pick<GlobalReader, 'named'>;
  readonly door: AllocateDoor;
}

/** Seconds that a claim holds unless it is confirmed. */
export const claimSeconds = 30;

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

type AllocationRoute = 'Machines.allocate' | 'Machines.ask' | 'Machines.claim' | 'Machines.confirm';

export function allocationHandlers({ database, global, door }: AllocateContext): Handlers<AllocationRoute> {
  const conditionsOf = (found: readonly Constraint[]) => found.map((one) => one.condition);

  /** Read outside of the failed transaction: what can be said is only ever what is so now. */
  async function refuse(found: readonly Constraint[], fields: Readonly<Record<string, readonly string[]>>): Promise<never> {
    throw fail('none_available', { text: refusalText(found, fields, await supply(database.db, conditionsOf(found))) });
  }

  return {
    'Machines.allocate': async (call) => {
      const { params, free, caller, fields } = call;
      const found = readConstraints(global, params, free);
      const conditions = conditionsOf(found);
      if (params.dry_run === true) {
        const best = await cheapest(database.db, conditions);
        return best === undefined ? refuse(found, fields) : door.shown(best);
      }
      const taking = { owner: caller.username, agentName: params.agent_name ?? '', comment: params.comment ?? '' };
      const taken = await database
        .transaction((tx) =>
          once(tx, call, async () => {
            const system_id = await takeCheapest(tx, conditions, taking);
            door.killPoint('api_allocate:after-effect');
            // Thrown, so that a key is not used up by getting nothing.
            if (system_id === undefined) throw new NothingFits();
            return { system_id };
          }),
        )
        .catch((error: unknown) => {
          if (error instanceof NothingFits) return undefined;
          throw error;
        });
      if (!taken) return refuse(found, fields);
      door.killPoint('api_allocate:after-commit');
      return door.shown(taken.system_id);
    },
    'Machines.ask': async ({ params, free }) => {
      const { best, ready, matching, ruledOut } = await supply(database.db, conditionsOf(readConstraints(global, params, free)));
      return { best, ready, matching, ruled_out: { ...ruledOut } };
    },
    'Machines.claim': async ({ params, free, caller, fields }) => {
      const { claim } = params;
      const found = readConstraints(global, params, free);
      const taken = await database.transaction(async (tx) => {
        const earlier = await findClaim(tx, claim);
        if (earlier && earlier.owner !== caller.username) throw fail('claim_refused', { text: 'This claim belongs to somebody else.' });
        if (earlier) return { system_id: earlier.system_id, expires_in: Math.max(0, Math.ceil(earlier.seconds ?? claimSeconds)) };
        const taking = { owner: caller.username, agentName: params.agent_name ?? '', comment: params.comment ?? '' };
        const system_id = await takeCheapest(tx, conditionsOf(found), { ...taking, claim: { id: claim, seconds: claimSeconds } });
        door.killPoint('api_claim:after-effect');
        return system_id === undefined ? undefined : { system_id, expires_in: claimSeconds };
      });
      return taken === undefined ? refuse(found, fields) : { claim, ...taken };
    },
    'Machines.confirm': async ({ params, caller }) => {
      const taken = uuid.test(params.claim) ? await confirmClaim(database.db, params.claim, caller.username) : undefined;
      if (taken === undefined) throw fail('claim_refused', { text: 'This claim has run out, or was never made here: claim again.' });
      return door.shown(taken);
    },
  };
}

class NothingFits extends Error {
  override readonly name = 'NothingFits';
}
