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

const macForm = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** Every system of a service. @throws PowerFailure */
export async function redfishMembers(target: PowerTarget, limits: CallLimits): Promise<ChassisMember[]> {
  await using client = new RedfishClient(target, limits);
  const systems = paths((await client.get('/redfish/v1/Systems')).body, mostSystems);
  if (systems.length === 0) throw new PowerFailure('wrong-settings', 'The BMC has no system.');
  const members: ChassisMember[] = [];
  for (const path of systems) {
    const { body } = await client.get(path);
    const cards = linkOf(body, 'EthernetInterfaces');
    const macs: string[] = [];
    for (const card of cards === undefined ? [] : paths((await client.get(cards)).body, mostCards)) {
      const { body: found } = await client.get(card);
      const mac = String(found['PermanentMACAddress'] ?? found['MACAddress'] ?? '').toLowerCase();
      if (macForm.test(mac) && !macs.includes(mac)) macs.push(mac);
    }
    const id = path.replace(/\/+$/, '').split('/').at(-1) ?? '';
    const name = [body['HostName'], body['Name']].find((text) => typeof text === 'string' && text !== '');
    members.push({ nodeId: systems.length === 1 ? '' : id, name: typeof name === 'string' ? name.slice(0, 255) : id, macs });
  }
  return members;
}
