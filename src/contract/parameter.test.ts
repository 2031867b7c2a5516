import fc from 'fast-check';
import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { parameterDecoder, unknownKeys } from './parameter.ts';
import { optional, required } from './route.ts';
import type { Params } from './route.ts';
import { routes } from './routes.ts';

const decode = (params: Params, query: string, free = false) => {
  const pairs = [...new URLSearchParams(query)];
  const fields = new Map([...Map.groupBy(pairs, ([name]) => name)].map(([name, group]) => [name, group.map(([, value]) => value)]));
  return parameterDecoder({ params, free })(fields);
};
const one = (schema: Params[string]['schema'], query: string) => {
  const { params, errors } = decode({ x: optional(schema, '') }, query);
  return errors === undefined ? params['x'] : errors['x'];
};

describe('booleans', () => {
  test.each([
    ...['true', 'True', 'TRUE', '1', 'yes', 'on', 'ON'].map((word) => [word, true] as const),
    ...['false', 'False', '0', 'no', 'off'].map((word) => [word, false] as const),
  ])('%s', (word, value) => {
    expect(one(Type.Boolean(), `x=${word}`)).toBe(value);
  });
  test('empty is not given; nonsense is an error', () => {
    expect(one(Type.Boolean(), 'x=')).toBeUndefined();
    expect(one(Type.Boolean(), 'x=maybe')).toEqual(['Enter a valid value: true or false.']);
  });
});

describe('numbers', () => {
  const integer = Type.Integer({ minimum: -5, maximum: 4096 });
  test.each([
    ['12', 12],
    ['-5', -5],
    ['+7', 7],
    ['-0', 0],
    [' 3 ', 3],
    ['', undefined],
    ['1.5', ['Enter a whole number.']],
    ['1e3', ['Enter a whole number.']],
    ['0x10', ['Enter a whole number.']],
    ['9'.repeat(16), ['Enter a whole number.']],
    ['-6', ['Ensure this value is greater than or equal to -5.']],
    ['5000', ['Ensure this value is less than or equal to 4096.']],
  ])('integer %j', (raw, value) => {
    expect(one(integer, `x=${encodeURIComponent(raw)}`)).toEqual(value);
  });
  test.each([
    ['2048.0', 2048],
    ['.5', 0.5],
    ['1e3', 1000],
    ['', undefined],
    ['NaN', ['Enter a number.']],
    ['Infinity', ['Enter a number.']],
    ['1,5', ['Enter a number.']],
  ])('number %j', (raw, value) => {
    expect(one(Type.Number(), `x=${encodeURIComponent(raw)}`)).toEqual(value);
  });
});

describe('strings', () => {
  test('empty is a value, unless the schema refuses it: then it is not given', () => {
    expect(one(Type.String(), 'x=')).toBe('');
    expect(one(Type.String({ minLength: 1 }), 'x=')).toBeUndefined();
    expect(one(Type.String({ pattern: '^a$' }), 'x=')).toBeUndefined();
    expect(decode({ x: required(Type.String({ minLength: 1 }), '') }, 'x=').errors).toEqual({ x: ['This field is required.'] });
  });
  test('the last of repeated keys counts', () => {
    expect(one(Type.String(), 'x=1&x=2')).toBe('2');
  });
  test('limits', () => {
    expect(one(Type.String({ maxLength: 2 }), 'x=abc')).toEqual(['Ensure this value has at most 2 characters (it has 3).']);
    expect(one(Type.String({ pattern: '^[a-z]+$' }), 'x=A')).toEqual(['Enter a valid value: it must match ^[a-z]+$']);
  });
});

describe('choices', () => {
  const choice = Type.Enum(['flat', 'lvm']);
  test('one of, or empty for none', () => {
    expect(one(choice, 'x=lvm')).toBe('lvm');
    expect(one(choice, 'x=')).toBeUndefined();
    expect(one(choice, 'x=zfs')).toEqual(["'zfs' is not a valid choice. It should be one of: 'flat', 'lvm'."]);
    expect(one(Type.Union([Type.Literal(0), Type.Literal(2)]), 'x=2')).toBe(2);
  });
  test('null is an empty string', () => {
    expect(one(Type.Union([Type.Integer(), Type.Null()]), 'x=')).toBeNull();
    expect(one(Type.Union([Type.Integer(), Type.Null()]), 'x=7')).toBe(7);
  });
});

