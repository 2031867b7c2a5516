/**
 * The API as OpenAPI 3.1, from the same table. OpenAPI knows a path and a method once, MAAS's `?op=` makes many of one; so every named
 * operation is written as the path `…/op-NAME`, which the server takes as well.
 */
import { basePaths, pathNames } from './route.ts';
import type { Param, Route } from './route.ts';
import { errors, type ErrorCode } from './errors.ts';

const replyTypes: Readonly<Record<Route['type'], string | undefined>> = {
  json: 'application/json',
  text: 'text/plain',
  none: undefined,
  sh: 'text/x-shellscript',
  bson: 'application/bson',
  tar: 'application/x-tar',
  binary: 'application/octet-stream',
  stream: 'text/event-stream',
};

function isRecord(param: Param): boolean {
  return 'patternProperties' in param.schema;
}

function pathOf(route: Route): string {
  return `${basePaths[route.base]}${route.path}${route.op === null ? '' : `op-${route.op}`}`;
}

/** Query parameters of a GET or DELETE. A record is an object whose keys are sent as `name_KEY`, which OpenAPI cannot say; the text does. */
function queryParameters(route: Route): unknown[] {
  return Object.entries(route.params).map(([name, param]) => ({
    name,
    in: 'query',
    required: param.required,
    description: isRecord(param) ? `${param.doc} Sent as ${name}_KEY=value.` : param.doc,
    schema: param.schema,
    ...('items' in param.schema ? { style: 'form', explode: true } : {}),
  }));
}

function requestBody(route: Route): unknown {
  if (route.raw) return { content: { 'application/octet-stream': {} } };
  const entries = Object.entries(route.params);
  if (entries.length === 0 && !route.free) return undefined;
  const schema = {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, param]) => [name, { ...param.schema, description: param.doc }])),
    required: entries.filter(([, param]) => param.required).map(([name]) => name),
    additionalProperties: route.free || entries.some(([, param]) => isRecord(param)),
  };
  return {
    required: schema.required.length > 0,
    content: Object.fromEntries(
      ['application/x-www-form-urlencoded', 'multipart/form-data', 'application/json'].map((type) => [type, { schema }]),
    ),
  };
}

/** What a route may be refused with: its own errors, and those of every route of its kind. */
function refusals(route: Route): ErrorCode[] {
  const general: ErrorCode[] = [
    'unrecognised_signature',
    ...(Object.keys(route.params).length > 0 ? (['invalid', 'bad_request'] as const) : []),
    ...(route.policy === 'anonymous' ? [] : (['unauthorized', 'no_credentials'] as const)),
    ...(route.policy === 'anonymous' || route.policy === 'user' ? [] : (['forbidden'] as const)),
  ];
  return [...new Set([...general, ...route.errors])];
}

function responses(route: Route): unknown {
  const type = replyTypes[route.type];
  const content =
    type === undefined || route.status === 204 ? {} : { content: { [type]: route.type === 'json' ? { schema: route.reply } : {} } };
  const codes = Map.groupBy(refusals(route), (code) => String(errors[code].status));
  return {
    [String(route.status)]: { description: 'Done.', ...content },
    ...Object.fromEntries([...codes].map(([status, list]) => [status, { description: list.join(', ') }])),
    default: { description: 'An error, as text or as {"field": ["message"]}.' },
  };
}

function operation(id: string, route: Route): unknown {
  const [summary, ...more] = route.doc.split('\n');
  const inQuery = route.method === 'GET' || route.method === 'DELETE';
  const body = inQuery ? undefined : requestBody(route);
  const blanks = pathNames(route.path).map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
  return {
    operationId: id,
    tags: [route.handler],
    summary,
    ...(more.join('\n').trim() === '' ? {} : { description: more.join('\n').trim() }),
    parameters: inQuery ? [...blanks, ...queryParameters(route)] : blanks,
    ...(body === undefined ? {} : { requestBody: body }),
    responses: responses(route),
    security: route.policy === 'anonymous' || route.policy === 'nonce' ? [{}] : [{ key: [] }],
    'x-muster-policy': route.policy,
    'x-muster-reach': route.reach,
  };
}

/** The document, a JSON value. @param version of Muster. */
export function openapi(table: Readonly<Record<string, Route>>, version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [id, route] of Object.entries(table)) {
    const at = (paths[pathOf(route)] ??= {});
    at[route.method.toLowerCase()] = operation(id, route);
  }
  const handlers = new Map(Object.values(table).map((route) => [route.handler, route.resourceDoc]));
  return {
    openapi: '3.1.0',
    info: { title: 'Muster', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/', description: 'A front, or a cell.' }],
    tags: [...handlers].map(([name, description]) => ({ name, description })),
    paths,
    components: {
      securitySchemes: {
        key: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description: 'OAuth 1.0 PLAINTEXT with an API key consumer:token:secret.',
        },
      },
    },
  };
}
