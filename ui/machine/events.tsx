/** What has happened to the machine, newest first, as it happens. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Empty, Failed, Waiting } from '../parts/notice.tsx';
import { clock, instantOfMaas, moment } from '../time.ts';
import { eventsQuery } from './queries.ts';

export function Events({ systemId }: { readonly systemId: string }) {
  const [all, setAll] = useState(false);
  const events = useQuery({ ...eventsQuery(systemId, all ? 'DEBUG' : 'INFO'), placeholderData: (before) => before });
  return (
    <>
      <label className="toggle">
        <input type="checkbox" checked={all} onChange={(event) => setAll(event.target.checked)} /> every detail
      </label>
      {events.isPending ? (
        <Waiting what="its events" />
      ) : !events.data ? (
        <Failed error={events.error} what="its events" />
      ) : events.data.length === 0 ? (
        <Empty>Nothing has happened to it yet.</Empty>
      ) : (
        <ol className="events" aria-label="Events" aria-live="off">
          {events.data.map((event) => {
            const at = instantOfMaas(event.created);
            return (
              <li key={event.id} className={`level-${event.level.toLowerCase()}`}>
                <time dateTime={at} title={moment(at)}>
                  {clock(at)}
                </time>
                <span className="event-type">{event.type}</span>
                <span className="event-text">{event.description}</span>
              </li>
            );
          })}
        </ol>
      )}
    </>
  );
}
