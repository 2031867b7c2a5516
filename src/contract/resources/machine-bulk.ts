/**
 * What is asked of many machines at once, with an outcome for each: unlike MAAS's own bulk calls (accept, release, set_zone, update_nodes),
 * which do all or nothing, what can be done is done.
 */
import { Type, type TSchema } from 'typebox';
import { optional, post, required, resource, type Params } from '../route.ts';
import { Comment, Id, nullable, oneOf } from './field.ts';

/** The most machines of one call; a body with so many ids has about 150 KB. */
export const mostAtOnce = 10_000;

/** What a bulk call is known by: in its operations, and when it is sent again. */
export const BulkId = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$' });

export const BulkOutcome = Type.Object({
  system_id: Type.String(),
  /** `done`: done, or begun where it is an operation. `refused`: nothing was done, `error` says why. `unknown`: its cell was asked and did not answer. */
  outcome: oneOf('done', 'refused', 'unknown'),
  /** The operation that was begun; null where there is none. */
  operation: nullable(Id),
  /** A code of the table of errors, and its sentence; null and empty for what was done. */
  code: nullable(Type.String()),
  error: Type.String(),
});

export const Bulk = Type.Object({
  /** Lists the operations of this call: operations/?bulk=…, and counts them: operations/?op=summary&bulk=… */
  bulk: Type.String(),
  done: Type.Integer(),
  refused: Type.Integer(),
  unknown: Type.Integer(),
  /** In the order of the request; each machine once. */
  outcomes: Type.Array(BulkOutcome),
});

const common = {
  machines: required(
    Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: mostAtOnce }),
    `The system_id of one; may be repeated, up to ${mostAtOnce} times.`,
  ),
  bulk: optional(
    BulkId,
    'What this call is known by; left out, the Idempotency-Key, or one is made up. A call that is sent again with the same one goes on where the first ended.',
  ),
  comment: optional(Comment, 'A remark for the event log.'),
} as const;

function bulk<const P extends Params>(op: string, doc: string, params: P, policy: 'user' | 'admin') {
  return post({
    op,
    doc: `${doc}\n\nEvery machine has its own outcome in the reply.`,
    params: { ...common, ...params },
    reply: Bulk as TSchema & typeof Bulk,
    errors: ['bad_request', 'too_many_machines', 'too_many_a_minute'],
    policy,
    reach: 'split',
    strangers: 'told',
  });
}

const scripts = Type.String({ maxLength: 4096 });

export const machineBulk = {
  ...resource('Machines', 'machines/', 'The machines of the fleet.', {
    bulk_commission: bulk(
      'bulk_commission',
      'Commission many machines.',
      {
        commissioning_scripts: optional(scripts, 'Commissioning scripts to run, names or tags separated by commas; left out, all of them.'),
        testing_scripts: optional(scripts, 'Testing scripts to run, names or tags separated by commas; none for none.'),
        skip_networking: optional(Type.Boolean(), 'Keep what is known of their interfaces.'),
        skip_storage: optional(Type.Boolean(), 'Keep what is known of their disks.'),
      },
      'admin',
    ),
    bulk_release: bulk(
      'bulk_release',
      'Give many machines back.',
      {
        erase: optional(Type.Boolean(), 'Erase the disks; left out, the setting enable_disk_erasing_on_release.'),
        quick_erase: optional(Type.Boolean(), 'Erase only the beginning, the end and all signatures of each disk.'),
      },
      'user',
    ),
    bulk_tag: bulk('bulk_tag', 'Put a tag on many machines.', { tag: required(Type.String(), 'The name of the tag.') }, 'admin'),
    bulk_untag: bulk('bulk_untag', 'Take a tag off many machines.', { tag: required(Type.String(), 'The name of the tag.') }, 'admin'),
    bulk_set_zone: bulk(
      'bulk_set_zone',
      'Put many machines into a zone.',
      { zone: required(Type.String(), 'The name of the zone.') },
      'admin',
    ),
    bulk_set_pool: bulk(
      'bulk_set_pool',
      'Put many machines into a resource pool.',
      { pool: required(Type.String(), 'The name of the resource pool.') },
      'admin',
    ),
  }),
};
