/**
 * A tap on the wire between fronts and one cell: a plain HTTP proxy that shows every request before the cell gets it, and every reply before
 * the front does. A run strikes there, at exactly that moment of the protocol, without a switch in any program.
 */
import { Agent, createServer, request as call, type IncomingMessage, type ServerResponse } from 'node:http';

/** `request`: the cell has not seen it. `reply`: the cell has done it, and nobody knows. */
export type TapMoment = 'request' | 'reply';

/** Called at each moment of each call; the call goes on when it resolves. `op` is that of the query: claim, confirm, deploy, … */
export type TapWatch = (op: string, moment: TapMoment, cell: string) => Promise<void> | undefined;

export interface Tap extends AsyncDisposable {
  /** What fronts are told. */
  readonly url: string;
  /** One watch at a time. */
  watch: TapWatch | undefined;
}

/** Headers of one connection (RFC 9110 §7.6.1). */
const hopByHop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te', 'trailer', 'proxy-connection']);

export async function startTap(cell: string, address: string, port: number, target: string): Promise<Tap> {
  const { hostname, port: targetPort } = new URL(target);
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const tap: { watch: TapWatch | undefined } = { watch: undefined };

  const pass = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const parts: Buffer[] = [];
    for await (const part of incoming as AsyncIterable<Buffer>) parts.push(part);
    const op = new URL(incoming.url ?? '/', target).searchParams.get('op') ?? '';
    await tap.watch?.(op, 'request', cell);
    const body = Buffer.concat(parts);
    const headers = Object.fromEntries(Object.entries(incoming.headers).filter(([name]) => !hopByHop.has(name)));
    // Sent even if the front is gone by now: what was on the wire arrives.
    const outgoing = call({ host: hostname, port: targetPort, method: incoming.method, path: incoming.url, headers, agent });
    const reply = await new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve).once('error', reject);
      outgoing.end(body);
    });
    await tap.watch?.(op, 'reply', cell);
    response.once('close', () => reply.destroy());
    reply.once('error', () => response.destroy());
    response.writeHead(reply.statusCode ?? 502, reply.rawHeaders.length === 0 ? {} : keptOf(reply));
    reply.pipe(response);
  };

  const server = createServer((incoming, response) => {
    // Like a cell that is not there: the connection breaks, no status is made up.
    pass(incoming, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((done, failed) => server.once('error', failed).listen(port, address, done));
  return {
    url: `http://${address}:${port}`,
    get watch() {
      return tap.watch;
    },
    set watch(watch) {
      tap.watch = watch;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      agent.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

function keptOf(reply: IncomingMessage): Record<string, string | string[]> {
  const entries = Object.entries(reply.headers).filter((pair): pair is [string, string | string[]] => pair[1] !== undefined);
  return Object.fromEntries(entries.filter(([name]) => !hopByHop.has(name)));
}
