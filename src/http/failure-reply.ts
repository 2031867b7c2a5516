/** Errors as replies: the one place where a {@link Failure} becomes a status, a text and headers. */
import { errors, fail, Failure } from '../contract/errors.ts';
import { bytes, text } from './reply.ts';
import type { BodyReply } from './reply.ts';

/** `Muster-Error` names the error's code; `Retry-After` (seconds) is sent only where trying again helps. */
export function failureReply(failure: Failure): BodyReply {
  const rule = errors[failure.code];
  const body =
    failure.fields === undefined
      ? text(failure.message, 'text/plain; charset=utf-8', failure.status)
      : bytes(JSON.stringify(failure.fields), 'application/json; charset=utf-8', failure.status);
  const headers: Record<string, string> = { 'muster-error': failure.code };
  if (rule.retry === 'after') headers['retry-after'] = String(rule.after);
  if (rule.status === 401) headers['www-authenticate'] = 'OAuth realm="MAAS API"';
  return { ...body, headers };
}

/** What the client is told of something that was thrown: a Failure is itself, everything else is `internal` and names the request only. */
export function failureOf(thrown: unknown, request: string): Failure {
  return thrown instanceof Failure ? thrown : fail('internal', { request });
}
