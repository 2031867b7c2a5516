/** Parameters on the command line: `key=value`, repeated for lists, and `key@=file` for what a file holds. */
import { readFile } from 'node:fs/promises';
import { SettingsError } from './settings.ts';

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** True: `value` is the path of a file whose text is meant. */
  readonly fromFile: boolean;
}

/** @throws SettingsError for a word without `=` or without a key. */
export function parseKeyValue(word: string): KeyValue {
  const at = word.indexOf('=');
  const left = word.slice(0, Math.max(at, 0));
  const fromFile = left.endsWith('@');
  const key = fromFile ? left.slice(0, -1) : left;
  if (key === '') throw new SettingsError(`Parameters are written key=value, not «${word}».`);
  return { key, value: word.slice(at + 1), fromFile };
}

/** All of them by key, in order. @throws SettingsError also for a file that cannot be read. */
export async function readKeyValues(words: readonly string[]): Promise<Record<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const { key, value, fromFile } of words.map(parseKeyValue)) {
    const text = fromFile ? await readText(key, value) : value;
    found.set(key, [...(found.get(key) ?? []), text]);
  }
  return Object.fromEntries(found);
}

async function readText(key: string, path: string): Promise<string> {
  try {
    return await readFile(path === '-' ? '/dev/stdin' : path, 'utf8');
  } catch (error) {
    throw new SettingsError(`The file for ${key} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
