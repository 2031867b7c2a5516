/**
 * A network for a fleet under test: every program in a network namespace of its own, all on one bridge, and each cell's rack on a pair of
 * its own. A cut is a rule at the receiver that drops, silently, what comes from one address: one direction at a time. iproute2 is all it needs.
 *
 * The run itself lives in a namespace, too, so that no address of the host is used: `inOwnNetwork` starts the script again inside.
 */
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { removeNamespace, thisOwner } from '../src/cli/rack-network.ts';
import type { FleetPlace, RackPlace } from './fleet-place.ts';

const run = promisify(execFile);
/** Told to the inner run: the beginning of the names of all namespaces. */
const variable = 'MUSTER_E2E_NETWORK';
/** The number of a namespace, by what lives in it; cells have their own. */
const numbers = { operator: 200, hub: 100, front: 100 };

async function ip(...args: readonly string[]): Promise<void> {
  await run('ip', [...args]);
}

/** A name that `muster up` sweeps up, too, when its owner is gone. */
function namespaceOf(prefix: string, name: string): string {
  const number = Number(name.slice(1));
  if (name === 'hub') return `${prefix}-c${numbers.hub}`;
  return `${prefix}-c${name.startsWith('f') ? numbers.front + number : number}`;
}

function addressOf(name: string): string {
  if (name === 'hub') return '10.77.0.2';
  return `10.77.0.${(name.startsWith('f') ? 20 : 100) + Number(name.slice(1))}`;
}

/**
 * Outside: make a namespace, run this script in it, clean up, and end with its exit code; never returns. Inside: return at once.
 * Needs root.
 */
export async function inOwnNetwork(cells: number, fronts: number): Promise<string> {
  const inside = process.env[variable];
  if (inside !== undefined) return inside;
  const { pid, startedAt } = thisOwner();
  const prefix = `muster-${pid}-${startedAt}`;
  const operator = `${prefix}-c${numbers.operator}`;
  await ip('netns', 'add', operator);
  await ip('-n', operator, 'link', 'set', 'lo', 'up');
  const argv = ['netns', 'exec', operator, process.execPath, ...process.argv.slice(1)];
  const child = spawn('ip', argv, { stdio: 'inherit', env: { ...process.env, [variable]: prefix } });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void child.kill(signal));
  const code = await new Promise<number>((resolve) => child.once('exit', (exit) => resolve(exit ?? 1)));
  const members = [
    'hub',
    ...Array.from({ length: cells }, (_, at) => `c${at + 1}`),
    ...Array.from({ length: fronts }, (_, at) => `f${at + 1}`),
  ];
  for (const name of [...members.map((member) => namespaceOf(prefix, member)), operator]) await removeNamespace(name);
  process.exit(code);
}

/** Inside: a namespace for each program, wired. */
export async function networkPlace(prefix: string, cells: number, fronts: number): Promise<FleetPlace> {
  await ip('link', 'add', 'wire', 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0');
  await ip('addr', 'add', '10.77.0.254/24', 'dev', 'wire');
  await ip('link', 'set', 'wire', 'up');
  const member = async (name: string): Promise<void> => {
    const space = namespaceOf(prefix, name);
    await ip('netns', 'add', space);
    await ip('-n', space, 'link', 'set', 'lo', 'up');
    await ip('link', 'add', `w${name}`, 'type', 'veth', 'peer', 'name', 'wire', 'netns', space);
    await ip('link', 'set', `w${name}`, 'master', 'wire', 'up');
    await ip('-n', space, 'addr', 'add', `${addressOf(name)}/24`, 'dev', 'wire');
    await ip('-n', space, 'link', 'set', 'wire', 'up');
    // The table of a host's own addresses is asked first of all, so that a rule could drop nothing that comes in.
    await ip('-n', space, 'rule', 'add', 'pref', '100', 'lookup', 'local');
    await ip('-n', space, 'rule', 'del', 'pref', '0');
  };
  const rack = async (cell: number): Promise<void> => {
    const space = namespaceOf(prefix, `c${cell}`);
    await ip('link', 'add', `rack${cell}`, 'type', 'veth', 'peer', 'name', 'rack', 'netns', space);
    await ip('addr', 'add', `10.40.${cell}.254/24`, 'dev', `rack${cell}`);
    await ip('link', 'set', `rack${cell}`, 'up');
    await ip('-n', space, 'addr', 'add', `10.40.${cell}.1/24`, 'dev', 'rack');
    await ip('-n', space, 'link', 'set', 'rack', 'up');
    // Machines and BMCs are this namespace's own addresses, all at once.
    for (const block of ['16/28', '32/27', '64/26']) await ip('route', 'replace', 'local', `10.40.${cell}.${block}`, 'dev', 'lo');
  };
  for (const name of ['hub', ...Array.from({ length: fronts }, (_, at) => `f${at + 1}`)]) await member(name);
  for (let cell = 1; cell <= cells; cell += 1) {
    await member(`c${cell}`);
    await rack(cell);
  }
  const rackOf = (cell: number): RackPlace => ({
    serviceAddress: `10.40.${cell}.1`,
    interfaceName: 'rack',
    machines: `10.40.${cell}.17`,
    bmcs: `10.40.${cell}.65`,
  });
  return {
    loopback: false,
    addressOf,
    tapOf: () => {
      throw new Error('a fleet with a network has no taps: cut it instead');
    },
    rackOf,
    wrap: (name) => (argv) => ['ip', 'netns', 'exec', namespaceOf(prefix, name), ...argv],
    cut: (from, to) => ip('-n', namespaceOf(prefix, to), 'rule', 'add', 'pref', '10', 'from', addressOf(from), 'blackhole'),
    mend: (from, to) => ip('-n', namespaceOf(prefix, to), 'rule', 'del', 'pref', '10', 'from', addressOf(from), 'blackhole'),
    // The outer process removes it all when this one is gone.
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
