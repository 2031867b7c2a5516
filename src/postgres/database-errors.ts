import pg from 'pg';

/** PostgreSQL cannot be reached or cut the connection: nothing is known about what was in flight. */
export class DatabaseAway extends Error {
  override name = 'DatabaseAway';
}

/** A row with this key exists already. `constraint` is the index's name in the schema. */
export class UniqueViolation extends Error {
  override name = 'UniqueViolation';
  readonly constraint: string;
  readonly table: string;

  constructor(cause: pg.DatabaseError) {
    super(`${cause.message}${cause.detail === undefined ? '' : `: ${cause.detail}`}`, { cause });
    this.constraint = cause.constraint ?? '';
    this.table = cause.table ?? '';
  }
}

/** Two transactions got in each other's way (serialization failure, deadlock); trying again may succeed. */
export class TransactionConflict extends Error {
  override name = 'TransactionConflict';
}

/** A statement or transaction took longer than this connection allows; it was rolled back. */
export class TookTooLong extends Error {
  override name = 'TookTooLong';
}

const socketCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOTFOUND', 'EAI_AGAIN']);
const lost =
  /^(Connection terminated|timeout expired|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error)/;

/** Gives PostgreSQL's and the socket's errors the classes above; anything else is returned as it is. */
export function explainError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error instanceof pg.DatabaseError) return explainSqlState(error);
  const code = 'code' in error ? error.code : undefined;
  const inner = error instanceof AggregateError ? error.errors[0] : undefined;
  if ((typeof code === 'string' && socketCodes.has(code)) || lost.test(error.message)) {
    return new DatabaseAway(`PostgreSQL is away: ${error.message || String(inner)}`, { cause: error });
  }
  return error;
}

/** SQLSTATEs: PostgreSQL's manual, appendix A. */
function explainSqlState(error: pg.DatabaseError): unknown {
  const state = error.code ?? '';
  if (state === '23505') return new UniqueViolation(error);
  if (state === '40001' || state === '40P01') return new TransactionConflict(error.message, { cause: error });
  if (state === '25P03' || state === '25P04' || (state === '57014' && /timeout/.test(error.message))) {
    return new TookTooLong(error.message, { cause: error });
  }
  if (state.startsWith('08') || state.startsWith('57P') || state === '53300') {
    return new DatabaseAway(`PostgreSQL is away: ${error.message}`, { cause: error });
  }
  return error;
}
