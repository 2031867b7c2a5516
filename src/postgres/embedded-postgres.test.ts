import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startEmbeddedPostgres, stopSurvivor, type EmbeddedPostgres, type PostgresExit } from './embedded-postgres.ts';
import { explainOutput } from './postgres-failure.ts';
import { parsePostmasterFile } from './postmaster-file.ts';
import { identityOf, isAlive, postgresProcessesIn } from './process-identity.ts';
import { parsePasswd } from './server-account.ts';

const isRoot = process.getuid?.() === 0;
let parent: string;
let folder: string;
const running: EmbeddedPostgres[] = [];
const children: ChildProcess[] = [];

beforeEach(() => {
  // Mode 0700 and ours, as `mktemp -d`: the server's account cannot pass through it.
  parent = mkdtempSync(join(tmpdir(), 'muster-embedded-'));
  folder = join(parent, 'a-long-name-'.repeat(9), 'postgres');
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const server of running.splice(0)) await server.stop();
  await stopSurvivor(folder);
  rmSync(parent, { recursive: true, force: true });
});

const start = async (options: { onExit?: (event: PostgresExit) => void; maxConnections?: number } = {}): Promise<EmbeddedPostgres> => {
  const server = await startEmbeddedPostgres({ folder, ...options });
  running.push(server);
  return server;
};
const query = async (server: EmbeddedPostgres, text: string): Promise<unknown> => {
  const client = new pg.Client({ ...server.address, database: 'postgres' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<unknown[]>({ text, rowMode: 'array' });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
};
const until = async (condition: () => boolean): Promise<void> => {
  for (let waited = 0; waited < 10_000 && !condition(); waited += 20) await new Promise((resolve) => setTimeout(resolve, 20));
};
/** Another process of ours that starts a server on the folder, prints its pid or its error, and stays. */
const startElsewhere = async (): Promise<{ child: ChildProcess; said: string }> => {
  const module = new URL('./embedded-postgres.ts', import.meta.url).href;
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(module)};
    try { console.log((await startEmbeddedPostgres({ folder: process.argv[1] })).pid()); } catch (error) { console.log(error.code, error.message); }
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const said = await new Promise<string>((resolve) => child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString())));
  return { child, said };
};

describe('a server of our own', () => {
  test('starts in a folder of mode 0700 with a long path, keeps its data, listens on no port, is not root', async () => {
    const first = await start();
    await query(first, 'create table kept as select 7 as x');
    await first.ensureDatabase('cell');
    await first.ensureDatabase('cell');
    expect(await query(first, 'show listen_addresses')).toBe('');
    expect(await query(first, 'show fsync')).toBe('on');
    expect(await query(first, 'show data_checksums')).toBe('on');
    expect(await query(first, "select collation for ('a'::text)")).toBe('"default"');
    expect(await query(first, `select datlocprovider::text || datlocale from pg_database where datname = 'cell'`)).toBe('bC.UTF-8');
    expect(statSync(`/proc/${first.pid()}`).uid).not.toBe(0);
    expect(statSync(first.address.host).mode & 0o777).toBe(0o700);
    await first.stop();
    expect(existsSync(first.address.host)).toBe(false);
    expect(postgresProcessesIn(join(folder, 'data'))).toEqual([]);
    const second = await start();
    expect(second.adopted).toBe(false);
    expect(second.systemIdentifier).toBe(first.systemIdentifier);
    expect(await query(second, 'select x from kept')).toBe(7);
  });

  test('is adopted by the next process when ours was killed; a changed setting restarts it', async () => {
    const { child, said } = await startElsewhere();
    child.kill('SIGKILL');
    await until(() => child.signalCode !== null);
    const adopter = await start();
    expect(adopter.adopted).toBe(true);
    expect(adopter.pid()).toBe(Number(said));
    adopter.abandon();
    running.pop();
    const other = await start({ maxConnections: 31 });
    expect(other.adopted).toBe(false);
    expect(await query(other, 'show max_connections')).toBe('31');
  });

  test('killed with -9, it is started again with all that was committed', async () => {
    const exits: PostgresExit[] = [];
    const server = await start({ onExit: (event) => exits.push(event) });
    await query(server, 'create table kept (x int)');
    for (let round = 1; round <= 3; round += 1) {
      await query(server, `insert into kept values (${round})`);
      const before = server.pid();
      server.kill();
      await until(() => exits.length === round);
      expect(exits.at(-1)).toEqual({ pid: before, restarted: true });
      expect(server.pid()).not.toBe(before);
      expect(await query(server, 'select count(*)::int from kept')).toBe(round);
    }
  });

  test('a survivor whose data was deleted makes way', async () => {
    const ghost = await start();
    ghost.abandon();
    running.pop();
    rmSync(folder, { recursive: true });
    const server = await start();
    expect(server.adopted).toBe(false);
    expect(existsSync(`/proc/${ghost.pid()}`)).toBe(false);
    expect(await query(server, 'select 1')).toBe(1);
  });

  test('stopped survivors: stopSurvivor ends one, and says when there is none', async () => {
    const server = await start();
    server.abandon();
    running.pop();
    expect(await stopSurvivor(folder)).toBe(true);
    expect(isAlive({ ...(identityOf(process.pid) ?? { start: '', boot: '', namespace: '' }), pid: server.pid() })).toBe(false);
    expect(await stopSurvivor(folder)).toBe(false);
    expect(await stopSurvivor(join(parent, 'nothing'))).toBe(false);
  });

  test.runIf(isRoot)('data that root copied is given back to the server’s account', async () => {
    const server = await start();
    await query(server, 'create table kept as select 7 as x');
    await server.stop();
    const data = join(folder, 'data');
    cpSync(data, `${data}.copy`, { recursive: true });
    rmSync(data, { recursive: true });
    execFileSync('mv', [`${data}.copy`, data]);
    chmodSync(data, 0o700);
    expect(statSync(data).uid).toBe(0);
    expect(await query(await start(), 'select x from kept')).toBe(7);
  });
});

