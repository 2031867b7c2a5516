/** Adding machines by hand, and accepting those that enlisted themselves. */
import { fail, invalid } from '../../contract/errors.ts';
import { machineArchitecture } from '../../contract/architecture.ts';
import { lifecycle } from '../../contract/lifecycle.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { Handlers } from '../../http/handler.ts';
import { UniqueViolation } from '../../postgres/database-errors.ts';
import type { GlobalReader } from '../../global/document.ts';
import { missingText, namedIds } from '../../global/named-ids.ts';
import type { CellDb } from '../db/cell-db.ts';
import { changeMachine, findDomain, likelyVlan, readGuards } from '../db/machine-guard.ts';
import { drawSystemId, findByMac, insertMachine } from '../db/machine-identity.ts';
import { findMachines } from '../db/machine-read.ts';
import { setStatus } from '../db/machine-status.ts';
import { defaultDomain } from '../db/metadata-store.ts';
import { changing } from './act.ts';
import type { ApiContext } from './api-context.ts';
import { inChunks, refuseHalf } from './bulk-chunks.ts';
import { commissionPlan, refuseSsh, startCommissioning, type CommissionPlan } from './commission.ts';
import { statusName, type Asker } from './judge-action.ts';
import { commissioning } from './bulk-works.ts';
import { machineBodies, machineBodyOf } from './machine-page.ts';
import { checkPower, storePower } from './power-settings.ts';

/** Drivers whose BMC can be told apart without a MAC address. */
const macless = ['ipmi', 'redfish'];
const usualArchitecture = 'amd64/generic';
/** What is said of a new machine: the parameters of `Machines.create`. */
export type MachineGiven = RouteParams<'Machines.create'>;

/** A made-up name may be taken; the second one carries the system_id. */
const nameAttempts = 2;

/** Clients send empty strings for what they leave open. */
function isUnsaid(text: string | undefined): text is undefined | '' {
  return text === undefined || text === '';
}

/** The id behind a name; undefined when none was given. @throws Failure `invalid`. */
export function placeOf(
  global: Pick<GlobalReader, 'named' | 'retired'>,
  kind: 'zone' | 'pool',
  name: string | undefined,
): number | undefined {
  if (isUnsaid(name)) return undefined;
  const { ids, missing } = namedIds(global, kind, [name]);
  const text = missingText(kind, missing);
  if (text !== undefined) throw invalid({ [kind]: [text] });
  return ids[0];
}

/** The id behind a name or id; undefined when none was given. @throws Failure `invalid`. */
export async function domainOf(db: CellDb, nameOrId: string | undefined): Promise<number | undefined> {
  if (isUnsaid(nameOrId)) return undefined;
  const id = await findDomain(db, nameOrId);
  if (id === undefined) throw invalid({ domain: [`Unable to find domain ${nameOrId.slice(0, 100)}.`] });
  return id;
}

/** As it is stored; undefined when none was given. @throws Failure `invalid`. */
export function architectureOf(text: string | undefined): string | undefined {
  if (isUnsaid(text)) return undefined;
  const architecture = machineArchitecture(text);
  if (architecture === undefined) throw invalid({ architecture: [`'${text.slice(0, 40)}' is not a valid architecture.`] });
  return architecture;
}

/** `amd64` and `generic`, as older clients send them, are `amd64/generic`. */
function wholeArchitecture(given: { readonly architecture?: string; readonly subarchitecture?: string }): string | undefined {
  const { architecture, subarchitecture } = given;
  if (isUnsaid(architecture) || isUnsaid(subarchitecture) || architecture.includes('/')) return architecture;
  return `${architecture}/${subarchitecture}`;
}

/** What a name or MAC address that is taken is answered with; anything else is thrown on. */
async function explainTaken(db: CellDb, error: unknown, macs: readonly string[]): Promise<never> {
  if (!(error instanceof UniqueViolation)) throw error;
  if (error.constraint === 'node_name') throw invalid({ hostname: ['Node with this Hostname already exists.'] });
  for (const mac of macs) {
    const owner = await findByMac(db, mac);
    if (owner !== undefined) throw invalid({ mac_addresses: [`MAC address ${mac} is already in use by machine ${owner}.`] });
  }
  throw error;
}

/**
 * Add a machine, New or with its commissioning started, and give its system_id.
 * @throws Failure `invalid`, `bad_request`, `power_refused`, `conflict`.
 */
