import fc from 'fast-check';
import { Type } from 'typebox';
import { expect, test } from 'vitest';
import { parameterDecoder } from '../contract/parameter.ts';
import { optional } from '../contract/route.ts';
import { encodeParams, routePath } from './client.ts';

test('what the client encodes is what the server decodes', () => {
  const params = {
    text: optional(Type.String(), ''),
    number: optional(Type.Number(), ''),
    flag: optional(Type.Boolean(), ''),
    list: optional(Type.Array(Type.String()), ''),
    power: optional(Type.Record(Type.String(), Type.String()), ''),
    object: optional(Type.Object({ a: Type.String() }), ''),
  };
  const word = fc.string({ unit: 'grapheme' }).filter((text) => !/[\0\ud800-\udfff]/.test(text));
  const given = fc.record(
    {
      text: word,
      number: fc.oneof(
        fc.integer(),
        fc.integer().map((n) => n / 8),
      ),
      flag: fc.boolean(),
      list: fc.array(word, { minLength: 1 }),
      power: fc.dictionary(
        word.filter((key) => key !== ''),
        word,
        { minKeys: 1, noNullPrototype: true },
      ),
      object: fc.record({ a: word }),
    },
    { requiredKeys: [], noNullPrototype: true },
  );
  const decode = parameterDecoder({ params, free: false });
  fc.assert(
    fc.property(given, (values) => {
      const pairs = [...new URLSearchParams(encodeParams({ params }, values).toString())];
      const fields = new Map([...Map.groupBy(pairs, ([name]) => name)].map(([name, group]) => [name, group.map(([, value]) => value)]));
      expect(decode(fields)).toEqual({ params: values, free: {}, errors: undefined });
    }),
  );
});

test('names in paths stay names', () => {
  expect(routePath({ base: 'api', path: 'zones/{name}/' }, { name: 'a/b ?#%' })).toBe('/MAAS/api/2.0/zones/a%2Fb%20%3F%23%25/');
  for (const name of ['', '.', '..']) expect(() => routePath({ base: 'api', path: 'zones/{name}/' }, { name })).toThrow(RangeError);
});
