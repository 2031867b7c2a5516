/**
 * Keeps DHCP and router advertisements in step with the network's rows. Woken by the feed and by a timer it reads the network whole, derives
 * the configuration, and pushes it when it changed; a power-on waits until the configuration that names the machine is applied.
 */
import type { Logger } from 'pino';
import type { CellDb } from './db/cell-db.ts';
import { readNetwork } from './db/network-plan.ts';
import { interfaces } from './netboot/interfaces.ts';
import { startKea, type KeaServer } from './netboot/kea-server.ts';
import { createRouterAdvertiser, type RouterAdvertiser } from './netboot/router-advertisement.ts';
import { namedMachines, planNetwork, type RackInterface } from './network/dhcp.ts';

export interface DhcpCareOptions {
  readonly db: CellDb;
  readonly folder: string;
  readonly rack: readonly RackInterface[];
  readonly service: { readonly address: string; readonly port: number; readonly loaders: readonly string[] };
  readonly domain: string;
  readonly leaseTime: number;
  readonly log: Logger;
  readonly onTrouble: (service: string, trouble: string) => void;
}

export interface DhcpCare extends AsyncDisposable {
  /** Read the network and push what changed. Resolves when it was pushed, not yet applied. */
  refresh(): Promise<void>;
  /** Does the configuration that runs name this machine? True also for machines that have no address to be named with. */
  names(systemId: string): boolean;
}

/** Start Kea and radvd for this cell. @throws Error when the Debian package is missing or Kea does not come up. */
export async function startDhcpCare(options: DhcpCareOptions): Promise<DhcpCare> {
  let rows = await readNetwork(options.db);
  const plan = () => planNetwork(rows, options.rack, [], options.domain);
  const kea: KeaServer = await startKea(plan(), {
    folder: options.folder,
    service: options.service,
    leaseTime: options.leaseTime,
    interfaces,
    onTrouble: (trouble) => options.onTrouble('kea-dhcp4', trouble),
  });
  const advertiser: RouterAdvertiser = createRouterAdvertiser({
    folder: options.folder,
    interfaces,
    onTrouble: (trouble) => options.onTrouble('radvd', trouble),
  });
  await advertiser.apply(plan());
  let known = JSON.stringify(rows);
  let named = namedMachines(rows);

  async function refresh(): Promise<void> {
    rows = await readNetwork(options.db);
    const text = JSON.stringify(rows);
    if (text === known) return;
    known = text;
    const next = namedMachines(rows);
    const hash = await kea.push(plan());
    await advertiser.apply(plan());
    await kea.applied(hash).then(
      () => {
        named = next;
      },
      (error: unknown) => options.log.warn({ err: error }, 'the DHCP configuration was not applied'),
    );
  }

  return {
    refresh,
    names: (systemId) => named.has(systemId),
    async [Symbol.asyncDispose]() {
      await advertiser.close();
      await kea.close();
    },
  };
}
