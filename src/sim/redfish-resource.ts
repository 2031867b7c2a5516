/** A Redfish service (DSP0266, DSP2046) with one ComputerSystem: a request and the chassis in, a reply and an order to the chassis out. Pure. */
import type { BmcFaults } from './fault.ts';

export type NextBoot = 'network' | 'disk' | 'default';

/** What was asked of the chassis, as the BMC's own log has it. */
export type PowerCommand = 'on' | 'off' | 'soft-off' | 'cycle' | 'reset';

export interface BmcRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly ifMatch: string | undefined;
  readonly body: string;
}

export interface BmcView {
  readonly user: string;
  readonly password: string;
  readonly on: boolean;
  readonly nextBoot: NextBoot;
  /** Counts changes of the system resource; its entity tag. */
  readonly revision: number;
  readonly uuid: string;
  readonly serial: string;
  readonly vendor: string;
  readonly product: string;
  readonly lie?: BmcFaults['lie'];
}

export interface BmcReply {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly order?: { readonly power: PowerCommand; readonly type: string } | { readonly nextBoot: NextBoot };
}

const systemPath = '/redfish/v1/Systems/1';
const resetTypes = ['On', 'ForceOff', 'GracefulShutdown', 'ForceRestart', 'PowerCycle'] as const;
const bootTargets: Readonly<Record<string, NextBoot>> = { Pxe: 'network', Hdd: 'disk', None: 'default' };
const targetNames: Readonly<Record<NextBoot, string>> = { network: 'Pxe', disk: 'Hdd', default: 'None' };

function problem(status: number, message: string, headers: Readonly<Record<string, string>> = {}): BmcReply {
  const info = [{ MessageId: 'Base.1.0.GeneralError', Message: message }];
  return { status, headers, body: { error: { code: 'Base.1.0.GeneralError', message, '@Message.ExtendedInfo': info } } };
}

function etag(view: BmcView): string {
  return `"${view.revision}"`;
}

function system(view: BmcView): unknown {
  return {
    '@odata.id': systemPath,
    '@odata.etag': etag(view),
    '@odata.type': '#ComputerSystem.v1_5_0.ComputerSystem',
    Id: '1',
    Name: 'System',
    UUID: view.uuid,
    SerialNumber: view.serial,
    Manufacturer: view.vendor,
    Model: view.product,
    PowerState: view.lie ?? (view.on ? 'On' : 'Off'),
    Boot: {
      BootSourceOverrideEnabled: view.nextBoot === 'default' ? 'Disabled' : 'Once',
      BootSourceOverrideTarget: targetNames[view.nextBoot],
      'BootSourceOverrideTarget@Redfish.AllowableValues': Object.keys(bootTargets),
    },
    Actions: {
      '#ComputerSystem.Reset': { target: `${systemPath}/Actions/ComputerSystem.Reset`, 'ResetType@Redfish.AllowableValues': resetTypes },
    },
  };
}

/** A field of a JSON object; undefined for anything that is none. Never throws. */
function fieldOf(text: string, ...names: readonly string[]): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  for (const name of names)
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
  return value;
}

/** Never throws: what cannot be understood is a Redfish error. */
export function answerRedfish(request: BmcRequest, view: BmcView): BmcReply {
  const what = `${request.method} ${request.path.replace(/\/+$/, '')}`;
  // The service root is open to all (DSP0266 section 13.2).
  if (what === 'GET /redfish/v1') {
    return {
      status: 200,
      body: {
        '@odata.id': '/redfish/v1',
        Id: 'RootService',
        RedfishVersion: '1.6.0',
        UUID: view.uuid,
        Systems: { '@odata.id': '/redfish/v1/Systems' },
      },
    };
  }
  const wanted = `Basic ${Buffer.from(`${view.user}:${view.password}`).toString('base64')}`;
  if (request.authorization !== wanted)
    return problem(401, 'The user name or password is wrong.', { 'www-authenticate': 'Basic realm="bmc"' });
  switch (what) {
    case 'GET /redfish/v1/Systems':
      return {
        status: 200,
        body: { '@odata.id': '/redfish/v1/Systems', Name: 'Systems', 'Members@odata.count': 1, Members: [{ '@odata.id': systemPath }] },
      };
    case `GET ${systemPath}`:
      return { status: 200, body: system(view), headers: { etag: etag(view) } };
    case `PATCH ${systemPath}`:
      return override(request, view);
    case `POST ${systemPath}/Actions/ComputerSystem.Reset`:
      return reset(request, view);
    default:
      return problem(404, `There is no ${what.slice(0, 200)}.`);
  }
}

function override(request: BmcRequest, view: BmcView): BmcReply {
  if (request.ifMatch === undefined) return problem(428, 'If-Match is needed.');
  if (request.ifMatch !== etag(view) && request.ifMatch !== '*') return problem(412, 'The entity tag does not match.');
  const target = fieldOf(request.body, 'Boot', 'BootSourceOverrideTarget');
  if (typeof target !== 'string' || !Object.hasOwn(bootTargets, target)) return problem(400, 'That is not a boot target here.');
  const off = fieldOf(request.body, 'Boot', 'BootSourceOverrideEnabled') === 'Disabled';
  const nextBoot = off ? 'default' : (bootTargets[target] ?? 'default');
  const next = { ...view, nextBoot, revision: view.revision + 1 };
  return { status: 200, body: system(next), headers: { etag: etag(next) }, order: { nextBoot } };
}

function reset(request: BmcRequest, view: BmcView): BmcReply {
  const type = resetTypes.find((one) => one === fieldOf(request.body, 'ResetType'));
  if (type === undefined) return problem(400, 'That is not a reset type here.');
  const order = (power: PowerCommand): BmcReply => ({ status: 204, order: { power, type } });
  switch (type) {
    case 'On':
      return view.on ? problem(409, 'The system is on already.') : order('on');
    case 'ForceOff':
      return order('off');
    case 'GracefulShutdown':
      return order('soft-off');
    case 'ForceRestart':
      return view.on ? order('reset') : problem(409, 'The system is off.');
    case 'PowerCycle':
      return view.on ? order('cycle') : problem(409, 'The system is off.');
  }
}
