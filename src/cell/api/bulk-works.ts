/** What can be done to many machines at once: each work judges a chunk's machines one by one and changes them together, in the chunk's transaction. */
import { fail, Failure } from '../../contract/errors.ts';
import type { OperationKind } from '../../contract/operation.ts';
import { begunBy, cutOperations, holdOperations, placeMachines, startOperations, type Begun } from '../db/bulk-store.ts';
import type { CellDb } from '../db/cell-db.ts';
import { recordAll, type CellEvent } from '../db/event-store.ts';
import { readGuards, type MachineGuard } from '../db/machine-guard.ts';
import { scriptTypes } from '../db/script-result-store.ts';
import { addTag, removeTag } from '../db/tag-store.ts';
import type { ChunkWork, Outcome } from './bulk-chunks.ts';
import type { CommissionPlan } from './commission.ts';
import { refuseAction, refuseChange, type Asker } from './judge-action.ts';
import { isReleased, type ReleasePlan } from './release-plan.ts';

interface Verdict {
  readonly operation: number | null;
  readonly replayed?: boolean;
}

interface Judged {
  readonly allowed: readonly MachineGuard[];
  readonly outcomes: Outcome[];
}

const missing = (): Failure => fail('not_found', { what: 'Machine' });

/** Sort a chunk's machines: what is refused or done already has its outcome. `judge`: a refusal, an outcome, or undefined to go on. */
async function judge(tx: CellDb, ids: readonly string[], verdict: (guard: MachineGuard) => Failure | Verdict | undefined): Promise<Judged> {
  const guards = new Map((await readGuards(tx, ids)).map((guard) => [guard.system_id, guard]));
  const outcomes: Outcome[] = [];
  const allowed: MachineGuard[] = [];
  for (const systemId of ids) {
    const guard = guards.get(systemId);
    const said = guard ? verdict(guard) : missing();
    if (guard && said === undefined) allowed.push(guard);
    else if (said instanceof Error) outcomes.push({ systemId, refused: said });
    else outcomes.push({ systemId, operation: null, ...said });
  }
  return { allowed, outcomes };
}

/** Which operations are those of one bulk call. With or without erasing is a setting, and may change before the call is sent again. */
const commissions: readonly OperationKind[] = ['commission'];
const releases: readonly OperationKind[] = ['release', 'erase'];

/** What the calls of one name have begun; nothing for MAAS's own calls, which have none. */
async function begunBefore(
  tx: CellDb,
  bulk: string | undefined,
  by: string,
  kinds: readonly OperationKind[],
  ids: readonly string[],
): Promise<(systemId: string) => Verdict | Failure | undefined> {
  const begun = bulk === undefined ? new Map<string, Begun>() : await begunBy(tx, { bulk, by, kinds }, ids);
  return (systemId) => {
    const before = begun.get(systemId);
    if (before === undefined) return undefined;
    if (kinds.includes(before.kind)) return { operation: before.id, replayed: true };
    return new Failure(
      'idempotency_mismatch',
      `The bulk call ${bulk} is another one: it began operation ${before.id} (${before.kind}) on machine ${systemId}. Use another name.`,
    );
  };
}

/** Those of these machines that a release of this name has begun to release already. */
export async function releasedBefore(db: CellDb, bulk: string, by: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const begun = await begunBy(db, { bulk, by, kinds: releases }, ids);
  return new Set(ids.filter((id) => releases.includes(begun.get(id)?.kind ?? 'test')));
}

const note = (by: string, comment: string | undefined): string => `(${by})${comment === undefined ? '' : ` - ${comment}`}`;

