/** What can be asked of the machine now. What cannot is there too, and says why not. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useId, useState } from 'react';
import type { Action } from '../../src/contract/lifecycle.ts';
import { useToasts } from '../parts/toast.tsx';
import { path } from '../path.ts';
import { usePerson } from '../session.ts';
import { ActionDialog } from './action-dialog.tsx';
import { actionTable, allActions, disabledReason } from './action.ts';
import { perform, type ActionChoices } from './perform.ts';
import type { MachineBody } from './queries.ts';

const groupNames = { work: 'Work', power: 'Power', mark: 'Mark' } as const;

export function ActionBar({ machine }: { readonly machine: MachineBody }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const toasts = useToasts();
  const person = usePerson();
  const [asked, setAsked] = useState<Action>();
  const run = useMutation({
    mutationFn: ({ action, choices }: { readonly action: Action; readonly choices: ActionChoices }) =>
      perform(action, machine.system_id, choices),
    onSuccess: (_, { action }) => {
      toasts.done(`${plain(action)}: asked of ${machine.hostname}.`);
      setAsked(undefined);
      if (action === 'delete') void navigate(path.machines());
    },
    onError: (error, { action }) => toasts.failed(plain(action), error),
    onSettled: () => queries.invalidateQueries({ queryKey: ['machine', machine.system_id] }),
  });
  const press = (action: Action): void => {
    if (actionTable[action].ask === null) run.mutate({ action, choices: {} });
    else setAsked(action);
  };
  return (
    <div className="actions">
      {(['work', 'power', 'mark'] as const).map((group) => (
        <div key={group} role="group" aria-label={groupNames[group]} className="action-group">
          {allActions
            .filter((action) => actionTable[action].group === group)
            .map((action) => (
              <ActionButton key={action} action={action} reason={disabledReason(machine, action, person)} onPress={() => press(action)} />
            ))}
        </div>
      ))}
      {asked !== undefined && (
        <ActionDialog
          action={asked}
          machine={machine}
          busy={run.isPending}
          onClose={() => setAsked(undefined)}
          onConfirm={(choices) => run.mutate({ action: asked, choices })}
        />
      )}
    </div>
  );
}

/** The label without the dots that announce a dialog. */
function plain(action: Action): string {
  return actionTable[action].label.replace('…', '');
}

interface ActionButtonProps {
  readonly action: Action;
  readonly reason: string | undefined;
  readonly onPress: () => void;
}

/** A button that cannot be pressed keeps its place among the keys, so that its reason can be read. */
function ActionButton({ action, reason, onPress }: ActionButtonProps) {
  const id = useId();
  const { label, danger } = actionTable[action];
  if (reason === undefined)
    return (
      <button type="button" className={danger ? 'danger' : ''} onClick={onPress}>
        {label}
      </button>
    );
  return (
    <>
      <button type="button" aria-disabled="true" aria-describedby={id} title={reason}>
        {label}
      </button>
      <span id={id} className="hidden">
        {reason}
      </span>
    </>
  );
}
