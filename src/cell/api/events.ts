/** Events: MAAS's list of them, and the live stream. */
import { fail, invalid } from '../../contract/errors.ts';
import { eventKinds, type EventLevel } from '../../contract/events.ts';
import type { Change, Event } from '../../contract/resources/events.ts';
import type { Body } from '../../contract/route.ts';
import { missingText, namedIds } from '../../global/named-ids.ts';
import type { ServerEvent } from '../../http/event-stream.ts';
import { eventStream } from '../../http/event-writer.ts';
import type { Handlers } from '../../http/handler.ts';
import { encodeCursor, parseCursor, type FeedCursor } from '../../postgres/feed-cursor.ts';
import type { FeedEvent } from '../../postgres/feed.ts';
import { followFeed } from '../../postgres/follow-feed.ts';
import { hostnames, readEvents, type EventRow } from '../db/event-read.ts';
import { levelNumbers } from '../db/event-store.ts';
import type { ApiContext } from './api-context.ts';
import { maasTime } from '../../contract/maas-time.ts';

const levels = Object.entries(levelNumbers) as [EventLevel, number][];

function levelName(number: number): EventLevel {
  return levels.find(([, known]) => known === number)?.[0] ?? 'INFO';
}

/** AUDIT is a list of its own: no other level shows it (maas-api.md §1.6). */
function shows(asked: EventLevel, level: number): boolean {
  if (asked === 'AUDIT') return level === levelNumbers.AUDIT;
  return level >= levelNumbers[asked] && level !== levelNumbers.AUDIT;
}

function typeName(kind: string): string {
  return Object.hasOwn(eventKinds, kind) ? eventKinds[kind as keyof typeof eventKinds].type : kind;
}

function eventBody(row: EventRow): Body<typeof Event> {
  return {
    username: row.username ?? 'unknown',
    node: row.system_id ?? '',
    hostname: row.hostname ?? '',
    id: row.id,
    level: levelName(row.level),
    created: maasTime(row.created),
    type: typeName(row.type),
    description: row.description,
  };
}

function changeBody(event: FeedEvent, cell: string, names: ReadonlyMap<string, string>): Body<typeof Change> {
  const data = typeof event.data === 'object' && event.data !== null && !Array.isArray(event.data) ? { ...event.data } : {};
  return {
    cell,
    kind: event.type,
    level: levelName(event.level),
    at: event.created.toISOString(),
    system_id: event.systemId,
    hostname: event.systemId === null ? null : (names.get(event.systemId) ?? null),
    username: event.username,
    description: event.description,
    data,
  };
}

/** The same query with another place in it. */
function pageUri(fields: Readonly<Record<string, readonly string[]>>, place: 'before' | 'after', id: number): string {
  const kept = Object.entries(fields).filter(([name]) => name !== 'before' && name !== 'after');
  const pairs = kept.flatMap(([name, values]) => values.map((value) => [name, value] as [string, string]));
  return `/MAAS/api/2.0/events/?${new URLSearchParams([['op', 'query'], ...pairs, [place, String(id)]]).toString()}`;
}

export function eventHandlers(context: ApiContext): Handlers<'Events.query' | 'Events.stream'> {
  const { database, global, wakeups, cellName } = context;

  async function* changes(
    from: FeedCursor | 'now',
    signal: AbortSignal,
    level: EventLevel,
    ids: readonly string[] | undefined,
  ): AsyncGenerator<ServerEvent> {
    for await (const page of followFeed(database.db, wakeups, { from, signal })) {
      if (page.kind === 'reset') {
        yield { id: encodeCursor(page.cursor), event: 'reset', data: JSON.stringify({ cell: cellName, reason: page.reason }) };
        continue;
      }
      const shown = page.events.filter(
        (event) => shows(level, event.level) && (ids === undefined || (event.systemId !== null && ids.includes(event.systemId))),
      );
      const names = await hostnames(database.db, [...new Set(shown.flatMap((event) => event.systemId ?? []))]);
      for (const event of shown) yield { id: event.cursor, event: 'change', data: JSON.stringify(changeBody(event, cellName, names)) };
    }
  }

  return {
    'Events.query': async ({ params, fields }) => {
      const { before, after, limit = 100, level = 'INFO' } = params;
      if (before !== undefined && after !== undefined)
        throw fail('bad_request', { reason: 'There is undetermined behaviour when both `after` and `before` are specified.' });
      const zones = params.zone === undefined ? undefined : namedIds(global, 'zone', params.zone);
      const missing = zones && missingText('zone', zones.missing);
      if (missing !== undefined) throw invalid({ zone: [missing] });
      const rows = await readEvents(
        database.db,
        {
          level: levelNumbers[level],
          ...(level === 'AUDIT' ? { only: true } : { without: levelNumbers.AUDIT }),
          ...(params.id === undefined ? {} : { machines: params.id }),
          ...(params.hostname === undefined ? {} : { hostnames: params.hostname }),
          ...(params.mac_address === undefined ? {} : { macs: params.mac_address }),
          ...(zones === undefined ? {} : { zones: zones.ids }),
          ...(params.domain === undefined ? {} : { domains: params.domain }),
          ...(params.agent_name === undefined ? {} : { agentNames: params.agent_name }),
          ...(params.owner === undefined ? {} : { usernames: params.owner }),
          ...(before === undefined ? {} : { before }),
          ...(after === undefined ? {} : { after }),
        },
        limit,
      );
      const newest = rows[0]?.id ?? after;
      const oldest = rows.at(-1)?.id ?? before;
      return {
        count: rows.length,
        events: rows.map(eventBody),
        next_uri: newest === undefined ? null : pageUri(fields, 'after', newest),
        prev_uri: oldest === undefined || (rows.length < limit && after === undefined) ? null : pageUri(fields, 'before', oldest),
      };
    },
    'Events.stream': ({ params, request }) => {
      const last = request.headers['last-event-id'];
      const place = params.after ?? (typeof last === 'string' && last !== '' ? last : undefined);
      const cursor = place === undefined ? 'now' : parseCursor(place);
      if (cursor === undefined) throw invalid({ after: ['This is not the id of a message of this stream.'] });
      const ending = AbortSignal.any([request.signal, request.draining]);
      return eventStream(changes(cursor, ending, params.level ?? 'INFO', params.id), request);
    },
  };
}
