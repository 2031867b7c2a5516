/**
 * Kea in our care: the configuration derived from the network is written to its file, tested, set, and compared; the last good one is
 * kept. DHCP goes on with it when the cell or its database is down. Effects only: what Kea is told is decided in kea-config.ts.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NetworkPlan } from './network-plan.ts';
import { startDaemon, type Daemon } from './daemon.ts';
import { listenable } from './interfaces.ts';
import { renderKeaConfig, withoutSnippets, type KeaConfig, type KeaSettings } from './kea-config.ts';
import { keaCommand, type KeaAnswer } from './kea-control.ts';
import { startGuard } from './kea-guard.ts';
import { partnerOf, type KeaPair } from './kea-pair.ts';
import { explainKea } from './kea-trouble.ts';
import { parseLeases, type Lease } from './lease.ts';
import { socketFolder } from './socket-folder.ts';

export interface KeaServerOptions {
  /** Private folder for configuration, leases, locks and log; made 0750. */
  readonly folder: string;
  readonly service: KeaSettings['service'];
  readonly leaseTime: number;
  readonly interfaces: () => Promise<readonly string[]>;
  /** A sentence for a finding: a row that was left out, a configuration Kea refused, a death. */
  readonly onTrouble: (trouble: string) => void;
  readonly hooksFolder?: string;
  readonly program?: string;
  /** Changes are gathered for this long: 10,000 reservations cost Kea 2 s in which it does not answer (netboot.md §2). */
  readonly debounceMs?: number;
  /** How often the running configuration is compared with the derived one. */
  readonly compareEveryMs?: number;
}

export interface KeaServer {
  /** Takes the network as it is now, and who else serves it; returns the hash to wait for. Applied after the debounce. */
  push(plan: NetworkPlan, pair?: KeaPair): Promise<string>;
  /** Resolves when the configuration with this hash, or a later one, is what Kea runs. @throws Error when it is refused or late. */
  applied(hash: string, withinMs?: number): Promise<void>;
  leases(): Promise<readonly Lease[]>;
  /** Why Kea would not take a configuration with this piece in it; undefined when it would. Nothing is changed. @throws Error when it does not answer. */
  refusesSnippet(json: string): Promise<string | undefined>;
  /** What differs between derived and running, in sentences; empty when nothing does. */
  differences(): Promise<readonly string[]>;
  close(): Promise<void>;
}

interface Pushed {
  readonly number: number;
  readonly config: KeaConfig;
  /** The same without snippets: a wrong snippet must not keep new machines from their addresses. */
  readonly plain: KeaConfig;
  /** The same with the partner's addresses for machines: for when this process is gone and its Kea lives on. */
  readonly orphan: KeaConfig | undefined;
}

/**
 * Each configuration makes Kea's hook begin anew: no answers for 1.3 s here. Changes are gathered longer, and the two do not fall silent together.
 */
const pairDebounceMs = { primary: 1_000, standby: 4_000 } as const;

/** `/usr/lib/x86_64-linux-gnu/kea/hooks`, by the architecture Node runs on. */
function debianHooks(): string {
  return `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/kea/hooks`;
}

/** Kea answers within 1.5 s of its start here; 10,000 reservations and a slow disk may need more. */
async function comeUp(daemon: Daemon, socket: string, logFile: string): Promise<void> {
  const until = Date.now() + 15_000;
  for (;;) {
    const answer = await keaCommand(socket, 'status-get', undefined, 2000).catch(() => undefined);
    if (answer?.result === 0) return;
    if (daemon.pid === undefined || Date.now() > until) {
      const log = await readFile(logFile, 'utf8').catch(() => '');
      throw new Error(`Kea did not come up. ${explainKea(log.slice(-4000)) ?? `Its log is ${logFile}`}`);
    }
    await sleep(50);
  }
}

/**
 * Starts Kea with `plan`.
 * @throws Error when the Debian package is missing, or Kea does not come up (with Kea's own words).
 */
