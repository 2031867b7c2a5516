/** Two processes of one cell over one PostgreSQL of the run's own, and calls that go to whichever of them answers. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, createClient, type Client } from '../src/http/client.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../src/postgres/embedded-postgres.ts';
import type { Arming, CellProcessSettings } from './cell-process.ts';
import { freePort, startCellProcess, type CellProcess, type ServedImages } from './sim-cell.ts';

export const pairAddresses = ['127.0.51.1', '127.0.51.2'] as const;

export interface CellPair extends AsyncDisposable {
  readonly urls: readonly string[];
  readonly postgres: EmbeddedPostgres;
  /** An admin's API key. */
  readonly key: string;
  /** The process in this place; undefined while it is away. */
  running(place: number): CellProcess | undefined;
  /** Start the process in this place, with what it is to die at. */
  start(place: number): Promise<CellProcess>;
  /** Tell all that live: whoever comes first to this occurrence of the point dies. Resolves with its place when it has. */
  arm(arming: Arming): Promise<number>;
  /** End one and wait: SIGKILL, or SIGTERM for an orderly end. */
  end(place: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
}

/** Both are up: the first one with the images in its folder, the second with nothing but a copy of secret.key. */
export async function startPair(folder: string, images: ServedImages, network: string): Promise<CellPair> {
  const postgres = await startEmbeddedPostgres({ folder: join(folder, 'postgres'), maxConnections: 60 });
  await postgres.ensureDatabase('cell');
  const databaseUrl = `postgresql://${postgres.address.user}@/cell?host=${encodeURIComponent(postgres.address.host)}&port=${postgres.address.port}`;
  const port = await freePort();
  const urls = pairAddresses.map((address) => `http://${address}:${port}`);
  const processes: (CellProcess | undefined)[] = [undefined, undefined];
  const folderOf = (place: number): string => join(folder, `process-${place + 1}`);
  const start = async (place: number): Promise<CellProcess> => {
    const settings: CellProcessSettings = {
      folder: folderOf(place),
      images: place === 0 ? images.folder : join(folderOf(place), 'images'),
      port,
      imageSources: [images.source],
      network,
      killPoint: '',
      nth: 1,
      killPostgres: false,
      shared: { databaseUrl, address: pairAddresses[place] ?? '', addresses: pairAddresses, name: `process ${place + 1}` },
    };
    const started = await startCellProcess(settings);
    processes[place] = started;
    void started.ended.then(() => {
      if (processes[place] === started) processes[place] = undefined;
    });
    return started;
  };
  const end = async (place: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    const one = processes[place];
    one?.child.kill(signal);
    await one?.ended;
  };
  try {
    const first = await start(0);
    mkdirSync(folderOf(1), { recursive: true, mode: 0o700 });
    copyFileSync(join(folderOf(0), 'secret.key'), join(folderOf(1), 'secret.key'));
    await start(1);
    return {
      urls,
      postgres,
      key: first.key,
      running: (place) => processes[place],
      start,
      end,
      async arm(arming) {
        const line = `${JSON.stringify(arming)}\n`;
        const ends = processes.map((one, place) => one?.ended.then((how) => ({ how, place })));
        for (const one of processes) one?.child.stdin?.write(line);
        const { how, place } = (await Promise.race(ends.filter((one) => one !== undefined))) ?? { how: undefined, place: -1 };
        if (how?.killedAt !== arming.point)
          throw new Error(`process ${place + 1} ended (${how?.signal ?? how?.code}) and not at ${arming.point}`);
        return place;
      },
      async [Symbol.asyncDispose]() {
        await Promise.all([end(0, 'SIGKILL'), end(1, 'SIGKILL')]);
        await postgres.stop();
      },
    };
  } catch (error) {
    for (const one of processes) one?.child.kill('SIGKILL');
    await postgres.stop();
    throw error;
  }
}

/** What happened to calls on their way to an answer. */
export interface Troubles {
  /** Nobody listened there: asked again at the other address. */
  refused: number;
  /** The connection broke before the answer was whole. */
  broken: number;
  /** 502, 503, 504. */
  notNow: number;
}

/** A client that asks the other address when one does not answer, for as long as `withinMs`. What was answered with an error is thrown. */
export function pairClient(urls: readonly string[], key: string, withinMs = 60_000) {
  const clients = urls.map((url) => createClient({ url, key }));
  const troubles: Troubles = { refused: 0, broken: 0, notNow: 0 };
  let at = 0;
  async function call<T>(work: (client: Client) => Promise<T>, startAt = at): Promise<T> {
    at = startAt;
    for (const end = Date.now() + withinMs; ;) {
      const here = at;
      try {
        return await work(clients[here] ?? outside());
      } catch (error) {
        if (!(error instanceof ApiError) || ![0, 502, 503, 504].includes(error.status) || Date.now() > end) throw error;
        if (error.status !== 0) troubles.notNow += 1;
        else if (codeOf(error) === 'ECONNREFUSED') troubles.refused += 1;
        else troubles.broken += 1;
        at = (here + 1) % clients.length;
        await sleep(20);
      }
    }
  }
  return { call, troubles };
}

function outside(): never {
  throw new RangeError('no such address');
}

/** The system's code of what kept a call from being answered, however deep it lies. */
function codeOf(error: unknown): string {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
    if ('code' in cause && typeof cause.code === 'string' && cause.code.startsWith('E')) return cause.code;
  return '';
}
