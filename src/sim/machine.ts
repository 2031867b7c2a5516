/**
 * A simulated machine from power-on: firmware, loader, boot script, ephemeral environment or installed system. It knows its cell only as a
 * machine does: by the address that DHCP would have told it.
 */
import { randomBytes } from 'node:crypto';
import { runAgent, type AgentRecord } from './agent.ts';
import type { Bmc, Chassis } from './bmc.ts';
import { runInstalledSystem, type SystemBoot } from './cloud-init.ts';
import { installedSystem, SimulatedDisk, type InstalledSystem } from './disk.ts';
import type { Environment } from './environment.ts';
import { createFaultState, type BootStage, type FaultState, type MachineFaults } from './fault.ts';
import { runIpxe, type IpxeEnd, type IpxeLoader } from './ipxe-script.ts';
import { readKernelLine } from './kernel-line.ts';
import type { MachineModel } from './machine-model.ts';
import type { Pace } from './pace.ts';
import { PlanFailure } from './plan-program.ts';
import type { Random } from './random.ts';
import type { PowerCommand } from './redfish-resource.ts';
import { fetchByTftp } from './tftp-client.ts';
import { ask, fetchRest, NoAnswer, startDownload } from './web.ts';

export interface MachineEvent {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly machine: number;
  readonly bootId: string;
  readonly stage: BootStage | 'off';
  readonly text: string;
}

export interface BootRecord extends AgentRecord {
  readonly bootId: string;
  readonly at: number;
  /** `firmware` until it is known. */
  purpose: string;
  /** What was fetched for it: loader, scripts, kernel and initrd. */
  bytes: number;
  system: SystemBoot | undefined;
}

export interface MachineOptions {
  readonly model: MachineModel;
  /** Its source address. */
  readonly address: string;
  /** Where DHCP sends it. Several, with commas between them: whichever process' DHCP answers names its own, and a dead one's does not. */
  readonly cellUrl: string;
  /** Undefined: the machine starts at `start.ipxe` over HTTP, as if it had fetched its loader. */
  readonly tftp?: { readonly address: string; readonly port: number };
  readonly pace: Pace;
  readonly faults: MachineFaults;
  readonly random: Random;
  /** Seconds of power-on self test. */
  readonly firmwareSeconds: number;
  /** Webhook events of a first boot. */
  readonly statusReports: number;
  /** Fetch kernel and initrd whole, or only ask for their size and first bytes (thousands of machines on one host). */
  readonly bootFiles: 'whole' | 'first-bytes';
  /** Pauses of firmware and iPXE between tries are so many times as long, where an outage of real seconds is a quarter of an hour here. */
  readonly patience: number;
  readonly log: (event: MachineEvent) => void;
}

type BootEnd = 'off' | 'again' | 'stay';

/** Why a boot's signal aborts. */
class PowerLost extends Error {
  override readonly name = 'PowerLost';
}

/** Seconds that firmware waits before it goes through its boot entries again. */
const nextRound = 30;
const fetchPause = 5;
/** What firmware and iPXE ask again before they give a file up. */
const fetchTries = 5;
/** Boots that are remembered. */
const mostBoots = 200;

