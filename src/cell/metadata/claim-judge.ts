import type { DiskRow } from '../db/inventory-store.ts';
import type { LiveTicket } from '../db/ticket-store.ts';
import type { MachineFacts } from '../db/metadata-store.ts';
import type { StoredDevice } from '../db/storage-store.ts';
import type { Storage } from '../storage/model.ts';
import type { NetworkModel } from '../db/network-model.ts';
import type { MachineCredential } from './machine-credential.ts';
import type { ReportedDisk } from './disk-report.ts';

/** Everything that a claim is judged by. */
export interface ClaimCase {
  readonly ticket: LiveTicket;
  readonly bootId: string;
  readonly machine: MachineFacts;
  readonly disks: readonly DiskRow[];
  readonly storage: Storage<StoredDevice>;
  readonly firmware: '' | 'bios' | 'uefi';
  readonly seen: readonly ReportedDisk[];
  readonly network: NetworkModel;
  readonly serviceUrls: readonly string[];
  readonly systemCredential: MachineCredential;
}

export type ClaimVerdict =
  | { readonly granted: true; readonly script: string }
  | {
      readonly granted: false;
      readonly reason: 'ticket' | 'boot' | 'missing_disk' | 'foreign_data' | 'storage';
      readonly text: string;
      readonly disk: string;
    };

/** May this boot write these disks, and with which plan? Pure. */
export type ClaimJudge = (given: ClaimCase) => ClaimVerdict;
