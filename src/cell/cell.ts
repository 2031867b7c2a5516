/**
 * One cell: a whole, autonomous provider for its machines. Builds the rooms in order, wires their doors, and takes them down in reverse.
 * The rooms never import each other; what one needs of another is a door (a type of at most four functions) that is filled here.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { fail } from '../contract/errors.ts';
import type { FirstAdmin } from '../global/default-documents.ts';
import type { GlobalReader } from '../global/document.ts';
import { readMembership } from '../global/membership.ts';
import { settingAddresses, settingOf } from '../global/api/settings.ts';
import { formatRevisions } from '../global/revision.ts';
import { TagJudge } from '../global/tag-judge.ts';
import type { CellGlobal } from '../global/standalone-global.ts';
import type { Authenticate } from '../http/handler.ts';
import { createServer, type Pages, type Server } from '../http/server.ts';
import type { Listen } from '../http/listener.ts';
import { DatabaseAway } from '../postgres/database-errors.ts';
import { openFeedWakeups } from '../postgres/feed-wakeups.ts';
import type { ApiContext } from './api/api-context.ts';
import { spaceDoor, usageDoor } from './api/global-doors.ts';
import { networkHandlers } from './api/network-handlers.ts';
import { firstAdminOf, openCellGlobal } from './cell-global.ts';
import { bootDoors } from './boot-door.ts';
import { openCellDatabase, type CellDatabase } from './cell-database.ts';
import type { CellConfig } from './config.ts';
import { openFinding } from './db/finding-store.ts';
import { scriptTypes } from './db/script-result-store.ts';
import { dhcpNames, processesWith } from './db/process-store.ts';
import { readSecretKey } from './db/secret-key.ts';
import { sweepReferences } from './dangling-references.ts';
import { careForClaims } from './claim-care.ts';
import { isNamed, startDhcpCare } from './dhcp-care.ts';
import { startDiscoveryCare } from './discovery-care.ts';
import { imageCatalogue } from './image-catalogue.ts';
import { imageCopies, sourcesWithPeers } from './image-copies.ts';
import { hubImages, openImageStore } from './images/store.ts';
import { judge } from './judge-claim.ts';
import { mostCalls } from './api/bulk-chunks.ts';
import { DestructiveLimit } from './api/destructive-limit.ts';
import { Turns } from './api/turns.ts';
import { machineApi } from './machine-api.ts';
import { bootHandlers, metadataHandlers } from './machine-side.ts';
import { builtInScripts, commissioningScripts, testingScripts } from '../global/built-in-scripts.ts';
import { hostNameFor } from './metadata/host-name.ts';
import { authenticateMachine } from './metadata/machine-authentication.ts';
import type { MetadataContext } from './metadata/metadata-context.ts';
import { statusReports } from './metadata/status-report.ts';
import { parseParameters } from './netboot/kernel-parameters.ts';
import { readLoaders, tftpFiles, type Loaders } from './netboot/loaders.ts';
import { startTftp } from './netboot/tftp-server.ts';
import { watchLoad } from './load.ts';
import { measureCell } from './measure.ts';
import { powerDoors } from './power-door.ts';
import { guardStanding } from './standing.ts';
import { joinProcesses } from './process-registry.ts';
import { serviceAddressesOf } from './service-addresses.ts';
import { shareMembership } from './shared-files.ts';
import { kernelOptions, operatorParameters } from './kernel-options.ts';
import { careForTags } from './tag-care.ts';
import { networkDoors } from './network-doors.ts';
import { networkConfig } from './network/network-config.ts';
import { rackId } from './api/rack-id.ts';
import { runWorkers } from './workers.ts';

export interface CellOptions {
  readonly config: CellConfig;
  readonly version: string;
  readonly log: Logger;
  /** Tests kill the process at named points; in production it does nothing. */
  readonly killPoint?: (name: string) => void;
  /** The cell's database has forgotten this process: it must end and be started again. */
  readonly onForgotten?: () => void;
  /** The web pages. */
  readonly pages?: Pages;
  readonly checkReplies?: boolean;
}

