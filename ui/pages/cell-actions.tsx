/** The buttons under a cell's card: drain, out, in, retire; each asks back first. For admins, where the registry can be written. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { client } from '../api.ts';
import { actionsIn, type CellAction } from '../cell-action.ts';
import type { CellRow } from '../cell-list.ts';
import { Ask } from '../parts/dialog.tsx';
import { useToasts } from '../parts/toast.tsx';

export function CellActions({ cell }: { readonly cell: Pick<CellRow, 'name' | 'state'> }) {
  const queries = useQueryClient();
  const toasts = useToasts();
  const [asked, setAsked] = useState<CellAction>();
  const run = useMutation({
    mutationFn: ({ state }: CellAction) => client.call('Cell.update', { name: cell.name }, { state }),
    onSuccess: (_, { label }) => toasts.done(`${label}: done for ${cell.name}.`),
    onError: (error, { label }) => toasts.failed(label, error),
    onSettled: () => {
      setAsked(undefined);
      return queries.invalidateQueries({ queryKey: ['cells'] });
    },
  });
  const actions = actionsIn(cell.state);
  if (actions.length === 0) return null;
  return (
    <div className="cell-actions" role="group" aria-label={`What to do with ${cell.name}`}>
      {actions.map((action) => (
        <button key={action.label} type="button" className={action.danger ? 'danger' : ''} onClick={() => setAsked(action)}>
          {action.label}…
        </button>
      ))}
      {asked && (
        <Ask
          title={`${asked.label}: cell ${cell.name}`}
          confirm={asked.label}
          danger={asked.danger}
          busy={run.isPending}
          onClose={() => setAsked(undefined)}
          onConfirm={() => run.mutate(asked)}
        >
          <p>{asked.ask}</p>
        </Ask>
      )}
    </div>
  );
}
