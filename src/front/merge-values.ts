/** Replies of several cells as one, by the kind of the route's reply schema. Pure. */
import type { Route } from '../contract/route.ts';

/**
 * `list`: arrays one behind the other. `either`: true when one says true. `page`: an object with items and where the next page is. `stream`: server-sent
 * events. `nothing`: null. `object`: counts are added up and named parts joined.
 */
export type MergeKind = 'list' | 'either' | 'page' | 'stream' | 'nothing' | 'object';

interface SchemaShape {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, { readonly type?: string }>>;
}

export function mergeKind(route: Pick<Route, 'reply' | 'type'>): MergeKind {
  const schema = route.reply as SchemaShape;
  if (route.type === 'stream') return 'stream';
  if (schema.type === 'array') return 'list';
  if (schema.type === 'boolean') return 'either';
  if (schema.type === 'null') return 'nothing';
  return Object.hasOwn(schema.properties ?? {}, 'next_uri') ? 'page' : 'object';
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Numbers are added, lists put one behind the other, objects merged key by key, of anything else the first is kept. */
export function addUp(values: readonly unknown[]): unknown {
  const [first] = values;
  if (values.every((value) => typeof value === 'number')) return values.reduce<number>((sum, value) => sum + value, 0);
  if (values.every(Array.isArray)) return values.flat();
  if (!values.every(isPlain)) return first;
  const keys = [...new Set(values.flatMap((value) => Object.keys(value)))];
  return Object.fromEntries(
    keys.map((key) => [key, addUp(values.filter((value) => Object.hasOwn(value, key)).map((value) => value[key]))]),
  );
}

/** What one kind of small reply of several cells is together. */
export function mergeReplies(kind: MergeKind, replies: readonly unknown[]): unknown {
  if (kind === 'nothing') return null;
  if (kind === 'list') return replies.flat();
  if (kind === 'either') return replies.includes(true);
  return addUp(replies);
}
