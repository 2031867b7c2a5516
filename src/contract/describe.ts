/**
 * The description of the API that MAAS's clients build themselves from (maas-api.md §1.2): the `maas` CLI its commands, python-libmaas its
 * classes. Handler names, path blanks, and at least one `:param` line for every action with parameters are part of what they rely on.
 */
import { basePaths, pathNames } from './route.ts';
import type { Param, Route } from './route.ts';
import { aliases } from './routes.ts';

export interface DescribedAction {
  readonly name: string;
  readonly method: string;
  readonly op: string | null;
  readonly restful: boolean;
  readonly doc: string;
}

export interface DescribedHandler {
  readonly name: string;
  readonly doc: string;
  readonly params: readonly string[];
  readonly path: string;
  readonly actions: readonly DescribedAction[];
}

export interface DescribedResource {
  readonly name: string;
  /** What one may do without signing in; null when nothing. */
  readonly anon: DescribedHandler | null;
  /** What one may do signed in; null when there is nothing beyond `anon`. */
  readonly auth: DescribedHandler | null;
}

export interface Description {
  readonly doc: string;
  readonly resources: readonly DescribedResource[];
}

/** Plain views of MAAS, not resources, and second paths of one resource: clients would make commands of them. */
const hidden: ReadonlySet<string> = new Set(['Describe', 'OpenApi', ...Object.keys(aliases)]);

interface Shape {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Shape[];
  readonly patternProperties?: unknown;
  readonly items?: Shape;
}

/** A word for a schema, as `:type` lines have it. */
export function schemaWord(schema: object): string {
  const shape: Shape = schema;
  if (shape.type === 'array') return `list of ${schemaWord(shape.items ?? {})}`;
  if (shape.type === 'integer') return 'int';
  if (shape.type === 'number') return 'float';
  if (shape.type === 'object') return shape.patternProperties === undefined ? 'json' : 'dict';
  return shape.type === 'boolean' ? 'boolean' : 'string';
}

function paramLines(name: string, param: Param): string {
  const shape = param.schema as Shape;
  const shown = schemaWord(shape) === 'dict' ? `${name}_KEY` : name;
  const choice = shape.enum === undefined ? '' : ` One of: ${shape.enum.join(', ')}.`;
  return `:param ${shown}: ${param.required ? 'Required.' : 'Optional.'} ${param.doc}${choice}\n:type ${shown}: ${schemaWord(shape)}`;
}

function describeAction(route: Route): DescribedAction {
  const params = Object.entries(route.params).map(([name, param]) => paramLines(name, param));
  if (route.free) params.push(':param KEY: Optional. Any other key with its value.\n:type KEY: string');
  return {
    name: route.action,
    method: route.method,
    op: route.op,
    restful: route.op === null,
    doc: params.length === 0 ? route.doc : `${route.doc}\n\n${params.join('\n')}`,
  };
}

function describeHandler(name: string, routes: readonly Route[]): DescribedHandler {
  const [first] = routes as readonly [Route];
  return {
    name,
    doc: first.resourceDoc,
    params: pathNames(first.path),
    path: `${basePaths.api}${first.path}`,
    actions: routes.map(describeAction).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function describeResource(handler: string, routes: readonly Route[]): DescribedResource {
  const open = routes.filter((route) => route.policy === 'anonymous');
  const name = `${handler}Handler`;
  if (open.length === routes.length) return { name, anon: describeHandler(name, open), auth: null };
  return {
    name,
    anon: open.length === 0 ? null : describeHandler(`Anon${name}`, open),
    auth: describeHandler(name, routes),
  };
}

/** The description without hash and addresses: the same for every program that speaks this table. */
export function describe(table: Readonly<Record<string, Route>>): Description {
  const byHandler = Map.groupBy(
    Object.values(table).filter((route) => route.base === 'api' && !hidden.has(route.handler)),
    (route) => route.handler,
  );
  const resources = [...byHandler].map(([handler, routes]) => describeResource(handler, routes));
  return { doc: 'Muster API, compatible with MAAS API 2.0', resources: resources.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}

/**
 * The document as it is sent: with `uri`s for the host that the client asked, and a hash that it compares with `X-MAAS-API-Hash`.
 * @param origin such as `http://host:5240`. @param prefix `/cell/NAME` where the client chose a cell by its URL.
 */
export function locate(description: Description, hash: string, origin: string, prefix = ''): unknown {
  const placed = (handler: DescribedHandler | null) =>
    handler === null ? null : { ...handler, path: prefix + handler.path, uri: origin + prefix + handler.path };
  const bare = (handler: DescribedHandler | null) => (handler === null ? [] : [{ ...handler, path: prefix + handler.path }]);
  return {
    doc: description.doc,
    hash,
    resources: description.resources.map((one) => ({ name: one.name, anon: placed(one.anon), auth: placed(one.auth) })),
    handlers: [...description.resources.flatMap((one) => bare(one.anon)), ...description.resources.flatMap((one) => bare(one.auth))],
  };
}
