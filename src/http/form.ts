/** Query strings and bodies into one shape: keys with their values as strings, and uploaded files. Strict about encodings, bounded in size. */
import { fail } from '../contract/errors.ts';
import { multipartBoundary, parseMultipart } from './multipart.ts';

/** One part of a multipart body that came with a file name. */
export interface UploadedFile {
  /** The field's name. */
  readonly name: string;
  readonly filename: string;
  readonly contentType: string | undefined;
  readonly data: Buffer;
}

/** Values by key, in order; a Map, so that no key is special. */
export type Fields = Map<string, string[]>;

export interface Form {
  readonly fields: Fields;
  readonly files: readonly UploadedFile[];
}

/** Keys with values in one request: bulk calls name thousands of machines. */
const mostFields = 20_000;
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function addField(fields: Fields, name: string, value: string): void {
  const values = fields.get(name);
  if (values === undefined) fields.set(name, [value]);
  else values.push(value);
}

/** Bytes as text. @throws Failure `bad_request` on invalid UTF-8 or NUL. */
export function decodeText(data: Uint8Array, what: string): string {
  let text;
  try {
    text = strictUtf8.decode(data);
  } catch {
    throw fail('bad_request', { reason: `${what} is not valid UTF-8.` });
  }
  if (text.includes('\0')) throw fail('bad_request', { reason: `${what} has a NUL character.` });
  return text;
}

/** Percent-decoding of a path segment or of one side of `name=value`. @throws Failure on bad escapes, invalid UTF-8, NUL. */
export function decodePercent(text: string, what: string, plusIsSpace = false): string {
  const spaced = plusIsSpace ? text.replaceAll('+', ' ') : text;
  let decoded;
  try {
    decoded = spaced.includes('%') ? decodeURIComponent(spaced) : spaced;
  } catch {
    throw fail('bad_request', { reason: `${what} is not percent-encoded UTF-8.` });
  }
  if (decoded.includes('\0')) throw fail('bad_request', { reason: `${what} has a NUL character.` });
  return decoded;
}

/** `a=1&b=2` of a query or an urlencoded body. @throws Failure `bad_request`. */
export function parseUrlencoded(text: string, what: string): Fields {
  const fields: Fields = new Map();
  if (text === '') return fields;
  const pairs = text.split('&', mostFields + 1);
  if (pairs.length > mostFields) throw fail('bad_request', { reason: `${what} has more than ${mostFields} values.` });
  for (const pair of pairs) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    const name = decodePercent(at < 0 ? pair : pair.slice(0, at), what, true);
    addField(fields, name, at < 0 ? '' : decodePercent(pair.slice(at + 1), what, true));
  }
  return fields;
}

/** @throws Failure `bad_request` for half a character, which no UTF-8 can say, and for what is nested too deeply to be written. */
function jsonValue(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw fail('bad_request', { reason: 'The body has half a character.' });
    return value;
  }
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof RangeError) throw fail('bad_request', { reason: 'The body is nested too deeply.' });
    throw error;
  }
}

/** A JSON object as fields: lists are repeated keys, booleans and numbers their text, null is empty, nested objects stay JSON text. */
export function parseJsonFields(text: string): Fields {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw fail('bad_request', { reason: 'The body is not valid JSON.' });
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw fail('bad_request', { reason: 'The body must be a JSON object.' });
  }
  const fields: Fields = new Map();
  let count = 0;
  for (const [name, value] of Object.entries(body)) {
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      count += 1;
      if (count > mostFields) throw fail('bad_request', { reason: `The body has more than ${mostFields} values.` });
      const field = jsonValue(one);
      if (!name.isWellFormed()) throw fail('bad_request', { reason: 'The body has half a character.' });
      if (name.includes('\0') || field.includes('\0')) throw fail('bad_request', { reason: 'The body has a NUL character.' });
      addField(fields, name, field);
    }
  }
  return fields;
}

/** The media type of a Content-Type header, lower case, without parameters. */
export function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** True for bodies that {@link parseForm} reads. */
export function isForm(contentType: string | undefined): boolean {
  return ['application/x-www-form-urlencoded', 'multipart/form-data', 'application/json'].includes(mediaType(contentType));
}

/**
 * A body into fields and files by its Content-Type. An empty body is an empty form whatever its type.
 * @throws Failure `bad_request` when malformed, `unsupported_media` for other types.
 */
export function parseForm(contentType: string | undefined, body: Buffer): Form {
  if (body.length === 0) return { fields: new Map(), files: [] };
  const type = mediaType(contentType);
  if (type === 'multipart/form-data') return parseMultipart(multipartBoundary(contentType ?? ''), body);
  if (type === 'application/json') return { fields: parseJsonFields(decodeText(body, 'The body')), files: [] };
  if (type === 'application/x-www-form-urlencoded') {
    return { fields: parseUrlencoded(decodeText(body, 'The body').trim(), 'The body'), files: [] };
  }
  throw fail('unsupported_media', { type: /^[\w.+-]+\/[\w.+-]+$/.test(type) ? type : 'unknown' });
}
