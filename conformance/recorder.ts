/** A proxy between a client and what it is tried on: passes everything on unchanged, and remembers the last exchanges. */
import { createServer, request as ask, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly sent: string;
  readonly status: number;
  readonly received: string;
}

export interface Recorder extends AsyncDisposable {
  readonly url: string;
  /** The exchanges since the last call of this. */
  take(): Exchange[];
}

/** Of a body, enough to see what is wrong. */
const shown = 2000;
/** Exchanges kept at most. */
const kept = 40;

/** The connection is the proxy's own; everything else is passed on. */
function passedOn(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection: _, 'keep-alive': __, 'transfer-encoding': ___, ...rest } = headers;
  return rest;
}

/** Cut, and without what is not text. */
function excerpt(body: Buffer): string {
  const text = body
    .subarray(0, shown)
    .toString('utf8')
    .replaceAll(/[^\x20-\x7e\n]+/g, '?');
  return body.length > shown ? `${text}… (${body.length} bytes)` : text;
}

/** Start it on a free port of 127.0.0.1. @param target base URL without a path. */
export async function startRecorder(target: string): Promise<Recorder> {
  const { hostname, port } = new URL(target);
  let exchanges: Exchange[] = [];
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = Buffer.concat(chunks);
      const { method = 'GET', url: path = '/' } = incoming;
      const record = (status: number, received: Buffer) =>
        (exchanges = [...exchanges, { method, path, sent: excerpt(body), status, received: excerpt(received) }].slice(-kept));
      const headers = { ...passedOn(incoming.headers), ...(body.length > 0 ? { 'content-length': String(body.length) } : {}) };
      const forwarded = ask({ hostname, port, method, path, headers }, (reply) => {
        const parts: Buffer[] = [];
        reply.on('data', (part: Buffer) => parts.push(part));
        reply.on('end', () => {
          const received = Buffer.concat(parts);
          record(reply.statusCode ?? 0, received);
          outgoing.writeHead(reply.statusCode ?? 502, passedOn(reply.headers)).end(received);
        });
      });
      forwarded.on('error', (error) => {
        record(0, Buffer.from(error.message));
        outgoing.destroy();
      });
      forwarded.end(body);
    });
  });
  await new Promise<void>((done, failed) => server.once('error', failed).listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take() {
      const taken = exchanges;
      exchanges = [];
      return taken;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