describe('refused, with a sentence', () => {
  test('a second process on the same folder, naming the first; not after the first was killed', async () => {
    const { child } = await startElsewhere();
    const refused = startEmbeddedPostgres({ folder });
    await expect(refused).rejects.toMatchObject({
      code: 'folder_locked',
      message: expect.stringContaining(`process ${child.pid}.`) as string,
    });
    child.kill('SIGKILL');
    await until(() => child.signalCode !== null);
    await start();
  });

  test('twenty starters at once: at most one has the folder, and in the end one can', async () => {
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => start()));
    expect(results.filter((result) => result.status === 'fulfilled').length).toBeLessThanOrEqual(1);
    if (running.length === 0) await start();
    expect(readdirSync(join(folder, 'lock'))).toHaveLength(1);
  });

  test('a folder of another major version, and one that is something else', async () => {
    mkdirSync(join(folder, 'data'), { recursive: true });
    writeFileSync(join(folder, 'data/notes.txt'), 'mine');
    await expect(start()).rejects.toMatchObject({ code: 'start_failed', message: expect.stringContaining('is not empty') as string });
    writeFileSync(join(folder, 'data/PG_VERSION'), '15\n');
    await expect(start()).rejects.toMatchObject({
      code: 'other_major',
      message: expect.stringMatching(/made by PostgreSQL 15, and this Muster brings 18/) as string,
    });
  });

  test.runIf(isRoot)('a full disk', async () => {
    const small = join(parent, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', small]);
    try {
      await expect(startEmbeddedPostgres({ folder: join(small, 'postgres') })).rejects.toMatchObject({
        code: 'disk_full',
        message: expect.stringContaining('The disk is full') as string,
      });
      expect(readdirSync(join(small, 'postgres'))).toEqual(['lock']);
    } finally {
      execFileSync('umount', [small]);
    }
  });

  test('a data folder cut short: what PostgreSQL said is passed on', async () => {
    const server = await start();
    await server.stop();
    const conf = join(folder, 'data/postgresql.conf');
    const { uid, gid } = statSync(conf);
    writeFileSync(conf, 'max_connections = banana\n');
    chownSync(conf, uid, gid);
    await expect(start()).rejects.toMatchObject({ code: 'start_failed', message: expect.stringContaining('FATAL') as string });
    expect(existsSync(server.address.host)).toBe(false);
  });

  test('half an initdb of a process that died is cleared away', async () => {
    mkdirSync(join(folder, 'data.new-1'), { recursive: true });
    await start();
    expect(readdirSync(folder).toSorted()).toEqual(['data', 'lock', 'server.log']);
  });
});

describe('outside text', () => {
  test('postmaster.pid of any content is read or refused, never thrown on', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(fc.oneof(fc.nat().map(String), fc.string())).map((lines) => lines.join('\n')),
        ),
        (text) => {
          const file = parsePostmasterFile(text);
          expect(file === undefined || file.pid > 1).toBe(true);
        },
      ),
    );
    expect(parsePostmasterFile('12\n/proc/self/cwd\n1795439997\n5432\n/run/x\n\n  9979122  4\nready   \n')).toEqual({
      pid: 12,
      port: 5432,
      socketFolder: '/run/x',
      status: 'ready',
    });
    expect(parsePostmasterFile('')).toBeUndefined();
  });
  test('passwd: only whole entries', () => {
    expect(parsePasswd('root:x:0:0:root:/root:/bin/sh\n# no\nbad:x:one:1\nnobody:x:65534:65534::/:/x\n').map((user) => user.name)).toEqual([
      'root',
      'nobody',
    ]);
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const user of parsePasswd(text)) expect(Number.isFinite(user.uid)).toBe(true);
      }),
    );
  });
  test('what PostgreSQL printed decides the code', () => {
    expect(explainOutput('x', 'FATAL:  could not write to file: No space left on device').code).toBe('disk_full');
    expect(
      explainOutput(
        'x',
        'FATAL:  database files are incompatible with server\nDETAIL: The data directory was initialized by PostgreSQL version 17',
      ).code,
    ).toBe('other_major');
    expect(explainOutput('x', 'initdb: error: could not access directory: Permission denied').code).toBe('not_permitted');
    expect(explainOutput('x', '').message).toContain('printed nothing');
  });
});
