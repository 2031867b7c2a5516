/**
 * Kinds of events: the rows that every committed change appends in its own transaction. `type` is the name that MAAS's list shows and
 * that its clients match; where MAAS has such an event, the name is MAAS's.
 */
import type { eventLevels } from './resources/events.ts';

export type EventLevel = (typeof eventLevels)[number];

export interface EventRule {
  readonly level: EventLevel;
  readonly type: string;
}

export const eventKinds = {
  // The life of a machine.
  machine_created: { level: 'INFO', type: 'Machine added' },
  machine_enlisted: { level: 'INFO', type: 'Machine enlisted' },
  machine_updated: { level: 'INFO', type: 'Machine changed' },
  machine_deleted: { level: 'INFO', type: 'Machine deleted' },
  status_changed: { level: 'INFO', type: 'Node changed status' },
  machine_allocated: { level: 'INFO', type: 'User acquiring node' },
  allocation_unconfirmed: { level: 'INFO', type: 'Allocation not confirmed' },
  commissioning_asked: { level: 'INFO', type: 'User starting node commissioning' },
  testing_asked: { level: 'INFO', type: 'User starting node testing' },
  deployment_asked: { level: 'INFO', type: 'User starting deployment' },
  release_asked: { level: 'INFO', type: 'User releasing node' },
  abort_asked: { level: 'INFO', type: 'User aborting node operation' },
  rescue_asked: { level: 'INFO', type: 'User entering rescue mode' },
  rescue_exit_asked: { level: 'INFO', type: 'User exiting rescue mode' },
  machine_locked: { level: 'INFO', type: 'Node lock' },
  machine_unlocked: { level: 'INFO', type: 'Node unlock' },
  machine_broken: { level: 'INFO', type: 'User marking node broken' },
  machine_fixed: { level: 'INFO', type: 'User marking node fixed' },
  testing_overridden: { level: 'INFO', type: 'User overrode failed testing' },

  // The work on it.
  operation_started: { level: 'INFO', type: 'Operation started' },
  operation_step: { level: 'INFO', type: 'Operation step' },
  operation_waits: { level: 'INFO', type: 'Operation waits for hands' },
  operation_done: { level: 'INFO', type: 'Operation done' },
  operation_failed: { level: 'ERROR', type: 'Operation failed' },
  operation_aborted: { level: 'WARNING', type: 'Operation aborted' },
  operation_retry: { level: 'WARNING', type: 'Operation step tried again' },

  // Its power.
  power_on_starting: { level: 'INFO', type: 'Powering node on' },
  power_off_starting: { level: 'INFO', type: 'Powering node off' },
  power_cycle_starting: { level: 'INFO', type: 'Power cycling node' },
  power_on_done: { level: 'INFO', type: 'Node powered on' },
  power_off_done: { level: 'INFO', type: 'Node powered off' },
  power_on_failed: { level: 'ERROR', type: 'Failed to power on node' },
  power_off_failed: { level: 'ERROR', type: 'Failed to power off node' },
  power_query_failed: { level: 'WARNING', type: 'Failed to query node power' },
  power_state_seen: { level: 'DEBUG', type: 'Power state seen' },
  power_parameters_read: { level: 'AUDIT', type: 'Power parameters read' },

  // Its boots.
  boot_request: { level: 'DEBUG', type: 'Node boot request' },
  loader_request: { level: 'DEBUG', type: 'TFTP request' },
  performing_boot: { level: 'INFO', type: 'Performing PXE boot' },
  ticket_issued: { level: 'DEBUG', type: 'Boot ticket issued' },
  boot_checked_in: { level: 'INFO', type: 'Ephemeral environment checked in' },
  ticket_claimed: { level: 'INFO', type: 'Boot ticket claimed' },
  claim_refused: { level: 'ERROR', type: 'Boot ticket claim refused' },
  ticket_spent: { level: 'INFO', type: 'Boot ticket spent' },
  ticket_voided: { level: 'INFO', type: 'Boot ticket voided' },
  heartbeat: { level: 'DEBUG', type: 'Installation progress' },
  user_data_fetched: { level: 'INFO', type: 'Installed system fetched its user-data' },
  installation_finished: { level: 'INFO', type: 'Node installation finished' },
  status_report: { level: 'DEBUG', type: 'Node status event' },
  script_started: { level: 'DEBUG', type: 'Script started' },
  script_result: { level: 'INFO', type: 'Script result' },
  script_failed: { level: 'ERROR', type: 'Script failed' },

  // What a cell has beside machines.
  device_created: { level: 'INFO', type: 'Device added' },
  device_updated: { level: 'INFO', type: 'Device changed' },
  device_deleted: { level: 'INFO', type: 'Device deleted' },
  controller_updated: { level: 'INFO', type: 'Controller changed' },
  controller_deleted: { level: 'INFO', type: 'Controller deleted' },
  network_changed: { level: 'INFO', type: 'Networking changed' },
  interface_changed: { level: 'INFO', type: 'Interface changed' },
  block_device_changed: { level: 'INFO', type: 'Block device changed' },
  tags_changed: { level: 'INFO', type: 'Tags changed' },
  dhcp_applied: { level: 'INFO', type: 'DHCP configuration applied' },
  image_cached: { level: 'INFO', type: 'Image fetched' },
  finding_opened: { level: 'WARNING', type: 'Finding' },
  finding_resolved: { level: 'INFO', type: 'Finding resolved' },
  service_started: { level: 'INFO', type: 'Service started' },
  service_failed: { level: 'ERROR', type: 'Service failed' },
  epoch_began: { level: 'CRITICAL', type: 'Epoch began' },

  // What is global.
  signed_in: { level: 'AUDIT', type: 'Authorisation' },
  user_changed: { level: 'AUDIT', type: 'Users' },
  key_changed: { level: 'AUDIT', type: 'Keys' },
  setting_changed: { level: 'AUDIT', type: 'Settings' },
  global_changed: { level: 'AUDIT', type: 'Global configuration changed' },
  revision_applied: { level: 'DEBUG', type: 'Global configuration applied' },
  cell_joined: { level: 'AUDIT', type: 'Cell joined' },
} as const satisfies Record<string, EventRule>;

export type EventKind = keyof typeof eventKinds;
