/** A small fleet for tests of the front: cells that are real HTTP servers of the contract's table, with machines in memory and faults to order. */
import { Readable } from 'node:stream';
import { fail } from '../contract/errors.ts';
import { systemIdOf } from '../contract/ids.ts';
import { routes, type RouteId } from '../contract/routes.ts';
import { hashSecret } from '../global/api-key.ts';
import { createAuthenticate } from '../global/authentication.ts';
import type { Document } from '../global/document.ts';
import { createGlobalReads } from '../global/global-handlers.ts';
import type { Kind } from '../global/kinds.ts';
import { GlobalMemory } from '../global/memory.ts';
import { streams } from '../global/revision.ts';
import { generateSigningKey } from '../global/signing-key.ts';
import type { LooseCall, LooseHandler } from '../http/dispatch.ts';
import { eventStream } from '../http/event-writer.ts';
import type { ServerEvent } from '../http/event-stream.ts';
import { memoryLog } from '../http/example-program.ts';
import { json, stream, text } from '../http/reply.ts';
import { createLooseServer, type Server } from '../http/server.ts';
import { replicaRegistry } from './cell-registry.ts';
import { allocationHandlers } from './example-allocation.ts';
import { startFront, type Front } from './front.ts';
import type { FrontConfig } from './config.ts';
import type { Home } from './home.ts';
import { replicaPlaces } from './reach-place.ts';
import { assertingVouch } from './vouch.ts';

export const adminKey = 'consumer:token-admin:secret-of-the-admin';
export const userKey = 'consumer:token-ann:secret-of-ann';

export interface ExampleMachine {
  system_id: string;
  hostname: string;
  owner: string;
  zone: string;
  cost: number;
  claim?: string;
  claimedUntil?: number;
}

/** What goes wrong: `hang` never answers, `stall` sends its headers and no byte, `half` stalls after the first byte, `break` breaks off in the middle of a list, a number is a status. */
export type Fault = 'hang' | 'stall' | 'half' | 'break' | 503 | 401 | 400 | undefined;

export interface ExampleCell {
  readonly name: string;
  readonly number: number;
  readonly url: string;
  readonly machines: ExampleMachine[];
  readonly seen: {
    readonly route: string;
    readonly url: string;
    readonly headers: LooseCall['request']['headers'];
    readonly fields: LooseCall['fields'];
  }[];
  readonly faults: Map<string, Fault>;
  readonly events: ServerEvent[];
  /** What Idempotency-Keys stand for, by user and key. */
  readonly keys: Map<string, { readonly cell: number; readonly claim: string; readonly system_id: string; readonly request: string }>;
  /** Claims that were given up. */
  readonly over: Set<string>;
  /** How many of them have left the cell's memory. */
  readonly sent: { events: number };
  stop(): Promise<void>;
}

const routeIds = [
  'Version.read',
  'Machines.read',
  'Machine.read',
  'Machine.power_on',
  'Machine.query_power_state',
  'Machines.summary',
  'Operations.summary',
  'Machines.is_registered',
  'Machines.ask',
  'Machines.claim',
  'Machines.confirm',
  'Machines.free_claim',
  'Machines.mark_delivered',
  'Machines.settle_key',
  'Machines.create',
  'Machines.release',
  'Machines.accept_all',
  'Fabrics.read',
  'Fabrics.create',
  'Findings.read',
  'Events.query',
  'Events.stream',
  'Subnet.read',
  'Cell.read',
  'Machines.allocate',
  'Users.whoami',
  'Zones.create',
] as const satisfies readonly RouteId[];

function halfThenNothing(): Readable {
  const body = new Readable({ read: () => undefined });
  body.push('{');
  return body;
}

/** A list that ends in the middle of an element. */
async function* broken(items: readonly unknown[]): AsyncGenerator<string> {
  yield `[${items.map((item) => JSON.stringify(item)).join(',')},{"half":`;
  await new Promise((resolve) => setTimeout(resolve, 50));
  throw new Error('broken on purpose');
}

