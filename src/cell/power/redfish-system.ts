// Reading a Redfish ComputerSystem (DSP0266, DSP2046). Pure: JSON from outside in, a choice or a failure out.
import { PowerFailure } from './driver.ts';
import type { NextBoot } from './driver.ts';
import { isRecord } from './redfish-client.ts';

/** The order `ResetType`s are tried in for each of our verbs; the first one the BMC allows is taken. */
const resetTypes = {
  on: ['On', 'ForceOn', 'PushPowerButton'],
  off: ['ForceOff'],
  'soft-off': ['GracefulShutdown', 'ForceOff'],
  cycle: ['ForceRestart', 'PowerCycle', 'FullPowerCycle'],
} as const;

export type ResetVerb = keyof typeof resetTypes;

/**
 * The path of the one system to switch: the member that `node_id` names, else the only member.
 * Throws `wrong-settings` when there is none, or several and no `node_id`.
 */
export function pickSystem(collection: Record<string, unknown>, nodeId: string): string {
  const members: unknown[] = Array.isArray(collection['Members']) ? collection['Members'] : [];
  const paths = members.flatMap((member) => (isRecord(member) && typeof member['@odata.id'] === 'string' ? [member['@odata.id']] : []));
  const found = nodeId === '' ? paths : paths.filter((path) => lastSegment(path) === nodeId);
  const [only, another] = found;
  if (only !== undefined && another === undefined) return only;
  const ids = paths.map(lastSegment).slice(0, 20).join(', ') || 'none';
  if (found.length === 0)
    throw new PowerFailure(
      'wrong-settings',
      nodeId === '' ? 'The BMC has no system.' : `The BMC has no system '${nodeId}' (it has: ${ids}).`,
    );
  throw new PowerFailure('wrong-settings', `The BMC has several systems (${ids}); node_id must name one.`);
}

function lastSegment(path: string): string {
  return path.replace(/\/+$/, '').split('/').at(-1) ?? '';
}

/** `PowerState` → on or off; every other value (PoweringOn, PoweringOff, Paused, absent) is unknown. */
export function systemPower(system: Record<string, unknown>): 'on' | 'off' | 'unknown' {
  const state = system['PowerState'];
  return state === 'On' ? 'on' : state === 'Off' ? 'off' : 'unknown';
}

export interface ResetAction {
  readonly path: string;
  /** The values the BMC allows; undefined when it does not say here. */
  readonly allowed: readonly string[] | undefined;
  /** Where it says so instead (`@Redfish.ActionInfo`). */
  readonly infoPath: string | undefined;
}

/** The reset action of a system. Throws `unsupported` when it has none. */
export function resetAction(system: Record<string, unknown>): ResetAction {
  const actions = system['Actions'];
  const reset = isRecord(actions) ? actions['#ComputerSystem.Reset'] : undefined;
  if (!isRecord(reset) || typeof reset['target'] !== 'string') throw new PowerFailure('unsupported', 'The system has no reset action.');
  const info = reset['@Redfish.ActionInfo'];
  return {
    path: reset['target'],
    allowed: texts(reset['ResetType@Redfish.AllowableValues']),
    infoPath: typeof info === 'string' ? info : undefined,
  };
}

/** The allowed values of `ResetType` in an ActionInfo resource. */
export function allowedByInfo(info: Record<string, unknown>): readonly string[] | undefined {
  const parameters: unknown[] = Array.isArray(info['Parameters']) ? info['Parameters'] : [];
  const reset = parameters.find((parameter) => isRecord(parameter) && parameter['Name'] === 'ResetType');
  return isRecord(reset) ? texts(reset['AllowableValues']) : undefined;
}

/** The `ResetType` to send for a verb. Without a list from the BMC, the standard's plainest value. */
export function chooseResetType(verb: ResetVerb, allowed: readonly string[] | undefined): string {
  const wanted: readonly string[] = resetTypes[verb];
  const chosen = allowed === undefined ? wanted[0] : wanted.find((type) => allowed.includes(type));
  if (chosen === undefined)
    throw new PowerFailure(
      'unsupported',
      `The BMC allows ${allowed?.join(', ') || 'no reset type'}, none of which is ${wanted.join(' or ')}.`,
    );
  return chosen;
}

/** The body of the PATCH that sets the next boot (DSP2046 ComputerSystem.Boot). Throws `unsupported`. */
export function bootOverride(system: Record<string, unknown>, device: NextBoot): Record<string, unknown> {
  if (device === 'disk') return { Boot: { BootSourceOverrideEnabled: 'Disabled', BootSourceOverrideTarget: 'None' } };
  const boot = isRecord(system['Boot']) ? system['Boot'] : {};
  const targets = texts(boot['BootSourceOverrideTarget@Redfish.AllowableValues']);
  if (targets !== undefined && !targets.includes('Pxe'))
    throw new PowerFailure('unsupported', `The BMC can override the next boot with ${targets.join(', ')}, not with Pxe.`);
  return { Boot: { BootSourceOverrideEnabled: 'Once', BootSourceOverrideTarget: 'Pxe' } };
}

/** The entity tag in a resource's body, for BMCs that do not send the header. */
export function bodyEtag(system: Record<string, unknown>): string | undefined {
  return typeof system['@odata.etag'] === 'string' ? system['@odata.etag'] : undefined;
}

function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined;
}
