/** What can keep the embedded server from running; each has one text that says what to do. */
export type PostgresFailureCode =
  | 'folder_locked'
  | 'other_major'
  | 'disk_full'
  | 'package_missing'
  | 'not_permitted'
  | 'no_account'
  | 'start_failed';

/** The embedded server cannot run. `message` is whole sentences for an operator. */
export class PostgresFailure extends Error {
  override name = 'PostgresFailure';
  readonly code: PostgresFailureCode;

  constructor(code: PostgresFailureCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/**
 * Turns what initdb or postgres printed before it gave up into a failure.
 * `what` is the program and what it was doing ("initdb in /srv/c1/data").
 */
export function explainOutput(what: string, output: string): PostgresFailure {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const fatal = lines.filter((line) => /\b(FATAL|PANIC)\b|error:|could not/.test(line)).slice(-4);
  const told = (fatal.length > 0 ? fatal : lines.slice(-4)).join('\n  ');
  if (/No space left on device|Disk quota exceeded/.test(output)) {
    return new PostgresFailure('disk_full', `The disk is full: ${what} stopped.\n  ${told}`);
  }
  const major = /initialized by PostgreSQL version (\d+)/.exec(output)?.[1];
  if (major !== undefined) return otherMajor(what, major);
  if (/Permission denied|Operation not permitted/.test(output)) {
    return new PostgresFailure('not_permitted', `${what} was not permitted to read or write something.\n  ${told}`);
  }
  return new PostgresFailure('start_failed', `${what} stopped.\n  ${told || 'It printed nothing.'}`);
}

/** The folder was made by another major version, whose files this one cannot read. */
export function otherMajor(where: string, found: string, ours?: string): PostgresFailure {
  return new PostgresFailure(
    'other_major',
    `${where}: the data was made by PostgreSQL ${found}` +
      `${ours === undefined ? '' : `, and this Muster brings ${ours}`}. ` +
      'Its files cannot be read by another major version: run the Muster that made them, ' +
      'or dump them with that version into a server of your own and set DATABASE_URL.',
  );
}