export async function startKea(plan: NetworkPlan, options: KeaServerOptions, withPair?: KeaPair): Promise<KeaServer> {
  const { folder, program = '/usr/sbin/kea-dhcp4' } = options;
  const file = join(folder, 'kea-dhcp4.json');
  const logFile = join(folder, 'kea-dhcp4.log');
  const orphanFile = join(folder, 'kea-dhcp4.orphan');
  await mkdir(folder, { recursive: true, mode: 0o750 });
  const sockets = await socketFolder(folder, 'kea4.sock');
  const socket = join(sockets, 'kea4.sock');

  let pushes = 0;
  let latest = plan;
  let pair = withPair;
  let wanted: Pushed = { number: 0, ...(await renderAll(plan)) };
  let running: Pushed | undefined;
  let refused: { number: number; why: string } | undefined;
  let pending: NodeJS.Timeout | undefined;
  let work: Promise<void> = Promise.resolve();
  const waiters: (() => void)[] = [];
  let closing = false;
  const hashes = new Map<string, number>([[wanted.config.hash, 0]]);
  const told = new Set<string>();

  async function renderAll(network: NetworkPlan): Promise<Omit<Pushed, 'number'>> {
    const plain = await render(withoutSnippets(network));
    const orphan = pair && (await render(withoutSnippets(network), partnerOf(pair).address));
    return { config: await render(network), plain, orphan };
  }
  async function render(network: NetworkPlan, address = options.service.address): Promise<KeaConfig> {
    return renderKeaConfig(network, {
      service: { ...options.service, address },
      ...(pair ? { pair } : {}),
      controlSocket: socket,
      leaseFile: join(folder, 'leases4.csv'),
      logFile,
      hooksFolder: options.hooksFolder ?? debianHooks(),
      leaseTime: options.leaseTime,
      interfaces: await options.interfaces(),
    });
  }
  function tell(problems: readonly string[]): void {
    for (const problem of problems) if (!told.has(problem)) options.onTrouble(problem);
    told.clear();
    for (const problem of problems) told.add(problem);
  }
  async function store(config: KeaConfig): Promise<void> {
    await writeFile(`${file}.new`, config.text, { mode: 0o640 });
    await rename(`${file}.new`, file);
  }
  async function storeOrphan(config: KeaConfig | undefined): Promise<void> {
    if (!config) return rm(orphanFile, { force: true });
    await writeFile(`${orphanFile}.new`, config.text, { mode: 0o640 });
    await rename(`${orphanFile}.new`, orphanFile);
  }
  function settle(): void {
    for (const wake of waiters.splice(0)) wake();
  }
  let snippetRefusal: string | undefined;
  /** Sets `next`, without its snippets if need be, and keeps what ran before when Kea refuses that too. */
  async function apply(next: Pushed): Promise<void> {
    const tested = await keaCommand(socket, 'config-test', next.config.value);
    if (tested.result !== 0) {
      if (next.config.hash === next.plain.hash) return refuse(next, tested);
      // Every change of the network tries them again; the same refusal is told once.
      if (snippetRefusal !== tested.text) options.onTrouble(`Kea refuses a DHCP snippet, so all snippets are left out: ${tested.text}`);
      snippetRefusal = tested.text;
      return apply({ ...next, config: next.plain });
    }
    await store(next.config);
    const set = await keaCommand(socket, 'config-set', next.config.value);
    if (set.result !== 0) {
      if (running) {
        await store(running.config);
        await keaCommand(socket, 'config-set', running.config.value);
      }
      return refuse(next, set);
    }
    running = next;
    await storeOrphan(next.orphan);
    if (next.config.hash !== next.plain.hash) snippetRefusal = undefined;
    tell(next.config.problems);
    settle();
  }
  function refuse(next: Pushed, answer: KeaAnswer): void {
    refused = { number: next.number, why: answer.text };
    options.onTrouble(`Kea refuses the configuration, the last good one stays: ${answer.text}`);
    settle();
  }
  function enqueue(job: () => Promise<void>): Promise<void> {
    const next = work.then(async () => {
      if (!closing) await job();
    });
    work = next.catch((error: Error) => options.onTrouble(`Kea could not be configured: ${error.message}`));
    return work;
  }
  const applyWanted = (): Promise<void> =>
    enqueue(async () => {
      if (isDue()) await apply(wanted);
    });
  const isDue = (): boolean => wanted.number !== running?.number && wanted.number !== refused?.number;

  await rm(socket, { force: true });
  // Without snippets, so that a wrong one cannot keep Kea from starting; they follow when it is up.
  await store(wanted.plain);
  tell(wanted.config.problems);
  const daemon: Daemon = await startDaemon({
    program,
    debianPackage: 'kea-dhcp4-server',
    arguments: ['-c', file],
    environment: {
      KEA_PIDFILE_DIR: folder,
      KEA_LOCKFILE_DIR: folder,
      // Kea ≥ 2.6.3 keeps files within these.
      KEA_CONTROL_SOCKET_DIR: sockets,
      KEA_DHCP_DATA_DIR: folder,
      KEA_LOG_FILE_DIR: folder,
    },
    logFile,
    onTrouble: options.onTrouble,
    explain: explainKea,
  });
  try {
    await comeUp(daemon, socket, logFile);
    running = { ...wanted, config: wanted.plain };
    await storeOrphan(wanted.orphan);
    if (wanted.config.hash !== wanted.plain.hash) await apply(wanted);
  } catch (error) {
    await daemon.stop();
    throw error;
  }

  const guard = startGuard({ folder, program, file, orphanFile });

  /**
   * Kea opens no socket on an interface without carrier, keeps a dead one for an interface made anew, and looks at neither again by
   * itself; its own retries (2.2) would listen on interfaces it was not told to. So it is told again when one becomes usable.
   */
  const ears = (): string => listenable(running?.config.interfaces ?? []).join(' ');
  let heard = ears();
  async function listen(): Promise<void> {
    const now = ears();
    const grown = now.split(' ').some((name) => name && !heard.split(' ').includes(name));
    heard = now;
    if (grown && running) await keaCommand(socket, 'config-set', running.config.value);
  }
  /** Follows what changes without a push: interfaces, a configuration that could not be applied, somebody else's hand. */
  async function check(): Promise<void> {
    if (daemon.pid === undefined) return; // it is being restarted, and that was told
    await inTurn(() => take(latest, pair));
    if (isDue()) await apply(wanted);
    await listen();
    const different = await differences();
    if (running && different.length) {
      options.onTrouble(`${different.join('; ')}: it is put right`);
      await keaCommand(socket, 'config-set', running.config.value);
    }
    const status = await keaCommand(socket, 'status-get');
    const sockets = (status.arguments as { sockets?: { status?: string; errors?: string[] } } | undefined)?.sockets;
    const deaf = sockets?.status === 'failed' ? [`Kea does not listen yet: ${(sockets.errors ?? []).join('; ')}`] : [];
    tell([...wanted.config.problems, ...deaf]);
    // It became usable between Kea's start and our first look.
    if (
      running &&
      ears()
        .split(' ')
        .some((name) => name && deaf.join().includes(`interface ${name} `))
    ) {
      await keaCommand(socket, 'config-set', running.config.value);
    }
  }
  const timers = [
    setInterval(() => void enqueue(check), options.compareEveryMs ?? 5000),
    setInterval(() => {
      if (ears() !== heard && daemon.pid !== undefined) void enqueue(listen);
    }, 500),
  ];

  /** Renders one after the other: a slow look at an older network must not come after, and over, a newer one. */
  let rendering: Promise<unknown> = Promise.resolve();
  function inTurn(job: () => Promise<string>): Promise<string> {
    const next = rendering.then(job);
    rendering = next.catch(() => undefined);
    return next;
  }

  async function take(network: NetworkPlan, partners: KeaPair | undefined): Promise<string> {
    latest = network;
    pair = partners;
    const config = await render(network);
    if (config.hash !== wanted.config.hash) {
      pushes += 1;
      wanted = { number: pushes, ...(await renderAll(network)) };
      hashes.set(config.hash, pushes);
      // Only the newest matter to anyone who still waits.
      if (hashes.size > 1000) hashes.delete(hashes.keys().next().value!);
      pending ??= setTimeout(() => {
        pending = undefined;
        void applyWanted();
      }, debounce());
    }
    return config.hash;
  }

  function debounce(): number {
    const role = pair?.peers.find((peer) => peer.name === pair?.own)?.role;
    return options.debounceMs ?? (role ? pairDebounceMs[role] : 200);
  }

  async function differences(): Promise<readonly string[]> {
    const answer = await keaCommand(socket, 'config-get');
    const context = (answer.arguments as { Dhcp4?: { 'user-context'?: { 'muster-config'?: string } } } | undefined)?.Dhcp4?.[
      'user-context'
    ];
    const hash = context?.['muster-config'];
    const expected = running?.config.hash;
    return hash === expected ? [] : [`Kea runs the configuration ${hash ?? 'of somebody else'}, derived is ${expected ?? 'none'}`];
  }

  return {
    push: (network, partners) => inTurn(() => take(network, partners)),
    async applied(hash, withinMs = 30_000) {
      const number = hashes.get(hash);
      if (number === undefined) throw new Error(`no configuration with the hash ${hash} was pushed`);
      const until = Date.now() + withinMs;
      while ((running?.number ?? -1) < number) {
        if (refused && refused.number >= number) throw new Error(`Kea refused the configuration: ${refused.why}`);
        const left = until - Date.now();
        if (left <= 0 || closing) throw new Error(`Kea has not taken the configuration within ${withinMs} ms`);
        const woken = new Promise<void>((resolve) => waiters.push(resolve));
        await Promise.race([woken, sleep(Math.min(left, 1000))]);
      }
    },
    async refusesSnippet(json) {
      const trial = await render({ ...withoutSnippets(latest), snippets: [{ name: 'trial', json }] });
      const tested = await keaCommand(socket, 'config-test', trial.value);
      return tested.result === 0 ? undefined : tested.text;
    },
    async leases() {
      const found: Lease[] = [];
      for (let from = 'start'; ;) {
        const limit = 1000;
        const answer = await keaCommand(socket, 'lease4-get-page', { from, limit });
        if (answer.result === 3) return found;
        if (answer.result !== 0) throw new Error(`Kea does not give its leases: ${answer.text}`);
        const { leases, next } = parseLeases(answer.arguments, limit);
        found.push(...leases);
        if (next === undefined) return found;
        from = next;
      }
    },
    async differences() {
      const derived = wanted.number === running?.number ? [] : ['a newer configuration is waiting to be applied'];
      return [...derived, ...(await differences())];
    },
    async close() {
      closing = true;
      clearTimeout(pending);
      for (const timer of timers) clearInterval(timer);
      settle();
      await work;
      guard.end();
      await daemon.stop();
      if (sockets !== folder) await rm(sockets, { recursive: true, force: true });
    },
  };
}
