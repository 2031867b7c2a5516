/**
 * Every error the API can answer, as one table: status, text, and whether trying again helps. `http` turns a {@link Failure} into a
 * reply, the front reads `retry`, the CLI its exit code, the docs their page.
 *
 * `retry`: `no` — the same call will fail again; `after` — the reply carries Retry-After (seconds in `after`); `caller` — change the
 * request. A 409 without Retry-After must not be repeated by clients (gomaasapi repeats 409s that carry it).
 */
export interface ErrorRule {
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 410 | 413 | 415 | 429 | 500 | 502 | 503 | 504;
  readonly retry: 'no' | 'after' | 'caller';
  readonly after?: number;
  readonly text: string;
}

export const errors = {
  bad_request: { status: 400, retry: 'caller', text: '{reason}' },
  invalid: { status: 400, retry: 'caller', text: '{fields}' },
  unrecognised_signature: { status: 400, retry: 'caller', text: 'Unrecognised signature: method={method} op={op}' },
  missing_parameter: { status: 400, retry: 'caller', text: 'No provided {name}!' },
  unplaced: {
    status: 400,
    retry: 'caller',
    text: 'This creates something in one cell, and nothing in the request says in which: add cell=NAME (one of {cells}).',
  },
  hub_owned: {
    status: 409,
    retry: 'no',
    text: 'This belongs to the hub and is read-only here. Send it to a front, or to the hub at {hub}.',
  },
  unauthorized: { status: 401, retry: 'caller', text: 'Authorization Error: Invalid API key.' },
  no_credentials: { status: 401, retry: 'caller', text: 'Unrecognised client: sign the request with an API key.' },
  bad_login: { status: 403, retry: 'caller', text: 'Wrong user name or password.' },
  forbidden: { status: 403, retry: 'no', text: 'User is not allowed access to this API.' },
  not_owner: { status: 403, retry: 'no', text: '{what} belongs to another user.' },
  no_such_endpoint: { status: 404, retry: 'no', text: 'Unknown API endpoint: {path}.' },
  not_found: { status: 404, retry: 'no', text: 'No {what} matches the given query.' },
  cell_retired: { status: 404, retry: 'no', text: 'Cell {cell} was retired; what it held is not part of this fleet any more.' },
  conflict: { status: 409, retry: 'after', after: 1, text: 'Somebody else changed {what} at the same moment. Try again.' },
  wrong_state: { status: 409, retry: 'no', text: '{text}' },
  machine_busy: {
    status: 409,
    retry: 'no',
    text: 'Machine {system_id} is busy: {operation} is at step {step}. Abort it, or wait until it settles.',
  },
  none_available: { status: 409, retry: 'no', text: '{text}' },
  in_use: { status: 409, retry: 'no', text: '{what} is in use: {by}.' },
  drained: { status: 409, retry: 'no', text: 'Cell {cell} is drained: it takes no new machines and allocates none.' },
  replica_ahead: {
    status: 409,
    retry: 'no',
    text: 'This replica has {stream} {after} of another history than the hub, which is at {now}: the hub has lost revisions and does not know it. Stop the hub, and: ./muster hub new-epoch',
  },
  idempotency_mismatch: { status: 409, retry: 'no', text: 'This Idempotency-Key was used for another request.' },
  claim_refused: { status: 409, retry: 'no', text: '{text}' },
  retired: { status: 410, retry: 'no', text: '{what} was retired and does not come back; its name and number are not used again.' },
  gone: { status: 410, retry: 'no', text: '{what} is not part of Muster: {why}' },
  kvm_gone: { status: 410, retry: 'no', text: 'VM host (KVM) support has been removed from MAAS.' },
  too_large: { status: 413, retry: 'caller', text: 'The request is larger than {limit} bytes.' },
  unsupported_media: { status: 415, retry: 'caller', text: 'Cannot read a body of type {type}.' },
  too_many: { status: 429, retry: 'after', after: 5, text: 'Too many {what} at once; the limit is {limit}.' },
  too_many_machines: {
    status: 403,
    retry: 'caller',
    text: 'This cell destroys or releases at most {limit} machines with one call, and this names {count}. Ask for fewer at a time, or raise destructive_per_call in the config of cell {cell}.',
  },
  too_many_a_minute: {
    status: 429,
    retry: 'after',
    after: 60,
    text: 'This process of the cell destroys or releases at most {limit} machines a minute, and {count} more would be too many. Wait a minute, or raise destructive_per_minute in the config of cell {cell}.',
  },
  internal: { status: 500, retry: 'no', text: 'Something went wrong here; request {request} is in the log.' },
  power_refused: { status: 400, retry: 'caller', text: 'The BMC at {address} did not accept these settings: {reason}' },
  addresses_exhausted: { status: 503, retry: 'no', text: 'No more IPs available in subnet: {cidr}.' },
  power_failed: { status: 503, retry: 'after', after: 10, text: 'The BMC at {address} did not do it: {reason}' },
  issuer_unreachable: { status: 502, retry: 'caller', text: 'The issuer {issuer} did not answer as an OpenID provider does: {reason}' },
  keys_unreachable: { status: 503, retry: 'after', after: 10, text: '{source} did not give the SSH keys of {user}: {reason}' },
  database_away: { status: 503, retry: 'after', after: 2, text: 'The database of this {program} is not there right now.' },
  starting: { status: 503, retry: 'after', after: 2, text: 'This {program} is starting or draining.' },
  cell_absent: { status: 503, retry: 'after', after: 10, text: 'Cell {cell} did not answer; its part of the fleet is unknown, not gone.' },
  hub_absent: { status: 503, retry: 'after', after: 10, text: 'The hub does not answer; global settings cannot be changed right now.' },
  partial_refused: {
    status: 503,
    retry: 'after',
    after: 10,
    text: 'Not every cell answered (absent: {absent}), and a partial answer was refused.',
  },
  unknown_outcome: {
    status: 504,
    retry: 'no',
    text: 'Cell {cell} took machine {system_id} but did not confirm it. Look at the machine before asking again.',
  },
} as const satisfies Record<string, ErrorRule>;

export type ErrorCode = keyof typeof errors;

/** Field → messages: the body of a 400 for bad parameters (`{"zone":["No such zone: 'x'."]}`). */
export type FieldErrors = Readonly<Record<string, readonly string[]>>;

/** An error of the table with its blanks filled in; the only thing that handlers throw on purpose. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: ErrorCode;
  readonly fields: FieldErrors | undefined;

  constructor(code: ErrorCode, message: string, fields?: FieldErrors) {
    super(message);
    this.code = code;
    this.fields = fields;
  }

  get status(): number {
    return errors[this.code].status;
  }
}

/** Make the error `code`, its `{blanks}` filled from `values`. */
export function fail(code: ErrorCode, values: Readonly<Record<string, string | number>> = {}): Failure {
  const text = errors[code].text.replace(/\{(\w+)\}/g, (_, blank: string) => String(values[blank] ?? `{${blank}}`));
  return new Failure(code, text);
}

/** Make a 400 that names the bad parameters, in the API's own shape. */
export function invalid(fields: FieldErrors): Failure {
  return new Failure('invalid', JSON.stringify(fields), fields);
}
