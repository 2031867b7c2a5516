/**
 * The hub: the authority for the little that is global, and the feed that pushes it down. Any number of processes over one PostgreSQL serve
 * alike: n is drawn under a row lock, NOTIFY wakes the polls of the others. No route of it takes state from a cell, and it holds no secret
 * of a BMC.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { fail } from '../contract/errors.ts';
import { capabilities } from '../contract/resources/program.ts';
import { Authority } from '../global/authority.ts';
import { keepTrimmed } from '../global/trim.ts';
import { createAuthenticate } from '../global/authentication.ts';
import { ownTls } from '../global/certificate.ts';
import { createFirstAdmin, ensureDefaults, type FirstAdmin } from '../global/default-documents.ts';
import { followDatabase } from '../global/follow-database.ts';
import { createGlobalHandlers } from '../global/global-handlers.ts';
import { startImportWorker } from '../global/image-import/import-worker.ts';
import { openUploadStore, type UploadStore } from '../global/image-uploads.ts';
import { openOutside, type OutsideDoor } from '../global/outside.ts';
import { formatRevisions, streams } from '../global/revision.ts';
import { fingerprintOf } from '../global/signing-key.ts';
import { createServer, type Pages, type Server } from '../http/server.ts';
import { DatabaseAway } from '../postgres/database-errors.ts';
import { openAcknowledgements, type Acknowledgements } from './acknowledgement.ts';
import { hubKeyHandlers } from './api/hub-key.ts';
import { handOverBytes, handOverHandlers } from './api/hand-over.ts';
import { joinHandlers } from './api/join.ts';
import { imageHandlers } from './api/images.ts';
import { registryHandlers } from './api/registry.ts';
import { replicaHandlers } from './api/replica.ts';
import { configProblem, type HubConfig } from './config.ts';
import { createEmission, type Emission } from './emission.ts';
import { createFeed } from './feed.ts';
import { asHub } from './db/join-token-store.ts';
import { openHubDatabase, type HubDatabase } from './hub-database.ts';
import { openHubKey, type HubKey } from './hub-key.ts';
import { invite, type Invitation } from './invitation.ts';
import { trimHub } from './trim.ts';

export interface HubOptions {
  readonly config: HubConfig;
  readonly version: string;
  readonly log: Logger;
  /** The web pages. */
  readonly pages?: Pages;
  readonly checkReplies?: boolean;
}

export interface Hub extends AsyncDisposable {
  /** Where cells and fronts reach it: `https://…`, pinned to the key of `fingerprint`. */
  readonly url: string;
  /** Where browsers and MAAS clients reach it, if there is such a listener: `http://…`. */
  readonly plainUrl: string | undefined;
  /** SHA-256 of the hub's public key, 64 hex digits. */
  readonly fingerprint: string;
  readonly server: Server;
  readonly authority: Authority;
  readonly base: HubDatabase;
  /** The first admin, with a random password and an API key, both shown only here; undefined when there is an admin. */
  init(username?: string): Promise<FirstAdmin | undefined>;
  /** A number and a one-time token for a new cell or front. */
  invite(role: 'cell' | 'front', name: string): Promise<Invitation>;
  /** Stop well: polls end, running requests get `ms` (default 10 s). */
  close(ms?: number): Promise<void>;
}

export interface HubParts {
  readonly authority: Authority;
  readonly key: HubKey;
  readonly settled: Acknowledgements['settled'];
  readonly emission: Emission;
  /** The image folder. */
  readonly uploads?: UploadStore;
  /** Left out: the public sites. */
  readonly outside?: OutsideDoor;
  readonly version: string;
}

/** The handlers of a hub and what feeds them; apart from sockets, so that tests can walk the routes. */
export function hubHandlers({ authority, key, settled, emission, uploads, outside, version }: HubParts) {
  const reader = authority.memory;
  const to = { writer: authority, settled, ...(uploads ? { uploads } : {}), ...(outside ? { outside } : {}) };
  const { bodyOf } = emission;
  const feed = createFeed(authority, key.present, { bodyOf });
  const muster = () => ({
    version,
    program: 'hub',
    name: 'hub',
    revision: formatRevisions(reader),
  });
  return {
    ...createGlobalHandlers(to, { reader }, { db: authority.db, key: key.present, sessionKeys: key.sessionKeys }),
    ...registryHandlers({ authority, to, key: key.present }),
    ...replicaHandlers({ authority, feed, key, emission }),
    ...joinHandlers(asHub(authority.db), to, key.present),
    ...handOverHandlers(authority, to),
    ...hubKeyHandlers(key),
    ...imageHandlers(uploads),
    'Version.read': () => ({ capabilities: [...capabilities], version: '3.7.0', subversion: '', muster: muster() }),
  };
}

