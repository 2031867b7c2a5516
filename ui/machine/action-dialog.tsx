/** What is asked before an action: the image of a deployment, what becomes of the disks, or only whether one is sure. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Checkbox } from 'react-aria-components/Checkbox';
import { Label } from 'react-aria-components/Label';
import { ListBox, ListBoxItem } from 'react-aria-components/ListBox';
import { Popover } from 'react-aria-components/Popover';
import { Radio, RadioGroup } from 'react-aria-components/RadioGroup';
import { Select, SelectValue } from 'react-aria-components/Select';
import { TextArea } from 'react-aria-components/TextArea';
import { TextField } from 'react-aria-components/TextField';
import type { Action } from '../../src/contract/lifecycle.ts';
import { errorText } from '../api.ts';
import { Ask } from '../parts/dialog.tsx';
import { actionTable } from './action.ts';
import type { ActionChoices } from './perform.ts';
import { imagesQuery, type MachineBody } from './queries.ts';

interface ActionDialogProps {
  readonly action: Action;
  readonly machine: MachineBody;
  readonly busy: boolean;
  readonly onConfirm: (choices: ActionChoices) => void;
  readonly onClose: () => void;
}

export function ActionDialog({ action, machine, busy, onConfirm, onClose }: ActionDialogProps) {
  const [choices, setChoices] = useState<ActionChoices>(action === 'release' ? { erase: 'keep' } : {});
  const { label, ask, danger } = actionTable[action];
  const verb = label.replace('…', '');
  return (
    <Ask
      title={`${verb}: ${machine.hostname}`}
      confirm={verb}
      danger={danger}
      busy={busy}
      onClose={onClose}
      onConfirm={() => onConfirm(choices)}
    >
      <p>{ask}</p>
      {action === 'deploy' && <DeployChoices choices={choices} onChange={setChoices} />}
      {action === 'release' && <ReleaseChoices choices={choices} onChange={setChoices} />}
    </Ask>
  );
}

interface ChoicesProps {
  readonly choices: ActionChoices;
  readonly onChange: (choices: ActionChoices) => void;
}

/** The image that stands for "what the settings say". */
const byDefault = 'default';

function DeployChoices({ choices, onChange }: ChoicesProps) {
  const images = useQuery(imagesQuery);
  const items = [
    { id: byDefault, text: 'The default image' },
    ...(images.data ?? []).map(({ name, title }) => ({ id: name, text: title === '' ? name : `${name} — ${title}` })),
  ];
  const choose = (key: unknown): void => {
    const { image: _, ...rest } = choices;
    onChange(typeof key === 'string' && key !== byDefault ? { ...rest, image: key } : rest);
  };
  return (
    <>
      <Select value={choices.image ?? byDefault} onChange={choose}>
        <Label>Image</Label>
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
      {images.isError && <p className="bad">The images could not be read: {errorText(images.error)}</p>}
      <Checkbox isSelected={choices.overwrite === true} onChange={(overwrite) => onChange({ ...choices, overwrite })}>
        <span className="box" aria-hidden="true" />
        Overwrite data on the disk that the cell does not account for
      </Checkbox>
      <TextField value={choices.userData ?? ''} onChange={(userData) => onChange({ ...choices, userData })}>
        <Label>User data for cloud-init (optional)</Label>
        <TextArea rows={4} spellCheck={false} placeholder="#cloud-config" />
      </TextField>
    </>
  );
}

const erasures = {
  keep: 'Leave them as they are',
  quick: 'Quick erase: both ends and all signatures of each disk',
  full: 'Erase everything; this can take hours',
} as const;

interface ReleaseChoicesProps {
  readonly choices: Pick<ActionChoices, 'erase'>;
  readonly onChange: (choices: Pick<ActionChoices, 'erase'>) => void;
}

export function ReleaseChoices({ choices, onChange }: ReleaseChoicesProps) {
  return (
    <RadioGroup value={choices.erase ?? 'keep'} onChange={(erase) => onChange({ ...choices, erase: erase as keyof typeof erasures })}>
      <Label>Its disks</Label>
      {Object.entries(erasures).map(([value, text]) => (
        <Radio key={value} value={value}>
          <span className="box round" aria-hidden="true" />
          {text}
        </Radio>
      ))}
    </RadioGroup>
  );
}
