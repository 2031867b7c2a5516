import { expect, test } from 'vitest';
import { readTar } from '../../sim/tar-reader.ts';
import { scriptArchive, type ScriptToRun } from './script-archive.ts';

const script = (name: string, resultId: number, more: Partial<ScriptToRun> = {}): ScriptToRun => ({
  name,
  resultId,
  folder: 'commissioning',
  content: `#!/bin/sh\necho ${name}\n`,
  timeoutSeconds: 60,
  started: false,
  ...more,
});

test('index.json, index.tsv and the files agree, in the order of name and result', () => {
  const files = readTar(
    scriptArchive([script('b', 3), script('a', 9), script('a', 2), script('t', 1, { folder: 'testing', started: true })]),
  );
  const index = (
    JSON.parse(files.get('index.json')!.toString()) as {
      '1.0': Record<string, { name: string; path: string; script_result_id: number; has_started: boolean }[]>;
    }
  )['1.0'];
  expect(index['commissioning_scripts']!.map((one) => [one.name, one.script_result_id])).toEqual([
    ['a', 2],
    ['a', 9],
    ['b', 3],
  ]);
  expect(index['testing_scripts']).toMatchObject([{ name: 't', path: 'testing/t', has_started: true }]);
  const rows = files
    .get('index.tsv')!
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
  expect(rows.map((row) => row.length)).toEqual([7, 7, 7, 7]);
  expect(rows.map(([name, path, id]) => [name, path, id])).toEqual([
    ['a', 'commissioning/a', '2'],
    ['a', 'commissioning/a', '9'],
    ['b', 'commissioning/b', '3'],
    ['t', 'testing/t', '1'],
  ]);
  for (const [, path = ''] of rows) expect(files.get(path)?.toString(), path).toContain('#!/bin/sh');
});
