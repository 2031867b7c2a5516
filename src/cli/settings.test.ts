import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import fc from 'fast-check';
import { Type } from 'typebox';
import { afterAll, expect, test } from 'vitest';
import { addSettings, settingsFrom } from './command-settings.ts';
import { readSettings, SettingsError, showSettings } from './settings.ts';

const schema = Type.Object({
  name: Type.String({ pattern: '^[a-z]+$', description: 'The name.' }),
  service_address: Type.String({ default: '127.0.0.1' }),
  port: Type.Integer({ default: 5240, minimum: 0, maximum: 65_535 }),
  dhcp: Type.Boolean({ default: false }),
  listen: Type.Array(Type.String(), { default: [] }),
  rack: Type.Array(Type.Object({ name: Type.String(), address: Type.String() }), { default: [] }),
  database_url: Type.Optional(Type.String()),
});
const read = (text: string | undefined, environment: Record<string, string> = {}, flags: Record<string, string | boolean> = {}) =>
  readSettings(schema, { ...(text === undefined ? {} : { file: { path: '/etc/m.toml', text } }), environment, flags });
const folder = mkdtempSync(join(tmpdir(), 'muster-settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('defaults, file, environment, flags: the later wins', () => {
  const text = 'name = "file"\nport = 1\nservice_address = "10.0.0.1"';
  expect(read(text)).toEqual({ name: 'file', port: 1, service_address: '10.0.0.1', dhcp: false, listen: [], rack: [] });
  expect(read(text, { MUSTER_PORT: '2', MUSTER_NAME: 'env', MUSTER_SERVICE_ADDRESS: '' }, { port: '3' })).toMatchObject({
    name: 'env',
    port: 3,
    service_address: '10.0.0.1',
  });
  expect(
    read(undefined, {
      MUSTER_NAME: 'a',
      MUSTER_DHCP: 'Yes',
      MUSTER_LISTEN: ' 10.0.0.2 , 10.0.0.3,',
      MUSTER_RACK: 'br0=10.40.1.1/24,br1=10.41.1.1/24',
    }),
  ).toMatchObject({
    dhcp: true,
    listen: ['10.0.0.2', '10.0.0.3'],
    rack: [
      { name: 'br0', address: '10.40.1.1/24' },
      { name: 'br1', address: '10.41.1.1/24' },
    ],
  });
});

test.each([
  ['an unknown name', 'nmae = "x"', {}, {}, '/etc/m.toml: there is no setting nmae. There are: name, '],
  ['no TOML', 'name = ', {}, {}, '/etc/m.toml is not TOML: '],
  ['a word for a number', 'name = "a"', { MUSTER_PORT: 'http' }, {}, 'MUSTER_PORT must be a whole number, not «http».'],
  ['a negative number', 'name = "a"', {}, { port: '-1' }, '--port must be a whole number, not «-1».'],
  ['a word for a truth', 'name = "a"', { MUSTER_DHCP: 'maybe' }, {}, 'MUSTER_DHCP must be true or false, not «maybe».'],
  ['a pair without address', 'name = "a"', {}, { rack: 'br0' }, '--rack takes NAME=ADDRESS, not «br0».'],
  ['a number out of bounds', 'name = "a"\nport = 70000', {}, {}, 'The settings are wrong: port must be'],
  ['a needed one is missing', '', {}, {}, 'The settings are wrong: settings must have required properties name'],
  ['another type in the file', 'name = 7', {}, {}, 'The settings are wrong: name must be string'],
])('%s is told where it came from', (_why, text, environment, flags, message) => {
  expect(() => read(text, environment as Record<string, string>, flags as Record<string, string>)).toThrow(SettingsError);
  expect(() => read(text, environment as Record<string, string>, flags as Record<string, string>)).toThrow(message);
});

test('any file and any variables are settings or a SettingsError of one line', () => {
  const word = fc.string({ unit: 'binary', maxLength: 40 });
  const line = fc
    .tuple(fc.constantFrom('name', 'port', 'dhcp', 'listen', 'rack', '__proto__', 'constructor', 'x'), fc.oneof(fc.json(), word))
    .map(([key, value]) => `${key} = ${value}`);
  fc.assert(
    fc.property(
      fc.oneof(
        word,
        fc.array(line, { maxLength: 4 }).map((lines) => lines.join('\n')),
      ),
      word,
      word,
      (text, port, rack) => {
        try {
          const settings = read(text, { MUSTER_NAME: 'a', MUSTER_PORT: port, MUSTER_RACK: rack });
          expect(Number.isInteger(settings.port)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(SettingsError);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('secrets are hidden when settings are shown', () => {
  const shown = showSettings(read('name = "a"\ndatabase_url = "postgres://u:hunter2@h/d"'));
  expect(shown).toContain('name = "a"');
  expect(shown).toContain('database_url = "…"');
  expect(shown).not.toContain('hunter2');
});

test('the flags of a command come from the schema, and its file from --config or MUSTER_CONFIG', async () => {
  const file = join(folder, 'm.toml');
  writeFileSync(file, 'name = "filed"\n');
  const command = addSettings(new Command('x').exitOverride(), schema);
  expect(command.helpInformation()).toMatch(
    /--service-address <value>\s+service_address \(default: "127.0.0.1"\); or\s+MUSTER_SERVICE_ADDRESS/,
  );
  command.parse(['--config', file, '--service-address', '10.1.1.1', '--dhcp', '--listen', 'a,b'], { from: 'user' });
  expect(await settingsFrom(schema, command.opts(), {})).toMatchObject({
    name: 'filed',
    service_address: '10.1.1.1',
    dhcp: true,
    listen: ['a', 'b'],
  });
  expect(await settingsFrom(schema, {}, { MUSTER_CONFIG: file })).toMatchObject({ name: 'filed', dhcp: false });
  await expect(settingsFrom(schema, { config: join(folder, 'none') }, {})).rejects.toThrow(
    /^The settings file .*none cannot be read: ENOENT/,
  );
});
