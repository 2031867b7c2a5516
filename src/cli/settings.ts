/**
 * A program's settings from four places, the later winning: the schema's defaults, one TOML file, `MUSTER_*` variables, flags. The schema
 * (TypeBox, owned by the program) is the one list of names: flags, variables and `config show` are derived from it.
 */
import { parse as parseToml } from 'smol-toml';
import type { Static, TObject, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';

/** A setting that is wrong: says which, from where, and what would be right. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

export interface Sources {
  /** The text of the TOML file and its path, for messages. */
  readonly file?: { readonly path: string; readonly text: string };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** By setting name. */
  readonly flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
}

interface Described {
  readonly type?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly items?: { readonly type?: string };
}

/** `service_address` → `--service-address`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll('_', '-')}`;
}

/** `service_address` → `MUSTER_SERVICE_ADDRESS`. */
export function variableOf(name: string): string {
  return `MUSTER_${name.toUpperCase()}`;
}

/** The settings of a schema with what help says about them. */
export function settingsOf(schema: TObject): { name: string; kind: string; description: string; fallback: unknown }[] {
  return Object.entries(schema.properties).map(([name, property]) => {
    const described = property as Described;
    return { name, kind: described.type ?? 'string', description: described.description ?? '', fallback: described.default };
  });
}

/** Layer and check. @throws SettingsError for unknown names, unreadable values and TOML that is none. */
export function readSettings<S extends TObject>(schema: S, sources: Sources): Static<S> {
  const properties = schema.properties as Record<string, TSchema>;
  const settings: Record<string, unknown> = {};
  for (const { name, fallback } of settingsOf(schema)) if (fallback !== undefined) settings[name] = fallback;
  for (const [name, value] of Object.entries(tomlOf(sources.file))) {
    if (!Object.hasOwn(properties, name))
      throw new SettingsError(`${sources.file?.path}: there is no setting ${name}. There are: ${Object.keys(properties).join(', ')}.`);
    settings[name] = value;
  }
  for (const name of Object.keys(properties)) {
    const text = sources.environment[variableOf(name)];
    if (text !== undefined && text !== '') settings[name] = decode(properties[name] as Described, text, variableOf(name));
    const flag = sources.flags[name];
    if (flag !== undefined) settings[name] = decode(properties[name] as Described, flag, flagOf(name));
  }
  const check = Compile(schema);
  if (check.Check(settings)) return settings as Static<S>;
  const problems = check
    .Errors(settings)
    .map((error) => `${error.instancePath.slice(1).replaceAll('/', '.') || 'settings'} ${error.message}`);
  throw new SettingsError(`The settings are wrong: ${problems.join('; ')}.`);
}

function tomlOf(file: Sources['file']): Record<string, unknown> {
  if (!file) return {};
  try {
    return parseToml(file.text);
  } catch (error) {
    throw new SettingsError(`${file.path} is not TOML: ${error instanceof Error ? error.message.split('\n')[0] : 'unreadable'}`);
  }
}

function decode(property: Described, given: string | boolean | readonly string[], from: string): unknown {
  if (property.type === 'array') {
    const words =
      typeof given === 'string'
        ? given
            .split(',')
            .map((word) => word.trim())
            .filter((word) => word !== '')
        : [...(given as readonly string[])].flatMap((word) => word.split(','));
    return property.items?.type === 'object' ? words.map((word) => pairOf(word, from)) : words;
  }
  if (typeof given === 'boolean') return given;
  const text = typeof given === 'string' ? given : given.join(',');
  if (property.type === 'integer') {
    if (!/^\d{1,15}$/.test(text)) throw new SettingsError(`${from} must be a whole number, not «${text}».`);
    return Number(text);
  }
  if (property.type === 'boolean') {
    if (/^(1|true|yes|on)$/i.test(text)) return true;
    if (/^(0|false|no|off)$/i.test(text)) return false;
    throw new SettingsError(`${from} must be true or false, not «${text}».`);
  }
  return text;
}

/** `br0=10.40.1.1/24`: how lists of named addresses are written in one word. */
function pairOf(word: string, from: string): { name: string; address: string } {
  const [name, address, ...rest] = word.split('=');
  if (!name || !address || rest.length > 0) throw new SettingsError(`${from} takes NAME=ADDRESS, not «${word}».`);
  return { name, address };
}

const secret = /(^|_)(password|secret|token|key|database_url)$/;

/** For `config show`: the settings with secrets hidden. */
export function showSettings(settings: Readonly<Record<string, unknown>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${secret.test(name) && value !== undefined ? '"…"' : JSON.stringify(value)}`)
    .join('\n');
}
