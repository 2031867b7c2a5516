/** Allocating a machine: at once on a cell that is asked directly, or by ask, claim and confirm through a front (architecture §8). */
import { fail } from '../../contract/errors.ts';
import type { Spread } from '../../contract/resources/constraints.ts';
import type { RouteReply } from '../../contract/routes.ts';
import type { GlobalReader } from '../../global/document.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Database } from '../../postgres/database.ts';
import type { CellDb } from '../db/cell-db.ts';
import { cheapest, groups, heldBy, supply, takeCheapest, type Found, type Grouping, type Taking } from '../db/allocation-store.ts';
import { beginClaim, confirmClaim, endClaim, markDelivered, readClaim, voidClaim, type ClaimRow } from '../db/claim-store.ts';
import { claimRules } from '../db/claim-rules.ts';
import { bridgeAll, bridgeOptions } from '../db/machine-network.ts';
import { once, settledKey, settleKey } from '../db/idempotency-store.ts';
import type { CellTables } from '../db/schema.ts';
import type { MachineCondition } from '../db/machine-filter.ts';
import type { Constraint } from '../db/condition-reader.ts';
import { readConstraints, refusalText, refuseWays, type Ways } from './constraints.ts';

/** What this room needs from the rest of the cell. */
export interface AllocateDoor {
  /** The machine as the API shows it. @throws Failure `not_found`. */
  shown(systemId: string): Promise<RouteReply<'Machine.read'>>;
  /** Named points where a test may kill the process. */
  killPoint(name: string): void;
}

export interface AllocateContext {
  readonly database: Database<CellTables>;
  readonly global: Pick<GlobalReader, 'named' | 'get' | 'retired'>;
  readonly door: AllocateDoor;
}

/** Seconds that a claim holds unless it is confirmed. */
export const claimSeconds = 30;

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

type AllocationRoute = `Machines.${'allocate' | 'explain' | 'ask' | 'claim' | 'confirm' | 'free_claim' | 'mark_delivered' | 'settle_key'}`;

/** How to spread what a caller takes; over cells there is nothing to choose inside of one. */
function groupingOf(spread: Spread | undefined, owner: string, agentName = ''): Grouping | undefined {
  return spread === undefined || spread === 'cell' ? undefined : { by: spread, owner, agentName };
}

/** @throws Failure `claim_refused` unless the claim is this caller's own. */
function mine(claim: ClaimRow, username: string): ClaimRow {
  if (claim.owner !== username) throw fail('claim_refused', { text: 'This claim belongs to somebody else.' });
  return claim;
}

type ByType = RouteReply<'Machine.read'>['constraints_by_type'];

/** What the labels stand for, as the reply shows it; `verbose`: also by machine, as MAAS does of all that it looked at. */
function byType({ system_id, matched }: Found, verbose: boolean | undefined): ByType {
  const { storage, interfaces } = matched;
  const shown = {
    ...(storage ? { storage: copied(storage) } : {}),
    ...(interfaces ? { interfaces: copied(interfaces) } : {}),
  };
  if (verbose !== true) return shown;
  const labels = Object.entries(storage ?? {}).flatMap(([label, ids]) => ids.map((id) => [String(id), label]));
  const cards = Object.entries(interfaces ?? {}).map(([label, ids]) => [label, { [system_id]: [...ids] }]);
  return {
    ...shown,
    verbose_storage: storage ? { [system_id]: Object.fromEntries(labels) } : {},
    verbose_interfaces: Object.fromEntries(cards),
  };
}

function copied<T>(lists: Readonly<Record<string, readonly T[]>>): Record<string, T[]> {
  return Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, [...list]]));
}

/** The cheapest machine, with the bridges that were asked for; with those, `db` is a transaction. */
async function takeBridged(db: CellDb, conditions: readonly MachineCondition[], taking: Taking, ways: Ways): Promise<Found | undefined> {
  const taken = await takeCheapest(db, conditions, taking);
  if (taken !== undefined && ways.bridge_all === true) await bridgeAll(db, taken.system_id, bridgeOptions(ways));
  return taken;
}

