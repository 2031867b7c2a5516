/**
 * The whole of network boot in one start and one stop: loaders, TFTP, boot files over HTTP, Kea, router advertisements.
 * `cell.ts` gives the doors and pushes the network whenever it changes.
 */
import { join } from 'node:path';
import type { NetworkPlan } from '../network/plan.ts';
import { createBootHandler, type BootDoors, type BootHandler } from './http-boot.ts';
import { interfaces } from './interfaces.ts';
import { startKea, type KeaServer } from './kea-server.ts';
import { readLoaders, tftpFiles } from './loaders.ts';
import { createRouterAdvertiser } from './router-advertisement.ts';
import { startTftp } from './tftp-server.ts';

export interface NetbootOptions {
  /** Private folder, made when it is not there. */
  readonly folder: string;
  /** A folder with a short path for Kea's socket, when `folder`'s is long. */
  readonly socketFolder?: string;
  /** IPv4 service address and HTTP port that machines use. */
  readonly address: string;
  readonly port: number;
  /** Where TFTP listens; the service address by default. */
  readonly tftpAddresses?: readonly string[];
  readonly tftpPort?: number;
  /** Seconds. */
  readonly leaseTime?: number;
  readonly doors: BootDoors;
  readonly onTrouble: (trouble: string) => void;
}

export interface Netboot {
  /** Answers everything below `/boot/`. */
  readonly handler: BootHandler;
  readonly kea: KeaServer;
  /** Takes the network as it is now; returns the hash for `kea.applied`. */
  push(plan: NetworkPlan): Promise<string>;
  close(): Promise<void>;
}

/** @throws Error that says what is missing or taken (a Debian package, a port); what had been started is stopped. */
export async function startNetboot(plan: NetworkPlan, options: NetbootOptions): Promise<Netboot> {
  const { doors, onTrouble } = options;
  const folder = join(options.folder, 'netboot');
  const loaders = await readLoaders();
  const handler = createBootHandler({ doors, loaders, serviceUrl: `http://${options.address}:${options.port}` });
  const tftp = await startTftp({
    addresses: options.tftpAddresses ?? [options.address],
    port: options.tftpPort ?? 69,
    files: tftpFiles(loaders),
    onRequest: ({ phase, address, file, outcome, detail }) => {
      if (phase === 'end')
        doors.log({ protocol: 'tftp', address, path: file, answer: outcome, ...(detail === undefined ? {} : { because: detail }) });
    },
  });
  try {
    const kea = await startKea(plan, {
      folder,
      ...(options.socketFolder === undefined ? {} : { socketFolder: options.socketFolder }),
      service: { address: options.address, port: options.port, loaders: [...loaders.keys()] },
      leaseTime: options.leaseTime ?? 600,
      interfaces,
      onTrouble,
    });
    const advertiser = createRouterAdvertiser({ folder, interfaces, onTrouble });
    const advertise = (network: NetworkPlan): void => {
      advertiser.apply(network).catch((error: Error) => onTrouble(`router advertisements: ${error.message}`));
    };
    advertise(plan);
    return {
      handler,
      kea,
      push(network) {
        advertise(network);
        return kea.push(network);
      },
      async close() {
        await Promise.all([tftp.close(), kea.close(), advertiser.close()]);
      },
    };
  } catch (error) {
    await tftp.close();
    throw error;
  }
}
