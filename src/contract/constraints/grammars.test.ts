/** The grammars of constraints: what is rendered is read back as it was, and whatever else comes is an error in words. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deviceKeys, parseDevices, renderDevices, type DeviceWish } from './devices-constraint.ts';
import { parseInterfaces, renderInterfaces, type InterfaceTest, type InterfaceWish } from './interfaces-constraint.ts';
import { parseSpecifier, renderSpecifier, type NetworkKind, type Parsed, type Specifier } from './network-specifier.ts';
import { parseStorage, renderStorage, storageWishes } from './storage-constraint.ts';

const kinds: readonly NetworkKind[] = ['subnet', 'vlan', 'fabric', 'space', 'interface'];
const id = fc.nat(1e9);
const word = fc.stringMatching(/^[a-z][a-z0-9._-]{0,8}$/);

/** Specifiers that a kind of network has, not deeper than the grammar goes. */
function specifierOf(kind: NetworkKind, depth = 0): fc.Arbitrary<Specifier> {
  const is = <V extends string | number>(name: string, value: fc.Arbitrary<V>): fc.Arbitrary<Specifier> =>
    value.map((one) => ({ is: name, value: one }) as Specifier);
  const plain = [is('id', id), is('name', word)];
  if (kind === 'subnet') plain.push(is('cidr', fc.constant('10.0.0.0/24')), is('ip', fc.ipV4()), is('vid', fc.nat(4094)));
  if (kind === 'vlan') plain.push(is('vid', fc.nat(4094)));
  if (kind === 'interface') plain.push(is('mac', fc.constant('52:54:00:00:00:01')));
  if (kind === 'space') plain.push(fc.constant({ is: 'none' }));
  const through = {
    subnet: ['vlan', 'space', 'fabric', 'interface'],
    vlan: ['fabric', 'subnet', 'space'],
    fabric: ['vlan', 'subnet'],
    space: [],
    interface: ['vlan', 'fabric', 'space'],
  } as const;
  const others = depth === 3 ? [] : through[kind].map((one) => specifierOf(one, depth + 1).map((that): Specifier => ({ is: one, that })));
  return fc.oneof(...plain, ...others);
}

const anything = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc
    .array(fc.constantFrom('a', 'root', ':', ';', ',', '=', '(', ')', '8', '.', 'space', 'vid', 'not_', 'id', 'tag', 'vendor_id', ' '), {
      maxLength: 14,
    })
    .map((parts) => parts.join('')),
);

describe.each(kinds)('specifiers of a %s', (kind) => {
  test('come back as they were rendered', () => {
    fc.assert(
      fc.property(specifierOf(kind), (specifier) => {
        expect(parseSpecifier(kind, renderSpecifier(specifier))).toEqual({ value: specifier });
      }),
    );
  });
  test('whatever comes is a specifier or an error, and what is read is rendered to the same', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const parsed = parseSpecifier(kind, text);
        if ('error' in parsed) expect(parsed.error.length).toBeGreaterThan(5);
        else expect(parseSpecifier(kind, renderSpecifier(parsed.value))).toEqual(parsed);
      }),
    );
  });
});

test.each<[NetworkKind, string, Specifier]>([
  ['subnet', '7', { is: 'id', value: 7 }],
  ['subnet', '10.0.0.0/24', { is: 'cidr', value: '10.0.0.0/24' }],
  ['subnet', 'fd00:1::/64', { is: 'cidr', value: 'fd00:1::/64' }],
  ['subnet', 'lab net', { is: 'name', value: 'lab net' }],
  ['subnet', 'space:2', { is: 'space', that: { is: 'id', value: 2 } }],
  ['subnet', 'space:name:lan', { is: 'space', that: { is: 'name', value: 'lan' } }],
  ['subnet', 'vlan:fabric:east', { is: 'vlan', that: { is: 'fabric', that: { is: 'name', value: 'east' } } }],
  ['subnet', 'space:undefined', { is: 'space', that: { is: 'none' } }],
  ['vlan', 'untagged', { is: 'vid', value: 0 }],
  ['vlan', 'vid:untagged', { is: 'vid', value: 0 }],
])('%s %s', (kind, text, specifier) => {
  expect(parseSpecifier(kind, text)).toEqual({ value: specifier });
});

test.each<[NetworkKind, string]>([
  ['subnet', ''],
  ['subnet', 'vid:4095'],
  ['subnet', 'id:x'],
  ['vlan', 'subnet:'],
  ['subnet', 'vlan:subnet:vlan:subnet:vlan:1'],
])('%s %j is refused', (kind, text) => {
  expect(parseSpecifier(kind, text)).toHaveProperty('error');
});

const size = fc.oneof(
  fc.nat(99_999).map(String),
  fc.tuple(fc.nat(999), fc.nat(99)).map(([a, b]) => `${a}.${b}`),
);
const item = fc.record({ label: fc.stringMatching(/^[a-zA-Z0-9]{0,6}$/), size, tags: fc.array(word, { maxLength: 3 }) });

