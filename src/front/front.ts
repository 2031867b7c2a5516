/**
 * A front: one API over all cells, the same API that each cell speaks. It holds nothing that lasts, reads each route's `reach` off the
 * contract, and knows no table and no rule of the domain (architecture §8).
 */
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { Gauge, Registry } from 'prom-client';
import { fail } from '../contract/errors.ts';
import { powerTypes } from '../contract/power-types.ts';
import { capabilities } from '../contract/resources/program.ts';
import type { Reach as ReachName, Route } from '../contract/route.ts';
import { routes } from '../contract/routes.ts';
import { builtInRoutes } from '../http/built-in.ts';
import type { LooseCall, LooseHandler } from '../http/dispatch.ts';
import { createLooseServer, type Pages, type Server } from '../http/server.ts';
import { cellBodies, cellBodyNamed } from './cell-facts.ts';
import { openCellLine } from './cell-line.ts';
import { cellNamed, whyGone } from './cell-registry.ts';
import type { FrontConfig } from './config.ts';
import { reservingNames } from './fleet-name.ts';
import { fixedHome } from './fixed-home.ts';
import { forward, type Entry, type FrontContext, type Reach } from './front-context.ts';
import type { Home } from './home.ts';
import { frontBodies } from './front-facts.ts';
import { openJoinedHome } from './joined-home.ts';
import { reachAllocate } from './reach-allocate.ts';
import { reachAny } from './reach-any.ts';
import { reachGather } from './reach-gather.ts';
import { reachHub } from './reach-hub.ts';
import { reachId } from './reach-id.ts';
import { reachPlace } from './reach-place.ts';
import { reachSplit } from './reach-split.ts';
import { withNetworks } from './space-networks.ts';

export interface FrontOptions {
  readonly config: FrontConfig;
  readonly version: string;
  readonly log: Logger;
  /** The web pages. */
  readonly pages?: Pages;
  readonly checkReplies?: boolean;
  /** For tests: a home that is open already. */
  readonly home?: Home;
}

export interface Front extends AsyncDisposable {
  readonly url: string;
  readonly server: Server;
  /** Stop well: no new connections, streams end, running requests get `ms` (default 10 s). */
  close(ms?: number): Promise<void>;
}

const builtIn: ReadonlySet<string> = new Set(builtInRoutes);

/** The routes that a front serves: what is a program's own it never forwards. */
function frontEntries(): Entry[] {
  const table: Readonly<Record<string, Route>> = routes;
  return Object.entries(table)
    .filter(([id, route]) => route.reach !== 'own' || builtIn.has(id))
    .map(([id, route]) => ({ id, route }));
}

/** What the front answers itself, whoever asks. */
function ownAnswers(context: FrontContext, home: Home, version: string): ReadonlyMap<string, LooseHandler> {
  const muster = () => ({ version, program: 'front', name: home.name, revision: home.revision() });
  return new Map<string, LooseHandler>([
    ['Version.read', () => ({ capabilities: [...capabilities], version: '3.7.0', subversion: '', muster: muster() })],
    ['RackControllers.describe_power_types', () => powerTypes],
    ['Cells.read', (call) => cellBodies(context, call)],
    ['Cell.read', (call) => cellBodyNamed(context, call, call.path['name'] ?? '')],
    ...[...home.reads].map(([id, read]): [string, LooseHandler] => [id, id.startsWith('Space') ? withNetworks(context, read) : read]),
  ]);
}

