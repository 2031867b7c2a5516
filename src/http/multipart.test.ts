import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../contract/errors.ts';
import { parseForm } from './form.ts';
import { multipartBoundary, parseMultipart } from './multipart.ts';

interface Part {
  readonly name: string;
  readonly data: Buffer;
  readonly filename?: string;
}

const quote = (text: string) => text.replace(/["\\]/g, (letter) => `\\${letter}`);

/** As MAAS's clients write it: each part in base64, lines of 76. */
function encode(parts: readonly Part[], boundary: string, newline: string, base64: boolean): Buffer {
  const chunks: Buffer[] = [];
  for (const part of parts) {
    const filename = part.filename === undefined ? '' : `; filename="${quote(part.filename)}"`;
    const transfer = base64 ? `Content-Transfer-Encoding: base64${newline}` : '';
    const head = `--${boundary}${newline}Content-Disposition: form-data; name="${quote(part.name)}"${filename}${newline}${transfer}${newline}`;
    const body = base64 ? Buffer.from(part.data.toString('base64').replace(/.{76}(?=.)/g, `$&${newline}`)) : part.data;
    chunks.push(Buffer.from(head), body, Buffer.from(newline));
  }
  return Buffer.concat([...chunks, Buffer.from(`--${boundary}--${newline}`)]);
}

const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => !/[\p{Cc}\ud800-\udfff\u2028\u2029]/u.test(text));
const text = fc.string({ unit: 'grapheme', maxLength: 200 }).filter((value) => !/[\0\ud800-\udfff]/.test(value));
const part = fc.record(
  {
    name,
    data: fc.oneof(
      text.map((value) => Buffer.from(value)),
      text.map((value) => Buffer.from(value.repeat(3))),
    ),
    filename: name,
  },
  { requiredKeys: ['name', 'data'] },
);
const file = fc.record({ name, data: fc.uint8Array({ maxLength: 400 }).map((data) => Buffer.from(data)), filename: name });

function onlyFailures(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
  }
}

