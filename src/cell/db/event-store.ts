/** Events of this cell: appended in the transaction of the change that they tell of. */
import type { RawBuilder } from 'kysely';
import { eventKinds, type EventKind, type EventLevel } from '../../contract/events.ts';
import { appendEvents, appendingEvents, type NewEvent } from '../../postgres/feed.ts';
import type { CellDb } from './cell-db.ts';

/** Python's logging levels, as in MAAS; AUDIT sorts between debug and info so that the default list (INFO and above) leaves it out. */
export const levelNumbers: Record<EventLevel, number> = { DEBUG: 10, AUDIT: 15, INFO: 20, WARNING: 30, ERROR: 40, CRITICAL: 50 };

export interface CellEvent {
  readonly kind: EventKind;
  readonly systemId?: string;
  readonly username?: string;
  readonly description: string;
  readonly data?: Record<string, unknown>;
}

/** Append one event; wakes followers of the feed and the workers when the transaction commits. */
export async function record(tx: CellDb, event: CellEvent): Promise<void> {
  await recordAll(tx, [event]);
}

export async function recordAll(tx: CellDb, events: readonly CellEvent[]): Promise<void> {
  await appendEvents(tx, events.map(newEvent));
}

/** Events as a part of the statement that makes the change: see `appendingEvents`. */
export function recording(changed: string, events: readonly Omit<CellEvent, 'systemId'>[]): RawBuilder<unknown> {
  return appendingEvents(changed, events.map(newEvent));
}

function newEvent(event: CellEvent): NewEvent {
  return {
    type: event.kind,
    level: levelNumbers[eventKinds[event.kind].level],
    systemId: event.systemId,
    username: event.username,
    description: event.description,
    data: event.data ?? {},
  };
}
