// What a BMC emulator of the tests drives: a QEMU machine, or a plain object where firmware does not matter.

export type ChassisPower = 'on' | 'off';
export type ChassisBoot = 'network' | 'disk' | 'default';

/** A machine as its BMC sees it. */
export interface Chassis {
  power(): ChassisPower;
  on(): Promise<void>;
  /** Cuts the power. */
  off(): Promise<void>;
  /** Presses the power button: the operating system may switch off, or not. */
  softOff(): Promise<void>;
  /** Restarts without cutting the power. */
  reset(): Promise<void>;
  /** What the next start, and only that, begins with. */
  bootOnce(device: ChassisBoot): void;
  readonly nextBoot: ChassisBoot;
}

/** One entry of a BMC's own log; `before` is the power at the time it came. */
export interface ChassisLogEntry {
  readonly at: number;
  readonly command: 'on' | 'off' | 'soft-off' | 'reset' | 'cycle' | 'boot';
  readonly detail: string;
  readonly before: ChassisPower;
}

/**
 * What goes wrong at a BMC, as data; change it while the BMC runs.
 * Counted faults count down by one each time they strike.
 */
export interface BmcFaults {
  /** Milliseconds before each answer. */
  delayMs?: number;
  /** So many requests are turned down (Redfish: 503; IPMI: an error completion code). */
  turnDown?: number;
  /** What it says about power, whatever is true. */
  lie?: ChassisPower | 'PoweringOn';
  /** Accepts connections or datagrams and says nothing. */
  frozen?: boolean;
  /** So many power commands are carried out and the answer is lost. */
  dropAfterActing?: number;
  /** So many changes of the next boot collide with somebody else's (Redfish: 412). */
  collide?: number;
}

/** A machine without firmware: on is on. Counts its starts. */
export class PlainChassis implements Chassis {
  #power: ChassisPower = 'off';
  nextBoot: ChassisBoot = 'default';
  readonly starts: ChassisBoot[] = [];
  /** False: the power button does nothing, as with a hung operating system. */
  obeysButton = true;

  power(): ChassisPower {
    return this.#power;
  }

  async on(): Promise<void> {
    if (this.#power === 'on') return;
    this.#power = 'on';
    this.#start();
  }

  async off(): Promise<void> {
    this.#power = 'off';
  }

  async softOff(): Promise<void> {
    if (this.obeysButton) this.#power = 'off';
  }

  async reset(): Promise<void> {
    if (this.#power === 'on') this.#start();
  }

  bootOnce(device: ChassisBoot): void {
    this.nextBoot = device;
  }

  #start(): void {
    this.starts.push(this.nextBoot);
    this.nextBoot = 'default';
  }
}
