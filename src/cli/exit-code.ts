/** Exit codes of commands that call an API, by the errors table: scripts can tell what may be tried again. */
import { errors } from '../contract/errors.ts';
import type { ApiError } from '../http/client.ts';

/** 1 refused, 2 the command was wrong, 4 there is no such thing, 69 nobody answered, 75 may be tried again, 77 not allowed (sysexits.h). */
export function exitCodeOf(error: ApiError): 1 | 2 | 4 | 69 | 75 | 77 {
  if (error.status === 0) return 69;
  if (error.status === 404) return 4;
  if (error.status === 401 || error.status === 403) return 77;
  const retry = error.code === undefined ? undefined : errors[error.code].retry;
  if (retry === 'after' || (retry === undefined && error.status === 503)) return 75;
  return retry === 'caller' || error.status === 400 ? 2 : 1;
}

/** What to tell a person: field errors one a line, and when to try again. */
export function explainError(error: ApiError): string {
  const fields = Object.entries(error.fields ?? {}).map(([name, list]) => `${name}: ${list.join(' ')}`);
  const again = error.retryAfter === undefined ? '' : ` Try again in ${error.retryAfter} s.`;
  return `${fields.length > 0 ? fields.join('\n') : error.message}${again}`;
}
