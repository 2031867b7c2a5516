import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../contract/errors.ts';
import { decodePercent, parseForm, parseUrlencoded } from './form.ts';

const word = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((text) => !/[\0\ud800-\udfff]/.test(text));

describe('urlencoded', () => {
  test('what URLSearchParams writes is read back, repeated keys in order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word), { maxLength: 20 }), (pairs) => {
        const fields = parseUrlencoded(new URLSearchParams(pairs).toString(), 'The query');
        expect([...fields].flatMap(([name, values]) => values.map((value) => [name, value]))).toEqual(
          [...Map.groupBy(pairs, ([name]) => name)].flatMap(([, group]) => group),
        );
      }),
    );
  });

  test.each(['a=%zz', 'a=%', 'a=%ff', 'a=%00', '%00=a', 'a=%c0%80', 'a=%ed%a0%80'])('refuses %s', (text) => {
    expect(() => parseUrlencoded(text, 'The query')).toThrow(Failure);
  });

  test('refuses more values than anybody needs', () => {
    expect(() => parseUrlencoded('a&'.repeat(30_000), 'The query')).toThrow('more than 20000');
  });

  test('never throws anything but a Failure', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          parseUrlencoded(text, 'The query');
          decodePercent(text, 'The path');
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      }),
    );
  });
});

describe('json', () => {
  const read = (body: string) => Object.fromEntries(parseForm('application/json; charset=utf-8', Buffer.from(body)).fields);

  test('becomes fields', () => {
    expect(read('{"a":1,"b":[true,"x"],"c":null,"d":{"e":{"f":1}},"g":[]}')).toEqual({
      a: ['1'],
      b: ['true', 'x'],
      c: [''],
      d: ['{"e":{"f":1}}'],
    });
  });

  const abyss = `{"a":[${'['.repeat(200_000)}${']'.repeat(200_000)}]}`;
  const bad = ['[1]', '1', 'null', '{', '{"a":"\\u0000"}', '{"a\\u0000":1}', '{"a":"\\ud800"}', '{"\\udc00":1}', ''.padEnd(10, '['), abyss];
  test.each(bad.map((body) => [body.slice(0, 40), body]))('refuses %j', (_, body) => {
    expect(() => read(body)).toThrow(Failure);
  });

  test('keys of the prototype are keys like others', () => {
    const { fields } = parseForm('application/json', Buffer.from('{"__proto__":"x","constructor":"y"}'));
    expect([...fields]).toEqual([
      ['__proto__', ['x']],
      ['constructor', ['y']],
    ]);
  });
});

test('an empty body is an empty form; another type is refused', () => {
  expect(parseForm(undefined, Buffer.alloc(0)).fields.size).toBe(0);
  expect(() => parseForm('text/xml', Buffer.from('<a/>'))).toThrow('Cannot read a body of type text/xml.');
});
