/** Power settings as clients give them: judged and tried by the power room, split by scope, and sealed for the database. */
import { isDeepStrictEqual } from 'node:util';
import { invalid } from '../../contract/errors.ts';
import { powerType, type PowerParameters } from '../../contract/power-types.ts';
import type { CellDb } from '../db/cell-db.ts';
import { deleteUnusedBmcs, saveReading, setPower } from '../db/power-store.ts';
import type { ApiContext, PowerReadingNow } from './api-context.ts';

export interface PowerGiven {
  readonly power_type?: string;
  readonly power_parameters?: Readonly<Record<string, string>>;
  readonly power_parameters_skip_check?: boolean;
}

export interface CheckedPower {
  readonly type: string;
  readonly parameters: PowerParameters;
  readonly reading?: PowerReadingNow;
}

/** A list that came as JSON inside a dictionary of strings. */
function valueOf(text: string): unknown {
  if (!text.startsWith('[')) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/**
 * What was given, over what the machine has when the driver stays the same; undefined when nothing was given or nothing changes.
 * @throws Failure `invalid`, `power_refused`.
 */
export async function checkPower(
  context: Pick<ApiContext, 'power'>,
  given: PowerGiven,
  systemId?: string,
): Promise<CheckedPower | undefined> {
  const { power_parameters: parameters } = given;
  const type = given.power_type === '' ? undefined : given.power_type;
  if (type === undefined && parameters === undefined) return undefined;
  const known = systemId === undefined ? undefined : (await context.power.targetsOf([systemId])).get(systemId);
  const wanted = type ?? known?.type;
  if (wanted === undefined) throw invalid({ power_type: ['Say which power driver these settings are for.'] });
  const before = known?.type === wanted ? known.target.parameters : {};
  const read = Object.fromEntries(Object.entries(parameters ?? {}).map(([name, text]) => [name, valueOf(text)]));
  const merged = { ...before, ...read };
  const isSame = known?.type === wanted && isDeepStrictEqual(merged, before);
  if (isSame) return undefined;
  return context.power.check(wanted, merged, given.power_parameters_skip_check === true);
}

/** Write checked settings to the machine and its BMC, and what the BMC said when it was tried. */
export async function storePower(tx: CellDb, context: Pick<ApiContext, 'secretKey'>, systemId: string, power: CheckedPower): Promise<void> {
  const nodeScope = new Set(powerType(power.type)?.fields.flatMap((field) => (field.scope === 'node' ? [field.name] : [])));
  const node: Record<string, string> = {};
  const shared: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(power.parameters)) {
    if (nodeScope.has(name) && typeof value === 'string') node[name] = value;
    else shared[name] = value;
  }
  const address = power.parameters['power_address'];
  await setPower(tx, {
    systemId,
    driver: power.type,
    address: typeof address === 'string' ? address : '',
    sealed: context.secretKey.seal(Buffer.from(JSON.stringify(shared))),
    node,
  });
  await deleteUnusedBmcs(tx);
  if (power.reading) await saveReading(tx, systemId, power.reading.state, power.reading.evidence);
}
