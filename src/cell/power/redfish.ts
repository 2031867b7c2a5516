import { PowerFailure, setting } from './driver.ts';
import type { CallLimits, NextBoot, PowerDriver, PowerTarget } from './driver.ts';
import { RedfishClient } from './redfish-client.ts';
import { allowedByInfo, bodyEtag, bootOverride, chooseResetType, pickSystem, resetAction, systemPower } from './redfish-system.ts';
import type { ResetVerb } from './redfish-system.ts';

// Somebody else (a BIOS update, a monitoring tool) may change the resource between our GET and PATCH; three times is a fault.
const MOST_CONFLICTS = 3;

/** Redfish (DSP0266) with Basic authentication. */
export const redfish: PowerDriver = {
  type: 'redfish',
  capabilities: { query: true, command: true, nextBoot: true },
  async state(target, limits) {
    await using client = new RedfishClient(target, limits);
    const { path, body } = await readSystem(client, target);
    const said = typeof body['PowerState'] === 'string' ? body['PowerState'].slice(0, 40) : 'nothing';
    return { state: systemPower(body), evidence: `${path} says PowerState ${said}` };
  },
  on: (target, limits) => reset(target, limits, 'on'),
  off: (target, limits, how) => reset(target, limits, how === 'soft' ? 'soft-off' : 'off'),
  cycle: (target, limits) => reset(target, limits, 'cycle'),
  nextBoot,
};

async function readSystem(client: RedfishClient, target: PowerTarget) {
  const systems = await client.get('/redfish/v1/Systems');
  const path = pickSystem(systems.body, setting(target, 'node_id'));
  return { path, ...(await client.get(path)) };
}

async function reset(target: PowerTarget, limits: CallLimits, verb: ResetVerb): Promise<string> {
  await using client = new RedfishClient(target, limits);
  const { body } = await readSystem(client, target);
  const action = resetAction(body);
  const allowed = action.allowed ?? (action.infoPath === undefined ? undefined : allowedByInfo((await client.get(action.infoPath)).body));
  const type = chooseResetType(verb, allowed);
  await client.post(action.path, { ResetType: type });
  return `ResetType ${type} accepted`;
}

async function nextBoot(target: PowerTarget, limits: CallLimits, device: NextBoot): Promise<string> {
  await using client = new RedfishClient(target, limits);
  for (let attempt = 1; attempt <= MOST_CONFLICTS; attempt++) {
    const { path, body, etag } = await readSystem(client, target);
    const change = bootOverride(body, device);
    let status = await client.patch(path, change, etag ?? bodyEtag(body));
    if (status === 428) status = await client.patch(path, change, '*');
    if (status !== 412 && status !== 428) return `next boot: ${device}`;
  }
  throw new PowerFailure('busy', 'Somebody else keeps changing the system resource (412).');
}
