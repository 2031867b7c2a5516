import { execFile } from 'node:child_process';
import { PowerFailure } from './driver.ts';
import type { CallLimits, PowerDriver, PowerTarget } from './driver.ts';
import { bootDeviceCommand, ipmitoolCall, ipmitoolFailure, parsePowerStatus } from './ipmitool.ts';

/** IPMI over LAN by Debian's `ipmitool`. */
export const ipmi: PowerDriver = {
  type: 'ipmi',
  capabilities: { query: true, command: true, nextBoot: true },
  async state(target, limits) {
    const answer = await ipmitool(target, limits, ['chassis', 'power', 'status'], false);
    return { state: parsePowerStatus(answer), evidence: `ipmitool: ${answer}` };
  },
  on: (target, limits) => ipmitool(target, limits, ['chassis', 'power', 'on'], true),
  off: (target, limits, how) => ipmitool(target, limits, ['chassis', 'power', how === 'soft' ? 'soft' : 'off'], true),
  cycle: (target, limits) => ipmitool(target, limits, ['chassis', 'power', 'cycle'], true),
  nextBoot: (target, limits, device) => ipmitool(target, limits, bootDeviceCommand(target, device), false),
};

async function ipmitool(target: PowerTarget, limits: CallLimits, command: readonly string[], isCommand: boolean): Promise<string> {
  const { args, env } = ipmitoolCall(target, command);
  return new Promise((resolve, reject) => {
    execFile(
      'ipmitool',
      args,
      // LC_ALL: its sentences are parsed. Nothing else of our environment: DATABASE_URL and the like are none of its business.
      {
        env: { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', ...env },
        timeout: limits.timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: 1 << 18,
        signal: limits.signal,
      },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout.trim().slice(0, 200));
        if (error.code === 'ENOENT')
          return reject(new PowerFailure('wrong-settings', 'ipmitool is not installed on this cell (Debian package ipmitool).'));
        if (error.killed || error.name === 'AbortError' || error.signal)
          return reject(new PowerFailure(isCommand ? 'unknown-outcome' : 'unreachable', `no answer within ${limits.timeoutMs} ms`));
        reject(ipmitoolFailure(stderr, isCommand));
      },
    );
  });
}
