/** What a test run could leave behind on the host: listeners, processes, a changed policy-rc.d. Reads /proc; changes nothing. */
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { policyFile } from './policy.mjs';

/** Set in the environment of everything that `npm test` starts, to this run's own value. */
export const runVariable = 'MUSTER_TEST_RUN';

/** @typedef {{ readonly protocol: string, readonly local: string, readonly inode: string }} Listener */

/** @param {string} file */
function read(file) {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

/**
 * The sockets of a table in /proc/net that wait for strangers: TCP in LISTEN (0A), UDP without a peer (07).
 * @param {string} protocol `tcp`, `tcp6`, `udp` or `udp6`
 * @param {string} table
 * @returns {Listener[]} `local` as the kernel writes it: hexadecimal address and port
 */
export function parseListeners(protocol, table) {
  const wanted = protocol.startsWith('tcp') ? '0A' : '07';
  return table.split('\n').flatMap((line) => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    return state === wanted && local !== undefined && inode !== undefined ? [{ protocol, local, inode }] : [];
  });
}

/** @returns {Listener[]} every listener in this process's network namespace */
export function listeners() {
  return ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((protocol) => parseListeners(protocol, read(`/proc/net/${protocol}`)));
}

/** @param {Listener} listener */
export const nameOf = (listener) =>
  `${listener.protocol} port ${Number.parseInt(listener.local.split(':')[1] ?? '0', 16)} (${listener.local})`;

/**
 * The listeners that were not there before, told apart by protocol and address.
 * @param {readonly Listener[]} before
 * @param {readonly Listener[]} after
 */
export function newListeners(before, after) {
  const known = new Set(before.map((listener) => `${listener.protocol} ${listener.local}`));
  return after.filter((listener) => !known.has(`${listener.protocol} ${listener.local}`));
}

const processes = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

/** @param {string} pid */
const commandOf = (pid) => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();

/**
 * The process that holds a socket; undefined when there is none that we may look into.
 * @param {string} inode
 * @returns {string | undefined} its number
 */
export function holderOf(inode) {
  return processes().find((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((descriptor) => {
        try {
          return readlinkSync(`/proc/${pid}/fd/${descriptor}`) === `socket:[${inode}]`;
        } catch {
          return false;
        }
      });
    } catch {
      return false;
    }
  });
}

/** @param {string} pid @param {string} run whether a process was started by this run */
export const startedBy = (pid, run) => read(`/proc/${pid}/environ`).split('\0').includes(`${runVariable}=${run}`);

/**
 * The processes that a run started and that still live, this one and its parents excepted.
 * @param {string} run
 * @returns {{ pid: number, command: string }[]}
 */
export function leftRunning(run) {
  return processes()
    .filter((pid) => Number(pid) !== process.pid && startedBy(pid, run) && commandOf(pid) !== '')
    .map((pid) => ({ pid: Number(pid), command: commandOf(pid) }));
}

/** A print of policy-rc.d: bytes, mode, owner; `absent` when there is none. */
export function policyPrint() {
  try {
    const { mode, uid, gid } = lstatSync(policyFile);
    return `${createHash('sha256').update(readFileSync(policyFile)).digest('hex')} ${mode.toString(8)} ${uid}:${gid}`;
  } catch {
    return 'absent';
  }
}
