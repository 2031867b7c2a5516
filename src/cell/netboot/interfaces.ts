/** The network interfaces of the namespace that this process runs in. */
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';

/** Reads the text of /proc/net/dev: names before the colon, after two lines of heading. */
export function parseInterfaces(text: string): readonly string[] {
  return text
    .split('\n')
    .slice(2)
    .flatMap((line) => /^\s*(\S+?):/.exec(line)?.[1] ?? []);
}

/** `/proc/net` follows the network namespace; `/sys/class/net` shows the one in which /sys was mounted. */
export async function interfaces(): Promise<readonly string[]> {
  return parseInterfaces(await readFile('/proc/self/net/dev', 'utf8'));
}

/** Those of `names` that are up, have carrier and an IPv4 address: where a DHCP server can listen. */
export function listenable(names: readonly string[]): readonly string[] {
  const now = networkInterfaces(); // libuv lists only what is up and running
  return names.filter((name) => now[name]?.some(({ family }) => family === 'IPv4')).sort();
}
