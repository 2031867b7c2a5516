/** The boot handler on a plain HTTP listener, for tests: the cell serves it through its route table. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BootHandler } from './http-boot.ts';

/** Listens; gives the server and its base URL. */
export async function listenForBoots(handler: BootHandler, host: string, port: number): Promise<{ server: Server; base: string }> {
  const server = createServer((request, response) => {
    const { method = '', url = '', headers, socket } = request;
    void handler({ method, url, headers, address: socket.remoteAddress ?? '' }).then((reply) => {
      response.writeHead(reply.status, reply.headers);
      if (typeof reply.body === 'function') reply.body().pipe(response);
      else response.end(reply.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return { server, base: `http://${host}:${(server.address() as AddressInfo).port}` };
}
