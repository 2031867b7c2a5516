/** What systems a Redfish service has (DSP0266 §7.9 collections, DSP2046 ComputerSystem, EthernetInterface). */
import { PowerFailure, type CallLimits, type PowerTarget } from './driver.ts';
import { isRecord, RedfishClient } from './redfish-client.ts';

export interface ChassisMember {
  /** What `node_id` calls it; empty where the BMC has one machine only. */
  readonly nodeId: string;
  readonly name: string;
  /** In lower case; only those that are well formed. */
  readonly macs: readonly string[];
}

/** A service that names more has another purpose than switching machines. */
const mostSystems = 128;
const mostCards = 32;

function paths(collection: Record<string, unknown>, most: number): string[] {
  const members: unknown[] = Array.isArray(collection['Members']) ? collection['Members'] : [];
  return members
    .flatMap((member) => (isRecord(member) && typeof member['@odata.id'] === 'string' ? [member['@odata.id']] : []))
    .slice(0, most);
}

function linkOf(resource: Record<string, unknown>, name: string): string | undefined {
  const link = resource[name];
  return isRecord(link) && typeof link['@odata.id'] === 'string' ? link['@odata.id'] : undefined;
}

/** What a BMC calls a system, as one line of text. */
function lineOf(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\ufffd]+/gu, ' ')
    .trim()
    .slice(0, 255);
}

/** What a path may end in: it is stored, and asked for again. */
const idForm = /^[\x21-\x7e]{1,255}$/;
const macForm = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** Every system of a service. @throws PowerFailure */
export async function redfishMembers(target: PowerTarget, limits: CallLimits): Promise<ChassisMember[]> {
  await using client = new RedfishClient(target, limits);
  const systems = paths((await client.get('/redfish/v1/Systems')).body, mostSystems);
  if (systems.length === 0) throw new PowerFailure('wrong-settings', 'The BMC has no system.');
  const members: ChassisMember[] = [];
  for (const path of systems) {
    const id = path.replace(/\/+$/, '').split('/').at(-1) ?? '';
    if (!idForm.test(id)) continue;
    const { body } = await client.get(path);
    const cards = linkOf(body, 'EthernetInterfaces');
    const macs: string[] = [];
    for (const card of cards === undefined ? [] : paths((await client.get(cards)).body, mostCards)) {
      const { body: found } = await client.get(card);
      const given = found['PermanentMACAddress'] ?? found['MACAddress'];
      const mac = typeof given === 'string' ? given.toLowerCase() : '';
      if (macForm.test(mac) && !macs.includes(mac)) macs.push(mac);
    }
    const name = [body['HostName'], body['Name']].find((text) => typeof text === 'string' && text !== '');
    members.push({ nodeId: systems.length === 1 ? '' : id, name: typeof name === 'string' ? lineOf(name) : id, macs });
  }
  return members;
}
