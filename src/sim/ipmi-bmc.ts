// A BMC that speaks IPMI over LAN: openipmi's ipmi_sim in front of a chassis. It keeps a log of its own of every power command.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { join, resolve } from 'node:path';
import type { BmcFaults, Chassis, ChassisLogEntry } from './chassis.ts';

export interface IpmiBmcSpec {
  readonly name: string;
  /** Folder for its configuration, state and sockets; made when absent. */
  readonly folder: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Up to 16 characters, no space and no quote: ipmi_sim's configuration cannot hold those. */
  readonly password: string;
  /** Run inside this network namespace; the host's own when absent. */
  readonly namespace?: string;
}

/** Debian packages that must be there, and a file of each. */
export const ipmiPackages: readonly (readonly [string, string])[] = [
  ['openipmi', '/usr/bin/ipmi_sim'],
  ['ipmitool', '/usr/bin/ipmitool'],
];

const bootNames: Readonly<Record<string, 'network' | 'disk' | 'default'>> = { pxe: 'network', disk: 'disk' };

export class IpmiBmc {
  readonly spec: IpmiBmcSpec;
  readonly chassis: Chassis;
  readonly faults: BmcFaults;
  readonly log: ChassisLogEntry[] = [];
  #server: Server | undefined;
  #simulator: ChildProcess | undefined;
  #frozen = false;

  constructor(spec: IpmiBmcSpec, chassis: Chassis, faults: BmcFaults = {}) {
    this.spec = spec;
    this.chassis = chassis;
    this.faults = faults;
  }

  /** Starts the simulator and waits until it has its port. */
  async start(): Promise<void> {
    const { folder, name } = this.spec;
    const state = join(folder, `${name}.ipmi`);
    mkdirSync(state, { recursive: true });
    const socket = join(state, 'chassis.sock');
    rmSync(socket, { force: true });
    const server = createServer({ allowHalfOpen: true }, (client) => this.#serve(client));
    await new Promise<void>((done) => server.listen(socket, done));
    this.#server = server;
    const script = join(state, 'chassis');
    const call = resolve(import.meta.dirname, 'chassis-call.ts');
    writeFileSync(script, `#!/bin/sh\nexec '${process.execPath}' '${call}' '${socket}' "$@"\n`, { mode: 0o755 });
    writeFileSync(join(state, 'lan.conf'), lanConfig(this.spec, script));
    writeFileSync(join(state, 'node.emu'), emulatorCommands);
    const argv = ['ipmi_sim', '-c', join(state, 'lan.conf'), '-f', join(state, 'node.emu'), '-s', state, '-n'];
    const whole = this.spec.namespace === undefined ? argv : ['ip', 'netns', 'exec', this.spec.namespace, ...argv];
    const log = openSync(join(state, 'ipmi_sim.log'), 'a');
    const [command = '', ...args] = whole;
    const simulator = spawn(command, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#simulator = simulator;
    const ended = new Promise<never>((_, reject) => {
      simulator.once('error', reject);
      simulator.once('exit', (code) => reject(new Error(`ipmi_sim ended with ${code}; see ${state}/ipmi_sim.log`)));
    });
    ended.catch(() => undefined);
    // It says nothing when it is ready; 0.3 s were enough at a load of 8, and clients repeat their datagrams.
    await Promise.race([ended, new Promise((done) => setTimeout(done, 500))]);
  }

  async stop(): Promise<void> {
    const simulator = this.#simulator;
    if (simulator !== undefined && simulator.exitCode === null && simulator.signalCode === null) {
      const gone = new Promise((done) => simulator.once('exit', done));
      simulator.kill('SIGKILL');
      await gone;
    }
    const server = this.#server;
    if (server !== undefined) await new Promise((done) => server.close(done));
  }

  /** Stops answering (as a BMC that has hung) or goes on; datagrams that came meanwhile are then answered late. */
  freeze(frozen: boolean): void {
    if (frozen === this.#frozen) return;
    this.#frozen = frozen;
    this.#simulator?.kill(frozen ? 'SIGSTOP' : 'SIGCONT');
  }

  #serve(client: Socket): void {
    let text = '';
    client.setEncoding('utf8');
    client.on('data', (part: string) => (text += part));
    client.on('error', () => client.destroy());
    client.on('end', () => {
      const args: unknown = JSON.parse(text);
      const words = Array.isArray(args) ? args.map(String) : [];
      this.#answer(words).then(
        (lines) => client.end(`0\n${lines}`),
        (error: unknown) => client.end(`1\n${String(error)}\n`),
      );
    });
  }

  /** `get|set|check` and then items; sets come with a value. ipmi_sim reads `item:value` lines. */
  async #answer(words: readonly string[]): Promise<string> {
    const { faults } = this;
    if (faults.delayMs) await new Promise((done) => setTimeout(done, faults.delayMs));
    if (faults.turnDown) {
      faults.turnDown--;
      throw new Error('turned down');
    }
    const [verb, ...rest] = words;
    if (verb === 'get') return rest.map((item) => this.#get(item)).join('');
    if (verb === 'set') for (let i = 0; i + 1 < rest.length; i += 2) await this.#set(rest[i] ?? '', rest[i + 1] ?? '');
    return '';
  }

  #get(item: string): string {
    const { chassis, faults } = this;
    if (item === 'power') return `power:${(faults.lie ?? chassis.power()) === 'on' ? 1 : 0}\n`;
    if (item === 'boot') return `boot:${{ network: 'pxe', disk: 'disk', default: 'default' }[chassis.nextBoot]}\n`;
    return '';
  }

  async #set(item: string, value: string): Promise<void> {
    const { chassis } = this;
    const note = (command: ChassisLogEntry['command'], detail = `${item} ${value}`) =>
      this.log.push({ at: Date.now(), command, detail, before: chassis.power() });
    if (item === 'power') {
      note(value === '1' ? 'on' : 'off');
      await (value === '1' ? chassis.on() : chassis.off());
    } else if (item === 'reset') {
      note('reset');
      await chassis.reset();
    } else if (item === 'shutdown') {
      note('soft-off');
      await chassis.softOff();
    } else if (item === 'boot') {
      note('boot');
      chassis.bootOnce(bootNames[value] ?? 'default');
      return;
    } else return;
    if (this.faults.dropAfterActing) {
      this.faults.dropAfterActing--;
      this.freeze(true);
    }
  }
}

function lanConfig(spec: IpmiBmcSpec, script: string): string {
  const levels = ['callback', 'user', 'operator', 'admin'];
  return [
    `name "${spec.name}"`,
    'set_working_mc 0x20',
    '  startlan 1',
    `    addr ${spec.address} ${spec.port}`,
    '    priv_limit admin',
    ...levels.map((level) => `    allowed_auths_${level} none md2 md5 straight`),
    '    guid a123456789abcdefa123456789abcdef',
    '  endlan',
    `  chassis_control "${script}"`,
    '  user 1 true "" "test" user 10 none md2 md5 straight',
    `  user 2 true "${spec.user}" "${spec.password}" admin 10 none md2 md5 straight`,
    '',
  ].join('\n');
}

const emulatorCommands = `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
`;
