/** What the resources of a machine's storage share: parameters, who may call, and what a group is made of. */
import { Type } from 'typebox';
import { optional } from '../route.ts';
import { ByteSize } from './byte-size.ts';
import { BlockDevice, Partition } from './block-devices.ts';
import { Id, Uuid } from './field.ts';

export const DeviceName = Type.String({ minLength: 1, maxLength: 100, pattern: '^[a-zA-Z0-9_+.][-a-zA-Z0-9_+.]*$' });
export const StorageTag = Type.String({ minLength: 1, maxLength: 255, pattern: '^[-a-zA-Z0-9_]+$' });
const ids = Type.Array(Id, { maxItems: 256 });

export const uuid = optional(Uuid, 'Its UUID; a random one when left out.');
export const size = optional(ByteSize, 'Its size: bytes, or with a decimal unit (10G); all that is free when left out.');

/** `block_devices` and `partitions`, or the same with a word before it. */
export const idsOf = (what: string) => optional(ids, what);

/** A device or a partition, with everything that it shows of itself. */
export const Member = Type.Union([BlockDevice, Partition]);

/** Reads are for everybody, changes of what disks are used for are the admin's, while the machine is Ready. */
export const adminErrors = ['not_found', 'forbidden', 'wrong_state', 'bad_request', 'conflict'] as const;
export const ownerErrors = ['not_found', 'forbidden', 'not_owner', 'wrong_state', 'bad_request', 'conflict'] as const;

export const human = Type.String();
