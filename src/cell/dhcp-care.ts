/**
 * Keeps DHCP and router advertisements in step with the network's rows. Woken by the feed and by a timer it reads the network whole, derives
 * the configuration, and pushes it when it changed; a power-on waits until the configuration that names the machine is applied.
 */
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { CellDb } from './db/cell-db.ts';
import { readGlobalSnippets, readNetwork } from './db/network-plan.ts';
import { readProcesses, saveDhcpNames } from './db/process-store.ts';
import type { SecretKey } from './db/secret-key.ts';
import { interfaces } from './netboot/interfaces.ts';
import { isSpare, pairOf, type KeaPair } from './netboot/kea-pair.ts';
import { setSpare } from './netboot/kea-guard.ts';
import { startKea, type KeaServer } from './netboot/kea-server.ts';
import type { Lease } from './netboot/lease.ts';
import { writePairCertificate } from './netboot/pair-certificate.ts';
import { createRouterAdvertiser, type RouterAdvertiser } from './netboot/router-advertisement.ts';
import { namedMachines, planNetwork, type RackInterface } from './network/dhcp.ts';

export interface DhcpCareOptions {
  readonly db: CellDb;
  /** This process among those of the cell. */
  readonly processId: string;
  readonly secretKey: SecretKey;
  readonly folder: string;
  readonly rack: readonly RackInterface[];
  readonly service: { readonly address: string; readonly port: number; readonly loaders: readonly string[] };
  readonly domain: string;
  /** What machines are told when their subnet says nothing: addresses, of the settings. */
  readonly servers: () => { readonly dns: readonly string[]; readonly ntp: readonly string[] };
  readonly leaseTime: number;
  readonly log: Logger;
  readonly onTrouble: (service: string, trouble: string) => void;
}

export interface DhcpCare extends AsyncDisposable {
  /** Read the network and push what changed. Resolves when it was pushed, not yet applied. */
  refresh(): Promise<void>;
  /** Does the configuration that runs here name this machine? */
  names(systemId: string): boolean;
  leases(): Promise<readonly Lease[]>;
  /** Why Kea would not take this snippet; undefined when it would. */
  refusesSnippet(json: string): Promise<string | undefined>;
  /** Stop answering, before the rest of the process ends: the other one takes over, and nobody is sent here any more. */
  hush(): Promise<void>;
}

/** An operation waits so long for the DHCP of every process; after that one is enough: a Kea that is down must not stop the cell. */
const longestWaitMs = 120_000;

/**
 * May a machine be switched on? `own`: does the DHCP of this process name it, undefined without one. `others` asks all live processes, this one
 * too; left out when it is alone. Pure.
 */
export async function isNamed(
  own: boolean | undefined,
  others: (() => Promise<{ readonly all: boolean; readonly some: boolean }>) | undefined,
  waitedMs: number,
): Promise<boolean> {
  if (!others) return own ?? true;
  const named = await others();
  return (named.all && own !== false) || (waitedMs > longestWaitMs && (named.some || own === true));
}

/** Start Kea and radvd for this cell. @throws Error when the Debian package is missing or Kea does not come up. */
export async function startDhcpCare(options: DhcpCareOptions): Promise<DhcpCare> {
  const { db, folder, processId, secretKey } = options;
  await mkdir(folder, { recursive: true, mode: 0o750 });
  const seed = createHash('sha256').update(secretKey.derive(64, 'dhcp pair')).digest();
  const files = await writePairCertificate(folder, seed);
  let rows = await readNetwork(db);
  let snippets = await readGlobalSnippets(db);
  let partners = await readPartners();
  /** All processes that serve DHCP, dead or alive: a configuration that followed deaths at once would stop Kea's own taking over. */
  async function readPartners(): Promise<ReturnType<typeof pairOf>> {
    const serving = (await readProcesses(db)).filter((one) => one.serves_dhcp);
    await setSpare(folder, isSpare(serving, processId));
    return pairOf(serving, processId);
  }
  let servers = options.servers();
  const plan = () =>
    partners === 'idle' ? { vlans: [] } : { ...planNetwork(rows, options.rack, servers.dns, options.domain, servers.ntp), snippets };
  const pair = (): KeaPair | undefined =>
    partners === undefined || partners === 'idle' ? undefined : { own: processId, peers: partners, ...files };
  const told = () => JSON.stringify([rows, snippets, partners, servers]);
  const kea: KeaServer = await startKea(
    plan(),
    {
      folder,
      service: options.service,
      leaseTime: options.leaseTime,
      interfaces,
      onTrouble: (trouble) => options.onTrouble('kea-dhcp4', trouble),
    },
    pair(),
  );
  if (partners === 'idle') options.onTrouble('kea-dhcp4', 'two other processes of this cell serve DHCP already: this one does not');
  const advertiser: RouterAdvertiser = createRouterAdvertiser({
    folder: options.folder,
    interfaces,
    onTrouble: (trouble) => options.onTrouble('radvd', trouble),
  });
  await advertiser.apply(plan());
  let known = told();
  let named = namedMachines(rows);
  await saveDhcpNames(db, processId, [...named]);
  let isOver = false;

  async function refresh(): Promise<void> {
    if (isOver) return;
    rows = await readNetwork(db);
    snippets = await readGlobalSnippets(db);
    partners = await readPartners();
    servers = options.servers();
    const text = told();
    if (text === known) return;
    known = text;
    const next = namedMachines(rows);
    const hash = await kea.push(plan(), pair());
    await advertiser.apply(plan());
    try {
      await kea.applied(hash);
      named = next;
      await saveDhcpNames(db, processId, [...named]);
    } catch (error) {
      // The next look does it all again.
      known = '';
      options.log.warn({ err: error }, 'the DHCP configuration was not applied');
    }
  }

  async function close(): Promise<void> {
    if (isOver) return;
    isOver = true;
    await advertiser.close();
    await kea.close();
  }

  return {
    refresh,
    names: (systemId) => named.has(systemId),
    leases: () => kea.leases(),
    refusesSnippet: (json) => kea.refusesSnippet(json),
    hush: close,
    [Symbol.asyncDispose]: close,
  };
}
