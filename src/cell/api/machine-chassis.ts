/** Adding what a chassis, or a range of BMCs, has: each machine by itself, so that one bad BMC stands in nobody's way. */
import { fail, Failure } from '../../contract/errors.ts';
import { chassisTypes } from '../../contract/resources/machine-chassis.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { Handlers } from '../../http/handler.ts';
import { hasBmcNode } from '../db/power-store.ts';
import type { ApiContext, ChassisMemberNow } from './api-context.ts';
import { chassisAddresses } from './chassis-addresses.ts';
import type { Asker } from './judge-action.ts';
import { addMachine, domainOf } from './machine-create.ts';

type Given = RouteParams<'Machines.add_chassis'>;

/** BMCs that are asked at the same time: each may take ten seconds to be silent. */
const atOnce = 16;

/** The settings of the BMC at an address, as the driver's table names them. */
export function chassisSettings(type: (typeof chassisTypes)[number], address: string, given: Given): Record<string, string> {
  const { username, password, verify_ssl, port, protocol } = given;
  const url = address.includes('://') || (port === undefined && protocol === undefined) ? address : `${protocol ?? 'https'}://${address}`;
  return {
    power_address: type === 'redfish' && port !== undefined && !/:\d+$/.test(url) ? `${url}:${port}` : url,
    ...(username === undefined ? {} : { power_user: username }),
    ...(password === undefined ? {} : { power_pass: password }),
    ...(type === 'redfish' && verify_ssl !== undefined ? { power_verify_ssl: verify_ssl ? 'y' : 'n' } : {}),
  };
}

export function machineChassisHandlers(context: ApiContext): Handlers<'Machines.add_chassis'> {
  async function add(given: Given, type: (typeof chassisTypes)[number], address: string, member: ChassisMemberNow, caller: Asker) {
    const label = member.nodeId === '' ? address : `${address} ${member.nodeId}`;
    const settings = chassisSettings(type, address, given);
    const known = await hasBmcNode(context.database.db, type, settings['power_address'] ?? '', member.nodeId);
    if (known !== undefined) return `${label}: there already, as ${known}`;
    const { domain } = given;
    const system_id = await addMachine(
      context,
      {
        power_type: type,
        power_parameters: { ...settings, ...(member.nodeId === '' ? {} : { node_id: member.nodeId }) },
        mac_addresses: [...member.macs],
        commission: given.accept_all === true,
        ...(domain === undefined ? {} : { domain }),
      },
      caller,
    );
    return `${label}: added as ${system_id}${member.name === '' ? '' : ` (${member.name})`}`;
  }

  async function ask(given: Given, type: (typeof chassisTypes)[number], address: string, caller: Asker): Promise<string[]> {
    const said = (error: unknown) => {
      if (error instanceof Failure) return error.fields ? Object.values(error.fields).flat().join(' ') : error.message;
      throw error;
    };
    const members = await context.power.membersAt(type, chassisSettings(type, address, given)).catch((error: unknown) => said(error));
    if (typeof members === 'string') return [`${address}: not added: ${members}`];
    const wanted = members.filter((member) => member.name.startsWith(given.prefix_filter ?? ''));
    const lines: string[] = [];
    // One after the other: the machines of one chassis share its BMC.
    for (const member of wanted) {
      lines.push(
        await add(given, type, address, member, caller).catch((error: unknown) => `${address} ${member.nodeId}: not added: ${said(error)}`),
      );
    }
    return wanted.length === 0 ? [`${address}: no system there begins with ${given.prefix_filter ?? ''}`] : lines;
  }

  return {
    'Machines.add_chassis': async ({ params, caller }) => {
      const type = chassisTypes.find((one) => one === params.chassis_type);
      if (type === undefined)
        throw fail('bad_request', {
          reason: `Chassis of type ${params.chassis_type} are not built: only ${chassisTypes.join(' and ')} are.`,
        });
      const addresses = chassisAddresses(params.hostname);
      // What is wrong for all of them is said before the first BMC is asked.
      await domainOf(context.database.db, params.domain);
      const lines: string[][] = [];
      for (let at = 0; at < addresses.length; at += atOnce) {
        lines.push(...(await Promise.all(addresses.slice(at, at + atOnce).map((address) => ask(params, type, address, caller)))));
      }
      return [`Asking ${context.cellName} to add machines from chassis ${params.hostname}`, ...lines.flat(), ''].join('\n');
    },
  };
}
