/** Ports of this host that can be listened on. */
import { createServer } from 'node:net';

/** Whether `host:port` can be listened on now. */
export function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * The first free one from `wanted` on that is not in `taken`, which it joins; `strict` takes no other than the wanted one.
 * @throws Error that says what to do.
 */
export async function takePort(host: string, wanted: number, taken: Set<number>, strict: boolean): Promise<number> {
  for (let port = wanted; port < Math.min(wanted + 200, 65_536); port += 1) {
    if (!taken.has(port) && (await isFree(host, port))) {
      taken.add(port);
      return port;
    }
    if (strict) throw new Error(`Port ${port} of ${host} is taken by another program. Stop it, or choose another port with --port.`);
  }
  throw new Error(`No port from ${wanted} on is free on ${host}.`);
}
