// What to say to Debian's ipmitool 1.8.19, and what its answers mean. Pure; the sentences were taken from real conversations
// with openipmi's ipmi_sim. `-v` is needed: without it a wrong password and a silent BMC read the same.
import { PowerFailure, setting } from './driver.ts';
import type { NextBoot, PowerFailureKind, PowerTarget } from './driver.ts';
import { parseBmcAddress } from './bmc-address.ts';

// Settings of FreeIPMI that have a counterpart in ipmitool; the others need none, as ipmitool is lenient there by default.
const oemTypes: Readonly<Record<string, string>> = { intel20: 'intelplus', supermicro20: 'supermicro' };
const privileges: Readonly<Record<string, string>> = { USER: 'USER', OPERATOR: 'OPERATOR', ADMIN: 'ADMINISTRATOR' };

export interface Invocation {
  readonly args: readonly string[];
  /** The secrets: never among the arguments, which every user of the host can read. */
  readonly env: Readonly<Record<string, string>>;
}

/** The arguments for one ipmitool call. Seconds between its own repetitions of a datagram: 1, three sendings. */
export function ipmitoolCall(target: PowerTarget, command: readonly string[]): Invocation {
  const { host, port } = parseBmcAddress(setting(target, 'power_address'));
  const lan2 = setting(target, 'power_driver') !== 'LAN';
  const args = ['-v', '-I', lan2 ? 'lanplus' : 'lan', '-H', host, '-p', String(port ?? 623), '-E', '-N', '1', '-R', '2'];
  const user = setting(target, 'power_user');
  if (user !== '') args.push('-U', user);
  const cipher = setting(target, 'cipher_suite_id');
  if (lan2 && cipher !== '') args.push('-C', cipher);
  args.push('-L', privileges[setting(target, 'privilege_level')] ?? 'OPERATOR');
  const flags = target.parameters['workaround_flags'];
  const oem = (Array.isArray(flags) ? flags : []).map((flag: string) => oemTypes[flag]).find((type) => type !== undefined);
  if (oem !== undefined) args.push('-o', oem);
  const env: Record<string, string> = { IPMI_PASSWORD: setting(target, 'power_pass') };
  const key = setting(target, 'k_g');
  if (lan2 && key !== '') {
    args.push('-K');
    env['IPMI_KGKEY'] = bmcKey(key);
  }
  return { args: [...args, ...command], env };
}

/** MAAS and FreeIPMI write a K_g key as text or as 0x and hexadecimal digits; ipmitool takes text in its environment. */
function bmcKey(key: string): string {
  if (!/^0x/i.test(key)) return key;
  const digits = key.slice(2);
  const bytes = Buffer.from(digits, 'hex');
  if (!/^([0-9a-f]{2}){1,20}$/i.test(digits) || bytes.some((byte) => byte < 0x20 || byte > 0x7e))
    throw new PowerFailure('wrong-settings', 'k_g must be text, or 0x and the hexadecimal digits of printable characters.');
  return bytes.toString('latin1');
}

/** `chassis bootdev`; the override holds for one boot. IPMI 2.0 section 28.12, parameter 5. */
export function bootDeviceCommand(target: PowerTarget, device: NextBoot): readonly string[] {
  const type = setting(target, 'power_boot_type');
  const efi = type === 'efi' || (type !== 'legacy' && target.firmware === 'uefi');
  const command = ['chassis', 'bootdev', device === 'network' ? 'pxe' : 'none'];
  return device === 'network' && efi ? [...command, 'options=efiboot'] : command;
}

/** `Chassis Power is on` → on. Anything that is not exactly that is unknown. */
export function parsePowerStatus(stdout: string): 'on' | 'off' | 'unknown' {
  const said = [...stdout.matchAll(/^Chassis Power is (on|off)\s*$/gm)].map((match) => match[1]);
  return said.length === 1 && (said[0] === 'on' || said[0] === 'off') ? said[0] : 'unknown';
}

// First match wins. No session, or a session that was turned down: nothing was asked of the machine. `failed: …` is the
// completion code of the command itself (IPMI 2.0 table 5-2).
const sentences: readonly (readonly [RegExp, PowerFailureKind, string])[] = [
  [/RAKP 2 HMAC is invalid/, 'refused', 'wrong password'],
  [/unauthorized name/, 'refused', 'no such user'],
  [/RAKP 4 message has invalid integrity check value/, 'refused', 'wrong K_g key'],
  [/unauthorized role|invalid role/i, 'refused', 'the user may not have this privilege level'],
  [/Activate Session command failed|Session Challenge command failed/, 'refused', 'wrong user or password'],
  [/failed: Insufficient privilege level/, 'refused', 'the privilege level is too low for this'],
  [/invalid \w+ algorithm|no matching cipher suite|Unsupported cipher suite/i, 'wrong-settings', 'the BMC does not do this cipher suite'],
  [/longer than \d+ bytes|is too long/, 'wrong-settings', 'IPMI allows 16 characters for a user and 20 for a password'],
  [/Address lookup for .* failed|Could not open socket/, 'wrong-settings', 'no such host'],
  [/failed: (Command )?not supported in present state/i, 'busy', 'the BMC cannot do this in the present state of the machine'],
  [/failed: (Node busy|Out of space|BMC initialization in progress)/, 'busy', 'the BMC is busy'],
  [/failed: (Invalid command|Command not supported)/, 'unsupported', 'the BMC does not know this command'],
  // Also what ipmi_sim makes of cipher suite 8; a BMC that stops answering half-way looks the same, so it is not final.
  [/Set Session Privilege Level to \w+ failed/, 'unreachable', 'no session came about, perhaps for the cipher suite or privilege level'],
  [/Get Auth Capabilities|Unable to establish/, 'unreachable', 'no answer'],
];

/** Sorts a failed ipmitool call by its words. A command that fails in words not known here has an unknown outcome. */
export function ipmitoolFailure(stderr: string, isCommand: boolean): PowerFailure {
  // ipmitool asks BMCs for makers' extensions first; what they say to that is not about our command.
  const lines = stderr
    .split('\n')
    .filter((line) => !/^(Loading IANA|Get HPM\.x|Running Get VSO|Invalid completion code|Discovered |Close Session)/.test(line));
  const words = lines.join('\n');
  for (const [sentence, kind, meaning] of sentences) if (sentence.test(words)) return new PowerFailure(kind, meaning);
  const last = words.trim().split('\n').at(-1)?.slice(0, 200) ?? '';
  return new PowerFailure(isCommand ? 'unknown-outcome' : 'busy', last === '' ? 'ipmitool failed without a word' : last);
}
