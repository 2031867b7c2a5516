/** Asks what to do with all shown machines, does it with one call, and shows what came of each and how far the work is. */
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Label } from 'react-aria-components/Label';
import { ListBox, ListBoxItem } from 'react-aria-components/ListBox';
import { Popover } from 'react-aria-components/Popover';
import { Select, SelectValue } from 'react-aria-components/Select';
import { counted } from '../amount.ts';
import { client, errorText } from '../api.ts';
import type { MachineRow } from '../machine-list.ts';
import { Ask } from '../parts/dialog.tsx';
import { usePerson } from '../session.ts';
import { ReleaseChoices } from './action-dialog.tsx';
import { BulkResult } from './bulk-result.tsx';
import { bulkActions, bulkTable, fitting, performBulk, type BulkAction, type BulkChoices, type BulkEntry } from './bulk.ts';

const namesQuery = (kind: 'tag' | 'zone' | 'pool') => ({
  queryKey: ['names', kind],
  queryFn: async (): Promise<readonly string[]> => {
    const route = ({ tag: 'Tags.read', zone: 'Zones.read', pool: 'ResourcePools.read' } as const)[kind];
    return (await client.call(route, {}, {})).map(({ name }) => name);
  },
});

interface BulkDialogProps {
  /** As they were when the dialog was opened. */
  readonly rows: readonly MachineRow[];
  readonly onClose: () => void;
}

export function BulkDialog({ rows, onClose }: BulkDialogProps) {
  const person = usePerson();
  const possible = bulkActions.filter((action) => person.admin || !(bulkTable[action] as BulkEntry).adminOnly);
  const [action, setAction] = useState<BulkAction>(possible[0] ?? 'release');
  const [choices, setChoices] = useState<BulkChoices>({});
  const entry: BulkEntry = bulkTable[action];
  const fit = fitting(rows, action, person);
  const run = useMutation({
    mutationFn: () =>
      performBulk(
        action,
        fit.map((row) => row.system_id),
        choices,
      ),
  });
  if (run.data) return <BulkResult label={entry.label} reply={run.data} rows={rows} follows={entry.action !== null} onClose={onClose} />;
  const isReady = fit.length > 0 && (entry.names === null || (choices.name ?? '') !== '');
  return (
    <Ask
      title={`${counted(rows.length, 'machine')} at once`}
      confirm={`${entry.label}: ${counted(fit.length, 'machine')}`}
      danger={entry.danger}
      busy={run.isPending || !isReady}
      onClose={onClose}
      onConfirm={() => isReady && run.mutate()}
    >
      <Choice
        label="What to do"
        value={action}
        items={possible.map((id) => ({ id, text: bulkTable[id].label }))}
        onChange={(id) => {
          setAction(id as BulkAction);
          setChoices({});
        }}
      />
      <p>{entry.ask}</p>
      {entry.names !== null && <NameChoice kind={entry.names} choices={choices} onChange={setChoices} />}
      {action === 'release' && <ReleaseChoices choices={choices} onChange={(next) => setChoices(next)} />}
      {fit.length < rows.length && (
        <p className="soft">{`${counted(rows.length - fit.length, 'machine')} of them cannot be asked for that now and will be left alone.`}</p>
      )}
      {run.isError && (
        <p className="bad" role="alert">
          Nothing was done: {errorText(run.error)}
        </p>
      )}
    </Ask>
  );
}

interface NameChoiceProps {
  readonly kind: 'tag' | 'zone' | 'pool';
  readonly choices: BulkChoices;
  readonly onChange: (choices: BulkChoices) => void;
}

function NameChoice({ kind, choices, onChange }: NameChoiceProps) {
  const names = useQuery(namesQuery(kind));
  if (names.isError) return <p className="bad">The names could not be read: {errorText(names.error)}</p>;
  if (names.data?.length === 0) return <p className="bad">{`There is no ${kind} yet.`}</p>;
  return (
    <Choice
      label={`Which ${kind}`}
      value={choices.name ?? null}
      items={(names.data ?? []).map((name) => ({ id: name, text: name }))}
      onChange={(name) => onChange({ ...choices, name })}
    />
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string | null;
  readonly items: readonly { readonly id: string; readonly text: string }[];
  readonly onChange: (id: string) => void;
}

function Choice({ label, value, items, onChange }: ChoiceProps) {
  return (
    <Select value={value} onChange={(key) => typeof key === 'string' && onChange(key)} placeholder="Choose one">
      <Label>{label}</Label>
      <Button className="select">
        <SelectValue />
        <span aria-hidden="true">▾</span>
      </Button>
      <Popover className="popover">
        <ListBox items={items} className="menu">
          {({ id, text }) => <ListBoxItem id={id}>{text}</ListBoxItem>}
        </ListBox>
      </Popover>
    </Select>
  );
}