/** Start a front. @throws errors that name what was wrong and what to do: a taken port, a folder that has not joined. */
export async function startFront(options: FrontOptions): Promise<Front> {
  const { config, log, version } = options;
  await using stack = new AsyncDisposableStack();
  const fixed = config.cells.length > 0;
  const home: Home = options.home ?? stack.use(fixed ? fixedHome(config, () => line) : await openJoinedHome(config, version, log));
  const registry = new Registry();
  const line = stack.use(
    openCellLine({
      connections: config.connections,
      retries: config.retries,
      ca: config.cells_ca === undefined ? undefined : await readFile(config.cells_ca, 'utf8'),
      cells: () => home.registry.list(),
      onBreaker: (cell, open) => log.warn({ cell: cell.name, open }, open ? 'a cell does not answer' : 'a cell answers again'),
    }),
  );
  const context: FrontContext = {
    registry: home.registry,
    line,
    vouch: home.vouch,
    asserts: !fixed,
    gatherMs: config.gather_ms,
    callMs: config.call_ms,
    log,
    ...(home.hub ? { uniquely: reservingNames(home.hub, home.vouch) } : {}),
  };
  measure(registry, home, context);

  const own = ownAnswers(context, home, version);
  const toHub: Reach = async (_, entry, call) => {
    const { hub } = home;
    if (hub) {
      const askHub = () => reachHub(context, hub, home.vouch, entry, call);
      return entry.id === 'Fronts.read' ? frontBodies(hub.reader, askHub) : askHub();
    }
    // Without a hub the only cell is its own authority.
    const [only, ...more] = home.registry.list();
    if (only && more.length === 0) return forward(context, entry.route, call, only);
    throw fail('bad_request', { reason: 'This front has no hub. Say which cell is meant: /cell/NAME/MAAS/…' });
  };
  const reaches: Readonly<Record<Exclude<ReachName, 'own'>, Reach>> = {
    id: reachId,
    gather: reachGather,
    place: reachPlace(home.places),
    split: reachSplit,
    allocate: reachAllocate({ policy: config.allocate, sample: config.ask_sample }),
    hub: toHub,
    any: reachAny,
  };

  const serve = async (entry: Entry, call: LooseCall): Promise<unknown> => {
    const { reach } = entry.route;
    if (call.request.cell !== undefined) {
      const cell = cellNamed(home.registry, call.request.cell);
      if (!cell) throw whyGone(home.registry, { name: call.request.cell }) ?? fail('not_found', { what: 'Cell' });
      // Passwords and keys are the hub's business, whichever cell the URL names.
      if (reach !== 'hub' || !home.hub) return forward(context, entry.route, call, cell);
    }
    const answer = own.get(entry.id);
    if (answer) return answer(call);
    return reach === 'own' ? undefined : reaches[reach](context, entry, call);
  };

  const entries = frontEntries();
  const server = createLooseServer({
    program: 'front',
    version,
    log,
    authenticate: home.authenticate,
    registry,
    cellPrefix: true,
    table: Object.fromEntries(entries.map(({ id, route }) => [id, route])),
    described: routes,
    handlers: new Map(entries.filter(({ id }) => !builtIn.has(id)).map((entry) => [entry.id, (call: LooseCall) => serve(entry, call)])),
    unready: () => home.unready(),
    revision: () => home.revision(),
    ...(options.pages ? { pages: options.pages } : {}),
    ...(options.checkReplies === undefined ? {} : { checkReplies: options.checkReplies }),
  });
  stack.defer(() => server.drain(0));
  const listeners = [];
  for (const host of new Set(config.listen)) listeners.push(await server.listen({ host, port: config.port }));
  const url = listeners[0]?.url;
  if (url === undefined) throw new Error('listen names no address');
  log.info({ url, name: home.name, cells: home.registry.list().length }, 'the front is up');
  const owned = stack.move();
  const close = async (ms?: number): Promise<void> => {
    await server.drain(ms);
    await owned.disposeAsync();
  };
  return { url, server, close, [Symbol.asyncDispose]: () => close(0) };
}

function measure(registry: Registry, home: Home, { line }: FrontContext): void {
  const cells = new Gauge({
    name: 'muster_front_cell_usable',
    help: '1 while a cell answers, 0 while its breaker is open.',
    labelNames: ['cell'],
    registers: [registry],
    collect: () => {
      cells.reset();
      for (const cell of home.registry.list()) cells.set({ cell: cell.name }, line.usable(cell) ? 1 : 0);
    },
  });
  const lag: Gauge = new Gauge({
    name: 'muster_front_hub_lag_seconds',
    help: 'Seconds since the hub was last heard of.',
    registers: [registry],
    collect: () => lag.set(home.lag() ?? 0),
  });
}
