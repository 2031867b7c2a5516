/** The routes that every program answers alike: health, readiness, measurements, and the API's descriptions of itself. */
import { createHash } from 'node:crypto';
import type { Registry } from 'prom-client';
import { describe, locate } from '../contract/describe.ts';
import type { Failure } from '../contract/errors.ts';
import { openapi } from '../contract/openapi.ts';
import type { LooseHandler } from './dispatch.ts';
import type { Table } from './match.ts';
import { bytes, text } from './reply.ts';

/** Handlers for these come from the kernel; programs do not register them. */
export const builtInRoutes = ['Describe.read', 'OpenApi.read', 'Health.read', 'Readiness.read', 'Metrics.read'] as const;
export type BuiltInRoute = (typeof builtInRoutes)[number];

export interface BuiltInOptions {
  readonly table: Table;
  readonly version: string;
  readonly registry: Registry;
  /** Why requests cannot be served now; undefined when they can. */
  readonly unready: () => Failure | undefined | Promise<Failure | undefined>;
}

/** Most hosts whose description is kept; the Host header is the client's to choose. */
const mostOrigins = 16;

export interface BuiltIn {
  readonly handlers: ReadonlyMap<string, LooseHandler>;
  /** The description's hash, for `X-MAAS-API-Hash`. */
  readonly hash: string;
}

export function builtIn(options: BuiltInOptions): BuiltIn {
  const description = describe(options.table);
  const hash = createHash('sha1').update(JSON.stringify(description)).digest('hex');
  const described = new Map<string, Buffer>();
  const openDocument = Buffer.from(JSON.stringify(openapi(options.table, options.version)));

  const describeAt = (origin: string, prefix: string): Buffer => {
    const known = described.get(origin + prefix);
    if (known !== undefined) return known;
    const made = Buffer.from(JSON.stringify(locate(description, hash, origin, prefix)));
    if (described.size >= mostOrigins) described.clear();
    described.set(origin + prefix, made);
    return made;
  };

  const handlers: Record<BuiltInRoute, LooseHandler> = {
    // Exactly this Content-Type: the maas CLI compares the whole header (maas-api.md §1.2).
    'Describe.read': ({ request }) =>
      bytes(describeAt(request.origin, request.cell === undefined ? '' : `/cell/${request.cell}`), 'application/json'),
    'OpenApi.read': () => bytes(openDocument, 'application/json'),
    'Health.read': () => 'ok\n',
    'Readiness.read': async () => {
      const failure = await options.unready();
      if (failure !== undefined) throw failure;
      return 'ok\n';
    },
    'Metrics.read': async () => text(await options.registry.metrics(), options.registry.contentType),
  };
  return { handlers: new Map(Object.entries(handlers)), hash };
}
