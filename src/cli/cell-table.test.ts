import { expect, test } from 'vitest';
import { cellTable } from './cell-table.ts';

type Cell = Parameters<typeof cellTable>[0][number];

const cell = (given: Partial<Cell>): Cell => ({
  number: 1,
  name: 'north',
  url: 'http://192.0.2.1:5240',
  state: 'in',
  answering: true,
  version: '1.2.3',
  revision: null,
  lag: 3.14,
  load: { cpu: 0.314, delay: 12.6, operations: 4 },
  machines: { ready: 2, deployed: 5, new: 0 },
  findings: { warning: 1, critical: 2 },
  resource_uri: '',
  ...given,
});
const unknown = { version: '', lag: null, load: null, machines: null, findings: null };

test('what is known of each cell, and what is not known as such', () => {
  const cells = [
    cell({}),
    cell({ number: 2, name: 'south', state: 'drained', answering: false, ...unknown }),
    cell({ number: 3, name: 'alone', lag: null, machines: {}, findings: {} }),
    cell({ number: 4, name: 'gone', state: 'out', answering: null, ...unknown }),
  ];
  expect(cellTable(cells).split('\n')).toEqual([
    'number  name   state            machines                load                            lag     version  findings',
    '1       north  in               7: 2 ready, 5 deployed  31% cpu, 13 ms late, 4 at work  3.1 s   1.2.3    2 critical, 1 warning',
    '2       south  drained, absent  ?                       ?                               ?       ?        ?',
    '3       alone  in               none                    31% cpu, 13 ms late, 4 at work  no hub  1.2.3    none',
    '4       gone   out              ?                       ?                               ?       ?        ?',
    '2 of 4 answered. Absent: south; what they hold is unknown, not gone.',
    '',
  ]);
});

test('the hub asks nobody, and says so', () => {
  expect(cellTable([cell({ answering: null, ...unknown })])).toContain('the hub never asks cells');
  expect(cellTable([])).toBe('No cell has joined.\n');
});

test('a name cannot move the cursor of the terminal', () => {
  expect(cellTable([cell({ version: '\u001b[2J1' })])).not.toContain('\u001b');
});
