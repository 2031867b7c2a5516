/** The fronts under the cells: where they are, and when each last asked the hub for changes. Admins retire one here. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { client } from '../api.ts';
import { frontsQuery } from '../cell-list.ts';
import { Age } from '../parts/age.tsx';
import { Ask } from '../parts/dialog.tsx';
import { useToasts } from '../parts/toast.tsx';

export function FrontList({ mayChange }: { readonly mayChange: boolean }) {
  const fronts = useQuery(frontsQuery).data ?? [];
  const queries = useQueryClient();
  const toasts = useToasts();
  const [asked, setAsked] = useState<string>();
  const retire = useMutation({
    mutationFn: (name: string) => client.call('Front.update', { name }, { state: 'retired' }),
    onSuccess: (_, name) => toasts.done(`Front ${name} is retired.`),
    onError: (error) => toasts.failed('Retire', error),
    onSettled: () => {
      setAsked(undefined);
      return queries.invalidateQueries({ queryKey: frontsQuery.queryKey });
    },
  });
  if (fronts.length === 0) return null;
  return (
    <section className="card fronts" aria-label="Fronts">
      <h2>Fronts</h2>
      <ul>
        {fronts.map(({ name, url, version, seen }) => (
          <li key={name}>
            <strong>{name}</strong>
            <span className="faint">{url}</span>
            <span className="faint">{version}</span>
            <span className="faint">
              {seen === null ? (
                'not heard of'
              ) : (
                <>
                  asked the hub <Age since={seen} /> ago
                </>
              )}
            </span>
            {mayChange && (
              <button type="button" className="danger" onClick={() => setAsked(name)}>
                Retire…
              </button>
            )}
          </li>
        ))}
      </ul>
      {asked !== undefined && (
        <Ask
          title={`Retire: front ${asked}`}
          confirm="Retire"
          danger
          busy={retire.isPending}
          onClose={() => setAsked(undefined)}
          onConfirm={() => retire.mutate(asked)}
        >
          <p>No cell believes what it says of callers from then on, and its name and number are never used again. This cannot be undone.</p>
        </Ask>
      )}
    </section>
  );
}
