/** Commissioning and testing: operations that boot the ephemeral environment to look and to run scripts. */
import { fail, invalid } from '../../contract/errors.ts';
import { stateOf } from '../../contract/lifecycle.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import { record } from '../db/event-store.ts';
import type { MachineGuard } from '../db/machine-guard.ts';
import { startOperation } from '../db/operation-store.ts';
import { planScripts, scriptTypes } from '../db/script-result-store.ts';
import { act } from './act.ts';
import type { ApiContext } from './api-context.ts';
import { chooseScripts } from './script-choice.ts';

export interface CommissionGiven {
  readonly commissioning_scripts?: string;
  readonly testing_scripts?: string;
  readonly skip_networking?: boolean;
  readonly skip_storage?: boolean;
}

export interface CommissionPlan {
  readonly commissioning: readonly string[];
  readonly testing: readonly string[];
  readonly parameters: Record<string, unknown>;
}

/** What a commissioning is to run. @throws Failure `invalid`. */
export function commissionPlan(context: Pick<ApiContext, 'global' | 'scripts'>, given: CommissionGiven): CommissionPlan {
  const { global, scripts } = context;
  return {
    commissioning: chooseScripts('commissioning_scripts', given.commissioning_scripts, scripts.commissioning(), global),
    testing: chooseScripts('testing_scripts', given.testing_scripts, scripts.testing(), global),
    parameters: { skip_networking: given.skip_networking === true, skip_storage: given.skip_storage === true },
  };
}

type Startable = Pick<MachineGuard, 'system_id' | 'status'> & Partial<Pick<MachineGuard, 'generation'>>;

/** Start commissioning, in the caller's transaction. @throws LostRace */
export async function startCommissioning(tx: CellDb, machine: Startable, by: string, plan: CommissionPlan): Promise<void> {
  const id = await startOperation(tx, {
    kind: 'commission',
    systemId: machine.system_id,
    from: [stateOf(machine.status)],
    ...(machine.generation === undefined ? {} : { generation: machine.generation }),
    requestedBy: by,
    by,
    parameters: plan.parameters,
    memory: { origin: machine.status },
    set: { error_description: '' },
  });
  await planScripts(tx, machine.system_id, id, plan.commissioning, scriptTypes.commissioning);
  await planScripts(tx, machine.system_id, id, plan.testing, scriptTypes.testing);
  await record(tx, {
    kind: 'commissioning_asked',
    systemId: machine.system_id,
    username: by,
    description: `(${by})`,
    data: { operation: id },
  });
}

/** @throws Failure `bad_request`. */
export function refuseSsh(isAsked: boolean | undefined): void {
  if (isAsked === true) throw fail('bad_request', { reason: 'enable_ssh is not built yet: use rescue mode to log in to a machine.' });
}

/** @throws Failure `invalid`: the scripts there are take no parameters, and one that did nothing would be believed. */
function refuseParameters(given: Readonly<Record<string, string>> | undefined): void {
  const [name] = Object.keys(given ?? {});
  if (name !== undefined) throw invalid({ parameters: [`No script takes a parameter '${name.slice(0, 100)}'.`] });
}

export function commissionHandlers(context: ApiContext): Handlers<'Machine.commission' | 'Machine.test'> {
  return {
    'Machine.commission': (call) => {
      refuseSsh(call.params.enable_ssh);
      refuseParameters(call.params.parameters);
      const plan = commissionPlan(context, call.params);
      return act(context, call, 'commission', (tx, guard) => {
        // It would be Ready and somebody's at the end: never given out, never released.
        if (guard.owner !== null)
          throw fail('wrong_state', { text: `Machine ${guard.system_id} belongs to ${guard.owner}: release it first.` });
        return startCommissioning(tx, guard, call.caller.username, plan);
      });
    },
    'Machine.test': (call) => {
      refuseSsh(call.params.enable_ssh);
      refuseParameters(call.params.parameters);
      const scripts = chooseScripts('testing_scripts', call.params.testing_scripts, context.scripts.testing(), context.global);
      const destructive = context.global.list('script').find((script) => script.destructive === true && scripts.includes(script.name));
      return act(context, call, 'test', async (tx, guard) => {
        const by = call.caller.username;
        if (destructive && guard.owner !== null) {
          const text = `${destructive.name} writes to disks, and machine ${guard.system_id} belongs to ${guard.owner}: release it first.`;
          throw fail('wrong_state', { text });
        }
        const id = await startOperation(tx, {
          kind: 'test',
          systemId: guard.system_id,
          from: [stateOf(guard.status)],
          generation: guard.generation,
          requestedBy: by,
          by,
          // A test that failed before says where it came from; the row's own state would be Failed testing.
          memory: { origin: stateOf(guard.status) === 'failed_testing' ? (guard.origin ?? guard.status) : guard.status },
        });
        await planScripts(tx, guard.system_id, id, scripts, scriptTypes.testing);
        await record(tx, {
          kind: 'testing_asked',
          systemId: guard.system_id,
          username: by,
          description: `(${by})`,
          data: { operation: id },
        });
      });
    },
  };
}
