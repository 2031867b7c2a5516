/** The API as a page for people, docs/api.md: from the same table as everything else. Pure; `npm run api-docs` writes it. */
import { errors, type ErrorRule } from './errors.ts';
import { basePaths, type Param, type Policy, type Reach, type Route } from './route.ts';
import { longestText } from './parameter.ts';
import { schemaWord } from './describe.ts';

const whoMay: Readonly<Record<Policy, string>> = {
  anonymous: 'anybody',
  nonce: 'a boot nonce',
  machine: 'machines',
  user: 'users',
  admin: 'admins',
  cell: 'cells and fronts',
};

const atFront: Readonly<Record<Reach, string>> = {
  id: 'the cell in the id',
  gather: 'all cells, merged',
  place: 'one cell: by an id in the request, `cell=`, or the zone',
  split: 'each cell gets its own ids',
  allocate: 'ask, claim, confirm',
  hub: 'the hub; reading: any replica',
  any: 'whoever is asked',
  own: 'not through a front',
};

/** Parts of the table that people call; machines and programs have docs/agent-protocol.md and docs/hub.md. */
const shown: ReadonlySet<string> = new Set(['api', 'accounts']);

function limits(schema: object): string[] {
  const shape = schema as { minimum?: number; maximum?: number; maxLength?: number; enum?: readonly unknown[]; items?: object };
  return [
    ...(shape.enum === undefined ? [] : [`one of \`${shape.enum.join('`, `')}\``]),
    ...(shape.minimum === undefined ? [] : [`at least ${shape.minimum}`]),
    ...(shape.maximum === undefined || shape.maximum >= Number.MAX_SAFE_INTEGER ? [] : [`at most ${shape.maximum}`]),
    ...(shape.maxLength === undefined ? [] : [`at most ${shape.maxLength} characters`]),
    ...(shape.items === undefined ? [] : limits(shape.items)),
  ];
}

function parameter(name: string, param: Param): string {
  const word = schemaWord(param.schema);
  const facts = [...(param.required ? ['**required**'] : []), word, ...limits(param.schema)];
  return `  - \`${word === 'dict' ? `${name}_KEY` : name}\` (${facts.join(', ')}): ${param.doc}`;
}

function operation(route: Route): string[] {
  const [title = '', , ...more] = route.doc.split('\n');
  const url = `${basePaths[route.base]}${route.path}${route.op === null ? '' : `?op=${route.op}`}`;
  const answer = route.type === 'none' ? `${route.status}` : `${route.status} ${route.type}`;
  return [
    `- **\`${route.method} ${url}\`**: ${title}${more.length === 0 ? '' : ` ${more.join(' ')}`}`,
    `  For ${whoMay[route.policy]}; answers ${answer}. At a front: ${atFront[route.reach]}.${
      route.errors.length === 0 ? '' : ` May be refused as \`${route.errors.join('`, `')}\`.`
    }`,
    ...Object.entries(route.params).map(([name, param]) => parameter(name, param)),
    ...(route.free ? ['  - `KEY` (string): any other key with its value.'] : []),
    ...(route.raw ? ['  - The body is taken as bytes.'] : []),
  ];
}

function errorRow([code, rule]: [string, ErrorRule]): string {
  const again = { no: 'no', caller: 'when changed', after: `after ${rule.after ?? 0} s` }[rule.retry];
  return `| \`${code}\` | ${rule.status} | ${again} | ${rule.text.replaceAll('|', '\\|')} |`;
}

/** Markdown: how requests travel, the errors, and every resource with its operations and parameters. */
export function reference(table: Readonly<Record<string, Route>>): string {
  const byHandler = Map.groupBy(
    Object.values(table).filter((route) => shown.has(route.base)),
    (route) => route.handler,
  );
  const resources = [...byHandler].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [
    '# The API',
    '',
    'Made out of `src/contract/routes.ts` by `npm run api-docs`; do not edit. Examples with curl are in [op-cookbook.md](op-cookbook.md), what differs',
    'from MAAS in [compatibility.md](compatibility.md), and a running program tells the same at `/MAAS/api/2.0/describe/` and `/MAAS/api/2.0/openapi.json`.',
    '',
    '## Requests',
    '',
    '- `op=` names an operation: in the query, in the body, or as the last part of the path (`machines/op-allocate`). An empty one is none.',
    '- Parameters: the query of GET and DELETE; otherwise a body as `multipart/form-data` (parts may be base64), `application/x-www-form-urlencoded` or',
    '  `application/json`. A list is a repeated key; `name_KEY` fills a dictionary; booleans are true, false, 1, 0, yes, no, on, off.',
    '- Sign with an API key `consumer:token:secret` by OAuth 1.0 PLAINTEXT in the header, the query or the form; or send a session.',
    '- Paths end in a slash where they are shown with one. A GET without it is redirected, everything else is served.',
    `- A body has at most 4 MiB and 20,000 values, a text at most ${longestText} characters unless it says otherwise; NUL is refused everywhere.`,
    '',
    '## Errors',
    '',
    'Bad parameters are 400 with `{"field": ["message", …]}`; everything else is one line of text. `Muster-Error` names the code; `Retry-After` is sent',
    'only where the same request may succeed later.',
    '',
    '| code | status | again? | text |',
    '|---|---|---|---|',
    ...Object.entries(errors).map(errorRow),
    '',
    '## Resources',
    '',
    ...resources.flatMap(([handler, routes]) => [`### ${handler}`, '', routes[0]?.resourceDoc ?? '', '', ...routes.flatMap(operation), '']),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n');
}
