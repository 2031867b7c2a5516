/**
 * May this boot write these disks? The pure half of claiming a ticket (architecture §6.2). The first boot id owns the ticket, the same boot
 * id gets the same answer again, another is refused; and what is on a target disk must be accounted for by this cell's own last
 * commission, deploy or erase, or the caller must have allowed overwriting.
 */
import { identityOf, type TargetDisk } from '../storage/installation.ts';

/** What the agent sees on one disk. */
export interface SeenDisk {
  readonly name: string;
  readonly serial: string;
  readonly wwn: string;
  readonly size: number;
  readonly signatures: readonly string[];
  readonly marker: string;
}

/** What this cell's own last commission, deploy or erase saw or left on the disk; null: nothing is known. */
export interface DiskAccount {
  readonly signatures: readonly string[] | null;
  readonly marker: string | null;
}

export type ModelDisk = TargetDisk & DiskAccount;

export interface ClaimFacts {
  readonly systemId: string;
  readonly operationId: number;
  readonly ticket: { readonly bootId: string | null; readonly live: boolean };
  readonly bootId: string;
  readonly overwrite: boolean;
  /** An earlier ticket of this same operation was granted: its interrupted write may go on. */
  readonly resumes: boolean;
  /** The disks that the plan would write. */
  readonly targets: readonly ModelDisk[];
  readonly seen: readonly SeenDisk[];
}

export type Verdict =
  | { readonly granted: true }
  | { readonly granted: false; readonly reason: 'ticket' | 'boot' | 'missing_disk' | 'foreign_data'; readonly text: string };

/** Judge a claim. Never grants when unsure. */
export function judgeClaim(facts: ClaimFacts): Verdict {
  if (!facts.ticket.live) return refuse('ticket', 'This ticket is spent, void or expired.');
  if (facts.ticket.bootId !== null && facts.ticket.bootId !== facts.bootId) {
    return refuse('boot', 'Another boot of this machine owns this ticket.');
  }
  if (facts.targets.length === 0) return refuse('missing_disk', 'The machine has no disk that can be told apart by serial or WWN.');
  const found = new Set<SeenDisk>();
  for (const target of facts.targets) {
    const seen = findSeen(target, facts.seen);
    if (!seen)
      return refuse(
        'missing_disk',
        `Disk ${identityOf(target) ?? target.name} (${target.size} bytes) of the last commissioning is not there.`,
      );
    // What is planned for the one would be written over by the other.
    if (found.has(seen))
      return refuse('missing_disk', `Disk ${target.name} is the same as another one of this machine: ${identityOf(target)}.`);
    found.add(seen);
    const stranger = facts.overwrite || facts.resumes ? undefined : strangeOn(seen, target, facts);
    if (stranger)
      return refuse(
        'foreign_data',
        `Disk ${identityOf(target) ?? target.name} has ${stranger} that this cell knows nothing of. Commission it again, or deploy with overwrite allowed.`,
      );
  }
  return { granted: true };
}

function refuse(reason: 'ticket' | 'boot' | 'missing_disk' | 'foreign_data', text: string): Verdict {
  return { granted: false, reason, text };
}

/** The disk with this identity and size; undefined when there is none or two. */
export function findSeen(target: TargetDisk, seen: readonly SeenDisk[]): SeenDisk | undefined {
  const identity = identityOf(target);
  if (identity === undefined) return undefined;
  const matches = seen.filter((disk) => (disk.wwn === identity || disk.serial === identity) && disk.size === target.size);
  return matches.length === 1 ? matches[0] : undefined;
}

function strangeOn(seen: SeenDisk, account: DiskAccount, facts: ClaimFacts): string | undefined {
  if (seen.marker !== '') {
    const [word, owner, operation] = seen.marker.split(' ');
    // Our own interrupted write of this same operation goes on; what we deployed there before is ours to replace.
    if (word === 'muster' && owner === facts.systemId && operation === String(facts.operationId)) return undefined;
    return seen.marker === account.marker ? undefined : `the deployment marker «${seen.marker}»`;
  }
  if (seen.signatures.length === 0) return undefined;
  const known = new Set(account.signatures ?? []);
  const strange = seen.signatures.filter((signature) => !known.has(signature));
  return strange.length > 0 ? `data (${strange.join(', ')})` : undefined;
}