function handlersOf(cell: Omit<ExampleCell, 'url' | 'stop'>): Record<(typeof routeIds)[number], LooseHandler> {
  const { machines, name, number } = cell;
  const shown = ({ system_id, hostname, owner, zone, cost }: ExampleMachine) => ({ system_id, hostname, owner, zone, cost, cell: name });
  const matching = (call: LooseCall) => {
    const one = (key: string) => call.fields[key]?.at(-1);
    if (one('mem') === 'bad') throw fail('bad_request', { reason: 'mem: Enter a number.' });
    return machines
      .filter((machine) => one('zone') === undefined || machine.zone === one('zone'))
      .filter((machine) => one('hostname') === undefined || machine.hostname === one('hostname'))
      .filter((machine) => one('owner') === undefined || machine.owner === one('owner'))
      .filter((machine) => call.fields['id'] === undefined || call.fields['id'].includes(machine.system_id));
  };
  const free = (machine: ExampleMachine) =>
    machine.owner === '' && (machine.claim === undefined || (machine.claimedUntil ?? 0) < Date.now());
  const cheapest = (call: LooseCall) =>
    matching(call)
      .filter(free)
      .sort((a, b) => a.cost - b.cost)[0];
  const known = (call: LooseCall) => {
    const machine = machines.find((one) => one.system_id === call.path['system_id']);
    if (!machine) throw fail('not_found', { what: 'Machine' });
    return machine;
  };
  return {
    'Version.read': () => ({
      capabilities: [],
      version: '3.7.0',
      subversion: '',
      muster: { version: '9.9', program: 'cell', name, revision: 'access=1.1 config=1.2' },
    }),
    'Machines.read': (call) => {
      const by = call.fields['sort']?.at(-1);
      const sorted = matching(call).sort((a, b) =>
        by === 'hostname' ? (a.hostname < b.hostname ? -1 : 1) : a.system_id < b.system_id ? -1 : 1,
      );
      const after = call.fields['after']?.at(-1);
      const key = (machine: ExampleMachine) => `${by === 'hostname' ? machine.hostname : machine.system_id}~${machine.system_id}`;
      const rest = after === undefined ? sorted : sorted.filter((machine) => key(machine) > after);
      const limit = Number(call.fields['limit']?.at(-1) ?? Number.POSITIVE_INFINITY);
      const page = rest.slice(0, limit);
      const last = page.at(-1);
      if (last && rest.length > page.length) call.reply.header('Muster-Next', key(last));
      if (cell.faults.get('Machines.read') === 'break')
        return stream(Readable.from(broken(page.map(shown))), 'application/json; charset=utf-8');
      return json(page.map(shown));
    },
    'Machine.read': (call) => json(shown(known(call))),
    'Machine.query_power_state': () => ({
      ...text('<script>alert(1)</script>', 'text/html'),
      headers: { 'set-cookie': 'a=b', 'access-control-allow-origin': '*', refresh: '0', 'muster-cells': 'mine', 'muster-other': 'yes' },
    }),
    'Machine.power_on': (call) => json({ ...shown(known(call)), powered: true }),
    'Machines.summary': (call) =>
      json({
        machines: matching(call).length,
        by_status: { ready: machines.filter(free).length },
        by_zone: Object.fromEntries(machines.map(({ zone }) => [zone, machines.filter((one) => one.zone === zone).length])),
      }),
    'Operations.summary': () => json({ operations: 1, by_outcome: { done: 1 }, by_kind: { commission: 1 }, waits_for_hands: 0 }),
    'Machines.is_registered': (call) => json(machines.some((machine) => machine.hostname === call.params['mac_address'])),
    ...allocationHandlers(cell, { free, cheapest, shown }),
    'Machines.allocate': (call) => json(shown(cheapest(call)!)),
    'Machines.create': (call) => {
      const machine = {
        system_id: systemIdOf(number, 500 + machines.length)!,
        hostname: String(call.params['hostname']),
        owner: '',
        zone: 'default',
        cost: 1,
      };
      machines.push(machine);
      return json({ ...shown(machine), fields: call.fields });
    },
    'Machines.release': (call) => {
      const ids = call.params['machines'] as string[];
      if (ids.some((id) => !machines.some((machine) => machine.system_id === id)))
        throw fail('bad_request', { reason: `Unknown machine(s): ${ids.join(', ')}.` });
      for (const machine of machines) if (ids.includes(machine.system_id)) machine.owner = '';
      return ids;
    },
    'Machines.accept_all': () => json(machines.map(shown)),
    'Fabrics.read': () => json([{ id: number * 1e11 + 1, name: `fabric-${name}`, vlans: [{ space: number === 2 ? 'dmz' : 'undefined' }] }]),
    'Fabrics.create': (call) => json({ name: call.params['name'], cell: name, fields: call.fields }),
    'Findings.read': () => json([{ id: number * 1e11 + 1, severity: 'warning', last_seen: `2026-01-0${number}T00:00:00Z` }]),
    'Events.query': () =>
      json({
        count: 1,
        next_uri: null,
        prev_uri: null,
        events: [{ id: number * 1e11 + 7, created: `Fri, 0${number} Dec. 2018 20:11:08`, node: '', hostname: name }],
      }),
    'Events.stream': (call) => eventStream(following(cell, Number(call.fields['after']?.at(-1) ?? '0'), call.request.signal), call.request),
    'Cell.read': () => ({
      number,
      name,
      url: '',
      state: 'in',
      answering: true,
      version: '9.9',
      revision: { access: '1.1', config: '1.2' },
      lag: 0.5,
      machines: { ready: machines.filter(free).length },
      findings: { warning: 1 },
      resource_uri: '',
    }),
    'Subnet.read': (call) => json({ id: Number(call.path['id']) }),
    'Users.whoami': (call) => ({
      username: (call.caller as { username: string }).username,
      email: '',
      is_superuser: true,
      is_local: true,
      resource_uri: '',
    }),
    'Zones.create': (call) => json({ id: 1, name: call.params['name'], description: '', resource_uri: '', cell: name }),
  };
}

