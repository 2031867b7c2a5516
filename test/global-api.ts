// The handlers of global resources over a real database, asked without a socket: an authority with an admin, and a joined cell that only reads.
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import type { GlobalAuthority } from '../src/global/api/context.ts';
import { Authority } from '../src/global/authority.ts';
import { createAuthenticate } from '../src/global/authentication.ts';
import type { GlobalTables } from '../src/global/db/global-tables.ts';
import { createFirstAdmin, ensureDefaults } from '../src/global/default-documents.ts';
import { createGlobalHandlers, type GlobalRouteId } from '../src/global/global-handlers.ts';
import { globalMigrations } from '../src/global/migrations.ts';
import { formatRevisions } from '../src/global/revision.ts';
import { generateSigningKey } from '../src/global/signing-key.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import { createServer, type Server } from '../src/http/server.ts';
import { testDatabase } from './postgres.ts';

export interface GlobalAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
  json<T = Record<string, unknown>>(): T;
}

export type GlobalFields = Readonly<Record<string, string | readonly string[]>>;

type Ask = (method: Method, path: string, given?: GlobalFields | Buffer, options?: AskOptions) => Promise<GlobalAnswer>;

export interface GlobalApi extends AsyncDisposable {
  readonly authority: Authority;
  readonly server: Server;
  /** Another cell, which has joined. */
  readonly joined: Server;
  /** The admin's API key. */
  readonly adminKey: string;
  /** As the admin, or with another key; an empty one is nobody. A form, or bytes. */
  readonly ask: Ask;
  /** Status and body of {@link ask}. */
  told(...asked: Parameters<Ask>): Promise<[number, string]>;
  /** Make a user who is no administrator. @returns an API key of theirs. */
  person(username: string): Promise<string>;
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface AskOptions {
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ask the joined cell. */
  readonly joined?: boolean;
}

function encode(fields: GlobalFields): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) pairs.append(name, one);
  return pairs.toString();
}

/** `uploads`: where images go; `outside`: what answers for Launchpad, GitHub and issuers. */
export async function globalApi(given: Pick<GlobalAuthority, 'uploads' | 'outside'> = {}): Promise<GlobalApi> {
  const database = await testDatabase<GlobalTables>([globalMigrations]);
  const authority = await Authority.open(database);
  await ensureDefaults(authority);
  const admin = (await createFirstAdmin(authority))!;
  const key = generateSigningKey();
  const reader = authority.memory;
  const serve = (handlers: ReturnType<typeof createGlobalHandlers>): Server =>
    createServer<GlobalRouteId>({
      program: 'cell',
      version: '0',
      routeIds: Object.keys(handlers) as GlobalRouteId[],
      handlers,
      authenticate: createAuthenticate({ reader, audience: 'c1', sessionKey: key.publicKey }),
      log: pino({ level: process.env['MUSTER_TEST_LOG'] ?? 'silent' }),
      revision: () => formatRevisions(reader),
      checkReplies: true,
    });
  const server = serve(createGlobalHandlers({ writer: authority, ...given }, { reader }, { db: authority.db, key }));
  const joined = serve(createGlobalHandlers({ hub: 'https://hub.example:5242' }, { reader }));
  const ask: Ask = async (method, path, given, options = {}) => {
    const inQuery = method === 'GET' || method === 'DELETE';
    const query = given !== undefined && !Buffer.isBuffer(given) && inQuery ? `${path.includes('?') ? '&' : '?'}${encode(given)}` : '';
    const payload = inQuery || given === undefined ? undefined : Buffer.isBuffer(given) ? given : encode(given);
    const contentType = Buffer.isBuffer(given) ? 'application/octet-stream' : 'application/x-www-form-urlencoded';
    const signed = options.key ?? admin.apiKey;
    const answer = await (options.joined === true ? joined : server).inject({
      method,
      url: (path.startsWith('/') ? path : `/MAAS/api/2.0/${path}`) + query,
      headers: {
        ...(signed === '' ? {} : { authorization: oauthHeader(signed, randomUUID()) }),
        ...(payload === undefined ? {} : { 'content-type': contentType }),
        ...options.headers,
      },
      ...(payload === undefined ? {} : { payload }),
    });
    return { status: answer.statusCode, text: answer.body, headers: answer.headers, json: () => JSON.parse(answer.body) };
  };
  return {
    authority,
    server,
    joined,
    adminKey: admin.apiKey,
    ask,
    told: async (...asked) => {
      const { status, text } = await ask(...asked);
      return [status, text];
    },
    person: async (username) => {
      const password = 'a long enough password';
      await ask('POST', 'users/', { username, email: '', password, is_superuser: 'false' });
      const got = (await ask('POST', '/MAAS/accounts/authenticate/', { username, password }, { key: '' })).json<Record<string, string>>();
      return `${got['consumer_key']}:${got['token_key']}:${got['token_secret']}`;
    },
    [Symbol.asyncDispose]: () => database.drop(),
  };
}
