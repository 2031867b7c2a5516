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

/** The snippet's settings, or why it is refused. Never throws. */
export function parseSnippet(snippet: Snippet): { readonly settings: JsonObject } | { readonly refused: string } {
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
    } else if (!times.has(key)) {
      return { refused: `the key ${JSON.stringify(key)} is not allowed; allowed are option-data, ${[...times].join(', ')}` };
    } else if (typeof setting !== 'number' || !Number.isInteger(setting) || setting < 1 || setting > 0xffffffff) {
      return { refused: `${key} is not a number of seconds` };
    }
  }
  return { settings: value };
}
