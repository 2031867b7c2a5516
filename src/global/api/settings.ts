/** Settings by name. What nobody has set has the contract's value. */
import { invalid } from '../../contract/errors.ts';
import { settingRules, type SettingName } from '../../contract/resources/settings.ts';
import type { Handlers } from '../../http/handler.ts';
import type { GlobalReader } from '../document.ts';
import { commit, type GlobalReads, type WritesTo } from './context.ts';

/** The value of a setting as it holds now. */
export function settingOf<N extends SettingName>(reader: Pick<GlobalReader, 'get'>, name: N): (typeof settingRules)[N]['value'] {
  const stored = reader.get('setting', name)?.value;
  const rule = settingRules[name];
  // Only values of the rule's type are ever stored; another version's value of another type is ignored.
  return (typeof stored === typeof rule.value ? stored : rule.value) as (typeof settingRules)[N]['value'];
}

function checkName(name: string): SettingName {
  if (Object.hasOwn(settingRules, name)) return name as SettingName;
  const valid = Object.keys(settingRules).join(', ');
  throw invalid({ name: [`${name} is not a valid config setting (valid settings are: ${valid}).`] });
}

/** The text of a form as the setting's type. @throws Failure `invalid`. */
export function parseSetting(name: SettingName, text: string): string | number | boolean {
  const { kind } = settingRules[name];
  if (kind === 'text') return text;
  if (kind === 'number') {
    if (/^-?\d{1,15}$/.test(text.trim())) return Number(text);
    throw invalid({ [name]: ['Enter a whole number.'] });
  }
  const word = text.trim().toLowerCase();
  if (['true', '1', 'yes', 'on'].includes(word)) return true;
  if (['false', '0', 'no', 'off', ''].includes(word)) return false;
  throw invalid({ [name]: ['Value should be true or false.'] });
}

export function settingReads({ reader }: GlobalReads): Handlers<'Maas.get_config'> {
  return { 'Maas.get_config': ({ params }) => settingOf(reader, checkName(params.name)) };
}

export function settingWrites(to: WritesTo): Handlers<'Maas.set_config'> {
  return {
    'Maas.set_config': (call) =>
      commit(to, call, 'config', (draft) => {
        const name = checkName(call.params.name);
        draft.put('setting', name, { value: parseSetting(name, call.params.value ?? '') });
        return 'OK' as const;
      }),
  };
}
