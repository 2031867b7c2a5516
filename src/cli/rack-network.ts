/**
 * The network of a demo's or a test's rack: one network namespace per cell, joined to the host by a veth pair with a link-local
 * /30, and in it a bridge with the rack's address that machines' taps are put on. Nothing else of the host is touched: no route,
 * no NAT, no forwarding. Planning is pure (names and `ip` arguments); the rest runs `ip`. Needs root and iproute2 on Linux.
 *
 * Names carry their owner (process id and its start time), so that what a killed run left behind is told from what is in use.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The process a rack belongs to. `startedAt`: field 22 of /proc/PID/stat, in clock ticks, which no later process with the same id shares. */
export interface RackOwner {
  readonly pid: number;
  readonly startedAt: string;
}

export interface RackPlan {
  readonly namespace: string;
  readonly hostLink: string;
  readonly cellLink: string;
  /** Two ends of a /30 of 169.254.0.0/16 (RFC 3927): the host's, and the cell's as the host reaches it. */
  readonly hostAddress: string;
  readonly cellAddress: string;
  readonly bridge: string;
  /** The cell's service address on the rack, and its IPv6 address for router advertisements (RFC 4193). */
  readonly rackAddress: string;
  readonly rackSubnet: string;
  readonly rackAddress6: string;
  readonly rackSubnet6: string;
}

const namespaceName = /^muster-(\d+)-(\d+)-c(\d+)$/;

