// The half of a cell that machines talk to, without sockets: the real metadata and boot handlers, the real reconciler's steps, a real
// database. Time moves only when a test says so: it calls `settle()`, and it ages rows by hand.
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { pino } from 'pino';
import { migrationsOfCell } from '../src/cell/cell-database.ts';
import { bootDoors } from '../src/cell/boot-door.ts';
import { claimDatabase, ensureDomain, ensureRackSubnet } from '../src/cell/db/cell-identity.ts';
import { drawSystemId, insertMachine } from '../src/cell/db/machine-identity.ts';
import { startOperation } from '../src/cell/db/operation-store.ts';
import { planScripts, scriptTypes } from '../src/cell/db/script-result-store.ts';
import type { CellTables, DeployedImage } from '../src/cell/db/schema.ts';
import { makeSecretKey, type SecretKey } from '../src/cell/db/secret-key.ts';
import { judge } from '../src/cell/judge-claim.ts';
import type { Executor, LifecycleDoor } from '../src/cell/lifecycle/carry-out.ts';
import { reconcile } from '../src/cell/lifecycle/reconcile.ts';
import { TagJudge } from '../src/global/tag-judge.ts';
import { bootHandlers, metadataHandlers } from '../src/cell/machine-side.ts';
import { builtInScripts } from '../src/global/built-in-scripts.ts';
import { authenticateMachine } from '../src/cell/metadata/machine-authentication.ts';
import type { MetadataContext } from '../src/cell/metadata/metadata-context.ts';
import { statusReports } from '../src/cell/metadata/status-report.ts';
import { fail } from '../src/contract/errors.ts';
import { stateOf } from '../src/contract/lifecycle.ts';
import type { OperationKind } from '../src/contract/operation.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import { createServer, type Server } from '../src/http/server.ts';
import { testDatabase, type TestDatabase } from './postgres.ts';

export const image: DeployedImage = {
  name: 'debian/12',
  architecture: 'amd64/generic',
  sha256: 'a'.repeat(64),
  size: 1000,
  cloud_init: true,
};
const agentFile = { sha256: 'b'.repeat(64), size: 10 };
/** The subnet that every machine of the fixture is on. */
export const rackAddress = '10.99.0.1/24';

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, unknown>>;
}

export interface Ask {
  readonly key?: string;
  /** Where it comes from; 10.99.0.50 when not said. */
  readonly address?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TestMachine {
  readonly systemId: string;
  readonly mac: string;
}

export interface MachineCell {
  readonly database: TestDatabase<CellTables>;
  readonly secretKey: SecretKey;
  readonly server: Server;
  readonly executor: Executor;
  /** What the doors of lifecycle say; change it in the test. */
  readonly door: {
    imageReady: boolean;
    dhcpNames: boolean;
    fetches: string[];
    killPoint: (name: string) => void;
    keys: Record<string, string[]>;
    certificates: Record<string, string[]>;
  };
  addMachine(given?: {
    status?: number;
    owner?: string;
    disks?: readonly { name: string; serial: string; size: number }[];
    image?: DeployedImage;
  }): Promise<TestMachine>;
  /** Start an operation as the API does, with the built-in scripts for commissioning. Returns its id. */
  start(machine: TestMachine, kind: OperationKind, parameters?: Record<string, unknown>): Promise<number>;
  /** Let the reconciler do what is due until nothing is. */
  settle(): Promise<void>;
  /** The live ticket's nonce. */
  nonceOf(machine: TestMachine): Promise<string>;
  statusOf(machine: TestMachine): Promise<string>;
  form(path: string, fields: readonly (readonly [string, string])[], ask?: Ask): Promise<Answer>;
  get(path: string, ask?: Ask): Promise<Answer>;
  findings(): Promise<string[]>;
  close(): Promise<void>;
}

export const bootIdOf = (): string => randomBytes(16).toString('hex');

/** `KEY='value'` lines as the agent reads them. */
export function answerOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/^([A-Z_]+)='(.*)'$/gm)].map(([, key, value]) => [key, value]));
}

/** A check-in's answer as an API key. */
export function keyOf(text: string): string {
  const { CONSUMER_KEY: consumer, TOKEN_KEY: token, TOKEN_SECRET: secret } = answerOf(text);
  return `${consumer}:${token}:${secret}`;
}