async function* following(
  { events, sent }: Pick<ExampleCell, 'events' | 'sent'>,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent> {
  for (let at = after; !signal.aborted;) {
    const event = events[at];
    if (event) {
      at += 1;
      sent.events += 1;
      yield { ...event, id: String(at) };
    } else await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function putDocument(kind: Kind, id: string | number, body: Record<string, unknown>): Document {
  const stream = ['user', 'token'].includes(kind) ? 'access' : 'config';
  return { kind, id: String(id), stream, revision: { epoch: 1, n: 1 }, retired: false, body };
}

export interface Fleet extends AsyncDisposable {
  readonly cells: readonly ExampleCell[];
  readonly memory: GlobalMemory;
  readonly home: Home;
  /** Tell every replica of documents. */
  tell(...documents: Document[]): void;
  /** Mark a cell out, drained, or in again. */
  mark(name: string, out: boolean | 'drained'): void;
  /** Fronts have not heard the hub for long, or have again. */
  fallBehind(now: boolean): void;
  start(config?: Partial<FrontConfig>): Promise<Front>;
}

async function startCell(
  name: string,
  number: number,
  memory: GlobalMemory,
  port: number,
): Promise<ExampleCell & { readonly port: number }> {
  const machines: ExampleMachine[] = [0, 1, 2].map((n) => ({
    system_id: systemIdOf(number, 110 + n)!,
    hostname: `${'zyxwv'[n]}-${name}`,
    owner: '',
    zone: n === 2 ? 'far' : 'default',
    cost: number + n,
  }));
  const cell = {
    name,
    number,
    machines,
    seen: [] as ExampleCell['seen'][number][],
    faults: new Map<string, Fault>(),
    events: [],
    keys: new Map(),
    over: new Set<string>(),
    sent: { events: 0 },
  };
  const authenticate = createAuthenticate({ reader: memory, audience: name, sessionKey: generateSigningKey().publicKey });
  const handlers = new Map<string, LooseHandler>(
    Object.entries(handlersOf(cell)).map(([id, handler]) => [
      id,
      async (call: LooseCall) => {
        cell.seen.push({ route: id, url: call.request.url, headers: call.request.headers, fields: call.fields });
        const fault = cell.faults.get(id) ?? cell.faults.get('all');
        if (fault === 'hang') await new Promise((resolve) => call.request.signal.addEventListener('abort', resolve));
        if (fault === 'stall') return stream(new Readable({ read: () => undefined }), 'application/json');
        if (fault === 'half') return stream(halfThenNothing(), 'application/json');
        if (fault === 400) throw fail('bad_request', { reason: 'Refused on purpose.' });
        if (fault === 503) throw fail('database_away', { program: 'cell' });
        if (fault === 401) throw fail('unauthorized');
        return handler(call);
      },
    ]),
  );
  const table = Object.fromEntries([...routeIds, 'Readiness.read' as const].map((id) => [id, routes[id]]));
  const server: Server = createLooseServer({
    program: 'cell',
    version: '0',
    log: memoryLog().log,
    // What hangs as a whole has no answer for probes either.
    unready: () => (cell.faults.get('all') === undefined ? undefined : fail('database_away', { program: 'cell' })),
    authenticate,
    table,
    described: routes,
    handlers,
  });
  const listener = await server.listen({ host: '127.0.0.1', port });
  return { ...cell, url: listener.url, port: listener.port, stop: () => server.drain(0) };
}

/** Cells c1, c2, … with three machines each, an admin and a user, and a front's key that they know. */
export async function exampleFleet(size: number): Promise<Fleet> {
  const memory = new GlobalMemory();
  const key = generateSigningKey();
  let n = 0;
  const tell = (...documents: Document[]): void => {
    n += 1;
    for (const stream of streams) {
      memory.apply({ stream, to: { epoch: 1, n }, whole: false, documents: documents.filter((document) => document.stream === stream) });
    }
  };
  const cells: ExampleCell[] = [];
  for (let number = 1; number <= size; number += 1) cells.push(await startCell(`c${number}`, number, memory, 0));
  const cellDocument = ({ name, number, url }: ExampleCell, out: boolean | 'drained') =>
    putDocument('cell', number, { number, name, url, key: key.text, out: out === true, drained: out === 'drained' });
  tell(
    putDocument('user', 1, { id: 1, username: 'admin', email: '', is_superuser: true, is_local: true, generation: 1 }),
    putDocument('user', 2, { id: 2, username: 'ann', email: '', is_superuser: false, is_local: true, generation: 3 }),
    putDocument('token', 'token-admin', { user: 1, consumer: 'consumer', hash: hashSecret('secret-of-the-admin'), name: '' }),
    putDocument('token', 'token-ann', { user: 2, consumer: 'consumer', hash: hashSecret('secret-of-ann'), name: '' }),
    putDocument('zone', 1, { id: 1, name: 'default', description: '' }),
    putDocument('front', 1, { number: 1, name: 'f1', key: key.text, url: '' }),
    putDocument('domain_name', 'two.site', { cell: 2 }),
    ...cells.map((cell) => cellDocument(cell, false)),
  );
  let behind = false;
  const home: Home = {
    name: 'f1',
    registry: replicaRegistry(memory, () => behind),
    authenticate: createAuthenticate({ reader: memory, audience: undefined, sessionKey: key.publicKey }),
    vouch: assertingVouch(memory, key, 'f1', Date.now),
    reads: new Map(Object.entries(createGlobalReads({ reader: memory }) as unknown as Record<string, LooseHandler>)),
    hub: undefined,
    places: replicaPlaces(memory),
    revision: () => 'access=1.1 config=1.1',
    lag: () => 0,
    unready: () => undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const fronts: Front[] = [];
  return {
    cells,
    memory,
    home,
    tell,
    fallBehind: (now) => void (behind = now),
    mark: (name, out) => tell(...cells.filter((cell) => cell.name === name).map((cell) => cellDocument(cell, out))),
    start: async (config = {}) => {
      const usual: FrontConfig = {
        folder: '/nowhere',
        listen: ['127.0.0.1'],
        port: 0,
        cells: [],
        gather_ms: 800,
        call_ms: 1200,
        hub_ms: 500,
        allocate: 'best',
        ask_sample: 8,
        retries: 0.1,
        connections: 8,
      };
      const front = await startFront({ config: { ...usual, ...config }, version: '1.0', log: memoryLog().log, home });
      fronts.push(front);
      return front;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(fronts.map((front) => front.close(0)));
      await Promise.all(cells.map((cell) => cell.stop()));
    },
  };
}