export class SimulatedMachine implements Chassis {
  readonly model: MachineModel;
  readonly disks: readonly SimulatedDisk[];
  readonly boots: BootRecord[] = [];
  readonly faults: FaultState;
  stage: BootStage | 'off' = 'off';
  /** Set by whoever wires it to one. */
  bmc: Bmc | undefined;
  readonly #options: MachineOptions;
  #power: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: MachineOptions) {
    this.#options = options;
    this.model = options.model;
    this.disks = options.model.disks.map((disk) => new SimulatedDisk(disk));
    this.faults = createFaultState(options.faults, options.random);
  }

  get address(): string {
    return this.#options.address;
  }

  isOn(): boolean {
    return this.#power !== undefined;
  }

  order(command: PowerCommand): void {
    if (command !== 'on') this.#cut();
    if (command === 'on' || command === 'cycle' || command === 'reset') this.#start();
  }

  /** A finger on the button. */
  pressPower(): void {
    if (this.isOn()) this.#cut();
    else this.#start();
  }

  /** Cut the power and wait until nothing of the machine runs any more. */
  async stop(): Promise<void> {
    this.#cut();
    await this.#running;
  }

  #cut(): void {
    this.#power?.abort(new PowerLost('the power is off'));
    this.#power = undefined;
    this.stage = 'off';
  }

  #start(): void {
    if (this.#power !== undefined) return;
    const power = new AbortController();
    this.#power = power;
    const before = this.#running;
    this.#running = before.then(() => this.#live(power));
  }

  /** From power-on until the power goes. */
  async #live(power: AbortController): Promise<void> {
    const { pace } = this.#options;
    try {
      for (;;) {
        const end = await this.#boot(power.signal);
        if (end === 'off') break;
        if (end === 'stay') await untilAborted(power.signal);
        await pace.pause(1, power.signal);
      }
    } catch (error) {
      // Whatever else went wrong in software leaves a machine that is on and does nothing.
      if (!power.signal.aborted && !(error instanceof PowerLost)) {
        this.#say('', `stopped: ${(error as Error).message}`);
        await untilAborted(power.signal).catch(() => undefined);
      }
    }
    if (this.#power === power) this.#cut();
    this.#say('', 'off');
  }

  #say(bootId: string, text: string): void {
    this.#options.log({ at: Date.now(), machine: this.model.number, bootId, stage: this.stage, text });
  }

  async #boot(power: AbortSignal): Promise<BootEnd> {
    const { random, firmwareSeconds, faults, pace } = this.#options;
    const bootId = randomBytes(16).toString('hex');
    const record: BootRecord = {
      bootId,
      at: Date.now(),
      purpose: 'firmware',
      bytes: 0,
      system: undefined,
      checkIns: 0,
      claimed: false,
      secondBoot: [],
      refused: undefined,
    };
    this.boots.push(record);
    // A machine that finds nothing to boot tries for ever.
    if (this.boots.length > mostBoots) this.boots.shift();
    // What is still in flight when this boot ends must not outlive it.
    const ended = new AbortController();
    const signal = AbortSignal.any([power, ended.signal]);
    const slow = faults.slow ?? 1;
    const environment: Environment = {
      model: this.model,
      disks: faults.diskMissing ? [] : this.disks,
      faults: this.faults,
      pace,
      address: this.#options.address,
      bootId,
      signal,
      reach: (stage) => this.#reach(stage, record, signal),
      work: (seconds) => pace.pause(seconds * slow, signal),
      say: (text) => this.#say(bootId, text),
    };
    try {
      await environment.reach('firmware');
      const override = this.bmc?.takeNextBoot() ?? 'default';
      await environment.work(firmwareSeconds * (0.8 + 0.4 * random.next()));
      const end: IpxeEnd = override === 'disk' ? { end: 'disk' } : await this.#network(environment, record);
      return await this.#follow(end, environment, record);
    } finally {
      ended.abort(new PowerLost('the boot is over'));
    }
  }

  async #reach(stage: BootStage, { purpose, bootId }: BootRecord, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.stage = stage;
    switch (this.faults.at(stage, purpose)) {
      case 'goes on':
        return;
      case 'hangs':
        this.#say(bootId, `hangs at ${stage}`);
        return untilAborted(signal);
      case 'dies':
        this.#say(bootId, `loses its power at ${stage}`);
        this.#cut();
        throw new PowerLost(`the power failed at ${stage}`);
      case 'fails':
        throw new PlanFailure(`${stage}: failed, as it was told to`);
    }
  }

  /** Loader and boot scripts. */
  async #network(environment: Environment, record: BootRecord): Promise<IpxeEnd> {
    const { tftp, pace, address: from, patience } = this.#options;
    const { signal, say } = environment;
    const uefi = this.model.firmware === 'uefi';
    if (tftp) {
      await environment.reach('loader');
      const file = uefi ? 'snponly.efi' : 'undionly.kpxe';
      const got = await pace
        .run(() => fetchByTftp({ server: tftp, file, from, signal }))
        .catch((error: unknown) => {
          signal.throwIfAborted();
          say((error as Error).message);
        });
      if (got === undefined) return { end: 'exit', code: 1 };
      record.bytes += got.bytes;
    }
    await environment.reach('script');
    const start = await this.#firstScript(environment, record);
    if (start === undefined) return { end: 'exit', code: 1 };
    const [card] = this.model.cards;
    const loader: IpxeLoader = {
      settings: new Map([
        ['platform', uefi ? 'efi' : 'pcbios'],
        ['buildarch', uefi ? 'x86_64' : 'i386'],
        ['uuid', this.model.uuid],
        ['serial', this.model.serial],
        ['netX/mac', card?.mac ?? ''],
      ]),
      fetchText: (url) => this.#text(url, environment, record),
      fetchFile: (url) => this.#file(url, environment, record),
      diskBoots: () => this.#system() !== undefined,
      sleep: (seconds) => pace.pause(seconds * patience, signal),
      echo: say,
    };
    return runIpxe(start.text, loader, start.base);
  }

  /** The first script, from whichever address answers. */
  async #firstScript(environment: Environment, record: BootRecord): Promise<{ text: string; base: string } | undefined> {
    for (let left = fetchTries; left > 0; left -= 1) {
      for (const base of this.#options.cellUrl.split(',')) {
        const text = await this.#text(`${base}/boot/start.ipxe`, environment, record);
        if (text !== undefined) return { text, base };
      }
      if (left > 1) await this.#options.pace.pause(fetchPause * this.#options.patience, environment.signal);
    }
    return undefined;
  }

  async #text(url: string, environment: Environment, record: BootRecord): Promise<string | undefined> {
    const { pace, address: from } = this.#options;
    const { signal, say } = environment;
    try {
      if (this.faults.dropsRequest()) throw new NoAnswer('the request was dropped on its way');
      const reply = await pace.run(() => ask({ method: 'GET', url, from, signal }));
      record.bytes += reply.body.length;
      if (reply.status === 200) return reply.body.toString('utf8');
      say(`${url}: ${reply.status}`);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      say(`${url}: ${error.message}`);
    }
    return undefined;
  }

  async #file(url: string, environment: Environment, record: BootRecord): Promise<boolean> {
    const { pace, address: from, bootFiles } = this.#options;
    const { signal, say } = environment;
    try {
      if (bootFiles === 'first-bytes') {
        const head = await pace.run(() => ask({ method: 'HEAD', url, from, signal }));
        const part = await pace.run(() => ask({ method: 'GET', url, from, signal, headers: { range: 'bytes=0-1023' } }));
        record.bytes += part.body.length;
        return head.status === 200 && part.status === 206;
      }
      const download = startDownload();
      const reply = await pace.run(() => fetchRest({ url, from, signal }, download));
      record.bytes += download.bytes;
      const digest = /\/boot\/file\/([0-9a-f]{64})\//.exec(url)?.[1];
      const sum = download.hash.digest('hex');
      if (reply.status === 200 && digest !== undefined && digest !== sum) say(`${url}: has digest ${sum}`);
      return reply.status === 200 && (digest === undefined || digest === sum);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      say(`${url}: ${error.message}`);
      return false;
    }
  }

  /** The system on the first disk that boots. */
  #system(): InstalledSystem | undefined {
    if (this.#options.faults.diskMissing) return undefined;
    for (const disk of this.disks) {
      const found = installedSystem(disk, this.model.firmware);
      if (typeof found !== 'string') return found;
    }
    return undefined;
  }

  async #follow(end: IpxeEnd, environment: Environment, record: BootRecord): Promise<BootEnd> {
    switch (end.end) {
      case 'off':
        record.purpose = 'off';
        return 'off';
      case 'kernel': {
        const line = readKernelLine(end.line);
        record.purpose = line.muster_purpose;
        if (this.#options.faults.foreignData && record.purpose === 'deploy') this.disks[0]?.plantForeignData();
        environment.say(`starts the environment to ${line.muster_purpose}`);
        await environment.reach('kernel');
        await environment.work(15);
        const left = await runAgent(environment, line, record);
        if (left === 'local') return this.#installed(environment, record);
        return left === 'poweroff' ? 'off' : left === 'reboot' ? 'again' : 'stay';
      }
      case 'disk':
      case 'exit':
        // After iPXE the firmware tries its next entry, which is the disk.
        return this.#installed(environment, record);
    }
  }

  async #installed(environment: Environment, record: BootRecord): Promise<BootEnd> {
    const system = this.#system();
    if (system === undefined) {
      record.purpose = 'nothing';
      environment.say('no bootable device');
      await environment.pace.pause(nextRound, environment.signal);
      return 'again';
    }
    record.purpose = 'system';
    environment.say(`boots its own disk ${system.disk.model.name}`);
    record.system = await runInstalledSystem(system, environment, this.#options.statusReports);
    await environment.reach('up');
    environment.say(`is up as ${record.system.hostname}`);
    return 'stay';
  }
}

/** Rejects when the signal aborts. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, failed) => {
    if (signal.aborted) failed(signal.reason as Error);
    else signal.addEventListener('abort', () => failed(signal.reason as Error), { once: true });
  });
}
