// A BMC that speaks Redfish (DSP0266) in front of a chassis: real HTTP or HTTPS, Basic authentication, entity tags, and the
// faults of real ones as data. It keeps a log of its own of every power command.
import { createServer as createPlainServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { BmcFaults, Chassis, ChassisBoot, ChassisLogEntry } from './chassis.ts';

export interface RedfishBmcSpec {
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly systemId?: string;
  /** PEM key and certificate; plain HTTP when absent. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly resetTypes?: readonly string[];
  /** Further systems behind the same BMC, which do nothing. */
  readonly otherSystems?: readonly string[];
  /** Where every request is redirected, credentials or not. */
  readonly redirectTo?: string;
  /** Tell the allowed reset types only by `@Redfish.ActionInfo`. */
  readonly actionInfo?: boolean;
}

const defaultResetTypes = ['On', 'ForceOff', 'GracefulShutdown', 'ForceRestart', 'PowerCycle'];
const bootTargets: Readonly<Record<string, ChassisBoot>> = { Pxe: 'network', Hdd: 'disk', None: 'default' };
const targetNames: Readonly<Record<ChassisBoot, string>> = { network: 'Pxe', disk: 'Hdd', default: 'None' };

type Reply = { status: number; body?: unknown; headers?: Record<string, string> };

export class RedfishBmc {
  readonly spec: RedfishBmcSpec;
  readonly chassis: Chassis;
  readonly faults: BmcFaults;
  readonly log: ChassisLogEntry[] = [];
  /** Every request as `METHOD path`, and whether it carried credentials. */
  readonly requests: { readonly what: string; readonly withCredentials: boolean }[] = [];
  #server: Server | undefined;
  #revision = 1;

  constructor(spec: RedfishBmcSpec, chassis: Chassis, faults: BmcFaults = {}) {
    this.spec = spec;
    this.chassis = chassis;
    this.faults = faults;
  }

  /** Starts listening; returns the `power_address` to use. */
  async start(): Promise<string> {
    const { address, port, tls } = this.spec;
    const listener: RequestListener = (request, response) => void this.#handle(request, response).catch(() => response.destroy());
    const server = tls ? createTlsServer({ key: tls.key, cert: tls.cert }, listener) : createPlainServer(listener);
    await new Promise<void>((done, failed) => {
      server.once('error', failed);
      server.listen(port, address, done);
    });
    this.#server = server;
    const bound = server.address() as AddressInfo;
    return `${tls ? 'https' : 'http'}://${address}:${bound.port}`;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }

  get #systemPath(): string {
    return `/redfish/v1/Systems/${this.spec.systemId ?? '1'}`;
  }

  get #etag(): string {
    return `"${this.#revision}"`;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const what = `${request.method ?? ''} ${request.url ?? ''}`;
    this.requests.push({ what, withCredentials: request.headers.authorization !== undefined });
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { faults } = this;
    if (faults.frozen) return;
    if (faults.delayMs) await new Promise((done) => setTimeout(done, faults.delayMs));
    const before = this.log.length;
    const reply = await this.#reply(what, request, Buffer.concat(chunks).toString('utf8'));
    if (faults.dropAfterActing && this.log.length > before && this.log.at(-1)?.command !== 'boot') {
      faults.dropAfterActing--;
      response.destroy();
      return;
    }
    response.writeHead(reply.status, { 'odata-version': '4.0', 'content-type': 'application/json', ...reply.headers });
    response.end(reply.body === undefined ? undefined : JSON.stringify(reply.body));
  }

  async #reply(what: string, request: IncomingMessage, text: string): Promise<Reply> {
    const { spec, faults } = this;
    if (spec.redirectTo) return { status: 302, headers: { location: `${spec.redirectTo}${request.url ?? ''}` } };
    // The service root is open to all (DSP0266 section 13.2).
    if (what === 'GET /redfish/v1' || what === 'GET /redfish/v1/') return { status: 200, body: serviceRoot };
    const wanted = `Basic ${Buffer.from(`${spec.user}:${spec.password}`).toString('base64')}`;
    if (request.headers.authorization !== wanted)
      return problem(401, 'The user name or password is wrong.', { 'www-authenticate': 'Basic realm="bmc"' });
    if (faults.turnDown) {
      faults.turnDown--;
      return problem(503, 'The service is temporarily unavailable. Retry in 1 second.', { 'retry-after': '1' });
    }
    const path = this.#systemPath;
    if (what === 'GET /redfish/v1/Systems') return { status: 200, body: this.#collection() };
    if (what === `GET ${path}`) return { status: 200, body: this.#system(), headers: { etag: this.#etag } };
    if (what === `GET ${path}/ResetActionInfo`) return { status: 200, body: this.#actionInfo() };
    if (what === `PATCH ${path}`) return this.#patch(request, text);
    if (what === `POST ${path}/Actions/ComputerSystem.Reset`) return this.#reset(text);
    return problem(404, `There is no ${what}.`);
  }

  #collection(): unknown {
    const ids = [this.spec.systemId ?? '1', ...(this.spec.otherSystems ?? [])];
    const members = ids.map((id) => ({ '@odata.id': `/redfish/v1/Systems/${id}` }));
    return { '@odata.id': '/redfish/v1/Systems', Name: 'Systems', 'Members@odata.count': members.length, Members: members };
  }

  #system(): unknown {
    const power = this.faults.lie ?? this.chassis.power();
    const path = this.#systemPath;
    const next = this.chassis.nextBoot;
    const allowed = this.spec.actionInfo
      ? { '@Redfish.ActionInfo': `${path}/ResetActionInfo` }
      : { 'ResetType@Redfish.AllowableValues': this.spec.resetTypes ?? defaultResetTypes };
    return {
      '@odata.id': path,
      '@odata.etag': this.#etag,
      Id: this.spec.systemId ?? '1',
      PowerState: power === 'on' ? 'On' : power === 'off' ? 'Off' : power,
      Boot: {
        BootSourceOverrideEnabled: next === 'default' ? 'Disabled' : 'Once',
        BootSourceOverrideTarget: targetNames[next],
        'BootSourceOverrideTarget@Redfish.AllowableValues': Object.keys(bootTargets),
      },
      Actions: { '#ComputerSystem.Reset': { target: `${path}/Actions/ComputerSystem.Reset`, ...allowed } },
    };
  }

  #actionInfo(): unknown {
    return {
      Id: 'ResetActionInfo',
      Parameters: [{ Name: 'ResetType', Required: true, AllowableValues: this.spec.resetTypes ?? defaultResetTypes }],
    };
  }

  #patch(request: IncomingMessage, text: string): Reply {
    const { faults } = this;
    const match = request.headers['if-match'];
    if (match === undefined) return problem(428, 'If-Match is needed.');
    if (faults.collide) {
      faults.collide--;
      this.#revision++;
    }
    if (match !== this.#etag && match !== '*') return problem(412, 'The entity tag does not match.');
    const boot = recordAt(parse(text), 'Boot');
    const target = String(boot?.['BootSourceOverrideTarget'] ?? '');
    const device = bootTargets[target];
    if (device === undefined) return problem(400, `'${target}' is not a boot target here.`);
    this.#note('boot', `${String(boot?.['BootSourceOverrideEnabled'])} ${target}`);
    this.chassis.bootOnce(device);
    this.#revision++;
    return { status: 200, body: this.#system(), headers: { etag: this.#etag } };
  }

  async #reset(text: string): Promise<Reply> {
    const body = parse(text);
    const type = String(body?.['ResetType'] ?? '');
    if (!(this.spec.resetTypes ?? defaultResetTypes).includes(type)) return problem(400, `'${type}' is not a reset type here.`);
    const { chassis } = this;
    const on = chassis.power() === 'on';
    if (type === 'On' && on) return problem(409, 'The system is on already.');
    if (type === 'On' || type === 'ForceOn') {
      this.#note('on', type);
      await chassis.on();
    } else if (type === 'ForceOff') {
      this.#note('off', type);
      await chassis.off();
    } else if (type === 'GracefulShutdown') {
      this.#note('soft-off', type);
      await chassis.softOff();
    } else if (!on) {
      return problem(409, 'The system is off.');
    } else if (type === 'PowerCycle') {
      this.#note('cycle', type);
      await chassis.off();
      await chassis.on();
    } else {
      this.#note('reset', type);
      await chassis.reset();
    }
    this.#revision++;
    return { status: 204 };
  }

  #note(command: ChassisLogEntry['command'], detail: string): void {
    this.log.push({ at: Date.now(), command, detail, before: this.chassis.power() });
  }
}

const serviceRoot = {
  '@odata.id': '/redfish/v1',
  Id: 'RootService',
  RedfishVersion: '1.6.0',
  Systems: { '@odata.id': '/redfish/v1/Systems' },
};

function problem(status: number, message: string, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers,
    body: {
      error: {
        code: 'Base.1.0.GeneralError',
        message,
        '@Message.ExtendedInfo': [{ MessageId: 'Base.1.0.GeneralError', Message: message }],
      },
    },
  };
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function recordAt(value: Record<string, unknown> | undefined, key: string): Record<string, unknown> | undefined {
  const inner = value?.[key];
  return typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : undefined;
}