export interface Cell extends AsyncDisposable {
  readonly name: string;
  readonly number: number;
  /** Where machines and clients reach it. */
  readonly url: string;
  readonly server: Server;
  readonly global: CellGlobal;
  readonly base: CellDatabase;
  /** Stop well: no new work, running requests get 10 s. */
  close(): Promise<void>;
}

/** Set up a standalone cell that is not running: data folder, key, database, and the first admin; undefined when there is one. */
export async function initCell(config: CellConfig, log: Logger, username: string): Promise<FirstAdmin | undefined> {
  await mkdir(config.folder, { recursive: true, mode: 0o700 });
  await using base = await openCellDatabase(config, await readSecretKey(config.folder), log);
  return await firstAdminOf(base, username);
}

/** Start a cell. @throws errors that name what was wrong and what to do: a taken port, a missing package, a wrong key. */
export async function startCell(options: CellOptions): Promise<Cell> {
  const { config, log } = options;
  const killPoint = options.killPoint ?? (() => undefined);
  await using stack = new AsyncDisposableStack();
  await mkdir(config.folder, { recursive: true, mode: 0o700 });
  const secretKey = await readSecretKey(config.folder);
  const base = stack.use(await openCellDatabase(config, secretKey, log));
  const { database } = base;
  const { db } = database;
  // The doors are asked only once global config is open; they need its reader, it needs them.
  const opened: { reader?: GlobalReader } = {};
  const readerNow = (): GlobalReader => {
    if (!opened.reader) throw new Error('global config is not open yet');
    return opened.reader;
  };
  const doors = { usage: usageDoor(db, readerNow), spaces: spaceDoor(db, readerNow) };
  const global = stack.use(await openCellGlobal(config, base, options.version, doors, log));
  opened.reader = global.reader;
  const ending = new AbortController();
  const addresses = serviceAddressesOf(config);
  const { urls: serviceUrls } = addresses;
  const servesTftp = config.rack.length > 0 && config.tftp_port > 0;
  const processes = stack.use(
    await joinProcesses({
      database,
      config,
      addresses,
      version: options.version,
      servesTftp,
      log,
      onForgotten: options.onForgotten ?? (() => undefined),
    }),
  );
  const trouble = (service: string, reason: string) => {
    log.warn({ service }, reason);
    database
      .transaction((tx) => openFinding(tx, { kind: 'service_down', subject: service, data: { service, reason } }))
      .catch((error: unknown) => log.error({ err: error }, 'a finding was lost'));
  };

  const store = await openImageStore({
    folder: config.images ?? join(config.folder, 'images'),
    ...(global.fromHub ? { fromHub: global.fromHub } : {}),
  });
  const catalogue = imageCatalogue(
    global.reader,
    store,
    sourcesWithPeers([...config.image_sources, ...(global.fromHub ? [hubImages] : [])], (sha256) =>
      processesWith(db, processes.id, sha256),
    ),
  );
  const copies = imageCopies({
    db,
    store,
    catalogue,
    processId: processes.id,
    alone: processes.alone,
    onTrouble: (error) => log.warn({ err: error }, 'an image that another process has could not be fetched'),
  });
  const netboots = servesTftp || config.dhcp;
  const loaders: Loaders = netboots ? await readLoaders() : new Map();
  const power = powerDoors(db, secretKey, ending.signal);
  const dhcp =
    config.dhcp && config.rack.length > 0
      ? stack.use(
          await startDhcpCare({
            db,
            processId: processes.id,
            secretKey,
            folder: join(config.folder, 'dhcp'),
            rack: config.rack,
            service: { address: addresses.all[0] ?? addresses.own, port: config.port, loaders: [...loaders.keys()] },
            domain: `${config.name}.${config.site}`,
            servers: () => ({ dns: settingAddresses(global.reader, 'upstream_dns'), ntp: settingAddresses(global.reader, 'ntp_servers') }),
            leaseTime: config.lease_seconds,
            log,
            onTrouble: trouble,
          }),
        )
      : undefined;

  const discovery = stack.use(
    startDiscoveryCare({ db, rack: config.rack, observer: rackId(base.number), leases: dhcp && (() => dhcp.leases()), log }),
  );

  const boots = stack.use(
    bootDoors({
      db,
      store,
      catalogue,
      secretKey,
      parameters: parseParameters(config.kernel_parameters),
      operatorParameters: (tagIds) => operatorParameters(global.reader, tagIds),
      onError: (error) => log.warn({ err: error }, 'the boot log could not be written'),
      signal: ending.signal,
    }),
  );
  const scriptOf = (name: string) => {
    const builtIn = new Map<string, { content: string; timeoutSeconds: number }>(Object.entries(builtInScripts)).get(name);
    const own = global.reader.named('script', name);
    return builtIn ?? (own && { content: own.script, timeoutSeconds: own.timeout || 900 });
  };
  /** The keys of one kind that a user has. */
  const keysOf = (kind: 'sshkey' | 'sslkey', username: string): string[] => {
    const user = global.reader.named('user', username);
    return user ? global.reader.list(kind).flatMap((key) => (key.user === user.id ? [key.key] : [])) : [];
  };
  const metadata: MetadataContext = {
    database,
    secretKey,
    serviceUrls,
    door: {
      publicKeysOf: (username) => keysOf('sshkey', username),
      certificatesOf: (username) => keysOf('sslkey', username),
      script: scriptOf,
      judge: (given) => judge(given, kernelOptions(global.reader, given.machine.tag_ids)),
      killPoint,
    },
  };
  const reports = stack.use(statusReports({ database }));
  const tagJudge = stack.use(new TagJudge());
  const wakeups = stack.use(openFeedWakeups(database.connection));
  const authenticate: Authenticate = async (request, oauth) => {
    if (oauth && global.reader.get('token', oauth.token) === undefined) {
      const machine = await authenticateMachine(
        db,
        { consumerKey: oauth.consumerKey, tokenKey: oauth.token, tokenSecret: oauth.secret },
        request.address,
      );
      if (machine) return machine;
      // Another process may have made this key a millisecond ago.
      if (!processes.alone()) await global.refresh().catch(() => undefined);
    }
    return global.authenticate(request, oauth);
  };
  const api: ApiContext = {
    database,
    wakeups,
    global: global.reader,
    secretKey,
    cellName: config.name,
    cellNumber: base.number,
    power,
    images: catalogue,
    systemNetwork: networkConfig,
    scripts: {
      commissioning: () => [
        ...commissioningScripts,
        ...global.reader
          .list('script')
          .filter((script) => script.type === scriptTypes.commissioning)
          .map((script) => script.name),
      ],
      testing: () => [
        ...testingScripts,
        ...global.reader
          .list('script')
          .filter((script) => script.type === scriptTypes.testing)
          .map((script) => script.name),
      ],
      hostName: hostNameFor,
    },
    bulkTurns: new Turns(mostCalls),
    destructive: new DestructiveLimit({
      cellName: config.name,
      perCall: config.destructive_per_call ?? 2_500,
      perMinute: config.destructive_per_minute ?? 5_000,
    }),
    killPoint,
  };
  const load = stack.use(watchLoad());
  const registry = new Registry();
  measureCell(registry, global, load);
  const handlers = {
    ...global.handlers,
    ...machineApi(api),
    ...networkHandlers({
      ...api,
      ...networkDoors(dhcp, discovery),
      version: options.version,
      serviceAddress: config.service_address,
      url: serviceUrls[0] ?? '',
      processes: processes.list,
      hub: (await readMembership(config.folder))?.hub,
      lag: () => global.lag(),
      state: () => global.state(),
      load: () => load.now(),
      services: () => [
        { name: 'dhcpd', status: dhcp ? 'running' : 'off', status_info: '' },
        { name: 'tftp', status: netboots && config.tftp_port > 0 ? 'running' : 'off', status_info: '' },
      ],
    }),
    ...metadataHandlers(metadata, reports, tagJudge, () => settingOf(global.reader, 'default_storage_layout')),
    ...bootHandlers({ doors: boots, loaders, serviceUrls }),
  };
  const server = createServer({
    program: 'cell',
    version: options.version,
    log,
    authenticate,
    registry,
    revision: () => formatRevisions(global.reader),
    ...(options.pages ? { pages: options.pages } : {}),
    ...(options.checkReplies === undefined ? {} : { checkReplies: options.checkReplies }),
    unready: async () =>
      (await database.db
        .selectFrom('cell_identity')
        .select('number')
        .executeTakeFirst()
        .catch(() => undefined))
        ? undefined
        : fail('database_away', { program: 'cell' }),
    explain: (error) => (error instanceof DatabaseAway ? fail('database_away', { program: 'cell' }) : undefined),
    routeIds: Object.keys(handlers) as (keyof typeof handlers)[],
    handlers: guardStanding(handlers, config.name, () => global.state()),
  });
  stack.defer(() => server.drain());

  if (netboots && config.tftp_port > 0) {
    const tftp = await startTftp({
      addresses: [config.service_address],
      port: config.tftp_port,
      files: tftpFiles(loaders),
      onRequest: (request) => {
        if (request.phase === 'end') boots.log({ protocol: 'tftp', address: request.address, path: request.file, answer: request.outcome });
      },
    });
    stack.defer(() => tftp.close());
  }
  const workers = runWorkers({
    database,
    wakeups,
    log,
    bootSlots: config.boot_slots,
    slowestBmcMs: config.slowest_bmc_seconds === undefined ? undefined : config.slowest_bmc_seconds * 1000,
    keepEventsSeconds: config.keep_events_days * 86_400,
    lifecycle: {
      hasImage: copies.isReady,
      fetchImage: copies.bring,
      dhcpNames: (systemId, waitedMs) =>
        isNamed(dhcp?.names(systemId), processes.alone() ? undefined : () => dhcpNames(db, systemId), waitedMs),
      killPoint,
    },
    power: { targetOf: power.targetOf, killPoint },
    refreshDhcp: () => dhcp?.refresh() ?? Promise.resolve(),
    sweepReferences: () => sweepReferences(database, global.reader),
    judgeTags: () => careForTags({ database, global: global.reader, judge: tagJudge, signal: ending.signal, killPoint }),
    onGlobalChange: (listener) => global.reader.onChange(listener),
    freeUnconfirmed: () => careForClaims(database),
    owner: processes.owner,
    refreshBoots: boots.refreshSnapshot,
    refreshImages: async (signal) => {
      await shareMembership({ db, folder: config.folder, key: secretKey });
      await copies.refresh(signal);
    },
    signal: ending.signal,
  });
  stack.defer(async () => {
    ending.abort();
    await workers;
  });

  const places: Listen[] = placesOf([config.service_address, ...config.listen]).map((host) => ({ host, port: config.port }));
  const listeners = [];
  for (const place of places) listeners.push(await server.listen(place));
  const url = listeners[0]?.url ?? serviceUrls[0] ?? '';
  log.info({ url, number: base.number, name: config.name }, 'the cell is up');
  const owned = stack.move();
  const close = async () => {
    // Before anything else ends: firmware that is sent here from now on would find nobody.
    await dhcp?.hush();
    await owned.disposeAsync();
  };
  return { name: config.name, number: base.number, url, server, global, base, close, [Symbol.asyncDispose]: close };
}

/** A listener on every address leaves no room for one on a single address and the same port. */
function placesOf(addresses: readonly string[]): string[] {
  const all = addresses.find((address) => address === '::' || address === '0.0.0.0');
  return all === undefined ? [...new Set(addresses)] : [all];
}
