/**
 * Parameters by which our longer lists are read in pages; MAAS's lists know none of them, and without them a list is whole.
 *
 * A page that was cut by `limit` carries the header `Muster-Next`: the `after` of the next page. It is opaque to clients. Its form is the
 * sort key's value and the id of the last item, so that a front can merge the pages of many cells and cut them again.
 */
import { Type } from 'typebox';
import { optional } from '../route.ts';

/** The most that `limit` may ask for. */
export const longestPage = 5000;

export const limit = optional(
  Type.Integer({ minimum: 1, maximum: longestPage }),
  'Return at most so many; the header Muster-Next then says where the next page starts.',
);
export const after = optional(Type.String({ maxLength: 512 }), 'Start behind this: the Muster-Next of the page before.');
export const fields = optional(
  Type.String({ maxLength: 4096, pattern: '^[a-z0-9_]+(,[a-z0-9_]+)*$' }),
  'Return only these fields of each item, separated by commas; resource_uri and system_id always come too.',
);
