/** What goes wrong, as data. Everything here happens to real machines; nothing of it is a switch inside the cell. */
import type { Random } from './random.ts';

/** Where a boot is. A function of the plan script counts as one, by its name. */
export const bootStages = [
  'firmware',
  'loader',
  'script',
  'kernel',
  'enlist',
  'check-in',
  'scripts',
  'claim',
  'spend',
  'system',
  'cloud-init',
  'up',
] as const;
export const planFunctions = [
  'disk',
  'marker',
  'gpt',
  'filesystem',
  'mount_partition',
  'unpack',
  'write_file',
  'grub',
  'boot_order',
  'unmount',
  'erase',
] as const;

export type BootStage = (typeof bootStages)[number] | (typeof planFunctions)[number];

/** A call whose first answer may be lost. */
export type AnsweredCall = 'enlist' | 'check-in' | 'maas-scripts' | 'signal' | 'claim' | 'spend' | 'user-data';

export interface MachineFaults {
  /** Stops there for ever, switched on, until its power is cut. Takes effect once. */
  readonly hangsAt?: BootStage;
  /** The same, but only in a boot to deploy. Takes effect once. */
  readonly hangsInDeployAt?: BootStage;
  /** Its power fails there, in the middle of the step. Takes effect `times` times (1). */
  readonly diesAt?: { readonly stage: BootStage; readonly times?: number };
  /** This function of a plan ends in failure, every time. */
  readonly failsAt?: (typeof planFunctions)[number];
  /** This script of commissioning or testing ends with 1. */
  readonly scriptFails?: string;
  /** Probability that a request never leaves the machine. */
  readonly dropsHttp?: number;
  /** The cell acts on the first of each of these, and the answer never arrives; the machine asks again. */
  readonly repliesLost?: readonly AnsweredCall[];
  /** After its claim a second boot of the same machine comes up with the same nonce, and claims too. */
  readonly bootsTwice?: boolean;
  /** Its disks are not there. */
  readonly diskMissing?: boolean;
  /** When it boots to deploy, somebody else's file system is on its first disk, which commissioning has not seen. */
  readonly foreignData?: boolean;
  /** Sends another nonce than it was given. */
  readonly wrongNonce?: boolean;
  /** Everything takes this many times as long. */
  readonly slow?: number;
  readonly bmc?: BmcFaults;
}

/** May be changed while the BMC runs. */
export interface BmcFaults {
  /** Milliseconds before every answer. */
  delayMs?: number;
  /** 503 for this many requests. */
  turnDown?: number;
  /** Says this whatever is true. */
  lie?: 'On' | 'Off' | 'PoweringOn' | 'Paused';
  /** Carries this many commands out and breaks the connection instead of answering. */
  dropAfterActing?: number;
  /** Somebody else changes the system resource this many times between GET and PATCH (412). */
  collide?: number;
  /** Accepts connections and never answers. */
  frozen?: boolean;
}

/** What happens at a stage. */
export type Fate = 'goes on' | 'hangs' | 'dies' | 'fails';

/** The faults of one machine and which of them are used up. */
export interface FaultState {
  readonly given: MachineFaults;
  /** `purpose` is the boot's, as far as it is known. */
  at(stage: BootStage, purpose: string): Fate;
  dropsRequest(): boolean;
  losesReply(call: AnsweredCall): boolean;
}

export function createFaultState(given: MachineFaults, random: Random): FaultState {
  let deaths = given.diesAt === undefined ? 0 : (given.diesAt.times ?? 1);
  let hangs = 1;
  const losing = new Set(given.repliesLost);
  return {
    given,
    at(stage, purpose) {
      if (given.diesAt?.stage === stage && deaths > 0) {
        deaths -= 1;
        return 'dies';
      }
      const isHanging = given.hangsAt === stage || (given.hangsInDeployAt === stage && purpose === 'deploy');
      if (isHanging && hangs > 0) {
        hangs -= 1;
        return 'hangs';
      }
      return given.failsAt === stage ? 'fails' : 'goes on';
    },
    dropsRequest: () => given.dropsHttp !== undefined && random.chance(given.dropsHttp),
    losesReply: (call) => losing.delete(call),
  };
}
