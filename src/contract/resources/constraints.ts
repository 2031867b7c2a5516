/**
 * What an allocation may ask of a machine: the grammar of maas-api.md §1.5. A constraint that is not here is refused with
 * `No such constraint.`: one that was ignored would hand out the wrong machine.
 *
 * The cheapest machine that meets all of them is taken: cpu_count + memory in GiB, ascending.
 */
import { Type } from 'typebox';
import { optional } from '../route.ts';
import { oneOf } from './field.ts';
import { machineTraits } from './machine-filters.ts';

/** What `spread` may say. */
export const spreads = ['cell', 'zone', 'pool'] as const;
export type Spread = (typeof spreads)[number];

export const constraints = {
  name: optional(Type.String({ minLength: 1, maxLength: 255 }), 'The machine with this host name, with or without its domain.'),
  ...machineTraits,
};

const truth = Type.Boolean();

/** What an allocation carries beside its constraints, and a cell must know of to give the machine. */
export const allocationWays = {
  install_kvm: optional(truth, 'Refused when true: machines are not carved up.'),
  register_vmhost: optional(truth, 'Refused when true.'),
  install_rackd: optional(truth, 'Refused when true: a cell is not installed on its own machines.'),
  bridge_all: optional(truth, 'Put a bridge over every interface that has a link, until the machine is released.'),
  bridge_type: optional(oneOf('standard', 'ovs'), "Linux's own bridge, or Open vSwitch, which the image must bring; left out, standard."),
  bridge_stp: optional(truth, 'Whether these bridges speak the spanning tree protocol; left out, not.'),
  bridge_fd: optional(Type.Integer({ minimum: 0, maximum: 255 }), 'Their forward delay in seconds; left out, 15.'),
};

/** What an allocation carries beside its constraints. */
export const allocationOptions = {
  agent_name: optional(
    Type.String({ maxLength: 255 }),
    'A name to find the machine by later, for programs that allocate on behalf of others.',
  ),
  comment: optional(Type.String({ maxLength: 1024 }), 'A remark for the event log.'),
  spread: optional(
    oneOf(...spreads),
    'Take it from the cell, zone or pool in which the caller holds the fewest machines (of the same agent_name, where one is given), and there the cheapest. Evenly when calls follow one another; calls at the same moment may differ by more.',
  ),
  dry_run: optional(truth, 'Say which machine it would be, and take none.'),
  verbose: optional(truth, 'Show in constraints_by_type also which machine each disk and interface is of.'),
};