export function allocationHandlers({ database, global, door }: AllocateContext): Handlers<AllocationRoute> {
  const conditionsOf = (found: readonly Constraint[]) => found.map((one) => one.condition);
  const shown = async (found: Found, verbose: boolean | undefined): Promise<RouteReply<'Machine.read'>> => ({
    ...(await door.shown(found.system_id)),
    constraints_by_type: byType(found, verbose),
  });

  /** Read outside of the failed transaction: what can be said is only ever what is so now. */
  async function refuse(found: readonly Constraint[], fields: Readonly<Record<string, readonly string[]>>): Promise<never> {
    throw fail('none_available', { text: refusalText(found, fields, await supply(database.db, conditionsOf(found))) });
  }

  /** What the caller holds, and the cheapest match, in each group that machines are spread over. */
  async function held(spread: Spread, conditions: readonly MachineCondition[], owner: string, agentName: string, cost: number | null) {
    if (spread === 'cell') return [{ name: '', held: await heldBy(database.db, owner, agentName), cost }];
    // What names a zone or pool that is retired is shown in the default one, and cannot be claimed by the name of either.
    const rows = await groups(database.db, conditions, { by: spread, owner, agentName });
    return rows.flatMap(({ id, ...row }) => {
      const named = global.get(spread, id);
      return named ? [{ name: named.name, ...row }] : [];
    });
  }

  return {
    'Machines.allocate': async (call) => {
      const { params, free, caller, fields } = call;
      refuseWays(params);
      const spread = groupingOf(params.spread, caller.username, params.agent_name);
      const found = readConstraints(global, params, free);
      const conditions = conditionsOf(found);
      if (params.dry_run === true) {
        const best = await cheapest(database.db, conditions, spread);
        return best === undefined ? refuse(found, fields) : shown(best, params.verbose);
      }
      const taking = { owner: caller.username, agentName: params.agent_name ?? '', comment: params.comment ?? '', spread };
      const work = async (db: CellDb) => {
        const taken = await takeBridged(db, conditions, taking, params);
        door.killPoint('api_allocate:after-effect');
        // Thrown, so that a key is not used up by getting nothing.
        if (taken === undefined) throw new NothingFits();
        return taken;
      };
      // Taking is one statement: without a key to remember or bridges to make there is nothing that a transaction would hold together.
      const isOne = call.request.idempotencyKey === undefined && params.bridge_all !== true;
      const doing = isOne ? work(database.db) : database.transaction((tx) => once(tx, call, () => work(tx)));
      const taken = await doing.catch((error: unknown) => {
        if (error instanceof NothingFits) return undefined;
        throw error;
      });
      if (!taken) return refuse(found, fields);
      door.killPoint('api_allocate:after-commit');
      return shown(taken, params.verbose);
    },
    'Machines.explain': async ({ params, free }) => {
      const { ready, matching, ruledOut, without } = await supply(database.db, conditionsOf(readConstraints(global, params, free)));
      return { ready, matching, ruled_out: { ...ruledOut }, matching_without: { ...without } };
    },
    'Machines.ask': async ({ params, free, caller, request }) => {
      refuseWays(params);
      const { spread, agent_name, ...wanted } = params;
      const conditions = conditionsOf(readConstraints(global, wanted, free));
      const { best, ready, matching, ruledOut } = await supply(database.db, conditions);
      const key = request.idempotencyKey;
      const settled = key === undefined ? undefined : await settledKey(database.db, caller.username, key);
      const found =
        spread === undefined ? {} : { groups: await held(spread, conditions, caller.username, agent_name ?? '', best?.cost ?? null) };
      return { best, ready, matching, ruled_out: { ...ruledOut }, ...found, ...(settled ? { settled } : {}) };
    },
    'Machines.claim': async ({ params, free, caller, fields }) => {
      refuseWays(params);
      const { claim } = params;
      const { username } = caller;
      const found = readConstraints(global, params, free);
      const taken = await database.transaction(async (tx) => {
        if (!(await beginClaim(tx, claim, username))) return (await readClaim(tx, claim)) ?? 'nothing';
        const taking = { owner: username, agentName: params.agent_name ?? '', comment: params.comment ?? '' };
        const machine = await takeBridged(tx, conditionsOf(found), { ...taking, claim: { id: claim, seconds: claimSeconds } }, params);
        if (machine === undefined) await voidClaim(tx, claim);
        door.killPoint('api_claim:after-effect');
        return machine === undefined ? 'nothing' : { owner: username, standing: 'held' as const, ...machine, seconds: claimSeconds };
      });
      if (taken === 'nothing') return refuse(found, fields);
      const { standing, system_id, seconds } = mine(taken, username);
      if (claimRules[standing].claim.answer !== 'machine' || system_id === null) {
        throw fail('claim_refused', { text: 'This claim is over: it never takes a machine again. Make another one.' });
      }
      return { claim, system_id, expires_in: Math.max(0, Math.ceil(seconds ?? claimSeconds)) };
    },
    'Machines.confirm': async ({ params, caller }) => {
      const { claim } = params;
      const { username } = caller;
      if (!uuid.test(claim)) throw fail('claim_refused', { text: 'This is not the UUID of a claim.' });
      const taken = await confirmClaim(database.db, claim, username);
      if (taken !== undefined) return shown(taken, params.verbose);
      // Refused is final: whoever is told so takes another machine elsewhere.
      const { standing, system_id, matched } = mine(
        await database.transaction((tx) => endClaim(tx, claim, username), { retryable: true }),
        username,
      );
      if (claimRules[standing].confirm.answer === 'machine' && system_id !== null) return shown({ system_id, matched }, params.verbose);
      throw fail('claim_refused', { text: 'This claim has run out, or was never made here: claim again.' });
    },
    'Machines.free_claim': async ({ params, caller }) => {
      const { claim } = params;
      const ended = mine(await database.transaction((tx) => endClaim(tx, claim, caller.username), { retryable: true }), caller.username);
      return { claim, state: ended.standing === 'over' ? 'over' : 'kept' };
    },
    'Machines.mark_delivered': async ({ params, caller }) => {
      await markDelivered(database.db, params.claim, caller.username);
      return null;
    },
    'Machines.settle_key': async ({ params, caller, request: { idempotencyKey } }) => {
      if (idempotencyKey === undefined) throw fail('bad_request', { reason: 'Send the key that is to be settled as Idempotency-Key.' });
      const { cell, claim, system_id, request, instead_of } = params;
      const key = { username: caller.username, key: idempotencyKey, request };
      return { ...(await settleKey(database.db, key, { cell, claim, system_id }, instead_of)), request };
    },
  };
}

class NothingFits extends Error {
  override readonly name = 'NothingFits';
}
