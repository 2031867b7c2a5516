// A cell that stands alone with everything it serves and nothing that works in the background: what a walk over the routes table asks. Every
// row there is changes only by a request, so that "nothing was changed" can be seen in the tables.
import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { pino } from 'pino';
import { spaceDoor, usageDoor } from '../../src/cell/api/global-doors.ts';
import { networkHandlers } from '../../src/cell/api/network-handlers.ts';
import { migrationsOfCell } from '../../src/cell/cell-database.ts';
import { claimDatabase, ensureDomain } from '../../src/cell/db/cell-identity.ts';
import type { CellTables } from '../../src/cell/db/schema.ts';
import { mintCredential } from '../../src/cell/db/ticket-store.ts';
import { machineApi } from '../../src/cell/machine-api.ts';
import { authenticateMachine } from '../../src/cell/metadata/machine-authentication.ts';
import { hashSecret } from '../../src/cell/metadata/machine-credential.ts';
import { lifecycle, type MachineState } from '../../src/contract/lifecycle.ts';
import { basePaths, type Route } from '../../src/contract/route.ts';
import { Authority } from '../../src/global/authority.ts';
import { createAuthenticate } from '../../src/global/authentication.ts';
import { createFirstAdmin, ensureDefaults } from '../../src/global/default-documents.ts';
import { createGlobalHandlers } from '../../src/global/global-handlers.ts';
import { openUploadStore } from '../../src/global/image-uploads.ts';
import { generateSigningKey } from '../../src/global/signing-key.ts';
import { createServer } from '../../src/http/server.ts';
import { oauthHeader } from '../../src/http/oauth.ts';
import { apiContext, cellName, cellNumber, networkContext } from '../api-context.ts';
import { testDatabase } from '../postgres.ts';
import { payloadOf, urlencoded, type Form } from './bodies.ts';

export type Person = 'admin' | 'ann' | 'bob';

/** Credentials of a machine: of its ephemeral environment, and of its installed system. */
export type MachineKey = 'boot' | 'system';

/** One value, several, or a file part. */
export type Values = Readonly<Record<string, string | readonly string[]>>;

export interface Asked {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: ReturnType<typeof JSON.parse>;
}

/** A request for a route: the blanks of its path, its parameters, or the body's bytes. */
export interface Request {
  readonly path?: Readonly<Record<string, string>>;
  readonly fields?: Values;
  readonly raw?: Buffer;
  /** How the parameters travel; left out: as a form. */
  readonly form?: Form;
  readonly headers?: Readonly<Record<string, string>>;
}

export type World = Awaited<ReturnType<typeof openWorld>>;

export function urlOf(route: Pick<Route, 'base' | 'path' | 'op'>, path: Readonly<Record<string, string>> = {}): string {
  const filled = route.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name] ?? 'x'));
  return `${basePaths[route.base]}${filled}${route.op === null ? '' : `?op=${route.op}`}`;
}

/** The n-th public key, which nobody has: an Ed25519 key is any 32 bytes (RFC 8709 §4). */
export function publicKey(n: number): string {
  const field = (data: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, data.length]), data]);
  const blob = Buffer.concat([field(Buffer.from('ssh-ed25519')), field(createHash('sha256').update(`key ${n}`).digest())]);
  return `ssh-ed25519 ${blob.toString('base64')} walk`;
}

