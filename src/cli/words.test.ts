import fc from 'fast-check';
import { expect, test } from 'vitest';
import { errors, type ErrorCode } from '../contract/errors.ts';
import { ApiError } from '../http/client.ts';
import { commandName } from './command-name.ts';
import { exitCodeOf, explainError } from './exit-code.ts';
import { parseKeyValue } from './key-value.ts';
import { chooseProfile, parseProfiles } from './profile-file.ts';
import { SettingsError } from './settings.ts';
import { renderReply, renderTable } from './table.ts';
import { lineOf } from './watch.ts';

test.each([
  ['BootResources', 'boot-resources'],
  ['SSHKeys', 'sshkeys'],
  ['IPRanges', 'ipranges'],
  ['Maas', 'maas'],
  ['NodeScriptResult', 'node-script-result'],
  ['set_owner_data', 'set-owner-data'],
  ['read', 'read'],
])('%s is called %s, as by the maas CLI', (name, command) => {
  expect(commandName(name)).toBe(command);
});

test('a parameter is split at its first equals sign', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z_]{1,12}$/), fc.string(), fc.boolean(), (key, value, fromFile) => {
      expect(parseKeyValue(`${key}${fromFile ? '@' : ''}=${value}`)).toEqual({ key, value, fromFile });
    }),
  );
});

test('any word is a parameter or an error that says so', () => {
  fc.assert(
    fc.property(fc.string(), (word) => {
      try {
        expect(parseKeyValue(word).key).not.toBe('');
      } catch (error) {
        expect(error).toBeInstanceOf(SettingsError);
      }
    }),
  );
});

test('any file is profiles or an error that says what to do', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      try {
        expect(typeof parseProfiles(text, 'p.json').profiles).toBe('object');
      } catch (error) {
        expect(error).toBeInstanceOf(SettingsError);
        expect(String(error)).toMatch(/Remove it and log in again/);
      }
    }),
  );
});

test('the last profile is meant when none is named', () => {
  const here = { url: 'http://a', key: 'a:b:c' };
  expect(chooseProfile({ current: 'here', profiles: { here } }, undefined)).toBe(here);
  expect(() => chooseProfile({ current: undefined, profiles: {} }, undefined)).toThrow(/not logged in/);
  expect(() => chooseProfile({ current: 'here', profiles: { here } }, 'constructor')).toThrow(/no profile constructor/);
});

test('columns line up and no control character reaches the terminal', () => {
  const name = fc.string({ unit: 'binary', maxLength: 40 });
  fc.assert(
    fc.property(
      fc.array(fc.record({ system_id: fc.stringMatching(/^[a-z0-9]{7}$/), hostname: name, status_name: name }), { minLength: 1 }),
      (machines) => {
        const text = renderTable('Machines', machines);
        const lines = text.slice(0, -1).split('\n');
        expect(lines).toHaveLength(machines.length + 1);
        expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        const column = lines[0]?.indexOf('hostname') ?? -1;
        for (const line of lines) expect(line.slice(column - 2, column)).toMatch(/^ *$/);
      },
    ),
  );
});

test('replies of every form are shown', () => {
  fc.assert(
    fc.property(fc.constantFrom('Machines', 'Machine', 'Zones', 'Events'), fc.jsonValue(), (handler, reply) => {
      expect(renderReply(handler, reply)).toMatch(/\n$|^$/);
    }),
  );
  expect(renderReply('Machine', null)).toBe('Done.\n');
  expect(renderReply('Machines', [])).toBe('None.\n');
});

test('every error of the table has an exit code that says whether to try again', () => {
  for (const code of Object.keys(errors) as ErrorCode[]) {
    const { status, retry } = errors[code];
    const error = new ApiError({ status, code, text: 'no', retryAfter: undefined, fields: undefined });
    if (retry === 'after') expect(exitCodeOf(error)).toBe(75);
    else expect([1, 2, 4, 77]).toContain(exitCodeOf(error));
  }
  expect(exitCodeOf(new ApiError({ status: 0, code: undefined, text: '', retryAfter: undefined, fields: undefined }))).toBe(69);
  expect(
    explainError(new ApiError({ status: 400, code: 'invalid', text: '{}', retryAfter: undefined, fields: { zone: ['No such zone.'] } })),
  ).toBe('zone: No such zone.');
});

test('any event is one line', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (data) => {
      expect(lineOf(data)).toMatch(/^[^\p{Cc}]*\n$/u);
    }),
  );
  expect(
    lineOf(
      JSON.stringify({
        at: '2026-11-23T13:21:12.345Z',
        cell: 'c1',
        hostname: 'calm-otter',
        kind: 'status_changed',
        description: 'Deployed',
      }),
    ),
  ).toBe('13:21:12  c1  calm-otter  Node changed status  Deployed\n');
});
