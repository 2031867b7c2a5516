import { PowerFailure } from './driver.ts';
import type { CallLimits, NextBoot, PowerDriver, PowerFailureKind, PowerReading, PowerTarget } from './driver.ts';
import { ipmi } from './ipmi.ts';
import { manual } from './manual.ts';
import { redfish } from './redfish.ts';
import type { PowerTypeName } from '../../contract/power-types.ts';

/** Where the power room gets a BMC's settings from, in the clear, at the moment of a call; it keeps none of them. */
export interface BmcSecrets {
  /** Undefined when there is no such BMC (any more). */
  targetOf(bmcId: string): Promise<{ type: PowerTypeName; target: PowerTarget } | undefined>;
}

/** One thing to do at a BMC. */
export type PowerCall =
  | { readonly kind: 'state' }
  | { readonly kind: 'on' }
  | { readonly kind: 'off'; readonly how: 'hard' | 'soft' }
  | { readonly kind: 'cycle' }
  | { readonly kind: 'next-boot'; readonly device: NextBoot };

/**
 * What came of a call. `reading` answers `state` (state `error` included); `accepted`: the BMC took the order;
 * `failed`: see the kind; only `unknown-outcome` may have switched something.
 */
export type PowerOutcome =
  | { readonly kind: 'reading'; readonly reading: PowerReading; readonly failure?: PowerFailureKind; readonly tookMs: number }
  | { readonly kind: 'accepted'; readonly evidence: string; readonly tookMs: number }
  | { readonly kind: 'failed'; readonly failure: PowerFailureKind; readonly evidence: string; readonly tookMs: number };

/** A BMC that has not answered in 20 s has not (peers.md: resets of 90–200 s are waited out by observing, not in one call). */
export const callTimeoutMs = 20_000;

/** The lease of a power verb must outlive its longest call: the time-out, its enforcement, and writing the result. */
export const verbLeaseMs = callTimeoutMs + 10_000;

export const drivers: Readonly<Record<PowerTypeName, PowerDriver>> = { ipmi, redfish, manual };

/**
 * Carries out one call at one BMC and says what came of it. Never throws and never repeats; ends within `timeoutMs`, or
 * at once when `signal` aborts. `clock` gives milliseconds for the reading's time.
 */
export async function callBmc(
  bmc: { readonly type: PowerTypeName; readonly target: PowerTarget },
  call: PowerCall,
  options: { readonly clock: () => number; readonly signal: AbortSignal; readonly timeoutMs?: number },
): Promise<PowerOutcome> {
  const driver = drivers[bmc.type];
  const timeoutMs = options.timeoutMs ?? callTimeoutMs;
  const began = performance.now();
  const tookMs = () => Math.round(performance.now() - began);
  const ender = new AbortController();
  const signal = AbortSignal.any([options.signal, ender.signal]);
  try {
    const limits = { timeoutMs, signal };
    // A driver that ignores its limits must not hold the BMC for longer than the lease.
    const answer = await within(timeoutMs + 1000, ender, carryOut(driver, bmc.target, call, limits));
    if (typeof answer === 'string') return { kind: 'accepted', evidence: answer, tookMs: tookMs() };
    return { kind: 'reading', reading: { ...answer, at: options.clock() }, tookMs: tookMs() };
  } catch (error) {
    const failure = error instanceof PowerFailure ? error : undefined;
    // A fault in our own code after an order may have come after the order.
    const kind = failure?.kind ?? (call.kind === 'state' || call.kind === 'next-boot' ? 'unreachable' : 'unknown-outcome');
    const evidence = failure?.message ?? `unexpected: ${error instanceof Error ? error.message : String(error)}`;
    if (call.kind !== 'state') return { kind: 'failed', failure: kind, evidence, tookMs: tookMs() };
    return { kind: 'reading', reading: { state: 'error', at: options.clock(), evidence }, failure: kind, tookMs: tookMs() };
  }
}

type Seen = Omit<PowerReading, 'at'>;

async function carryOut(driver: PowerDriver, target: PowerTarget, call: PowerCall, limits: CallLimits): Promise<string | Seen> {
  switch (call.kind) {
    case 'state':
      return driver.state(target, limits);
    case 'on':
      return driver.on(target, limits);
    case 'off':
      return driver.off(target, limits, call.how);
    case 'cycle':
      return driver.cycle(target, limits);
    case 'next-boot':
      return driver.nextBoot(target, limits, call.device);
  }
}

async function within<T>(ms: number, ender: AbortController, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no end after ${ms} ms`));
      ender.abort();
    }, ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