export async function machineCell(): Promise<MachineCell> {
  const database = await testDatabase<CellTables>(migrationsOfCell, { maxConnections: 10 });
  const { db } = database;
  const secretKey = makeSecretKey(randomBytes(32));
  await claimDatabase(db, { number: 17, name: 'c17', keyFingerprint: secretKey.fingerprint });
  await ensureDomain(db, 'c17.example');
  await database.transaction((tx) => ensureRackSubnet(tx, rackAddress, true));
  const door: MachineCell['door'] = {
    imageReady: true,
    dhcpNames: true,
    fetches: [],
    killPoint: () => undefined,
    keys: {},
    certificates: {},
  };
  const serviceUrls = ['http://10.99.0.1:5240'];
  const context: MetadataContext = {
    database,
    secretKey,
    serviceUrls,
    door: {
      publicKeysOf: (username) => door.keys[username] ?? [],
      certificatesOf: (username) => door.certificates[username] ?? [],
      script: (name) => new Map<string, { content: string; timeoutSeconds: number }>(Object.entries(builtInScripts)).get(name),
      judge,
      killPoint: (name) => door.killPoint(name),
    },
  };
  const reports = statusReports({ database });
  const tagJudge = new TagJudge();
  const agent = () => ({ kernel: agentFile, initrd: agentFile });
  const catalogue = {
    find: () => image,
    fallback: () => image,
    agent,
    digests: () => [],
    fetch: () => Promise.reject(new Error('nothing is fetched here')),
  };
  const store = { open: () => Promise.resolve(undefined) } as unknown as Parameters<typeof bootDoors>[0]['store'];
  const doors = bootDoors({ db, store, catalogue, secretKey, parameters: [], onError: () => undefined });
  const handlers = { ...metadataHandlers(context, reports, tagJudge), ...bootHandlers({ doors, loaders: new Map(), serviceUrls }) };
  const server = createServer({
    program: 'cell',
    version: '0',
    log: pino({ level: 'silent' }),
    routeIds: Object.keys(handlers) as (keyof typeof handlers)[],
    handlers,
    authenticate: async (request, oauth) => {
      if (!oauth) return { kind: 'anonymous', address: request.address };
      const machine = await authenticateMachine(
        db,
        { consumerKey: oauth.consumerKey, tokenKey: oauth.token, tokenSecret: oauth.secret },
        request.address,
      );
      if (!machine) throw fail('unauthorized');
      return machine;
    },
  });
  const lifecycle: LifecycleDoor = {
    hasImage: () => Promise.resolve(door.imageReady),
    fetchImage: (sha256) => {
      door.fetches.push(sha256);
      door.imageReady = true;
      return Promise.resolve();
    },
    dhcpNames: () => Promise.resolve(door.dhcpNames),
    killPoint: (name) => door.killPoint(name),
  };
  const executor: Executor = {
    database,
    door: lifecycle,
    log: { info: () => undefined, error: (facts) => errors.push(facts) },
    signal: new AbortController().signal,
  };
  const errors: object[] = [];
  let count = 0;

  const send = async (method: 'GET' | 'POST', path: string, ask: Ask, payload?: string): Promise<Answer> => {
    const reply = await server.inject({
      method,
      url: path,
      remoteAddress: ask.address ?? '10.99.0.50',
      headers: {
        ...(payload === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        ...(ask.key === undefined ? {} : { authorization: oauthHeader(ask.key) }),
        ...ask.headers,
      },
      ...(payload === undefined ? {} : { payload }),
    });
    return { status: reply.statusCode, text: reply.body, bytes: reply.rawPayload, headers: reply.headers };
  };

  return {
    database,
    secretKey,
    server,
    executor,
    door,
    async addMachine(given = {}) {
      count += 1;
      const n = count;
      const mac = `52:54:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`;
      const systemId = await drawSystemId(db);
      const vlan = await db.selectFrom('vlan').select('id').executeTakeFirstOrThrow();
      const domain = await db.selectFrom('domain').select('id').executeTakeFirstOrThrow();
      await database.transaction((tx) =>
        insertMachine(
          tx,
          {
            systemId,
            hostname: `m${n}`,
            domainId: domain.id,
            architecture: 'amd64/generic',
            description: '',
            hardwareUuid: `4c4c4544-0000-0000-0000-${n.toString(16).padStart(12, '0')}`,
            serial: `S${n}`,
            firmware: 'bios',
            interfaces: [{ name: 'eth0', mac, vlanId: vlan.id }],
            bootMac: mac,
          },
          { kind: 'machine_created' },
        ),
      );
      for (const disk of given.disks ?? [])
        await db
          .insertInto('block_device')
          .values({ ...disk, system_id: systemId })
          .execute();
      await sql`update machine set power_type = 'manual', status = ${given.status ?? 0}, owner = ${given.owner ?? null},
                image = ${given.image === undefined ? null : JSON.stringify(given.image)}::jsonb where system_id = ${systemId}`.execute(db);
      return { systemId, mac };
    },
    start: (machine, kind, parameters = {}) =>
      database.transaction(async (tx) => {
        const { status } = await tx
          .selectFrom('machine')
          .select('status')
          .where('system_id', '=', machine.systemId)
          .executeTakeFirstOrThrow();
        const id = await startOperation(tx, {
          systemId: machine.systemId,
          kind,
          from: [stateOf(status)],
          requestedBy: 'ann',
          parameters,
          memory: { origin: status },
        });
        if (kind === 'commission') await planScripts(tx, machine.systemId, id, ['50-muster-inventory'], scriptTypes.commissioning);
        if (kind === 'test') await planScripts(tx, machine.systemId, id, ['10-muster-disk-read'], scriptTypes.testing);
        return id;
      }),
    async settle() {
      for (let round = 0; round < 30; round += 1) {
        if ((await reconcile(executor, 'test')) > 0) continue;
        if (errors.length > 0)
          throw new Error(`the reconciler stumbled: ${JSON.stringify(errors.map((one) => String((one as { err?: unknown }).err)))}`);
        return;
      }
      throw new Error('the reconciler does not come to rest');
    },
    async nonceOf(machine) {
      const row = await db
        .selectFrom('ticket')
        .select('nonce')
        .where('system_id', '=', machine.systemId)
        .where('spent', 'is', null)
        .where('voided', 'is', null)
        .executeTakeFirstOrThrow();
      return row.nonce;
    },
    async statusOf(machine) {
      const row = await db.selectFrom('machine').select('status').where('system_id', '=', machine.systemId).executeTakeFirstOrThrow();
      return stateOf(row.status);
    },
    form: (path, fields, ask = {}) => send('POST', path, ask, new URLSearchParams(fields.map(([name, value]) => [name, value])).toString()),
    get: (path, ask = {}) => send('GET', path, ask),
    findings: async () =>
      (await db.selectFrom('finding').select('kind').where('resolved', 'is', null).orderBy('id').execute()).map((row) => row.kind),
    async close() {
      await server.drain(100);
      await reports[Symbol.asyncDispose]();
      await tagJudge[Symbol.asyncDispose]();
      await doors[Symbol.asyncDispose]();
      await database.drop();
    },
  };
}
