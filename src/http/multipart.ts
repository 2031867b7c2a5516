/**
 * multipart/form-data (RFC 7578, RFC 2046 §5.1) of a body already in memory. Written here because MAAS's clients send every part with
 * `Content-Transfer-Encoding: base64`, which streaming parsers for Node pass through undecoded, and because libmaas sends a multipart
 * of nothing at all for calls without parameters.
 */
import { fail } from '../contract/errors.ts';
import type { Failure } from '../contract/errors.ts';
import { addField, decodeText } from './form.ts';
import type { Fields, Form, UploadedFile } from './form.ts';

const mostParts = 20_000;
const mostFiles = 1000;
const longestPartHeader = 8192;

function bad(reason: string): Failure {
  return fail('bad_request', { reason: `Bad multipart body: ${reason}.` });
}

/**
 * Attributes of `form-data; name="a"; filename="b"`. Quoted strings may hold `;`, and escape only quote and backslash. Each letter fits in one
 * way only: whoever sends it need not have signed, so it must not take longer than it is long.
 */
function attributes(header: string): Map<string, string> {
  const found = new Map<string, string>();
  const pattern = /;\s*([\w!#$&+.^`|~*-]+)\s*=\s*(?:"((?:\\["\\]|[^"\\]|\\(?!["\\]))*)"|([^\s;"]*))\s*/gy;
  pattern.lastIndex = header.indexOf(';') < 0 ? header.length : header.indexOf(';');
  for (let match = pattern.exec(header); match !== null; match = pattern.exec(header)) {
    const name = (match[1] ?? '').toLowerCase();
    if (found.has(name)) throw bad(`${name} is given twice in a header`);
    found.set(name, match[2]?.replace(/\\(["\\])/g, '$1') ?? match[3] ?? '');
  }
  return found;
}

/** The boundary of a Content-Type header. @throws Failure when it has none, or one that RFC 2046 forbids. */
export function multipartBoundary(contentType: string): string {
  const boundary = attributes(contentType).get('boundary') ?? '';
  if (!/^[\w'()+,\-./:=? ]{0,69}[\w'()+,\-./:=?]$/.test(boundary)) throw bad('no usable boundary');
  return boundary;
}

/** Header lines by lower-case name, folded lines joined. */
function partHeaders(text: string): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of text.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/)) {
    if (line === '') continue;
    const match = /^([\w-]+):(.*)$/.exec(line);
    if (match === null) throw bad('a part has a malformed header');
    const name = (match[1] ?? '').toLowerCase();
    if (headers.has(name)) throw bad('a part has a header twice');
    headers.set(name, (match[2] ?? '').trim());
  }
  return headers;
}

function decodeTransfer(encoding: string, data: Buffer): Buffer {
  if (encoding === '' || encoding === '7bit' || encoding === '8bit' || encoding === 'binary') return data;
  if (encoding !== 'base64') throw bad('a part has an unknown Content-Transfer-Encoding');
  const text = data.toString('latin1').replace(/[\r\n \t]+/g, '');
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw bad('a part is not valid base64');
  return Buffer.from(text, 'base64');
}

/** Where the header block of a part ends and its content starts. */
function splitPart(part: Buffer, newline: string): { header: string; content: Buffer } {
  if (part.length === 0) return { header: '', content: part };
  if (part.subarray(0, newline.length).equals(Buffer.from(newline))) return { header: '', content: part.subarray(newline.length) };
  const end = part.indexOf(newline + newline);
  if (end < 0 || end > longestPartHeader) throw bad('a part has no end of headers');
  return { header: decodeText(part.subarray(0, end), 'A part header'), content: part.subarray(end + 2 * newline.length) };
}

function readPart(part: Buffer, newline: string, fields: Fields, files: UploadedFile[]): void {
  const { header, content } = splitPart(part, newline);
  if (header === '' && content.length === 0) return;
  const headers = partHeaders(header);
  const disposition = headers.get('content-disposition') ?? '';
  if (!/^form-data\s*(;|$)/i.test(disposition)) throw bad('a part is not form-data');
  const named = attributes(disposition);
  const name = named.get('name');
  if (name === undefined || name === '') throw bad('a part has no name');
  const data = decodeTransfer((headers.get('content-transfer-encoding') ?? '').toLowerCase(), content);
  const filename = named.get('filename');
  if (filename === undefined) return addField(fields, name, decodeText(data, `The value of ${JSON.stringify(name)}`));
  if (files.length >= mostFiles) throw bad(`more than ${mostFiles} files`);
  files.push({ name, filename, contentType: headers.get('content-type'), data });
}

/**
 * A whole multipart body into fields and files. Lines end with CRLF, or all with LF when the first boundary's line does (Python's email
 * package). A preamble before the first boundary and an epilogue after the last are ignored, as RFC 2046 says.
 * @throws Failure `bad_request`, and nothing else.
 */
export function parseMultipart(boundary: string, body: Buffer): Form {
  const fields: Fields = new Map();
  const files: UploadedFile[] = [];
  const mark = `--${boundary}`;
  let at = body.indexOf(mark);
  while (at > 0 && body[at - 1] !== 0x0a) at = body.indexOf(mark, at + 1);
  if (at < 0) throw bad('the first boundary is missing');
  const lineEnd = body.indexOf(0x0a, at);
  const newline = lineEnd > 0 && body[lineEnd - 1] !== 0x0d ? '\n' : '\r\n';
  const delimiter = Buffer.from(newline + mark);
  for (let parts = 0, position = at + mark.length; ; parts += 1) {
    if (parts > mostParts) throw bad(`more than ${mostParts} parts`);
    if (body.subarray(position, position + 2).toString('latin1') === '--') return { fields, files };
    let start = position;
    while (body[start] === 0x20 || body[start] === 0x09) start += 1;
    if (body.subarray(start, start + newline.length).toString('latin1') !== newline) throw bad('a boundary line has something after it');
    start += newline.length;
    // An empty part: its closing delimiter shares the line end that ended its opening one.
    const next = body.indexOf(delimiter, start - newline.length);
    if (next < 0) throw bad('the last boundary is missing');
    readPart(body.subarray(start, Math.max(start, next)), newline, fields, files);
    position = next + delimiter.length;
  }
}
