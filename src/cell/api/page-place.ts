/** Where a page of a list ends: the sort key's value and the id of its last item, as `after` and `Muster-Next` carry it. Pure. */
import { invalid } from '../../contract/errors.ts';

export interface PagePlace {
  readonly value: string;
  readonly id: string;
}

export function formatPlace(place: PagePlace): string {
  return `${encodeURIComponent(place.value)}~${place.id}`;
}

/** @throws Failure `invalid` for anything that `formatPlace` would not have written, or whose value `fits` refuses. */
export function readPlace(text: string, fits: (value: string) => boolean): PagePlace {
  const at = text.lastIndexOf('~');
  const id = text.slice(at + 1);
  try {
    const value = decodeURIComponent(text.slice(0, at));
    if (at >= 0 && /^[0-9a-z]{1,16}$/.test(id) && !value.includes('\0') && fits(value)) return { value, id };
  } catch {
    // Not percent-encoding: said below.
  }
  throw invalid({ after: ['This is not the Muster-Next of a page of this list.'] });
}

/** A time as bodies show it: RFC 3339 in UTC, to the millisecond, of a day that there is (PostgreSQL has no year 0). */
export function isInstant(value: string): boolean {
  const time = Date.parse(value);
  return /^\d{4}-/.test(value) && !value.startsWith('0000') && !Number.isNaN(time) && new Date(time).toISOString() === value;
}
