/**
 * Words that machines and their cell exchange (maas-api.md §5, docs/agent-protocol.md): data for the metadata server, the simulator and
 * the documentation. The routes are in resources/metadata.ts.
 */
import type { Purpose } from './operation.ts';

/** The versions that cloud-init may ask for; anything else is not found. */
export const metadataVersions = ['2012-03-01', 'latest'] as const;

/** What `status` of a signal may be. */
export const signalStatuses = [
  'OK',
  'FAILED',
  'WORKING',
  'COMMISSIONING',
  'TESTING',
  'TIMEDOUT',
  'INSTALLING',
  'APPLYING_NETCONF',
  'RELEASING',
  'DEPLOYING',
] as const;

export type SignalStatus = (typeof signalStatuses)[number];

/** Facts that a machine may read about itself; those it has none of are left out of the list. */
export const metaDataItems = ['instance-id', 'local-hostname', 'public-keys', 'vendor-data', 'x509'] as const;

export type MetaDataItem = (typeof metaDataItems)[number];

/** What a machine that nobody knows is told it is. */
export const enlistingMachine = { 'instance-id': 'i-maas-enlistment', 'local-hostname': 'maas-enlisting-node' } as const;

/** What the agent is told to do next (`ACTION='…'`). */
export type AgentAction = 'poweroff' | 'local' | 'reboot' | 'go-on';

/** Words of the kernel command line that the agent reads. */
export interface AgentCommandLine {
  readonly muster_url: string;
  readonly muster_purpose: Purpose;
  /** None for enlistment. */
  readonly muster_nonce?: string;
}

/** A deployment marker is this many bytes at LBA 4095 of a disk, padded with NUL. */
export const markerBytes = 512;
