/** An operator's piece of Kea configuration. Options and times only: whatever could load code, open a file or a socket is refused. */
import type { Snippet } from './network-plan.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

const times = new Set(['valid-lifetime', 'min-valid-lifetime', 'max-valid-lifetime', 'renew-timer', 'rebind-timer']);
const optionKeys = new Set(['name', 'code', 'space', 'data', 'csv-format', 'always-send']);

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuseOption(option: Json): string | undefined {
  if (!isObject(option)) return 'an entry of option-data is no object';
  for (const [key, value] of Object.entries(option)) {
    if (!optionKeys.has(key)) return `option-data has the key ${JSON.stringify(key)}; allowed are ${[...optionKeys].join(', ')}`;
    if (typeof value === 'object') return `option-data's ${key} is no plain value`;
  }
  return 'name' in option || 'code' in option ? undefined : 'an entry of option-data has neither name nor code';
}

/** Where a snippet is for. Kea knows lifetimes of subnets and of everything, not of a range or a host. */
export type SnippetPlace = 'global' | 'subnet' | 'range' | 'node';

/** The snippet's settings, or why it is refused. Never throws. */
export function parseSnippet(
  snippet: Snippet,
  place: SnippetPlace = 'subnet',
): { readonly settings: JsonObject } | { readonly refused: string } {
  let value: Json;
  try {
    value = JSON.parse(snippet.json) as Json;
  } catch (error) {
    return { refused: `it is not JSON: ${(error as Error).message}` };
  }
  if (!isObject(value)) return { refused: 'it is not a JSON object' };
  for (const [key, setting] of Object.entries(value)) {
    if (key === 'option-data') {
      if (!Array.isArray(setting)) return { refused: 'option-data is not a list' };
      const refused = setting.map(refuseOption).find(Boolean);
      if (refused) return { refused };
    } else if (place === 'range' || place === 'node') {
      return { refused: `the key ${JSON.stringify(key)} is not allowed for a ${place}; allowed is option-data` };
    } else if (!times.has(key)) {
      return { refused: `the key ${JSON.stringify(key)} is not allowed; allowed are option-data, ${[...times].join(', ')}` };
    } else if (typeof setting !== 'number' || !Number.isInteger(setting) || setting < 1 || setting > 0xffffffff) {
      return { refused: `${key} is not a number of seconds` };
    }
  }
  return { settings: value };
}

function sameOption(a: JsonObject, b: JsonObject): boolean {
  return a['name'] === b['name'] && a['code'] === b['code'] && a['space'] === b['space'];
}

/**
 * These settings with those of the snippets: of one option or time the last counts. What is refused is left out, and `problems` says so of
 * `what`.
 */
export function withSnippets(
  settings: JsonObject,
  snippets: readonly Snippet[],
  place: SnippetPlace,
  what: string,
  problems: string[],
): JsonObject {
  let merged = settings;
  for (const snippet of snippets) {
    const parsed = parseSnippet(snippet, place);
    if ('refused' in parsed) {
      problems.push(`${what}: the snippet ${JSON.stringify(snippet.name)} is left out: ${parsed.refused}`);
      continue;
    }
    const { 'option-data': more, ...times } = parsed.settings;
    merged = { ...merged, ...times };
    if (more === undefined) continue;
    const added = more as readonly JsonObject[];
    const before = (merged['option-data'] ?? []) as readonly JsonObject[];
    merged = { ...merged, 'option-data': [...before.filter((option) => !added.some((other) => sameOption(option, other))), ...added] };
  }
  return merged;
}
