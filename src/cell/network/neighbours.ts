/** The kernel's table of neighbours (ARP and neighbour discovery): who answered on the cell's own interfaces. */
import { execFile } from 'node:child_process';
import { isIP } from 'node:net';
import { promisify } from 'node:util';

export interface Neighbour {
  readonly ip: string;
  readonly mac: string;
  readonly interface: string;
}

const run = promisify(execFile);
/** States in which the kernel has heard of the host (NUD_VALID of linux/neighbour.h, without what was never asked). */
const heard: ReadonlySet<unknown> = new Set(['REACHABLE', 'STALE', 'DELAY', 'PROBE', 'PERMANENT']);
const macPattern = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

function isHeard(states: unknown): boolean {
  return Array.isArray(states) && states.some((state) => heard.has(state));
}

/** Reads `ip -j neigh`. Hosts on these interfaces; link-local addresses are left out, every IPv6 host has one. Never throws. */
export function parseNeighbours(text: string, interfaces: ReadonlySet<string>): Neighbour[] {
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch {
    return [];
  }
  if (!Array.isArray(entries)) return [];
  return (entries as unknown[]).flatMap((entry): Neighbour[] => {
    if (typeof entry !== 'object' || entry === null) return [];
    const { dst, dev, lladdr, state } = entry as Record<string, unknown>;
    // With a zone it is link-local, whatever else it looks like.
    if (typeof dst !== 'string' || isIP(dst) === 0 || dst.includes('%') || typeof dev !== 'string' || typeof lladdr !== 'string') return [];
    const mac = lladdr.toLowerCase();
    const isLinkLocal = /^fe[89ab][0-9a-f]:/i.test(dst);
    if (isLinkLocal || !interfaces.has(dev) || !macPattern.test(mac) || !isHeard(state)) return [];
    return [{ ip: dst, mac, interface: dev }];
  });
}

/** Those of these interfaces, now. @throws Error when `ip` cannot be run. */
export async function readKernelNeighbours(interfaces: readonly string[]): Promise<Neighbour[]> {
  if (interfaces.length === 0) return [];
  const { stdout } = await run('ip', ['-j', 'neigh', 'show'], { timeout: 10_000, maxBuffer: 16 * 2 ** 20 });
  return parseNeighbours(stdout, new Set(interfaces));
}
