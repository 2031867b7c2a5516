import { expect, test } from 'vitest';
import { handOverText } from './hand-over-text.ts';

const item = (kind: 'zone' | 'user', name: string, outcome: 'create' | 'same' | 'conflict' | 'left', detail = '') =>
  ({ kind, id: '1', name, outcome, detail, to: null }) as const;

test('things by what becomes of them: first what changes, then what is lost, last what is the same', () => {
  const items = [
    item('zone', 'same', 'same'),
    item('zone', 'new', 'create'),
    item('user', 'eve', 'conflict', 'That account stays.'),
    item('user', 'x\u001b[2J', 'left'),
  ];
  expect(handOverText({ items, behind: new Map([['boot_source', 2]]) }).split('\n')).toEqual([
    'The hub gets:',
    '  zone               new',
    '',
    "The hub has others of the same name, and the hub's stay:",
    '  user               eve  That account stays.',
    '',
    'Not handed over:',
    '  user               x [2J',
    '',
    'The hub has already:',
    '  zone               same',
    '',
    'Staying behind, for images come by the hub:',
    '  boot source        2',
    '',
  ]);
  expect(handOverText({ items: [], behind: new Map() })).toBe('There is nothing to hand over.\n');
});
