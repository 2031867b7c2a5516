/** The machines of the fleet: listing, creating, and what is asked of many at once. Allocation is in allocation.ts, one machine in machine-actions.ts. */
import { Type } from 'typebox';
import { get, optional, post, required, resource } from '../route.ts';
import { constraints, allocationOptions, allocationWays } from './constraints.ts';
import { Comment, Description, Dictionary, Hostname, MacAddress, oneOf } from './field.ts';
import { after, fields, limit } from './listing.ts';
import { commissionOptions } from './machine-actions.ts';
import { machineFilters } from './machine-filters.ts';
import { Machine } from './machine.ts';
import { isRegistered, setZone } from './node-actions.ts';

/** The orders in which machines can be listed, falling with a `-` in front. system_id is the default: by cell, then by age. */
export const machineOrders = [
  'system_id',
  '-system_id',
  'hostname',
  '-hostname',
  'status',
  '-status',
  'status_since',
  '-status_since',
] as const;

const Uuid = Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' });

/** What `status`, `zone`, … of a gathered list may leave out when a cell is absent; what names a machine may not. */
const naming = ['id', 'system_id', 'hostname', 'mac_address', 'domain', 'owner', 'agent_name'];

const Summary = Type.Object({
  machines: Type.Integer(),
  /** State name of contract/lifecycle.ts → how many; states with none are left out. */
  by_status: Type.Record(Type.String(), Type.Integer()),
  by_power_state: Type.Record(Type.String(), Type.Integer()),
  by_zone: Type.Record(Type.String(), Type.Integer()),
  by_pool: Type.Record(Type.String(), Type.Integer()),
  locked: Type.Integer(),
  /** Machines that an operation is working on now. */
  operations: Type.Integer(),
});

/** Why an allocation would find what it finds. Counts of several cells are added up. */
const Explanation = Type.Object({
  /** Machines that are Ready and free. */
  ready: Type.Integer(),
  /** Those of them that meet every constraint. */
  matching: Type.Integer(),
  /** Constraint → how many ready machines it alone rules out. */
  ruled_out: Type.Record(Type.String(), Type.Integer()),
  /** Constraint → how many would match if it were left out. */
  matching_without: Type.Record(Type.String(), Type.Integer()),
});

/** The claim that an Idempotency-Key stands for. */
export const Settled = Type.Object({
  /** The number of the cell where the claim was made. */
  cell: Type.Integer(),
  claim: Type.String(),
  system_id: Type.String(),
  /** Digest of what was asked for. */
  request: Type.String(),
});

/** How well one cell could serve an allocation. */
export const Offer = Type.Object({
  /** The cell's cheapest match and its cost; null when nothing matches. */
  best: Type.Union([Type.Object({ system_id: Type.String(), cost: Type.Number() }), Type.Null()]),
  /** Machines that are Ready and free. */
  ready: Type.Integer(),
  matching: Type.Integer(),
  /** Constraint → how many ready machines it alone rules out. */
  ruled_out: Type.Record(Type.String(), Type.Integer()),
  /**
   * With spread=: the zones or pools in which there is a match or the caller holds machines, those with a match first, at most 1,000; for
   * spread=cell one group without a name.
   */
  groups: Type.Optional(
    Type.Array(Type.Object({ name: Type.String(), held: Type.Integer(), cost: Type.Union([Type.Number(), Type.Null()]) })),
  ),
  /** The cell is drained: it gives nothing, and still says what a key stands for. */
  drained: Type.Optional(Type.Boolean()),
  /** With an Idempotency-Key that was settled here: what it stands for. */
  settled: Type.Optional(Settled),
});

/** A machine taken for 30 seconds, until it is confirmed. */
export const Claim = Type.Object({ claim: Type.String(), system_id: Type.String(), expires_in: Type.Integer() });