export async function openWorld() {
  const database = await testDatabase<CellTables>([...migrationsOfCell], { maxConnections: 12 });
  const { db } = database;
  await claimDatabase(db, { number: cellNumber, name: cellName, keyFingerprint: 'test' });
  await ensureDomain(db, 'c17.example');
  const authority = await Authority.open(database);
  await ensureDefaults(authority);
  const admin = await createFirstAdmin(authority);
  const key = generateSigningKey();
  const reader = authority.memory;
  const images = mkdtempSync(join(tmpdir(), 'muster-walk-'));
  const context = apiContext(database, reader, { bmc: () => ({ state: 'off', evidence: 'a test' }) });
  let drawn = 0;
  const next = (): number => (drawn += 1);
  const outside = {
    sshKeysOf: () => Promise.resolve(`${publicKey(next())}\n`),
    issuerAt: (url: string) => Promise.resolve(url),
  };
  const handlers = {
    ...createGlobalHandlers(
      { writer: authority, usage: usageDoor(db, () => reader), uploads: openUploadStore({ folder: images }), outside },
      { reader, spaces: spaceDoor(db, () => reader) },
      { db: authority.db, key },
    ),
    ...machineApi(context),
    ...networkHandlers(networkContext(context)),
  };
  const people = createAuthenticate({ reader, audience: cellName, sessionKey: key.publicKey });
  const server = createServer({
    program: 'cell',
    version: '0',
    routeIds: Object.keys(handlers) as (keyof typeof handlers)[],
    handlers,
    log: pino({ level: process.env['MUSTER_TEST_LOG'] ?? 'silent' }),
    checkReplies: true,
    // As a cell has it: what is no key of a person may be one of a machine.
    authenticate: async (request, oauth) => {
      const isOfPerson = oauth === undefined || reader.get('token', oauth.token) !== undefined;
      const machine = isOfPerson
        ? undefined
        : await authenticateMachine(
            db,
            { consumerKey: oauth.consumerKey, tokenKey: oauth.token, tokenSecret: oauth.secret },
            request.address,
          );
      return machine ?? people(request, oauth);
    },
  });
  const keys = new Map<Person | MachineKey, string>([['admin', admin?.apiKey ?? '']]);
  async function ask(
    who: Person | MachineKey | undefined,
    route: Pick<Route, 'base' | 'path' | 'op' | 'method'>,
    request: Request = {},
  ): Promise<Asked> {
    const inQuery = route.method === 'GET' || route.method === 'DELETE';
    const query = inQuery ? urlencoded(request.fields ?? {}) : '';
    const plain = urlOf(route, request.path);
    const url = query === '' ? plain : `${plain}${plain.includes('?') ? '&' : '?'}${query}`;
    const form = payloadOf(request.form ?? 'application/x-www-form-urlencoded', request.fields ?? {});
    const payload = request.raw ?? (inQuery ? undefined : form.data);
    const type = request.raw === undefined ? form.type : 'application/octet-stream';
    const reply = await server.inject({
      method: route.method,
      url,
      headers: {
        ...(who === undefined ? {} : { authorization: oauthHeader(keys.get(who) ?? '', randomUUID()) }),
        ...(payload === undefined ? {} : { 'content-type': type }),
        ...request.headers,
      },
      ...(payload === undefined ? {} : { payload }),
    });
    let body: unknown;
    try {
      body = JSON.parse(reply.body) as unknown;
    } catch {
      body = undefined;
    }
    return { status: reply.statusCode, text: reply.body, headers: reply.headers, body };
  }

  /** Ask by method and path below the API, and insist that it works. */
  async function must(who: Person, method: Route['method'], path: string, fields: Values = {}): Promise<ReturnType<typeof JSON.parse>> {
    const [plain = '', op] = path.split('?op=');
    const asked = await ask(who, { base: 'api', path: plain, op: op ?? null, method }, { fields });
    if (asked.status >= 300) throw new Error(`${method} ${path} ${JSON.stringify(fields)}: ${asked.status} ${asked.text}`);
    return asked.body;
  }

  for (const person of ['ann', 'bob'] as const) {
    await must('admin', 'POST', 'users/', {
      username: person,
      email: `${person}@example.org`,
      password: `${person}-pass-word`,
      is_superuser: '0',
    });
    const signed = await ask(
      undefined,
      { base: 'accounts', path: 'authenticate/', op: null, method: 'POST' },
      { fields: { username: person, password: `${person}-pass-word`, consumer: 'walk' } },
    );
    const { consumer_key, token_key, token_secret } = signed.body as Record<string, string>;
    keys.set(person, `${consumer_key}:${token_key}:${token_secret}`);
  }
  await must('admin', 'POST', 'zones/', { name: 'east' });
  await must('admin', 'POST', 'resourcepools/', { name: 'lab' });
  await must('admin', 'POST', 'tags/', { name: 'gpu' });
  await must('admin', 'POST', 'spaces/', { name: 'storage' });

  const mac = (): string => {
    const n = next();
    return `52:54:02:${[n >> 16, n >> 8, n].map((byte) => (byte & 255).toString(16).padStart(2, '0')).join(':')}`;
  };

  /** A machine with two interfaces and three disks in this state, as commissioning would have left it. */
  async function machine(state: MachineState = 'ready', owner: Person | null = null): Promise<string> {
    const made = await must('admin', 'POST', 'machines/', {
      mac_addresses: [mac(), mac()],
      power_type: 'manual',
      commission: 'false',
      architecture: 'amd64/generic',
    });
    const systemId = (made as { system_id: string }).system_id;
    for (const [n, name] of ['sda', 'sdb', 'sdc'].entries()) {
      await db
        .insertInto('block_device')
        .values({ system_id: systemId, name, model: 'disk', serial: `S${next()}`, size: (100 + n) * 1e9, block_size: 512 })
        .execute();
    }
    await setState(systemId, state, owner);
    return systemId;
  }

  async function setState(systemId: string, state: MachineState, owner: Person | null): Promise<void> {
    await db
      .updateTable('machine')
      .set({ status: lifecycle[state].number, owner, locked: false })
      .where('system_id', '=', systemId)
      .execute();
  }

  /** Nothing goes on with a machine any more. */
  async function rest(systemId: string): Promise<void> {
    await db
      .updateTable('operation')
      .set({ outcome: 'aborted', ended: new Date() })
      .where('system_id', '=', systemId)
      .where('outcome', '=', 'live')
      .execute();
    await db
      .updateTable('power_verb')
      .set({ state: 'closed', ended: new Date() })
      .where('system_id', '=', systemId)
      .where('state', 'in', ['live', 'hands'])
      .execute();
    await db
      .updateTable('ticket')
      .set({ voided: new Date() })
      .where('system_id', '=', systemId)
      .where('spent', 'is', null)
      .where('voided', 'is', null)
      .execute();
  }

  const walker = await machine('broken');
  for (const kind of ['boot', 'system'] as const) {
    await mintCredential(db, {
      systemId: walker,
      kind,
      consumerKey: `consumer-${kind}`,
      tokenKey: `token-${kind}`,
      secretHash: hashSecret(`secret-${kind}`),
      ...(kind === 'boot' ? { bootId: 'walk', nonce: '0'.repeat(32), address: '127.0.0.1' } : {}),
    });
    keys.set(kind, `consumer-${kind}:token-${kind}:secret-${kind}`);
  }

  /** What every table says, table by table. Sign-in attempts and caches are nobody's data. */
  async function content(): Promise<ReadonlyMap<string, string>> {
    const { rows: tables } = await sql<{ name: string }>`
      select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1`.execute(db);
    const parts = tables.map(
      ({ name }) =>
        sql`select ${name}::text as name, count(*) || ' ' || md5(coalesce(string_agg(t::text, '' order by t::text), '')) as digest from ${sql.table(name)} t`,
    );
    const { rows } = await sql<{ name: string; digest: string }>`${sql.join(parts, sql` union all `)}`.execute(db);
    return new Map(rows.map((row) => [row.name, row.digest]));
  }

  return {
    db,
    context,
    server,
    adminKey: admin?.apiKey ?? '',
    ask,
    must,
    next,
    mac,
    machine,
    setState,
    rest,
    content,
    async [Symbol.asyncDispose]() {
      await server.drain(100);
      await context.wakeups.close();
      await database.drop();
      rmSync(images, { recursive: true, force: true });
    },
  };
}
