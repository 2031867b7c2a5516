import { PowerFailure } from './driver.ts';
import type { PowerDriver } from './driver.ts';

function byHand(): Promise<never> {
  return Promise.reject(new PowerFailure('unsupported', 'This machine is switched by hand.'));
}

/** No BMC: a person switches the machine, and the machine's own boots are the only evidence of it. */
export const manual: PowerDriver = {
  type: 'manual',
  capabilities: { query: false, command: false, nextBoot: false },
  state: () => Promise.resolve({ state: 'unknown', evidence: 'Nobody can ask: this machine is switched by hand.' }),
  on: byHand,
  off: byHand,
  cycle: byHand,
  nextBoot: byHand,
};