export const machines = {
  ...resource('Machines', 'machines/', 'The machines of the fleet.', {
    read: get({
      doc: 'List machines.\n\nWith fields=, each item holds only the named fields.',
      params: {
        ...machineFilters,
        limit,
        after,
        fields,
        sort: optional(
          oneOf(...machineOrders),
          'The order: system_id, hostname, status or status_since, with a minus in front for falling.',
        ),
      },
      // Keys that are no filter reach the handler, which refuses them.
      free: true,
      reply: Type.Array(Machine),
      policy: 'user',
      reach: 'gather',
      partial: true,
      names: naming,
    }),
    create: post({
      doc: 'Add a machine by hand.\n\nIt is commissioned at once unless commission=false. Machines that boot on a VLAN that enlists add themselves. Power settings are tried before they are stored, and refused when the BMC does not answer to them.',
      params: {
        architecture: optional(Type.String(), 'Its architecture, such as amd64/generic, which is the default.'),
        mac_addresses: optional(
          Type.Array(MacAddress),
          'A MAC address of it; may be repeated. Needed unless power_type is ipmi or redfish.',
        ),
        hostname: optional(Hostname, 'Its host name; left out, one is made up.'),
        description: optional(Description, 'What it is for.'),
        domain: optional(Type.String(), 'The name or id of its domain; left out, the default one.'),
        min_hwe_kernel: optional(Type.String(), 'The oldest kernel it runs with.'),
        power_type: optional(Type.String(), 'The power driver, such as ipmi, redfish or manual.'),
        power_parameters: optional(Dictionary, 'Settings of the power driver, each as power_parameters_NAME, or all in one JSON object.'),
        power_parameters_skip_check: optional(Type.Boolean(), 'Store power settings of a kind that the driver does not know.'),
        subarchitecture: optional(
          Type.String({ maxLength: 64 }),
          'The second half of its architecture, when architecture is the first alone.',
        ),
        commission: optional(Type.Boolean(), 'Commission it at once; true when left out.'),
        ...commissionOptions,
        is_dpu: optional(Type.Boolean(), 'Not built: true is refused. A data processing unit is added as a machine of its own.'),
        deployed: optional(Type.Boolean(), 'It already runs a system that shall not be touched: add it as Deployed.'),
        zone: optional(Type.String(), 'The name of its zone.'),
        pool: optional(Type.String(), 'The name of its resource pool.'),
        cell: optional(Type.String(), 'The cell that gets it; needed at a front when neither domain nor zone say so.'),
      },
      reply: Machine,
      errors: ['unplaced', 'power_refused', 'conflict', 'drained'],
      policy: 'admin',
      reach: 'place',
    }),
    allocate: post({
      op: 'allocate',
      doc: 'Take one machine that meets all constraints.\n\nThe cheapest Ready machine is taken (least CPU threads plus GiB of memory), and belongs to the caller from then on.',
      params: {
        ...constraints,
        ...allocationWays,
        ...allocationOptions,
      },
      free: true,
      reply: Machine,
      errors: ['bad_request', 'drained', 'none_available', 'unknown_outcome', 'idempotency_mismatch', 'partial_refused'],
      policy: 'user',
      reach: 'allocate',
    }),
    explain: get({
      op: 'explain',
      doc: 'Explain what an allocation with these constraints would find.\n\nHow many Ready machines each constraint rules out, and how many would match without it. Nothing is taken.',
      params: { ...constraints, ...allocationOptions },
      free: true,
      reply: Explanation,
      policy: 'user',
      reach: 'gather',
      partial: true,
      names: ['system_id', 'name'],
    }),
    ask: post({
      op: 'ask',
      doc: 'Ask a cell how well it could serve an allocation.\n\nThe first half of allocating through a front. Nothing is taken and nothing promised.',
      params: { ...constraints, ...allocationWays, agent_name: allocationOptions.agent_name, spread: allocationOptions.spread },
      free: true,
      reply: Offer,
      errors: ['bad_request'],
      policy: 'user',
      reach: 'own',
    }),
    claim: post({
      op: 'claim',
      doc: "Take the cell's best machine for 30 seconds.\n\nThe machine that fits best at this moment is taken in one step. Unless it is confirmed in time, it frees itself. The same claim gets the same machine again; one that is over never gets another.",
      params: {
        ...constraints,
        ...allocationWays,
        agent_name: allocationOptions.agent_name,
        comment: allocationOptions.comment,
        claim: required(Uuid, 'A UUID drawn by the front for this claim.'),
      },
      free: true,
      reply: Claim,
      errors: ['bad_request', 'drained', 'none_available', 'claim_refused'],
      policy: 'user',
      reach: 'own',
    }),
    confirm: post({
      op: 'confirm',
      doc: 'Keep a machine that was claimed.\n\nMay be repeated. Refused when the claim has run out.',
      params: {
        claim: required(Type.String({ minLength: 1, maxLength: 64 }), 'The UUID that it was claimed with.'),
        verbose: allocationOptions.verbose,
      },
      reply: Machine,
      errors: ['claim_refused'],
      policy: 'user',
      reach: 'own',
    }),
    free_claim: post({
      op: 'free_claim',
      doc: 'Give up a claim.\n\nIts machine is free again unless it was confirmed, and the claim never takes another, also when it arrives only after this.',
      params: { claim: required(Uuid, 'The UUID of the claim.') },
      reply: Type.Object({ claim: Type.String(), state: oneOf('over', 'kept') }),
      errors: ['claim_refused'],
      policy: 'user',
      reach: 'own',
    }),
    mark_delivered: post({
      op: 'mark_delivered',
      doc: 'Say that the caller was told of a machine that was claimed and confirmed.\n\nOne that is not said of within a minute is listed as a finding, undelivered_allocation, until its owner does something with it.',
      params: { claim: required(Uuid, 'The UUID of the claim.') },
      reply: Type.Null(),
      policy: 'user',
      reach: 'own',
    }),
    settle_key: post({
      op: 'settle_key',
      doc: 'Settle which claim an Idempotency-Key stands for.\n\nSent with the key as its header, to the one cell that keeps this key. The first claim wins and is answered from then on; it is replaced only by who names it in instead_of.',
      params: {
        cell: required(Type.Integer({ minimum: 1 }), 'The number of the cell where the claim was made.'),
        claim: required(Uuid, 'The UUID of the claim.'),
        system_id: required(Type.String({ pattern: '^[346789abcdfghkmnpqrtwxyz]{7}$' }), 'The machine that it got.'),
        request: required(Type.String({ minLength: 1, maxLength: 128 }), 'A digest of what was asked for.'),
        instead_of: optional(Uuid, 'The claim that this one replaces, which is over.'),
      },
      reply: Settled,
      errors: ['idempotency_mismatch', 'bad_request'],
      policy: 'user',
      reach: 'own',
    }),
    accept: post({
      op: 'accept',
      doc: 'Accept machines that enlisted themselves: commission each that is New.',
      params: { machines: required(Type.Array(Type.String(), { minItems: 1 }), 'The system_id of one; may be repeated.') },
      reply: Type.Array(Machine),
      errors: ['bad_request', 'wrong_state'],
      policy: 'admin',
      reach: 'split',
    }),
    // A call that goes to every machine there is cannot be half done because a cell is absent: no `partial`.
    accept_all: post({
      op: 'accept_all',
      doc: 'Accept all machines that enlisted themselves: commission every one that is New.',
      reply: Type.Array(Machine),
      policy: 'admin',
      reach: 'gather',
    }),
    is_registered: isRegistered,
    list_allocated: get({
      op: 'list_allocated',
      doc: 'List the machines that the caller has allocated.',
      params: { id: optional(Type.Array(Type.String()), 'Only the machine with this system_id; may be repeated.') },
      reply: Type.Array(Machine),
      policy: 'user',
      reach: 'gather',
      names: ['id'],
    }),
    release: post({
      op: 'release',
      doc: 'Release machines.\n\nAll are judged before the first is released; the reply lists those that were.',
      params: {
        machines: required(Type.Array(Type.String(), { minItems: 1 }), 'The system_id of one; may be repeated.'),
        comment: optional(Comment, 'A remark for the event log.'),
        erase: optional(Type.Boolean(), 'Erase the disks first.'),
        quick_erase: optional(Type.Boolean(), 'Erase only the beginning, the end and all signatures of each disk.'),
      },
      reply: Type.Array(Type.String()),
      errors: ['bad_request', 'not_owner', 'wrong_state'],
      policy: 'user',
      reach: 'split',
    }),
    set_zone: setZone,
    power_parameters: get({
      op: 'power_parameters',
      doc: 'Show the power settings of machines, secrets in clear.\n\nEvery call is written to the audit events.',
      params: { id: required(Type.Array(Type.String(), { minItems: 1 }), 'The system_id of one; may be repeated.') },
      reply: Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown())),
      policy: 'admin',
      reach: 'split',
    }),
    summary: get({
      op: 'summary',
      doc: 'Count machines by state, power, zone and pool.',
      params: machineFilters,
      free: true,
      reply: Summary,
      policy: 'user',
      reach: 'gather',
      partial: true,
      names: naming,
    }),
  }),
};
