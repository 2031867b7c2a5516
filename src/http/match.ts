/**
 * Path, method and `op` to a route of the table (maas-api.md §1.1). Pure.
 *
 * Slashes: a template's own form always matches. The other form (slash missing or too many) matches as well, with `slash` telling that it
 * was missing: on the API a GET is then redirected as Django does, and everything else is served as if it were there, because a redirect
 * would lose the body. Literal segments win over blanks.
 */
import { basePaths, pathNames } from '../contract/route.ts';
import type { ActionEntry, Base, Route } from '../contract/route.ts';
import { decodePercent } from './form.ts';

export type Table = Readonly<Record<string, Route>>;

/** A route and its id. */
export interface Entry {
  readonly id: string;
  readonly route: Route;
}

/** All routes of one path. */
interface Place {
  readonly base: Base;
  readonly template: string;
  readonly entries: Entry[];
}

interface Branch {
  readonly literal: Map<string, Branch>;
  blank: Branch | undefined;
  place: Place | undefined;
}

export interface Match {
  readonly base: Base;
  readonly entries: readonly Entry[];
  /** The path's blanks, percent-decoded. */
  readonly path: Readonly<Record<string, string>>;
  /** The path lacks the slash that its template ends with. */
  readonly slash: 'missing' | 'right';
  /** From a last segment `op-NAME`. */
  readonly op: string | undefined;
}

export type Matcher = (path: string) => Match | undefined;

function branch(): Branch {
  return { literal: new Map(), blank: undefined, place: undefined };
}

function plant(root: Branch, id: string, route: Route): void {
  const template = `${basePaths[route.base]}${route.path}`;
  let at = root;
  for (const segment of template.split('/').filter((part) => part !== '')) {
    if (segment.startsWith('{')) {
      if (!/^\{\w+\}$/.test(segment)) throw new Error(`${id}: a blank must be a whole segment: ${template}`);
      at.blank ??= branch();
      at = at.blank;
    } else {
      const next = at.literal.get(segment) ?? branch();
      at.literal.set(segment, next);
      at = next;
    }
  }
  at.place ??= { base: route.base, template, entries: [] };
  const twin = at.place.entries.find((entry) => entry.route.method === route.method && entry.route.op === route.op);
  if (twin !== undefined) throw new Error(`${id} and ${twin.id} are the same method, path and op`);
  if (at.place.template !== template) throw new Error(`${id}: ${template} and ${at.place.template} name their blanks differently`);
  at.place.entries.push({ id, route });
}

function find(at: Branch, segments: readonly string[], blanks: readonly string[]): { place: Place; blanks: readonly string[] } | undefined {
  const [segment, ...rest] = segments;
  if (segment === undefined) return at.place === undefined ? undefined : { place: at.place, blanks };
  const literal = at.literal.get(segment);
  return (
    (literal === undefined ? undefined : find(literal, rest, blanks)) ??
    (at.blank === undefined ? undefined : find(at.blank, rest, [...blanks, segment]))
  );
}

/** Build the matcher of a table. @throws Error when two routes are the same. */
export function matcher(table: Table): Matcher {
  const root = branch();
  for (const [id, route] of Object.entries(table)) plant(root, id, route);

  const look = (segments: readonly string[], closed: boolean, op?: string): Match | undefined => {
    const found = find(root, segments, []);
    if (found === undefined) return undefined;
    const values = found.blanks.map((blank) => decodePercent(blank, 'The path'));
    // Nothing is called so, and in the path to another program it would lead elsewhere.
    if (values.some((value) => value === '.' || value === '..')) return undefined;
    const path = Object.fromEntries(pathNames(found.place.template).map((name, index) => [name, values[index] ?? '']));
    const slash = found.place.template.endsWith('/') && !closed && op === undefined ? 'missing' : 'right';
    return { base: found.place.base, entries: found.place.entries, path, slash, op };
  };

  return (path) => {
    if (!path.startsWith('/')) return undefined;
    const segments = path.split('/').filter((part) => part !== '');
    const last = segments.at(-1);
    const closed = path.endsWith('/');
    if (last !== undefined && /^op-\w+$/.test(last) && !closed) {
      const op = last.slice('op-'.length);
      const suffixed = look(segments.slice(0, -1), closed, op);
      if (suffixed?.entries.some((entry) => entry.route.op === op) === true) return suffixed;
    }
    return look(segments, closed);
  };
}

/** The last non-empty `op` of the query, else of the body, else of the path; undefined when there is none. */
export function chooseOp(query: string | undefined, body: string | undefined, path: string | undefined): string | undefined {
  return [query, body, path].find((op) => op !== undefined && op !== '');
}

/** The entry for a method and op. HEAD is GET. */
export function pick(match: Match, method: string, op: string | undefined): Entry | undefined {
  const wanted = (method === 'HEAD' ? 'GET' : method) as ActionEntry['method'];
  return match.entries.find((entry) => entry.route.method === wanted && entry.route.op === (op ?? null));
}
