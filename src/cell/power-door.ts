/** A machine's power settings in the clear, at the moment of a call; and asking a BMC right now. */
import { invalid, fail } from '../contract/errors.ts';
import { checkPowerParameters } from '../contract/power-parameters.ts';
import { powerType, type PowerParameters, type PowerTypeName } from '../contract/power-types.ts';
import type { CellDb } from './db/cell-db.ts';
import { saveReading, sealedBmcsOf } from './db/power-store.ts';
import type { SecretKey } from './db/secret-key.ts';
import { PowerFailure, type PowerTarget } from './power/driver.ts';
import { redfishMembers, type ChassisMember } from './power/redfish-members.ts';
import { callBmc } from './power/execute.ts';

/** A chassis is asked for each of its systems and their cards, one after the other. */
const membersTimeoutMs = 20_000;

export interface PowerSettings {
  readonly type: PowerTypeName;
  readonly parameters: PowerParameters;
}

/** A machine's BMC and what to send it. */
export interface BmcTarget {
  readonly type: PowerTypeName;
  readonly target: PowerTarget;
}

export interface PowerDoors {
  targetOf(systemId: string): Promise<BmcTarget | undefined>;
  /** Of all of these by one statement; those without settings are left out. */
  targetsOf(systemIds: readonly string[]): Promise<ReadonlyMap<string, BmcTarget>>;
  /** Check settings by their table, then by asking the BMC at once. @throws Failure `invalid`, `power_refused`. */
  check(
    type: string,
    parameters: Readonly<Record<string, unknown>>,
    skipQuery: boolean,
  ): Promise<PowerSettings & { readonly reading?: { state: 'on' | 'off' | 'unknown'; evidence: string } }>;
  /** The machines that these settings lead to. @throws Failure `invalid`, `power_refused`. */
  membersAt(type: 'ipmi' | 'redfish', parameters: Readonly<Record<string, unknown>>): Promise<ChassisMember[]>;
  /** Ask the BMC now and keep the answer. @throws Failure `power_failed` never: what cannot be asked is state `error` with its evidence. */
  query(systemId: string): Promise<{ state: 'on' | 'off' | 'unknown' | 'error'; evidence: string }>;
}

export function powerDoors(db: CellDb, secretKey: SecretKey, signal: AbortSignal): PowerDoors {
  async function targetsOf(systemIds: readonly string[]): Promise<ReadonlyMap<string, BmcTarget>> {
    const targets = new Map<string, BmcTarget>();
    for (const row of await sealedBmcsOf(db, systemIds)) {
      const type = powerType(row.driver);
      if (!type) continue;
      const shared = JSON.parse(secretKey.open(row.sealed).toString('utf8')) as PowerParameters;
      const parameters = { ...shared, ...row.power_node };
      const target = { parameters, ...(row.firmware === '' ? {} : { firmware: row.firmware }) };
      targets.set(row.system_id, { type: type.name as PowerTypeName, target });
    }
    return targets;
  }
  const targetOf: PowerDoors['targetOf'] = async (systemId) => (await targetsOf([systemId])).get(systemId);
  const check: PowerDoors['check'] = async (name, given, skipQuery) => {
    const checked = checkPowerParameters(name, given);
    if (!checked.ok) throw invalid(checked.errors);
    const type = name as PowerTypeName;
    if (skipQuery || !powerType(name)?.queryable) return { type, parameters: checked.parameters };
    const outcome = await callBmc(
      { type, target: { parameters: checked.parameters } },
      { kind: 'state' },
      { clock: Date.now, signal, timeoutMs: 10_000 },
    );
    const address = String(checked.parameters['power_address'] ?? '');
    if (outcome.kind !== 'reading' || outcome.reading.state === 'error') {
      throw fail('power_refused', { address, reason: outcome.kind === 'reading' ? outcome.reading.evidence : 'no answer' });
    }
    return { type, parameters: checked.parameters, reading: { state: outcome.reading.state, evidence: outcome.reading.evidence } };
  };
  return {
    targetOf,
    targetsOf,
    check,
    async membersAt(type, given) {
      // An IPMI BMC is one machine, and says of it no more than whether it is on.
      if (type === 'ipmi') return await check(type, given, false).then(() => [{ nodeId: '', name: '', macs: [] }]);
      const checked = checkPowerParameters(type, given);
      if (!checked.ok) throw invalid(checked.errors);
      try {
        return await redfishMembers({ parameters: checked.parameters }, { timeoutMs: membersTimeoutMs, signal });
      } catch (error) {
        if (!(error instanceof PowerFailure)) throw error;
        throw fail('power_refused', { address: String(checked.parameters['power_address'] ?? ''), reason: error.message });
      }
    },
    async query(systemId) {
      const bmc = await targetOf(systemId);
      if (!bmc || !powerType(bmc.type)?.queryable) return { state: 'unknown', evidence: 'this machine cannot be asked' };
      const outcome = await callBmc(bmc, { kind: 'state' }, { clock: Date.now, signal });
      const reading = outcome.kind === 'reading' ? outcome.reading : { state: 'error' as const, evidence: 'no answer' };
      await saveReading(db, systemId, reading.state, reading.evidence);
      return { state: reading.state, evidence: reading.evidence };
    },
  };
}
