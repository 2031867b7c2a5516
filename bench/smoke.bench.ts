/**
 * `npm run bench -- smoke`: how fast machines can be allocated. A real cell, asked over HTTP with signed requests on 64 connections until none
 * of its 2,000 machines is left, beside the least that PostgreSQL itself needs for it: a bare `for update skip locked` loop over the same rows
 * with a pool of the same size. The two alternate, and their ratio is the figure to compare: it does not depend on the machine much.
 */
import { parseArgs } from 'node:util';
import { sql } from 'kysely';
import pg from 'pg';
import { Pool } from 'undici';
import { oauthHeader } from '../src/http/oauth.ts';
import { cellPool, cellRig, cpuSeconds, type CellRig } from './cell-rig.ts';
import { median, quantile, rounded } from './figures.ts';

const help = `npm run bench -- smoke [options]

Allocations a second over HTTP, signed, until no machine is left, beside a bare "for update skip locked" loop.

  --machines N      machines of the cell (2000)
  --connections N   connections, each with one request at a time (64)
  --rounds N        rounds that count; one goes before them (5)
  --profile FOLDER  write a CPU profile of the cell there
  --help            this

Prints a line for each round, and the medians as one line of JSON. Exits with 1 when the machines taken in a round are not exactly
all of them, each once.
`;

const { values } = parseArgs({
  options: {
    machines: { type: 'string', default: '2000' },
    connections: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '5' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(help);
  process.exit(0);
}
const machines = Number(values.machines);
const connections = Number(values.connections);
const rounds = Number(values.rounds);

interface Taken {
  readonly perSecond: number;
  /** Milliseconds of each call that got a machine. */
  readonly waits: readonly number[];
}

/** Run `connections` callers until each of them gets nothing. @throws Error unless all machines were taken, each once. */
async function race(rig: CellRig, take: () => Promise<string | undefined>): Promise<Taken> {
  const taken: string[] = [];
  const waits: number[] = [];
  const began = performance.now();
  const caller = async (): Promise<void> => {
    for (;;) {
      const asked = performance.now();
      const id = await take();
      if (id === undefined) return;
      waits.push(performance.now() - asked);
      taken.push(id);
    }
  };
  await Promise.all(Array.from({ length: connections }, caller));
  const seconds = (performance.now() - began) / 1000;
  const distinct = new Set(taken);
  if (taken.length !== machines || distinct.size !== machines || !rig.machines.every((id) => distinct.has(id)))
    throw new Error(`${taken.length} machines were taken, ${distinct.size} different ones, of ${machines}`);
  return { perSecond: machines / seconds, waits };
}

async function allocateOverHttp(pool: Pool, key: string): Promise<string | undefined> {
  const { statusCode, body } = await pool.request({
    method: 'POST',
    path: '/MAAS/api/2.0/machines/?op=allocate',
    headers: { authorization: oauthHeader(key), 'content-type': 'application/x-www-form-urlencoded' },
    body: '',
  });
  const text = await body.text();
  if (statusCode === 409) return undefined;
  const id = /^\{"system_id":"(\w{7})"/.exec(text)?.[1];
  if (statusCode !== 200 || id === undefined) throw new Error(`an allocation was answered ${statusCode}: ${text.slice(0, 300)}`);
  return id;
}

async function takeBare(pool: pg.Pool): Promise<string | undefined> {
  const { rows } = await pool.query<{ system_id: string }>(
    `update machine set status = 10, owner = $1 where system_id = (
       select system_id from machine where status = 4 and owner is null and not locked
       order by (cpu_count + memory / 1024.0), system_id limit 1 for update skip locked)
     returning system_id`,
    ['bare'],
  );
  return rows[0]?.system_id;
}

/** All machines Ready and free again, and no trace of the round before for the next one to walk over. */
async function freeAll({ database }: CellRig): Promise<void> {
  await sql`update machine set status = 4, owner = null, agent_name = '', allocated_at = null where status = 10`.execute(database.db);
  await sql`vacuum (analyze) machine`.execute(database.db);
}

let failure: unknown;
let interrupted = false;
{
  await using rig = await cellRig(machines, values.profile);
  // The cell would go on, and its PostgreSQL too: end the round, and with it everything.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      interrupted = true;
      process.kill(rig.pid, 'SIGKILL');
    });
  const http = new Pool(rig.url, { connections, pipelining: 1 });
  const bare = new pg.Pool({ ...rig.database.connection, max: cellPool });
  // Whoever waits for an answer is told; a connection that breaks while nobody uses it would end the process.
  bare.on('error', () => undefined);
  bare.on('connect', (client) => client.on('error', () => undefined));
  const [overHttp, bareLoop, ratios, waits, cpu]: number[][] = [[], [], [], [], []];
  try {
    console.log(`${machines} machines, ${connections} connections; the first round does not count`);
    for (let round = 0; round <= rounds; round += 1) {
      await freeAll(rig);
      const before = cpuSeconds(rig.pid);
      const cell = await race(rig, () => allocateOverHttp(http, rig.key));
      const used = ((cpuSeconds(rig.pid) - before) / machines) * 1000;
      await freeAll(rig);
      const least = await race(rig, () => takeBare(bare));
      const ratio = cell.perSecond / least.perSecond;
      console.log(
        `round ${round}: cell ${cell.perSecond.toFixed(0)} a second (p50 ${quantile(cell.waits, 0.5).toFixed(0)} ms, p99 ${quantile(cell.waits, 0.99).toFixed(0)} ms, ` +
          `${used.toFixed(2)} ms CPU each), bare loop ${least.perSecond.toFixed(0)} a second, ratio ${ratio.toFixed(3)}`,
      );
      if (round === 0) continue;
      overHttp?.push(cell.perSecond);
      bareLoop?.push(least.perSecond);
      ratios?.push(ratio);
      waits?.push(...cell.waits);
      cpu?.push(used);
    }
    const result = {
      bench: 'smoke',
      machines,
      connections,
      rounds,
      allocations_per_second: rounded(median(overHttp ?? [])),
      bare_per_second: rounded(median(bareLoop ?? [])),
      ratio: rounded(median(ratios ?? [])),
      p50_ms: rounded(quantile(waits ?? [], 0.5)),
      p99_ms: rounded(quantile(waits ?? [], 0.99)),
      cell_cpu_ms: rounded(median(cpu ?? [])),
    };
    console.log(JSON.stringify(result));
  } catch (error) {
    failure = error;
  } finally {
    await http.destroy();
    await bare.end();
  }
}
if (interrupted) process.exit(130);
if (failure !== undefined) console.error(`FAILED: ${failure instanceof Error ? failure.message : JSON.stringify(failure)}`);
process.exit(failure === undefined ? 0 : 1);
