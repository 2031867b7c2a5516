/** Flags of a program's command, derived from its settings; and the settings as they come out of file, environment and flags. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Static, TObject } from 'typebox';
import { flagOf, readSettings, settingsOf, SettingsError, variableOf } from './settings.ts';

/** Give `command` a flag for every setting, and `--config FILE`. */
export function addSettings(command: Command, schema: TObject): Command {
  command.option('--config <file>', 'a TOML file with settings');
  for (const { name, kind, description, fallback } of settingsOf(schema)) {
    const shown =
      fallback === undefined || (Array.isArray(fallback) && fallback.length === 0) ? '' : ` (default: ${JSON.stringify(fallback)})`;
    const flag = kind === 'boolean' ? flagOf(name) : `${flagOf(name)} <${kind === 'array' ? 'list' : 'value'}>`;
    command.option(flag, `${description || name}${shown}; or ${variableOf(name)}`);
  }
  return command;
}

/** commander's camelCase of a flag. */
function optionKey(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** @throws SettingsError that says which setting is wrong and where it came from. */
export async function settingsFrom<S extends TObject>(
  schema: S,
  options: Readonly<Record<string, unknown>>,
  environment: NodeJS.ProcessEnv,
): Promise<Static<S>> {
  const path = typeof options['config'] === 'string' ? options['config'] : environment['MUSTER_CONFIG'];
  const file = path === undefined ? undefined : { path, text: await readText(path) };
  const flags = Object.fromEntries(settingsOf(schema).map(({ name }) => [name, options[optionKey(name)] as string | boolean | undefined]));
  return readSettings(schema, { ...(file ? { file } : {}), environment, flags });
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new SettingsError(`The settings file ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
