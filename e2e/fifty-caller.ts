/** Calls of a large fleet's programs with as little of their own cost as can be: kept connections, bodies read and not parsed. */
import { Agent } from 'undici';
import { oauthHeader } from '../src/http/oauth.ts';

export interface Heard {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** From sending to the last byte. */
  readonly ms: number;
}

export type Fields = Readonly<Record<string, string | readonly string[]>>;

export interface Caller extends AsyncDisposable {
  /** Fields go into the query of a GET, else into a form. A program that does not answer is status 0. */
  ask(
    url: string,
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    fields?: Fields,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Heard>;
  readonly agent: Agent;
}

function encode(fields: Fields): string {
  return new URLSearchParams(
    Object.entries(fields).flatMap(([name, value]) => [value].flat().map((one): [string, string] => [name, one])),
  ).toString();
}

/** With another key than the usual one: `headers.authorization`. */
export function startCaller(key: string): Caller {
  const agent = new Agent({ connections: 128, pipelining: 1, headersTimeout: 60_000, bodyTimeout: 60_000 });
  return {
    agent,
    ask: async (url, method, path, fields = {}, headers = {}) => {
      const data = encode(fields);
      const inQuery = method === 'GET' && data !== '';
      const began = performance.now();
      try {
        const reply = await agent.request({
          origin: url,
          method,
          path: `/MAAS/api/2.0/${path}${inQuery ? `${path.includes('?') ? '&' : '?'}${data}` : ''}`,
          headers: {
            authorization: oauthHeader(key),
            ...(method === 'POST' ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
            ...headers,
          },
          body: method === 'POST' ? data : null,
        });
        const text = await reply.body.text();
        return { status: reply.statusCode, text, headers: reply.headers, ms: performance.now() - began };
      } catch (error) {
        return { status: 0, text: String(error), headers: {}, ms: performance.now() - began };
      }
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}
