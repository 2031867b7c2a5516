/** Settings by name. What nobody has set has the contract's value. */
import { fail, invalid } from '../../contract/errors.ts';
import { parseIpv4 } from '../../contract/ipv4.ts';
import { settingRules, type SettingName, type SettingRule, type SettingValue } from '../../contract/resources/setting-rules.ts';
import type { Handlers } from '../../http/handler.ts';
import type { GlobalReader } from '../document.ts';
import { commit, type GlobalReads, type WritesTo } from './context.ts';

type Value = SettingRule['value'];

/** Characters; `kernel_opts` has to fit into a kernel command line. */
const longestText = 1_024;

const matches = ({ pattern }: SettingRule, text: string): boolean => pattern === undefined || new RegExp(pattern, 'u').test(text);

/** May a setting of this rule have this value? Another version may have stored another kind of value. */
function fits(rule: SettingRule, value: unknown): value is Value {
  if (value === null) return rule.value === null;
  if (rule.kind === 'choice') return rule.choices?.some((choice) => choice === value) ?? false;
  if (rule.kind === 'number' || rule.kind === 'boolean') return typeof value === rule.kind;
  return typeof value === 'string' && value.length <= longestText && matches(rule, value);
}

/** The value of a setting as it holds now. */
export function settingOf<N extends SettingName>(reader: Pick<GlobalReader, 'get'>, name: N): SettingValue<N> {
  const rule: SettingRule = settingRules[name];
  const stored = reader.get('setting', name)?.value;
  return (fits(rule, stored) ? stored : rule.value) as SettingValue<N>;
}

/** The IPv4 addresses among the hosts of a setting: what DHCP can say. */
export function settingAddresses(reader: Pick<GlobalReader, 'get'>, name: 'upstream_dns' | 'ntp_servers'): string[] {
  return (settingOf(reader, name) ?? '').split(' ').filter((one) => parseIpv4(one) !== undefined);
}

/** Names that MAAS still takes for others. */
const formerNames = new Map<string, SettingName>([['ntp_server', 'ntp_servers']]);

function checkName(given: string): SettingName {
  const name = formerNames.get(given) ?? given;
  if (Object.hasOwn(settingRules, name)) return name as SettingName;
  const valid = Object.keys(settingRules).toSorted().join(', ');
  throw invalid({ name: [`${name} is not a valid config setting (valid settings are: ${valid}).`] });
}

const yes: ReadonlySet<string> = new Set(['true', '1', 'yes', 'on', 't', 'y']);
const no: ReadonlySet<string> = new Set(['false', '0', 'no', 'off', 'f', 'n', '']);
/** An IP address or a name, with a port if need be. */
const host = /^(\[[0-9a-fA-F:.]{2,45}\](:\d{1,5})?|[0-9a-fA-F:]{2,45}|[A-Za-z0-9]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9])?(:\d{1,5})?)$/;

/** What is wrong with a text that is not empty, or the value. */
function read(rule: SettingRule, text: string): { readonly value: Value } | { readonly problem: string } {
  const { kind, choices = [], minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = rule;
  const word = text.trim();
  if (text.length > longestText) return { problem: `Ensure this value has at most ${longestText} characters (it has ${text.length}).` };
  switch (kind) {
    case 'boolean': {
      const known = yes.has(word.toLowerCase()) || no.has(word.toLowerCase());
      return known ? { value: yes.has(word.toLowerCase()) } : { problem: 'Value should be true or false.' };
    }
    case 'number': {
      if (!/^-?\d{1,15}$/.test(word)) return { problem: 'Enter a whole number.' };
      if (Number(word) < minimum) return { problem: `Ensure this value is greater than or equal to ${minimum}.` };
      return Number(word) > maximum ? { problem: `Ensure this value is less than or equal to ${maximum}.` } : { value: Number(word) };
    }
    case 'choice': {
      const found = choices.find((choice) => String(choice) === word);
      return found === undefined ? { problem: `Not one of the choices: ${choices.join(', ')}.` } : { value: found };
    }
    case 'hosts': {
      const hosts = word.split(/[\s,]+/);
      const bad = hosts.find((one) => !host.test(one));
      return bad === undefined ? { value: hosts.join(' ') } : { problem: `Not an address or a host name: ${bad.slice(0, 100)}` };
    }
    case 'url':
      return /^https?:\/\/[^\s/?#]+(\/\S*)?$/.test(word) ? { value: word } : { problem: 'Enter a valid URL.' };
    case 'text':
      return matches(rule, text) ? { value: text } : { problem: `Enter a valid value: it must match ${rule.pattern}` };
  }
}

/** The text of a form as the setting's value. @throws Failure `invalid`. */
export function parseSetting(name: SettingName, text: string): Value {
  const rule: SettingRule = settingRules[name];
  if (text.trim() === '' && rule.value === null) return null;
  const outcome = read(rule, text);
  if ('problem' in outcome) throw invalid({ [name]: [outcome.problem] });
  return outcome.value;
}

export function settingReads({ reader }: GlobalReads): Handlers<'Maas.get_config'> {
  return {
    'Maas.get_config': ({ params, caller }) => {
      const name = checkName(params.name);
      const rule: SettingRule = settingRules[name];
      if (rule.secret && !caller.admin) throw fail('forbidden');
      return settingOf(reader, name);
    },
  };
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
