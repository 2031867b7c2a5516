/** A cell process with images for simulated machines, and the calls that runs with a simulated rack make of it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createListener, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, type Client } from '../src/http/client.ts';
import type { CellProcessSettings } from './cell-process.ts';

/** A port of 127.0.0.1 that is free now. */
export async function freePort(): Promise<number> {
  const listener = createListener();
  await new Promise<void>((done, failed) => listener.once('error', failed).listen(0, '127.0.0.1', done));
  const { port } = listener.address() as AddressInfo;
  await new Promise((done) => listener.close(done));
  return port;
}

export interface ServedImages extends AsyncDisposable {
  readonly folder: string;
  /** Base URL of the files that are not in the folder. */
  readonly source: string;
}

/**
 * An image folder as `muster image build` leaves it, with the ephemeral environment and `count` images `simulated/1`, `simulated/2`, …
 * Only the first one's file is there; the others are to be fetched.
 */
export async function simulatedImages(folder: string, count: number): Promise<ServedImages> {
  mkdirSync(join(folder, 'manifests'), { recursive: true });
  const served = new Map<string, Buffer>();
  const publish = (name: string, files: Readonly<Record<string, Buffer>>, isHere: boolean): void => {
    const listed = Object.entries(files).map(([ftype, bytes]) => {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      served.set(sha256, bytes);
      if (isHere) writeFileSync(join(folder, sha256), bytes);
      return { ftype, sha256, size: bytes.length };
    });
    const recipe = createHash('sha256').update(name).digest('hex');
    const manifest = {
      name,
      architecture: 'amd64',
      recipe,
      key: recipe,
      builtAt: '2026-01-01T00:00:00.000Z',
      packages: [],
      facts: {},
      files: listed,
    };
    writeFileSync(join(folder, 'manifests', `${name}.json`), JSON.stringify(manifest));
  };
  publish(
    'muster-agent',
    { 'boot-kernel': Buffer.alloc(64 * 1024, 'kernel\n'), 'boot-initrd': Buffer.alloc(256 * 1024, 'initrd\n') },
    true,
  );
  for (let number = 1; number <= count; number += 1)
    publish(`simulated-${number}`, { 'root-tar.zst': Buffer.alloc(512 * 1024, `image ${number}\n`) }, number === 1);
  const server = createServer((request, response) => {
    const bytes = served.get((request.url ?? '').split('/')[1] ?? '');
    if (bytes === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-length': bytes.length }).end(request.method === 'HEAD' ? undefined : bytes);
  });
  await new Promise<void>((done, failed) => server.once('error', failed).listen(0, '127.0.0.1', done));
  return {
    folder,
    source: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

export interface CellProcess {
  readonly child: ChildProcess;
  /** Empty unless this start made the first admin. */
  readonly key: string;
  readonly postgres: number;
  /** Resolves when the process is gone: the kill point it died at, if it did. */
  readonly ended: Promise<{ readonly killedAt: string | undefined; readonly signal: string | null; readonly code: number | null }>;
}

/** Start it and wait until it answers. @throws Error with its last words when it ends before. */
export async function startCellProcess(settings: CellProcessSettings): Promise<CellProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'cell-process.ts'), JSON.stringify(settings)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let words = '';
  let killedAt: string | undefined;
  child.stderr.on('data', (bytes: Buffer) => {
    words = (words + bytes.toString()).slice(-4000);
    if (process.env['MUSTER_VERBOSE'] !== undefined) process.stderr.write(bytes);
  });
  const lines = createInterface({ input: child.stdout });
  // `close` comes after the last line of stdout, `exit` may not.
  const ended = new Promise<Awaited<CellProcess['ended']>>((done) =>
    child.once('close', (code, signal) => done({ killedAt, signal, code })),
  );
  const ready = await new Promise<{ key: string; postgres: number }>((done, failed) => {
    lines.on('line', (line) => {
      const at = line.indexOf(' ');
      const facts = JSON.parse(line.slice(at + 1)) as { key: string; postgres: number; at: string };
      if (line.startsWith('ready ')) done(facts);
      if (line.startsWith('killed ')) killedAt = facts.at;
    });
    child.once('close', (code, signal) => failed(new Error(`the cell ended with ${code ?? signal} before it was up: ${words}`)));
  });
  return { child, ...ready, ended };
}

/** kill -9, and wait. */
export async function killCellProcess(cell: CellProcess): Promise<void> {
  cell.child.kill('SIGKILL');
  await cell.ended;
}

/** A call that outlives the death of its cell: asked again every 100 ms while nobody answers. @throws ApiError for what was answered. */
export async function persistently<T>(call: () => Promise<T>, withinMs = 60_000): Promise<T> {
  for (const end = Date.now() + withinMs; ;) {
    try {
      return await call();
    } catch (error) {
      const away = error instanceof ApiError && (error.status === 0 || error.status === 503 || error.status === 502);
      if (!away || Date.now() > end) throw error;
      await sleep(100);
    }
  }
}

export interface SeenMachine {
  readonly system_id: string;
  readonly status_name: string;
  readonly power_state: string;
  readonly macs: readonly string[];
  readonly error: string;
}

/** What the cell says of all its machines. */
export async function machinesOf(client: Client): Promise<SeenMachine[]> {
  const list = (await persistently(() => client.call('Machines.read', {}, {}))) as readonly {
    readonly system_id?: string;
    readonly status_name?: string;
    readonly power_state?: string;
    readonly status_message?: string | null;
    readonly interface_set?: readonly { readonly mac_address?: string | null }[];
  }[];
  return list.map((one) => ({
    system_id: one.system_id ?? '',
    status_name: one.status_name ?? '',
    power_state: one.power_state ?? '',
    error: one.status_message ?? '',
    macs: (one.interface_set ?? []).flatMap((card) => card.mac_address ?? []),
  }));
}

/** Look every 200 ms until it holds. @throws Error that says what was seen last. */
export async function until<T>(
  what: string,
  withinMs: number,
  look: () => Promise<T>,
  holds: (seen: T) => boolean,
  show: (seen: T) => string,
): Promise<T> {
  for (const end = Date.now() + withinMs; ;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (Date.now() > end) throw new Error(`${what}: not within ${Math.round(withinMs / 1000)} s; last seen: ${show(seen)}`);
    await sleep(200);
  }
}