/** Commission the machines of a chunk: five statements. `bulk` undefined: MAAS's own call, which has judged already. */
export function commissioning(plan: CommissionPlan, asker: Asker, bulk: string | undefined, comment?: string): ChunkWork {
  const scripts = [
    ...plan.commissioning.map((name) => ({ name, type: scriptTypes.commissioning })),
    ...plan.testing.filter((name) => !plan.commissioning.includes(name)).map((name) => ({ name, type: scriptTypes.testing })),
  ];
  return async (tx, ids) => {
    const begun = await begunBefore(tx, bulk, asker.username, commissions, ids);
    const { allowed, outcomes } = await judge(tx, ids, (guard) => {
      const before = begun(guard.system_id);
      if (before !== undefined) return before;
      const refused = refuseAction(guard, 'commission', asker);
      if (refused || guard.owner === null) return refused;
      return fail('wrong_state', { text: `Machine ${guard.system_id} belongs to ${guard.owner}: release it first.` });
    });
    const started = await startOperations(tx, {
      kind: 'commission',
      machines: allowed,
      by: asker.username,
      bulk,
      parameters: plan.parameters,
      remembers: true,
      scripts,
      event: (systemId, operation): CellEvent => ({
        kind: 'commissioning_asked',
        systemId,
        username: asker.username,
        description: note(asker.username, comment),
        data: { operation },
      }),
    });
    return [...outcomes, ...allowed.map(({ system_id }) => ({ systemId: system_id, operation: started.get(system_id) ?? null }))];
  };
}

/** Release the machines of a chunk, stopping what is being done to them: six statements, and five more where something was. */
export function releasing(plan: ReleasePlan, asker: Asker, bulk: string | undefined, comment?: string): ChunkWork {
  return async (tx, ids) => {
    await holdOperations(tx, ids);
    const begun = await begunBefore(tx, bulk, asker.username, releases, ids);
    const { allowed, outcomes } = await judge(tx, ids, (guard) => {
      const before = begun(guard.system_id);
      if (before !== undefined) return before;
      const refused = refuseAction(guard, 'release', asker);
      return refused ?? (isReleased(guard) ? { operation: null } : undefined);
    });
    if (allowed.length > 0)
      await cutOperations(
        tx,
        allowed.map((guard) => guard.system_id),
        'the machine was released',
      );
    const started = await startOperations(tx, {
      kind: plan.kind,
      machines: allowed,
      by: asker.username,
      bulk,
      parameters: plan.parameters,
      remembers: false,
      event: (systemId, operation): CellEvent => ({
        kind: 'release_asked',
        systemId,
        username: asker.username,
        description: note(asker.username, comment),
        data: { operation, erase: plan.kind === 'erase' },
      }),
    });
    return [...outcomes, ...allowed.map(({ system_id }) => ({ systemId: system_id, operation: started.get(system_id) ?? null }))];
  };
}

/** Put the machines of a chunk into a zone or pool: three statements. */
export function placing(column: 'zone_id' | 'pool_id', value: number, said: string, asker: Asker): ChunkWork {
  return async (tx, ids) => {
    const { allowed, outcomes } = await judge(tx, ids, refuseChange);
    if (allowed.length > 0) await placeMachines(tx, allowed, column, value);
    await recordAll(
      tx,
      allowed.map(({ system_id }) => ({ kind: 'machine_updated', systemId: system_id, username: asker.username, description: said })),
    );
    return [...outcomes, ...allowed.map(({ system_id }) => ({ systemId: system_id, operation: null }))];
  };
}

/** Put a tag on the machines of a chunk, or take it off: three statements. */
export function tagging(tagId: number, name: string, isOn: boolean, asker: Asker): ChunkWork {
  return async (tx, ids) => {
    const { allowed, outcomes } = await judge(tx, ids, () => undefined);
    const here = allowed.map((guard) => guard.system_id);
    const changed = await (isOn ? addTag : removeTag)(tx, tagId, here);
    const description = `Tag ${name} ${isOn ? 'added' : 'removed'}`;
    await recordAll(
      tx,
      changed.map((systemId) => ({ kind: 'tags_changed', systemId, username: asker.username, description })),
    );
    return [...outcomes, ...here.map((systemId) => ({ systemId, operation: null }))];
  };
}
