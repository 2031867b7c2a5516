/**
 * Baseboard management controllers that speak Redfish over real HTTP: one server for the whole fleet, one listener for each BMC, so that every
 * `power_address` names exactly one machine. On Linux each has an address of its own in 127.0.0.0/8; elsewhere a port of its own.
 */
import { createServer as createHttpServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';
import { createServer as createListener, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BmcFaults } from './fault.ts';
import { answerRedfish, type BmcView, type NextBoot, type PowerCommand } from './redfish-resource.ts';

export interface PowerLogEntry {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly command: PowerCommand | 'next-boot';
  /** The ResetType, or the device. */
  readonly detail: string;
  readonly before: 'on' | 'off';
}

/** What a BMC is wired to. Orders take effect at once; the machine's own firmware takes its time. */
export interface Chassis {
  isOn(): boolean;
  order(command: PowerCommand): void;
}

export interface BmcIdentity extends Pick<BmcView, 'user' | 'password' | 'uuid' | 'serial' | 'vendor' | 'product'> {
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** A request body is a few hundred bytes. */
const longestBody = 64 * 1024;

export class Bmc {
  readonly identity: BmcIdentity;
  readonly chassis: Chassis;
  readonly faults: BmcFaults;
  readonly log: PowerLogEntry[] = [];
  nextBoot: NextBoot = 'default';
  /** `host:port`, once it listens. */
  address = '';
  #revision = 1;

  constructor(identity: BmcIdentity, chassis: Chassis, faults: BmcFaults = {}) {
    this.identity = identity;
    this.chassis = chassis;
    this.faults = { ...faults };
  }

  /** What to tell a cell. */
  get powerParameters(): { readonly power_address: string; readonly power_user: string; readonly power_pass: string } {
    return { power_address: `http://${this.address}`, power_user: this.identity.user, power_pass: this.identity.password };
  }

  /** What the firmware does first: the override holds for one boot. */
  takeNextBoot(): NextBoot {
    const next = this.nextBoot;
    if (next !== 'default') this.#revision += 1;
    this.nextBoot = 'default';
    return next;
  }

  /** Answers one request. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const { faults } = this;
    if (faults.frozen) return;
    if (faults.delayMs) await sleep(faults.delayMs);
    if (faults.turnDown) {
      faults.turnDown -= 1;
      send(
        response,
        503,
        { error: { code: 'Base.1.0.ServiceTemporarilyUnavailable', message: 'Retry in 1 second.' } },
        { 'retry-after': '1' },
      );
      return;
    }
    if (request.method === 'PATCH' && faults.collide) {
      faults.collide -= 1;
      this.#revision += 1;
    }
    const { authorization } = request.headers;
    const reply = answerRedfish(
      { method: request.method ?? '', path: request.url ?? '', authorization, ifMatch: request.headers['if-match'], body },
      this.#view(),
    );
    const { order } = reply;
    if (order !== undefined) this.#carryOut(order);
    if (order !== undefined && 'power' in order && faults.dropAfterActing) {
      faults.dropAfterActing -= 1;
      response.destroy();
      return;
    }
    send(response, reply.status, reply.body, reply.headers);
  }

  #carryOut(order: { power: PowerCommand; type: string } | { nextBoot: NextBoot }): void {
    this.#revision += 1;
    const before = this.chassis.isOn() ? 'on' : 'off';
    const at = Date.now();
    if ('nextBoot' in order) {
      this.log.push({ at, command: 'next-boot', detail: order.nextBoot, before });
      this.nextBoot = order.nextBoot;
    } else {
      this.log.push({ at, command: order.power, detail: order.type, before });
      this.chassis.order(order.power);
    }
  }

  #view(): BmcView {
    const { lie } = this.faults;
    return {
      ...this.identity,
      on: this.chassis.isOn(),
      nextBoot: this.nextBoot,
      revision: this.#revision,
      ...(lie === undefined ? {} : { lie }),
    };
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > longestBody) throw new Error('a request that is too long');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function send(response: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'odata-version': '4.0', 'content-type': 'application/json', ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

/** Serves all BMCs until it is disposed. @throws Error that names the address that could not be had. */
export async function serveBmcs(bmcs: readonly Bmc[]): Promise<AsyncDisposable> {
  const owners = new WeakMap<Socket, Bmc>();
  const http: HttpServer = createHttpServer((request, response) => {
    const bmc = owners.get(request.socket);
    if (bmc === undefined) response.destroy();
    else bmc.handle(request, response).catch(() => response.destroy());
  });
  const sockets = new Set<Socket>();
  const listeners: Server[] = [];
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await Promise.all(listeners.map((one) => new Promise((done) => one.close(done))));
  };
  try {
    for (const bmc of bmcs) {
      const listener = createListener((socket) => {
        owners.set(socket, bmc);
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
        http.emit('connection', socket);
      });
      await new Promise<void>((done, failed) => {
        listener.once('error', (error) =>
          failed(new Error(`a BMC cannot listen on ${bmc.identity.address}:${bmc.identity.port}: ${error.message}`, { cause: error })),
        );
        listener.listen(bmc.identity.port, bmc.identity.address, done);
      });
      listeners.push(listener);
      const { port } = listener.address() as AddressInfo;
      bmc.address = `${bmc.identity.address}:${port}`;
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { [Symbol.asyncDispose]: stop };
}
