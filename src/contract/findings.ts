/**
 * Kinds of findings: what went against expectation, how bad it is, and what a person can do. `text` has `{blanks}` that the finding's
 * `data` fills; `subject` says what tells two open findings of one kind apart.
 */
export interface FindingRule {
  readonly severity: 'info' | 'warning' | 'critical';
  readonly subject: string;
  readonly text: string;
  readonly advice: string;
}

export const findingKinds = {
  unknown_mac: {
    severity: 'info',
    subject: 'the MAC address',
    text: 'A machine with the MAC address {mac} that nobody knows asked {address} what to boot. It was told to boot its own disk.',
    advice: 'Add the machine, or let its VLAN enlist. If it should not be here, look at which port it is plugged into.',
  },
  duplicate_machine: {
    severity: 'critical',
    subject: 'the system_id',
    text: '{what} of machine {system_id} is also that of machine {other}.',
    advice: 'Two records may be one machine. Compare serials and BMC addresses, then delete the wrong record; nothing is merged by itself.',
  },
  wrong_nonce: {
    severity: 'warning',
    subject: 'the address',
    text: 'A machine at {address} showed a nonce that was never given out, or whose ticket is over.',
    advice: 'A machine that hung for long and went on does this once. If it comes again, somebody on that network is guessing.',
  },
  nonce_from_elsewhere: {
    severity: 'critical',
    subject: 'the system_id',
    text: 'The nonce of machine {system_id} was shown from {address}, by a machine that is not it: {mac}.',
    advice:
      'The provisioning network is not isolated, or an address was changed during a boot. The call was refused and nothing was given out.',
  },
  second_boot_id: {
    severity: 'warning',
    subject: 'the system_id',
    text: 'Another boot of machine {system_id} wanted to claim a ticket that one boot already has.',
    advice:
      'The machine booted twice, or two machines have the same identity. Look at its console; then abort the operation and start it again.',
  },
  foreign_data: {
    severity: 'critical',
    subject: 'the system_id',
    text: 'Disk {disk} of machine {system_id} holds something that this cell does not account for: {found}.',
    advice:
      'Nothing was written. Find out whose data it is. If it may be lost, deploy again with overwrite=true, or commission the machine again.',
  },
  foreign_marker: {
    severity: 'critical',
    subject: 'the system_id',
    text: 'Disk {disk} carries the deployment marker of machine {marker}, which is not this machine, {system_id}.',
    advice: 'Disks were moved between machines, or the record is wrong. Commission the machine again when you know which.',
  },
  unreadable_hardware: {
    severity: 'warning',
    subject: 'the system_id',
    text: 'What lshw printed on machine {system_id} is no document that is taken: {reason}. Its tags stay as they were.',
    advice: 'Look at the output of 60-muster-lshw, and commission the machine again.',
  },
  tag_not_judged: {
    severity: 'warning',
    subject: 'the tag',
    text: 'The definition of tag {tag} cannot be judged here: {reason}. The tag stays on the machines that had it.',
    advice: 'It is tried again every ten minutes. If it stays: make the definition simpler, or correct it.',
  },
  missing_disk: {
    severity: 'warning',
    subject: 'the system_id',
    text: 'Machine {system_id} no longer has the disk {disk} that it is to be deployed to.',
    advice: 'Look for a failed or moved disk, then commission the machine again.',
  },
  foreign_dhcp: {
    severity: 'critical',
    subject: 'the VLAN',
    text: 'Another DHCP server at {address} answers on VLAN {vlan}. Ours is silent there.',
    advice: 'Switch the other server off, or switch DHCP off on this VLAN and tell the other server what muster cell dhcp-snippet prints.',
  },
  did_not_netboot: {
    severity: 'warning',
    subject: 'the system_id',
    text: 'Machine {system_id} was switched on to boot from the network and never asked.',
    advice: 'Look at its boot order, its cable, and the VLAN of its boot interface.',
  },
  bmc_refuses: {
    severity: 'warning',
    subject: 'the BMC address',
    text: 'The BMC at {address} does not do what it is told: {reason}',
    advice: 'Check its address and credentials by setting the power parameters again; they are tried at once.',
  },
  waits_for_hands: {
    severity: 'info',
    subject: 'the system_id',
    text: 'Machine {system_id} has no remote power; somebody must switch it {verb}.',
    advice: 'Go and do it. The operation goes on by itself when the machine is heard of.',
  },
  undelivered_allocation: {
    severity: 'warning',
    subject: 'the system_id',
    text: 'Machine {system_id} was allocated to {owner}, who may never have been told.',
    advice: 'Ask the owner; release the machine if nobody wants it.',
  },
  stuck_operation: {
    severity: 'warning',
    subject: 'the operation',
    text: 'The {kind} of machine {system_id} has been tried {attempt} times at step {step}: {reason}',
    advice: 'Read the events of the machine. Abort the operation if the cause will not go away by itself.',
  },
  unknown_plan: {
    severity: 'warning',
    subject: 'the operation',
    text: 'No process of this cell knows plan version {version}, which operation {operation} needs.',
    advice: 'Finish the upgrade of the cell, or the downgrade: a process of that version must run.',
  },
  refused_batch: {
    severity: 'critical',
    subject: 'the stream',
    text: 'A batch of global settings from the hub was refused: {reason}. The last good revision, {revision}, stays in force.',
    advice:
      'If the reason names a command, run it on the hub. Otherwise somebody on the way changes what the hub says, or answers in its name.',
  },
  hub_lag: {
    severity: 'warning',
    subject: 'the hub',
    text: 'The hub has not been heard of for {seconds} seconds; settings are those of revision {revision}.',
    advice: 'Nothing stops for it. Look at the hub and the network between.',
  },
  cell_retired: {
    severity: 'critical',
    subject: 'the cell',
    text: 'The hub has retired cell {cell}: it changes nothing for people any more, and serves its machines with the last settings that it knows.',
    advice:
      'It cannot come back. Add the machines that are still wanted to another cell, then switch this one off: revoked keys are still good here.',
  },
  dangling_reference: {
    severity: 'warning',
    subject: 'the global object',
    text: '{count} {what} here refer to {kind} {name}, which {why}. {meanwhile}',
    advice: 'Give them another one, or bring it back at the hub.',
  },
  clock: {
    severity: 'warning',
    subject: 'the peer',
    text: 'The clocks of {peer} and of this {program} differ by {seconds} seconds.',
    advice: 'Repair time synchronisation on both. Keys with a time limit may be refused until then.',
  },
  restored_database: {
    severity: 'critical',
    subject: 'the epoch',
    text: 'The database is older than what this cell has already done. Epoch {epoch} began: tickets are void and operations parked.',
    advice: 'Every machine is locked and boots its own disk. Compare its record with the machine, then unlock it.',
  },
  image_missing: {
    severity: 'warning',
    subject: 'the image',
    text: 'The file {digest} of image {image} cannot be fetched: {reason}',
    advice: 'Build or import the image again, and look at the disk space and the network of the image store.',
  },
  service_down: {
    severity: 'critical',
    subject: 'the service',
    text: '{service} does not run: {reason}',
    advice: 'Read its log. It is started again by itself, with pauses that grow.',
  },
} as const satisfies Record<string, FindingRule>;

export type FindingKind = keyof typeof findingKinds;

/** The text of a finding, its blanks filled in from `data`; a blank without a value stays as it is. */
export function findingText(kind: FindingKind, data: Readonly<Record<string, unknown>>): string {
  return findingKinds[kind].text.replace(/\{(\w+)\}/g, (blank, name: string) => {
    const value = data[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : blank;
  });
}
