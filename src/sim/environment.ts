/** What software that runs on a simulated machine sees of it. */
import type { SimulatedDisk } from './disk.ts';
import type { BootStage, FaultState } from './fault.ts';
import type { MachineModel } from './machine-model.ts';
import type { Pace } from './pace.ts';

export interface Environment {
  readonly model: MachineModel;
  /** Those that are there. */
  readonly disks: readonly SimulatedDisk[];
  readonly faults: FaultState;
  readonly pace: Pace;
  /** Its source address. */
  readonly address: string;
  /** 32 hexadecimal digits, drawn at the start of this boot. */
  readonly bootId: string;
  /** Aborts when the power goes. */
  readonly signal: AbortSignal;
  /** Called when a stage begins: it may hang there, or lose its power. */
  reach(stage: BootStage): Promise<void>;
  /** Simulated work, longer on a slow machine. */
  work(seconds: number): Promise<void>;
  say(text: string): void;
}