/** Start a hub. @throws errors that name what was wrong and what to do: a taken port, a folder in use, a database that is away. */
export async function createHub({ config, version, log, pages, checkReplies }: HubOptions): Promise<Hub> {
  const problem = configProblem(config);
  if (problem !== undefined) throw new Error(problem);
  await using stack = new AsyncDisposableStack();
  await mkdir(config.folder, { recursive: true, mode: 0o700 });
  const base = stack.use(await openHubDatabase(config, log));
  const key = await openHubKey(config.folder, base.database);
  const authority = await Authority.open(base.database);
  await ensureDefaults(authority);
  const noteAll = () => streams.forEach((stream) => base.mark.note(stream, authority.memory.revision(stream)));
  noteAll();
  authority.memory.onChange(noteAll);
  const emission = createEmission(authority, base.database.db);
  let away = false;
  const refresh = async () => {
    await authority.refresh();
    await key.refresh();
    away = false;
  };
  const trouble = (error: unknown) => {
    away = true;
    log.warn({ err: error }, 'the database could not be asked for news');
  };
  stack.use(followDatabase(base.database, refresh, trouble));
  const { settled } = stack.use(openAcknowledgements(base.database));
  const images = config.images ?? join(config.folder, 'images');
  const uploads = openUploadStore({ folder: images });
  const notImported = (error: unknown) => log.warn({ err: error }, 'images could not be imported');
  stack.use(startImportWorker({ authority, uploads, folder: images, onTrouble: notImported }));
  const outside = openOutside({ launchpad: config.launchpad_url, github: config.github_url });
  const handlers = hubHandlers({ authority, key, settled, emission, uploads, outside, version });
  const trim = async () => {
    await trimHub(authority);
    await key.forget();
    await emission.refresh();
  };
  stack.use(keepTrimmed(trim, (error) => log.warn({ err: error }, 'the hub could not be trimmed')));
  const server = createServer({
    program: 'hub',
    version,
    log,
    limits: { routeBodyBytes: { 'GlobalObjects.plan': handOverBytes, 'GlobalObjects.import': handOverBytes } },
    routeIds: Object.keys(handlers) as (keyof typeof handlers)[],
    handlers,
    authenticate: createAuthenticate({ reader: authority.memory, audience: 'hub', sessionKey: key.sessionKeys }),
    registry: new Registry(),
    revision: () => formatRevisions(authority.memory),
    explain: (error) => (error instanceof DatabaseAway ? fail('database_away', { program: 'hub' }) : undefined),
    unready: () => (away ? fail('database_away', { program: 'hub' }) : undefined),
    ...(pages ? { pages } : {}),
    ...(checkReplies === undefined ? {} : { checkReplies }),
  });
  // Runs when a port is taken, and again after `close`, when it finds nothing to do.
  stack.defer(() => server.drain(0));
  const tls = () => ownTls(key.present(), 'muster hub');
  const secure = await server.listen({ host: config.address, port: config.port, tls: tls() });
  const listeners = [secure];
  for (const host of config.listen ?? []) listeners.push(await server.listen({ host, port: secure.port, tls: tls() }));
  key.onChange(() => {
    log.warn({ fingerprint: fingerprintOf(key.present().text) }, "the hub's key was changed");
    for (const listener of listeners) listener.setTls(tls());
  });
  const plain = config.plain_port === undefined ? undefined : await server.listen({ host: config.plain_address, port: config.plain_port });
  const owned = stack.move();
  const close = async (ms?: number): Promise<void> => {
    await server.drain(ms);
    await owned.disposeAsync();
  };
  return {
    url: secure.url,
    plainUrl: plain?.url,
    get fingerprint() {
      return fingerprintOf(key.present().text);
    },
    server,
    authority,
    base,
    init: (username) => createFirstAdmin(authority, username),
    invite: (role, name) => invite(authority, key.present(), { role, name }, 'hub'),
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}
