// The power room: talks to BMCs. It decides when a power verb may be sent (`verb.ts`, pure), and sends it (`execute.ts`).
// It never touches the database (the lifecycle room keeps the rows), never knows why a machine is to be switched, and never
// says "off" when it does not know. Called by the reconciler, and by `query_power_state` and changes of power settings.
import type { PowerParameters, PowerTypeName } from '../../contract/power-types.ts';

/** What is known of a machine's power. `unknown`: the BMC answered, but not with on or off. `error`: it could not be asked. */
export type PowerState = 'on' | 'off' | 'unknown' | 'error';

/** A state with the time it was seen (milliseconds, the caller's clock) and what was said, in words fit for an operator. */
export interface PowerReading {
  readonly state: PowerState;
  readonly at: number;
  readonly evidence: string;
}

/** `network` holds for one boot only; `disk` takes such an override back. */
export type NextBoot = 'network' | 'disk';

export interface PowerCapabilities {
  /** Can say whether the machine is on. */
  readonly query: boolean;
  /** Can switch the machine. False: a person has to. */
  readonly command: boolean;
  /** Can choose what the next boot starts from. */
  readonly nextBoot: boolean;
}

/**
 * Why a call failed.
 * - `unreachable`: no conversation came about; nothing was asked of the machine.
 * - `refused`: wrong user, password, key or privilege. Repeating it may lock the account.
 * - `wrong-settings`: it cannot work with these settings (no such host, cipher suite, system, certificate).
 * - `unsupported`: this BMC cannot do this.
 * - `busy`: it answered that it will not now, and did nothing.
 * - `unknown-outcome`: the request may have been carried out.
 */
export type PowerFailureKind = 'unreachable' | 'refused' | 'wrong-settings' | 'unsupported' | 'busy' | 'unknown-outcome';

/** The only thing a driver throws on purpose. The message never holds a secret. */
export class PowerFailure extends Error {
  override readonly name = 'PowerFailure';
  readonly kind: PowerFailureKind;

  constructor(kind: PowerFailureKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** What a call is about: the BMC's settings as stored (secrets in the clear) and what is known of the machine behind it. */
export interface PowerTarget {
  readonly parameters: PowerParameters;
  /** Seen at commissioning; lets `power_boot_type=auto` choose. */
  readonly firmware?: 'bios' | 'uefi';
}

/** A call ends by itself before `timeoutMs`; `signal` ends it earlier. Both leave the outcome of a command unknown. */
export interface CallLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * One way to switch a machine. Every method resolves with the words the BMC answered in, or throws {@link PowerFailure}.
 * A method does one thing once: no waiting for the effect, no repetition of a command, no decision.
 */
export interface PowerDriver {
  readonly type: PowerTypeName;
  readonly capabilities: PowerCapabilities;
  state(target: PowerTarget, limits: CallLimits): Promise<{ state: 'on' | 'off' | 'unknown'; evidence: string }>;
  on(target: PowerTarget, limits: CallLimits): Promise<string>;
  /** `soft` asks the operating system; settings may prefer it (`power_off_mode`), the caller decides. */
  off(target: PowerTarget, limits: CallLimits, how: 'hard' | 'soft'): Promise<string>;
  /** Off and on again in one command, for a machine that is on. */
  cycle(target: PowerTarget, limits: CallLimits): Promise<string>;
  nextBoot(target: PowerTarget, limits: CallLimits, device: NextBoot): Promise<string>;
}

/** One setting as text, empty when it was not given. */
export function setting(target: PowerTarget, name: string): string {
  const value = Object.hasOwn(target.parameters, name) ? target.parameters[name] : undefined;
  return typeof value === 'string' ? value : '';
}