describe('lists', () => {
  test('are repeated keys, commas are theirs', () => {
    expect(one(Type.Array(Type.String()), 'x=a,b&x=c')).toEqual(['a,b', 'c']);
    expect(one(Type.Array(Type.Integer()), 'x=1&x=&x=2')).toEqual([1, 2]);
    expect(one(Type.Array(Type.Integer()), 'x=1&x=b')).toEqual(['Enter a whole number.']);
    expect(one(Type.Array(Type.Integer(), { maxItems: 1 }), 'x=1&x=2')).toEqual(['Give at most 1.']);
    expect(decode({ x: required(Type.Array(Type.Integer(), { minItems: 1 }), '') }, '').errors).toEqual({ x: ['This field is required.'] });
  });
});

describe('records', () => {
  const params = {
    power_parameters: optional(Type.Record(Type.String(), Type.String()), ''),
    power_parameters_skip_check: optional(Type.Boolean(), ''),
  };
  test('are name_KEY keys, without those that are parameters themselves', () => {
    expect(
      decode(params, 'power_parameters_power_address=10.0.0.1&power_parameters_power_user=&power_parameters_skip_check=true').params,
    ).toEqual({
      power_parameters: { power_address: '10.0.0.1', power_user: '' },
      power_parameters_skip_check: true,
    });
  });
  test('or one JSON object; single keys win', () => {
    expect(decode(params, 'power_parameters={"a":1,"b":null}&power_parameters_a=2').params).toEqual({
      power_parameters: { a: '2', b: '' },
    });
    expect(decode(params, 'power_parameters=[1]').errors).toEqual({ power_parameters: ['Enter a JSON object.'] });
  });
  test.each(['{"a":"x\\u0000"}', '{"a\\u0000":"x"}', '{"a":{"b":["\\ud800"]}}', `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`])(
    'that cannot be stored are refused: %.40s',
    (text) => {
      expect(decode(params, new URLSearchParams({ power_parameters: text }).toString()).errors).toHaveProperty('power_parameters');
      expect(decode({ j: optional(Type.Object({}), '') }, new URLSearchParams({ j: text }).toString()).errors).toHaveProperty('j');
    },
  );
  test('of JSON as Python writes it are text', () => {
    const { params: decoded } = decode(params, new URLSearchParams({ power_parameters: '{"a":"\\ud83d\\ude00 \\\\u0000"}' }).toString());
    expect(decoded).toEqual({ power_parameters: { a: '😀 \\u0000' } });
  });
  test('have no special keys', () => {
    const decoded = decode(params, 'power_parameters___proto__=x').params['power_parameters'];
    expect(Object.keys(decoded as object)).toEqual(['__proto__']);
  });
});

test('free keys are what no parameter takes', () => {
  const params = { x: optional(Type.String(), ''), r: optional(Type.Record(Type.String(), Type.String()), '') };
  expect(decode(params, 'x=1&r_a=2&role=web&role=db', true).free).toEqual({ role: ['web', 'db'] });
  expect(decode(params, 'role=web').free).toEqual({});
  expect(
    unknownKeys(
      { params, path: 'z/{id}/' },
      new Map([
        ['x', ['']],
        ['r_a', ['']],
        ['id', ['']],
        ['y', ['']],
      ]),
    ),
  ).toEqual(['y']);
});

test('errors of all parameters come together', () => {
  const params = { a: required(Type.Integer(), ''), b: required(Type.String(), ''), c: optional(Type.Boolean(), '') };
  expect(Object.keys(decode(params, 'a=x&c=maybe').errors ?? {})).toEqual(['a', 'b', 'c']);
});

test('whatever the input, every route’s decoder gives values that fit or an error', () => {
  const decoders = Object.values(routes).map((route) => ({ route, decode: parameterDecoder(route) }));
  const value = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('', 'true', '1', '-1', '{}', '[]', '{"a":', 'null', '1e999', '9'.repeat(40)),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...decoders),
      fc.array(fc.tuple(fc.nat(40), fc.constantFrom('', '_a', '___proto__'), fc.array(value, { maxLength: 3 }))),
      (given, picks) => {
        const names = [...Object.keys(given.route.params), '__proto__', 'constructor', 'toString', 'hasOwnProperty'];
        const fields = new Map(picks.map(([at, suffix, values]) => [(names[at % names.length] ?? '') + suffix, values]));
        const { params, errors } = given.decode(fields);
        for (const [name, param] of Object.entries(given.route.params)) {
          const settled = Object.hasOwn(params, name) || Object.hasOwn(errors ?? {}, name) || !param.required;
          expect(settled).toBe(true);
        }
        for (const list of Object.values(errors ?? {})) expect(list.length).toBeGreaterThan(0);
      },
    ),
    { numRuns: 1000 },
  );
});