export async function addMachine(context: ApiContext, params: MachineGiven, caller: Asker): Promise<string> {
  const { database, global, scripts } = context;
  const macs = [...new Set((params.mac_addresses ?? []).map((mac) => mac.replaceAll('-', ':').toLowerCase()))];
  if (macs.length === 0 && !macless.includes(params.power_type ?? '') && params.deployed !== true) {
    throw invalid({ mac_addresses: ['This field is required.'] });
  }
  if (params.cell !== undefined && params.cell !== context.cellName) throw invalid({ cell: [`This is cell ${context.cellName}.`] });
  const zone = placeOf(global, 'zone', params.zone);
  const pool = placeOf(global, 'pool', params.pool);
  refuseSsh(params.enable_ssh);
  if (params.is_dpu === true) throw fail('bad_request', { reason: 'is_dpu is not built: add the DPU as a machine of its own.' });
  const architecture = architectureOf(wholeArchitecture(params)) ?? usualArchitecture;
  const domain = (await domainOf(database.db, params.domain)) ?? (await defaultDomain(database.db));
  const commission = params.deployed === true || params.commission === false ? undefined : commissionPlan(context, params);
  // Asked before anything is written: wrong settings are told now, not by a machine that does not boot.
  const power = await checkPower(context, params);
  const systemId = await drawSystemId(database.db);
  const vlan = await likelyVlan(database.db);
  const add = async (tx: CellDb, hostname: string, plan: CommissionPlan | undefined): Promise<void> => {
    await insertMachine(
      tx,
      {
        systemId,
        hostname,
        domainId: domain,
        architecture,
        description: params.description ?? '',
        hardwareUuid: null,
        serial: null,
        firmware: '',
        interfaces: macs.map((mac, index) => ({ name: `eth${index}`, mac, vlanId: index === 0 ? vlan : null })),
        bootMac: macs[0],
      },
      { kind: 'machine_created', username: caller.username },
    );
    await changeMachine(
      tx,
      { system_id: systemId, generation: 0 },
      {
        min_hwe_kernel: params.min_hwe_kernel ?? '',
        ...(zone === undefined ? {} : { zone_id: zone }),
        ...(pool === undefined ? {} : { pool_id: pool }),
      },
    );
    if (power) await storePower(tx, context, systemId, power);
    if (params.deployed === true) {
      await setStatus(tx, { systemId, from: ['new'], to: 'deployed', by: caller.username, set: { owner: caller.username } });
    } else if (plan) await startCommissioning(tx, { system_id: systemId, status: lifecycle.new.number }, caller.username, plan);
    context.killPoint('api_create:after-effect');
  };
  for (let attempt = 0; ; attempt += 1) {
    try {
      const hostname = params.hostname ?? scripts.hostName(systemId, attempt);
      await changing(context, systemId, (tx) => add(tx, hostname, commission));
      break;
    } catch (error) {
      const isMadeUp = params.hostname === undefined && error instanceof UniqueViolation && error.constraint === 'node_name';
      if (!isMadeUp || attempt + 1 >= nameAttempts) await explainTaken(database.db, error, macs);
    }
  }
  return systemId;
}

export function machineCreateHandlers(context: ApiContext): Handlers<'Machines.create' | 'Machines.accept' | 'Machines.accept_all'> {
  const { database } = context;

  async function accept(ids: readonly string[], asker: Asker): Promise<string[]> {
    const plan = commissionPlan(context, {});
    const guards = await readGuards(database.db, ids);
    const missing = ids.filter((id) => !guards.some((guard) => guard.system_id === id));
    if (missing.length > 0) throw fail('bad_request', { reason: `Unknown machine(s): ${missing.join(', ')}.` });
    const wrong = guards.find((guard) => guard.status !== lifecycle.new.number);
    if (wrong)
      throw fail('wrong_state', {
        text: `Cannot accept node enlistment: node ${wrong.system_id} is in state ${statusName(wrong.status)}.`,
      });
    const found = guards.map((guard) => guard.system_id);
    refuseHalf(await inChunks(context, found, false, commissioning(plan, asker, undefined)));
    return found;
  }

  return {
    'Machines.create': async ({ params, caller }) => machineBodyOf(context, await addMachine(context, params, caller)),
    'Machines.accept': async ({ params, caller }) => machineBodies(context, await accept([...new Set(params.machines)], caller)),
    'Machines.accept_all': async ({ caller }) => {
      const fresh = [{ name: 'status', not: false, test: { is: 'status', of: [lifecycle.new.number] } }] as const;
      const found = await findMachines(database.db, fresh, { by: 'system_id', falling: false }, { limit: undefined, after: undefined });
      return machineBodies(
        context,
        await accept(
          found.map((one) => one.system_id),
          caller,
        ),
      );
    },
  };
}
