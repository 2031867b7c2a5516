// A hub over a database of its own, any number of its processes, and members that have joined it over real sockets.
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import type { FirstAdmin } from '../src/global/default-documents.ts';
import type { GlobalTables } from '../src/global/db/global-tables.ts';
import { openFrontGlobal, type FrontGlobal } from '../src/global/front-global.ts';
import { join } from '../src/global/join.ts';
import { keyFileIn, rememberHubKey, type Membership } from '../src/global/membership.ts';
import { loadSigningKey, type SigningKey } from '../src/global/signing-key.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import { createHub, type Hub } from '../src/hub/hub.ts';
import { migrationsOfHub } from '../src/hub/hub-database.ts';
import { testDatabase, type TestDatabase } from './postgres.ts';

/** What a member reported. */
export interface SeenFinding {
  readonly kind: string;
  readonly subject: string;
  readonly data: Readonly<Record<string, string | number>>;
}

export interface Joined {
  readonly membership: Membership;
  readonly key: SigningKey;
  readonly folder: string;
  readonly findings: SeenFinding[];
}

export interface HubFleet extends AsyncDisposable {
  readonly folder: string;
  readonly database: TestDatabase<GlobalTables>;
  readonly admin: FirstAdmin;
  /** The process that `start` made first, unless it was replaced. */
  hub: Hub;
  /** Another process of the hub: its data folder has the first one's key when it is new. */
  start(name: string, port?: number): Promise<Hub>;
  join(role: 'cell' | 'front', name: string): Promise<Joined>;
  /** A front's replica. `hubs`: the addresses it is told, instead of the first process's. */
  front(joined: Joined, hubs?: readonly string[]): FrontGlobal;
  /** Call the API as the admin. */
  api(path: string, init?: { method?: string; form?: Record<string, string>; at?: Hub; key?: string }): Promise<Response>;
}

/** One process of the hub, its first admin, and no member yet. */
export async function openHubFleet(): Promise<HubFleet> {
  await using opening = new AsyncDisposableStack();
  let stack: AsyncDisposableStack = opening;
  const folder = await mkdtemp(joinPath(tmpdir(), 'muster-hub-fleet-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const database = stack.use(await testDatabase<GlobalTables>(migrationsOfHub));
  const home = (name: string): string => joinPath(folder, name);
  let first: string | undefined;

  const start = async (name: string, port = 0): Promise<Hub> => {
    await mkdir(home(name), { recursive: true });
    if (first !== undefined && first !== name)
      await copyFile(joinPath(home(first), 'signing-key.pem'), joinPath(home(name), 'signing-key.pem'), 1).catch(() => undefined);
    first ??= name;
    const config = {
      folder: home(name),
      database_url: database.url,
      address: '127.0.0.1',
      port,
      plain_address: '127.0.0.1',
      plain_port: 0,
      allow_plain: false,
    };
    const log = pino({ level: process.env['MUSTER_TEST_LOG'] ?? 'silent' });
    return stack.use(await createHub({ config, version: '1.2.3', log, checkReplies: true }));
  };
  const hub = await start('hub-1');
  const admin = (await hub.init())!;
  stack = opening.move();
  const fleet: HubFleet = {
    folder,
    database,
    admin,
    hub,
    start,
    join: async (role, name) => {
      const { token, fingerprint } = await fleet.hub.invite(role, name);
      const membership = await join({ url: fleet.hub.url, token, fingerprint, role, folder: home(name), ownUrl: 'http://127.0.0.1:1' });
      return { membership, key: await loadSigningKey(keyFileIn(home(name))), folder: home(name), findings: [] };
    },
    front: ({ membership, key, folder: at, findings }, hubs) =>
      openFrontGlobal({
        membership: hubs === undefined ? membership : { ...membership, hub: hubs.join(',') },
        key,
        version: '1.2.3',
        remember: (trusted) => rememberHubKey(at, trusted),
        findings: { report: (finding) => void findings.push(finding) },
        onTrouble: () => undefined,
      }),
    api: (path, { form, at = fleet.hub, key = admin.apiKey, method = form ? 'POST' : 'GET' } = {}) =>
      fetch(`${at.plainUrl}/MAAS/api/2.0/${path}`, {
        method,
        headers: { authorization: oauthHeader(key) },
        ...(form ? { body: new URLSearchParams(form) } : {}),
      }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
  return fleet;
}

/** Looks every 10 ms until it holds. @returns milliseconds that took. @throws Error after `ms`. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>, ms = 10_000): Promise<number> {
  const began = performance.now();
  while (!(await holds())) {
    if (performance.now() - began > ms) throw new Error(`${what}: not within ${ms} ms`);
    await sleep(10);
  }
  return performance.now() - began;
}
