// Shows that the rack itself works, without a cell: `node e2e/rack-smoke.e2e.ts` as root. Two machines, one of each firmware and BMC
// protocol, are switched by the cell's own drivers and must ask for an address within 60 s; a machine whose own order is disk
// first must ask exactly when its BMC was told so, and not after the reset that follows.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callBmc } from '../src/cell/power/execute.ts';
import type { PowerCall } from '../src/cell/power/execute.ts';
import { checkPowerParameters } from '../src/contract/power-parameters.ts';
import { consolePath } from '../src/sim/qemu-machine.ts';
import { Rack, startsWithoutOrder, whyNoMetal } from './rack.ts';
import type { RackedMachine } from '../src/sim/racked-machine.ts';

const began = Date.now();
const say = (text: string) => console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}`);

async function order({ powerType, powerParameters, machine }: RackedMachine, call: PowerCall): Promise<void> {
  const checked = checkPowerParameters(powerType, powerParameters);
  if (!checked.ok) throw new Error(JSON.stringify(checked.errors));
  const outcome = await callBmc({ type: powerType, target: { parameters: checked.parameters, firmware: machine.spec.firmware } }, call, {
    clock: Date.now,
    signal: new AbortController().signal,
  });
  say(
    `${machine.spec.name} ${call.kind}: ${outcome.kind === 'reading' ? outcome.reading.state : `${outcome.kind}, ${outcome.evidence}`} (${outcome.tookMs} ms)`,
  );
  if (outcome.kind === 'failed') throw new Error(outcome.evidence);
}

const why = await whyNoMetal();
if (why !== undefined) {
  console.log(`NOT RUN: rack-smoke: ${why}`);
  process.exit(3);
}
const folder = mkdtempSync(join(tmpdir(), 'muster-rack-'));
const rack = await Rack.raise(1, folder);
try {
  // The listener ends with the namespace it runs in.
  const listener = join(import.meta.dirname, 'dhcp-listener.ts');
  const [command = '', ...args] = rack.inside([process.execPath, listener]);
  const heard = new Map<string, number[]>();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    for (const mac of text.split('\n').filter(Boolean)) heard.set(mac, [...(heard.get(mac) ?? []), Date.now()]);
  });
  const asked = async (racked: RackedMachine, since: number, within: number) => {
    const until = Date.now() + within;
    while (Date.now() < until) {
      const at = heard.get(racked.machine.spec.mac)?.find((time) => time >= since);
      if (at !== undefined) return true;
      await new Promise((done) => setTimeout(done, 100));
    }
    return false;
  };
  const must = async (racked: RackedMachine, since: number) => {
    if (!(await asked(racked, since, 60_000)))
      throw new Error(
        `${racked.machine.spec.name} did not ask for an address; ${readFileSync(consolePath(racked.machine.spec), 'latin1').slice(-600)}`,
      );
    say(`${racked.machine.spec.name} asked for an address`);
  };
  const bios = await rack.add({ name: 'bios1', firmware: 'bios', bmc: 'ipmi', memoryMiB: 256, diskMiB: 16, firstBoot: 'disk' });
  const uefi = await rack.add({ name: 'uefi1', firmware: 'uefi', bmc: 'redfish', memoryMiB: 256, diskMiB: 16 });
  const start = Date.now();
  await order(bios, { kind: 'next-boot', device: 'network' });
  for (const each of [bios, uefi]) await order(each, { kind: 'on' });
  for (const each of [bios, uefi]) await order(each, { kind: 'state' });
  await must(bios, start);
  await must(uefi, start);
  const before = readFileSync(consolePath(bios.machine.spec), 'latin1').length;
  await bios.machine.reset();
  await new Promise((done) => setTimeout(done, 6_000));
  const after = readFileSync(consolePath(bios.machine.spec), 'latin1').slice(before);
  if (!after.includes('Booting from Hard Disk')) throw new Error(`after the reset it was not the disk's turn: ${after.slice(-400)}`);
  say('bios1 went to its disk after the reset: the override held for one boot');
  for (const each of [bios, uefi]) await order(each, { kind: 'off', how: 'hard' });
  for (const each of [bios, uefi]) if (each.machine.power() !== 'off') throw new Error('still on');
  const unordered = [...startsWithoutOrder(uefi.machine, uefi.bmc.log), ...startsWithoutOrder(bios.machine, bios.bmc.log)];
  if (unordered.length !== 1) throw new Error(`exactly our own reset was not ordered through a BMC, not ${unordered.length}`);
  say('done');
} finally {
  await rack.lower();
  rmSync(folder, { recursive: true });
}
