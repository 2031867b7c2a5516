// A site on loopback that stands for Launchpad, GitHub and an OpenID issuer.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openOutside, type OutsideDoor } from '../src/global/outside.ts';

export interface OutsideSite extends AsyncDisposable {
  readonly origin: string;
  /** What it answers by path: status, body, and where it redirects to. All else is 404. */
  readonly pages: Map<string, readonly [status: number, body: string, location?: string]>;
  /** Launchpad is the site itself, GitHub is below `/hub`. */
  readonly door: OutsideDoor;
}

export async function outsideSite(): Promise<OutsideSite> {
  const pages: OutsideSite['pages'] = new Map();
  const server = createServer((request, response) => {
    const [status, body, location] = pages.get(request.url ?? '') ?? [404, ''];
    response.writeHead(status, location === undefined ? {} : { location }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    pages,
    door: openOutside({ launchpad: origin, github: `${origin}/hub/` }),
    [Symbol.asyncDispose]: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}