describe('multipart', () => {
  test('what MAAS clients write is read back: base64 or plain, CRLF or LF', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(part, file), { maxLength: 8 }),
        fc.constantFrom('\r\n', '\n'),
        fc.boolean(),
        (parts, newline, base64) => {
          const boundary = '===============7330845974216740156==';
          fc.pre(base64 || parts.every((one) => !one.data.includes(`${newline}--${boundary}`)));
          const form = parseMultipart(boundary, encode(parts, boundary, newline, base64));
          const expected = new Map<string, string[]>();
          for (const one of parts.filter((each) => each.filename === undefined)) {
            expected.set(one.name, [...(expected.get(one.name) ?? []), one.data.toString()]);
          }
          expect([...form.fields]).toEqual([...expected]);
          expect(form.files.map((one) => [one.name, one.filename, one.data.toString('hex')])).toEqual(
            parts.filter((one) => one.filename !== undefined).map((one) => [one.name, one.filename, one.data.toString('hex')]),
          );
        },
      ),
    );
  });

  test('what fetch writes is read back', async () => {
    const form = new FormData();
    form.append('a', '1\r\n2');
    form.append('a', 'ü');
    form.append('blob', new Blob([Uint8Array.of(0, 255, 13, 10)]), 'x"y.bin');
    const request = new Request('http://localhost/', { method: 'POST', body: form });
    const parsed = parseForm(request.headers.get('content-type') ?? '', Buffer.from(await request.arrayBuffer()));
    expect(parsed.fields.get('a')).toEqual(['1\r\n2', 'ü']);
    expect(parsed.files[0]?.data).toEqual(Buffer.from([0, 255, 13, 10]));
  });

  test.each([
    ['libmaas, no parameters', '--b\n\n--b--'],
    ['closed at once', '--b--\r\n'],
    ['an empty part', '--b\r\n\r\n--b--\r\n'],
    ['a part of nothing', '--b\r\n--b--\r\n'],
  ])('an empty form: %s', (_, body) => {
    expect(parseMultipart('b', Buffer.from(body))).toEqual({ fields: new Map(), files: [] });
  });

  test('ignores preamble and epilogue, joins folded headers', () => {
    const body =
      'x --b\r\n--b \r\nContent-Disposition: form-data;\r\n name="a"\r\nContent-Type: text/plain; charset="utf-8"\r\n\r\n1\r\n--b--\r\nrest';
    expect(parseMultipart('b', Buffer.from(body)).fields.get('a')).toEqual(['1']);
  });

  test.each([
    ['no boundary', 'nothing'],
    ['no end', '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1'],
    ['no name', '--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--'],
    ['not form-data', '--b\r\nContent-Disposition: attachment; name="a"\r\n\r\n1\r\n--b--'],
    ['bad base64', '--b\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\n?\r\n--b--'],
    ['short base64', '--b\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ\r\n--b--'],
    ['unknown encoding', '--b\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: gzip\r\n\r\nQQ\r\n--b--'],
    ['a name twice', '--b\r\nContent-Disposition: form-data; name="a"; name="b"\r\n\r\n1\r\n--b--'],
    ['NUL', '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\0\r\n--b--'],
    ['text after a boundary', '--bc\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--bc--'],
  ])('refuses: %s', (_, body) => {
    expect(() => parseMultipart('b', Buffer.from(body))).toThrow(Failure);
  });

  test('refuses invalid UTF-8 in a value', () => {
    const body = Buffer.concat([
      Buffer.from('--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'),
      Buffer.of(255),
      Buffer.from('\r\n--b--'),
    ]);
    expect(() => parseMultipart('b', body)).toThrow('not valid UTF-8');
  });

  test.each([
    'multipart/form-data',
    'multipart/form-data; boundary=',
    'multipart/form-data; boundary="a\r\nb"',
    `multipart/form-data; boundary=${'x'.repeat(71)}`,
  ])('refuses the boundary of %j', (contentType) => {
    expect(() => multipartBoundary(contentType)).toThrow(Failure);
  });

  test('never throws anything but a Failure, and never hangs', () => {
    const good = encode(
      [
        { name: 'a', data: Buffer.from('1') },
        { name: 'f', filename: 'x', data: Buffer.from('2') },
      ],
      'b',
      '\r\n',
      true,
    );
    const mangled = fc
      .tuple(fc.nat(good.length), fc.nat(10), fc.uint8Array({ maxLength: 12 }))
      .map(([at, drop, insert]) => Buffer.concat([good.subarray(0, at), Buffer.from(insert), good.subarray(at + drop)]));
    const soup = fc
      .array(fc.constantFrom('--b', '--b--', '\r\n', '\n', 'Content-Disposition: form-data; name="a"', ': ', '"', ';', '\\', 'x', '\0'), {
        maxLength: 30,
      })
      .map((tokens) => Buffer.from(tokens.join('')));
    fc.assert(
      fc.property(
        fc.oneof(
          mangled,
          soup,
          fc.uint8Array({ maxLength: 200 }).map((data) => Buffer.from(data)),
        ),
        (body) => {
          onlyFailures(() => parseMultipart('b', body));
        },
      ),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (header) => onlyFailures(() => multipartBoundary(`multipart/form-data;${header}`))),
    );
  });

  test('headers that fit in many ways are read in one', () => {
    const began = performance.now();
    const backslashes = '\\'.repeat(8_000);
    onlyFailures(() => multipartBoundary(`multipart/form-data; boundary="${backslashes}`));
    onlyFailures(() => parseMultipart('b', Buffer.from(`--b\r\nContent-Disposition: form-data; name="${backslashes}\r\n\r\n1\r\n--b--`)));
    const blanks = `--b\r\nContent-Disposition: form-data; name="a"\r\nX: x${' '.repeat(8_000)}x\r\n\r\n1\r\n`;
    parseMultipart('b', Buffer.from(`${blanks.repeat(400)}--b--`));
    expect(performance.now() - began).toBeLessThan(2000);
  });

  test('a body of many tiny parts is refused, not chewed', () => {
    const began = performance.now();
    expect(() => parseMultipart('b', Buffer.from('--b\r\n\r\n'.repeat(200_000)))).toThrow(Failure);
    onlyFailures(() => parseMultipart('b', Buffer.from(' --b'.repeat(400_000))));
    expect(performance.now() - began).toBeLessThan(2000);
  });
});