describe('storage', () => {
  test('comes back as it was rendered', () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 6 }), (items) => {
        expect(parseStorage(renderStorage(items))).toEqual({ value: items });
      }),
    );
  });
  test('whatever comes is items or an error that MAAS has, and what is read renders to what came', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const parsed = parseStorage(text);
        if ('error' in parsed) expect(parsed.error).toMatch(/^(Malformed storage constraint, "|At most 16)/);
        else expect(renderStorage(parsed.value)).toBe(text);
      }),
    );
  });
  test.each([
    '',
    'root',
    'root:',
    '8(',
    '8()',
    'ro-ot:8',
    '8,',
    ',8',
    '8 ,9',
    '1.2.3',
    '..',
    '8(a)(b)',
    '-8',
    Array(17).fill('1').join(','),
  ])('%j is refused', (text) => {
    expect(parseStorage(text)).toHaveProperty('error');
  });
  test('/ first, then the most tags, the smallest before the larger', () => {
    const items = (parseStorage('root:50(ssd),a:100,b:10,c:20(ssd,nvme),p:30(partition,ssd)') as { value: [] }).value;
    expect(storageWishes(items)).toEqual([
      { label: 'root', least: 50e9, tags: ['ssd'], kind: 'root' },
      { label: 'c', least: 20e9, tags: ['ssd', 'nvme'], kind: 'disk' },
      { label: 'p', least: 30e9, tags: ['ssd'], kind: 'partition' },
      { label: 'b', least: 10e9, tags: [], kind: 'disk' },
      { label: 'a', least: 100e9, tags: [], kind: 'disk' },
    ]);
  });
});

const not = fc.boolean();
const several = <T>(of: fc.Arbitrary<T>) => fc.array(of, { minLength: 1, maxLength: 3 });
const interfaceTest: fc.Arbitrary<InterfaceTest> = fc.oneof(
  ...(['fabric', 'subnet', 'space', 'vlan'] as const).map((key) =>
    fc.record({ key: fc.constant(key), not, of: several(specifierOf(key)) }),
  ),
  fc.record({ key: fc.constantFrom('name', 'tag', 'type', 'hostname', 'fabric_class', 'ip', 'subnet_cidr'), not, of: several(word) }),
  fc.record({ key: fc.constant('mode' as const), not, of: several(fc.constantFrom('dhcp', 'auto', 'unconfigured')) }),
  fc.record({ key: fc.constantFrom('id', 'vid'), not, of: several(id) }),
  fc.record({ key: fc.constant('link_speed' as const), not: fc.constant(false as const), of: fc.tuple(id) }),
);
const wish: fc.Arbitrary<InterfaceWish> = fc.record({
  label: fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,5}$/),
  tests: fc.uniqueArray(interfaceTest, { minLength: 1, maxLength: 4, selector: (one) => `${one.key} ${one.not}` }),
});

describe('interfaces', () => {
  test('come back as they were rendered', () => {
    fc.assert(
      fc.property(fc.uniqueArray(wish, { minLength: 1, maxLength: 3, selector: (one) => one.label }), (wishes) => {
        expect(parseInterfaces(renderInterfaces(wishes))).toEqual({ value: wishes });
      }),
    );
  });
  test('whatever comes is read or an error', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const parsed = parseInterfaces(text);
        if ('error' in parsed) expect(parsed.error).toMatch(/^Malformed interfaces constraint, "/);
        else expect(parseInterfaces(renderInterfaces(parsed.value))).toEqual(parsed);
      }),
    );
  });
  test.each([
    '',
    ';',
    'a',
    'a:',
    'a:b',
    'a:colour=red',
    'a:id=x',
    'a:mode=fast',
    'a:link_speed=fast',
    'a:not_link_speed=1',
    'a:id=1;a:id=2',
    '-a:id=1',
  ])('%j is refused', (text) => {
    expect(parseInterfaces(text)).toHaveProperty('error');
  });
});

describe('devices', () => {
  const device: fc.Arbitrary<DeviceWish> = fc
    .uniqueArray(fc.tuple(fc.constantFrom(...deviceKeys), word), { minLength: 1, selector: ([key]) => key })
    .map((pairs) => Object.fromEntries(pairs));
  test('come back as they were rendered', () => {
    fc.assert(
      fc.property(device, (given) => {
        expect(parseDevices(renderDevices(given))).toEqual({ value: given });
      }),
    );
  });
  test('whatever comes is read, or refused as MAAS does', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const parsed: Parsed<DeviceWish> = parseDevices(text);
        if ('error' in parsed) expect(parsed.error).toMatch(/^Unknown devices constraint: '/);
        else expect(parseDevices(renderDevices(parsed.value))).toEqual(parsed);
      }),
    );
  });
});