/** The start time of a process, or nothing when there is no such process. */
export function processStartedAt(pid: number): string | undefined {
  try {
    // The second field is the program's name in brackets and may hold anything, so count from the last bracket.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // Killed, but nobody has collected it yet: gone for all purposes (some containers' first process never collects).
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** This process as an owner of racks. */
export function thisOwner(): RackOwner {
  return { pid: process.pid, startedAt: processStartedAt(process.pid) ?? '0' };
}

/**
 * Names and addresses of one rack. `cell`: 1 to 250, also the third byte of 10.40.N.0/24 (only inside the namespace, so racks
 * of different runs do not meet). `taken`: IPv4 addresses of the host; the link-local /30 is one that has none of them.
 */
export function planRack(owner: RackOwner, cell: number, taken: readonly string[]): RackPlan {
  if (!Number.isInteger(cell) || cell < 1 || cell > 250) throw new RangeError(`A rack's cell is 1 to 250, not ${cell}.`);
  const used = new Set(taken.flatMap((address) => blockOf(address) ?? []));
  // 254 usable third-level blocks of 64 /30s; RFC 3927 reserves the first and last 256 addresses. 169.254.169 is cloud metadata.
  const blocks = 254 * 64;
  const first = (owner.pid * 8 + cell) % blocks;
  let index: number | undefined;
  for (let probe = 0; probe < blocks && index === undefined; probe++) {
    const candidate = 64 + ((first + probe) % blocks);
    if (!used.has(candidate) && candidate >> 6 !== 169) index = candidate;
  }
  if (index === undefined) throw new Error('No link-local /30 is free on this host.');
  const base = `169.254.${index >> 6}`;
  const low = (index & 63) * 4;
  // A link's name has at most 15 characters: `mu` + process id in base 36 (up to 5) + end + cell (up to 3).
  const id = owner.pid.toString(36);
  return {
    namespace: `muster-${owner.pid}-${owner.startedAt}-c${cell}`,
    hostLink: `mu${id}h${cell}`,
    cellLink: `mu${id}c${cell}`,
    hostAddress: `${base}.${low + 1}`,
    cellAddress: `${base}.${low + 2}`,
    bridge: 'rack0',
    rackAddress: `10.40.${cell}.1`,
    rackSubnet: `10.40.${cell}.0/24`,
    rackAddress6: `fd40:0:0:${cell.toString(16)}::1`,
    rackSubnet6: `fd40:0:0:${cell.toString(16)}::/64`,
  };
}

function blockOf(address: string): number | undefined {
  const [, third, fourth] = /^169\.254\.(\d{1,3})\.(\d{1,3})$/.exec(address) ?? [];
  return third === undefined || fourth === undefined ? undefined : (Number(third) << 6) + (Number(fourth) >> 2);
}

/** Arguments of the `ip` calls that build a rack, in order. */
export function raiseSteps(rack: RackPlan): string[][] {
  const inside = ['-n', rack.namespace];
  return [
    ['netns', 'add', rack.namespace],
    [...inside, 'link', 'set', 'lo', 'up'],
    ['link', 'add', rack.hostLink, 'type', 'veth', 'peer', 'name', rack.cellLink, 'netns', rack.namespace],
    ['addr', 'add', `${rack.hostAddress}/30`, 'scope', 'link', 'dev', rack.hostLink],
    ['link', 'set', rack.hostLink, 'up'],
    [...inside, 'addr', 'add', `${rack.cellAddress}/30`, 'scope', 'link', 'dev', rack.cellLink],
    [...inside, 'link', 'set', rack.cellLink, 'up'],
    [...inside, 'link', 'add', rack.bridge, 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0'],
    [...inside, 'addr', 'add', `${rack.rackAddress}/24`, 'dev', rack.bridge],
    // nodad: the address must be usable at once; there is nobody else on this bridge.
    [...inside, 'addr', 'add', `${rack.rackAddress6}/64`, 'dev', rack.bridge, 'nodad'],
    [...inside, 'link', 'set', rack.bridge, 'up'],
  ];
}

/** Arguments of the `ip` calls that put a machine's network card on the rack. A tap's name has at most 15 characters. */
export function tapSteps(rack: RackPlan, tap: string): string[][] {
  return [
    ['-n', rack.namespace, 'tuntap', 'add', 'dev', tap, 'mode', 'tap'],
    ['-n', rack.namespace, 'link', 'set', tap, 'master', rack.bridge, 'up'],
  ];
}

/** A command line as run inside the rack. */
export function inRack(rack: Pick<RackPlan, 'namespace'>, argv: readonly string[]): string[] {
  return ['ip', 'netns', 'exec', rack.namespace, ...argv];
}

/** The namespaces whose owner is gone. `startedAt` tells a process's start time, or nothing when there is no such process. */
export function staleNamespaces(names: readonly string[], startedAt: (pid: number) => string | undefined): string[] {
  return names.filter((name) => {
    const [, pid, start] = namespaceName.exec(name) ?? [];
    return pid !== undefined && startedAt(Number(pid)) !== start;
  });
}

async function ip(args: readonly string[]): Promise<string> {
  return (await run('ip', args, { maxBuffer: 1 << 24 })).stdout;
}

/** Why no rack can be built here, or nothing when it can. Tries it, since containers allow some of it and not all. */
export async function whyNoRack(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'racks with real network boot need Linux';
  if (process.getuid?.() !== 0) return 'racks with real network boot need root';
  const probe = planRack(thisOwner(), 250, await hostAddresses());
  try {
    await raiseRack(probe);
    await addTap(probe, 'probe0');
    return undefined;
  } catch (error) {
    return `a network namespace cannot be built here: ${error instanceof Error ? error.message.trim() : String(error)}`;
  } finally {
    await removeNamespace(probe.namespace).catch(() => undefined);
  }
}

/** The host's IPv4 addresses, for {@link planRack}. */
export async function hostAddresses(): Promise<string[]> {
  const text = await ip(['-4', '-o', 'addr', 'show']).catch(() => '');
  return [...text.matchAll(/ inet (\d+\.\d+\.\d+\.\d+)/g)].flatMap((match) => match[1] ?? []);
}

/** Builds the rack; on failure removes what was made of it. */
export async function raiseRack(rack: RackPlan): Promise<void> {
  try {
    for (const step of raiseSteps(rack)) await ip(step);
  } catch (error) {
    await removeNamespace(rack.namespace).catch(() => undefined);
    throw error;
  }
}

export async function addTap(rack: RackPlan, tap: string): Promise<void> {
  for (const step of tapSteps(rack, tap)) await ip(step);
}

/** Process ids inside a namespace. */
export async function processesIn(namespace: string): Promise<number[]> {
  const text = await ip(['netns', 'pids', namespace]).catch(() => '');
  return text.split('\n').flatMap((line) => (/^\d+$/.test(line.trim()) ? Number(line) : []));
}

/**
 * Removes a rack with everything that runs in it: processes, taps, bridge and both ends of the veth pair.
 * No error when there is no such namespace. Only for namespaces of ours.
 */
export async function removeNamespace(namespace: string): Promise<void> {
  if (!namespaceName.test(namespace)) throw new Error(`${namespace} is not a rack of ours.`);
  // A process may start another while it is being stopped; a handful of rounds is plenty.
  for (let round = 0; round < 5; round++) {
    const pids = await processesIn(namespace);
    if (pids.length === 0) break;
    for (const pid of pids) killIfThere(pid);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  // The namespace itself may outlive its name by a moment; the pair goes with its inner end only then, so ask for it by name too.
  const [, pid = '0', , cell = ''] = namespaceName.exec(namespace) ?? [];
  await ip(['link', 'del', `mu${Number(pid).toString(36)}h${cell}`]).catch(() => undefined);
  await ip(['netns', 'del', namespace]).catch((error: unknown) => {
    if (!/No such file/.test(String(error))) throw error;
  });
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}

/** Removes the racks of runs that are no more; returns their names. */
export async function sweepStaleRacks(): Promise<string[]> {
  const names = (await ip(['netns', 'list']).catch(() => '')).split('\n').flatMap((line) => line.split(' ')[0] || []);
  const stale = staleNamespaces(names, processStartedAt);
  for (const namespace of stale) await removeNamespace(namespace);
  return stale;
}
