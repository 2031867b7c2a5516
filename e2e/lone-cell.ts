// A cell's side of docs/agent-protocol.md with nothing behind it: hears agents on loopback (QEMU's user network reaches it as 10.0.2.2),
// serves an image folder, breaks connections when told to. For tests of the agent alone.
import { createReadStream, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface Heard {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly body: Buffer;
  readonly authorization: string;
}

export interface Answer {
  readonly status?: number;
  readonly body?: string | Buffer;
  /** The reply is lost: the connection is closed without a byte. */
  readonly lost?: boolean;
}

export class LoneCell {
  readonly heard: Heard[] = [];
  /** What to answer; undefined is 404. Change it between boots. */
  answer: (call: Heard) => Answer | undefined = () => undefined;
  /** Each download of a file takes one number and breaks after so many bytes. */
  readonly breaks: number[] = [];
  readonly #server: Server;
  readonly #images: string;
  readonly #waiting = new Set<() => void>();

  private constructor(images: string) {
    this.#images = images;
    this.#server = createServer((request, response) => void this.#hear(request, response));
  }

  static async start(images: string): Promise<LoneCell> {
    const cell = new LoneCell(images);
    await new Promise<void>((done) => cell.#server.listen(0, '127.0.0.1', done));
    return cell;
  }

  /** As a guest sees it. */
  get url(): string {
    return `http://10.0.2.2:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** The calls of a path, in order. */
  callsOf(path: string): Heard[] {
    return this.heard.filter((call) => call.path === path);
  }

  /** Resolves when a path has been called so many times. */
  async whenCalled(path: string, times = 1): Promise<void> {
    while (this.callsOf(path).length < times) await new Promise<void>((done) => this.#waiting.add(done));
  }

  async #hear(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = (request.url ?? '').split('?')[0] ?? '';
    const call = {
      at: Date.now(),
      method: request.method ?? '',
      path,
      body: Buffer.concat(chunks),
      authorization: request.headers.authorization ?? '',
    };
    this.heard.push(call);
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
    const file = /^\/file\/([0-9a-f]{64})$/.exec(path)?.[1];
    if (file) return this.#sendFile(join(this.#images, file), request, response);
    const answer = this.answer(call);
    if (answer?.lost) return void request.socket.destroy();
    response
      .writeHead(answer ? (answer.status ?? 200) : 404, { 'content-type': 'text/plain' })
      .end(answer?.body ?? (answer ? '' : 'no such thing here'));
  }

  #sendFile(path: string, request: IncomingMessage, response: ServerResponse): void {
    const { size } = statSync(path);
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(206, { 'content-length': size - start, 'content-range': `bytes ${start}-${size - 1}/${size}` });
    const stream = createReadStream(path, { start });
    const limit = this.breaks.shift();
    let sent = 0;
    stream.on('data', (chunk) => {
      sent += chunk.length;
      if (limit !== undefined && sent > limit) {
        stream.destroy();
        response.destroy();
      }
    });
    stream.on('error', () => response.destroy());
    response.on('close', () => stream.destroy());
    stream.pipe(response);
  }
}

/** The KEY='value' lines that the agent reads. */
export function lines(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}='${value.replaceAll("'", "'\\''")}'\n`)
    .join('');
}
