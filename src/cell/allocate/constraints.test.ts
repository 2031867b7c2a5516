/** The grammar of constraints: everything that is given is either tried or refused. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../contract/errors.ts';
import { constraints } from '../../contract/resources/constraints.ts';
import { parameterDecoder } from '../../contract/parameter.ts';
import { wordList } from '../../contract/word-list.ts';
import type { GlobalReader } from '../../global/document.ts';
import type { Constraint } from '../db/condition-reader.ts';
import { readConstraints, refusalText, type ConstraintParams } from './constraints.ts';

const ids: Readonly<Record<string, number>> = { default: 1, east: 2, gpu: 21, fast: 22, lab: 7, lan: 5 };
const global = {
  named: (_: string, name: string) => (Object.hasOwn(ids, name) ? { id: ids[name], name } : undefined),
  retired: () => [],
} as unknown as Pick<GlobalReader, 'named' | 'retired'>;
const decode = parameterDecoder({ params: constraints, free: true });

/** As a request brings them. @throws Failure */
function read(fields: Readonly<Record<string, readonly string[]>>): Constraint[] {
  const decoded = decode(new Map(Object.entries(fields)));
  expect(decoded.errors).toBeUndefined();
  return readConstraints(global, decoded.params as ConstraintParams, decoded.free);
}

const errorsOf = (fields: Readonly<Record<string, readonly string[]>>): unknown => {
  try {
    read(fields);
  } catch (error) {
    return error instanceof Failure ? error.fields : error;
  }
  return undefined;
};

test('none given is none tried', () => {
  expect(read({})).toEqual([]);
  expect(read({ tags: [' , '], zone: [], op: ['allocate'], verbose: ['true'] })).toEqual([]);
});

test.each([
  [{ mem: ['2048'] }, 'mem=2048.0', { is: 'memory', least: 2048 }],
  [{ cpu_count: ['2.5'] }, 'cpu_count=2.5', { is: 'cpu_count', least: 2.5 }],
  [{ arch: ['arm'] }, 'arch=armhf', { is: 'architecture', of: ['armhf'] }],
  [{ arch: ['amd64/generic', 'arm64'] }, 'arch=amd64/generic,arm64', { is: 'architecture', of: ['amd64/generic', 'arm64'] }],
  [{ tags: ['gpu, fast'] }, 'tags=gpu,fast', { is: 'all_tags', of: [21, 22] }],
  [{ not_tags: ['gpu', 'unheard-of'] }, 'not_tags=gpu,unheard-of', { is: 'any_tag', of: [21] }],
  [{ zone: ['east'] }, 'zone=east', { is: 'zone', of: [2] }],
  [{ name: ['a.b'] }, 'name=a.b', { is: 'hostname', of: ['a.b'] }],
  [{ mem: ['4096', '2048'] }, 'mem=4096.0,2048.0', { is: 'memory', least: 2048 }],
  [{ link_speed: ['10000'] }, 'link_speed=10000.0', { is: 'link_speed', least: 10_000 }],
  [
    { subnets: ['space:lan,vid:10'] },
    'subnets=space:lan,vid:10',
    {
      is: 'subnets',
      all: true,
      of: [
        { is: 'space', that: { is: 'id', value: 5 } },
        { is: 'vid', value: 10 },
      ],
    },
  ],
  [
    { not_subnets: ['space:undefined'] },
    'not_subnets=space:undefined',
    { is: 'subnets', all: false, of: [{ is: 'space', that: { is: 'none' } }] },
  ],
  [{ vlans: ['untagged'] }, 'vlans=untagged', { is: 'vlans', all: true, of: [{ is: 'vid', value: 0 }] }],
  [{ fabrics: ['f'] }, 'fabrics=f', { is: 'fabric', of: ['f'] }],
  [{ not_fabric_classes: ['10g'] }, 'not_fabric_classes=10g', { is: 'fabric_class', of: ['10g'] }],
  [{ deployment_target: ['memory'] }, 'deployment_target=memory', { is: 'ephemeral', of: [true] }],
  [{ not_owner: ['bob'] }, 'not_owner=bob', { is: 'owner', of: ['bob'] }],
  [{ devices: ['vendor_id=10de'] }, 'devices=vendor_id=10de', { is: 'devices', of: [{ vendor_id: '10de' }] }],
  [{ storage: ['root:8'] }, 'storage=root:8', { is: 'storage', of: [{ label: 'root', least: 8e9, tags: [], kind: 'root' }] }],
  [
    { interfaces: ['a:space=lan'] },
    'interfaces=a:space=lan',
    { is: 'interfaces', of: [{ label: 'a', tests: [{ key: 'space', not: false, of: [{ is: 'id', value: 5 }] }] }] },
  ],
])('%j', (fields, resolved, wanted) => {
  const [found] = read(fields as Record<string, string[]>);
  expect(found?.resolved).toBe(resolved);
  expect(found?.condition.test).toEqual(wanted);
});

describe('refused', () => {
  test.each([
    [{ zone: ['x'] }, { zone: ["No such zone: 'x'."] }],
    [{ not_in_pool: ['x', 'y'] }, { not_in_pool: ['No such pool(s): x, y.'] }],
    [{ tags: ['x'] }, { tags: ["No such tag(s): 'x'."] }],
    [{ arch: ['z80'] }, { arch: ['Architecture not recognised.'] }],
    [{ storage: ['root:8,'] }, { storage: ['Malformed storage constraint, "root:8,".'] }],
    [{ devices: ['colour=red'] }, { devices: ["Unknown devices constraint: 'colour=red"] }],
    [{ vlans: [Array(33).fill('1').join(',')] }, { vlans: ['At most 32 networks can be named.'] }],
    [{ subnets: ['space:moon'] }, { subnets: ["No such space: 'moon'."] }],
    [{ not_subnets: ['ip:10.0.0.999'] }, { not_subnets: ["'10.0.0.999' is not an IP address."] }],
    [{ vlans: ['vid:4095'] }, { vlans: ['VLAN tag (VID) out of range (0-4094; 0 for untagged.)'] }],
    [{ interfaces: ['a'] }, { interfaces: ['Malformed interfaces constraint, "a": each part is LABEL:KEY=VALUE, joined by commas.'] }],
    [
      { simple_status: ['ready'], hostname: ['x'] },
      { simple_status: ['No such constraint.'], hostname: ['No such constraint.'] },
    ],
  ])('%j', (fields, errors) => {
    expect(errorsOf(fields as Record<string, string[]>)).toEqual(errors);
  });
});

const key = fc.oneof(fc.constantFrom(...Object.keys(constraints), 'comment', '__proto__', 'constructor'), fc.string({ maxLength: 8 }));
const value = fc.oneof(
  fc.constantFrom(
    'gpu',
    'east',
    'lab',
    'amd64',
    'amd64/generic',
    '4',
    '1e3',
    '',
    'x y,z',
    'root:8(ssd),4',
    'a:vid=10',
    'space:lan',
    'disk',
  ),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
);

test('whatever comes is tried or refused, and nothing that was given is left out', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.array(value, { minLength: 1, maxLength: 3 })), { maxLength: 6 }), (pairs) => {
      const fields = new Map(pairs);
      const decoded = decode(fields);
      if (decoded.errors !== undefined) return;
      let found: Constraint[];
      try {
        found = readConstraints(global, decoded.params as ConstraintParams, decoded.free);
      } catch (error) {
        expect(error).toBeInstanceOf(Failure);
        expect(Object.keys((error as Failure).fields ?? {}).length).toBeGreaterThan(0);
        return;
      }
      const tried = new Set(found.map((one) => one.condition.name));
      for (const [name, given] of Object.entries(decoded.params)) {
        const values = [given].flat() as string[];
        const isEmpty = name.endsWith('tags')
          ? wordList(values).length === 0
          : /(subnets|vlans)$/.test(name)
            ? values.join('').replace(/[\s,]/g, '') === ''
            : values.length === 0;
        expect(tried.has(name), name).toBe(!isEmpty);
      }
      const text = refusalText(found, Object.fromEntries(fields), { best: null, ready: 3, matching: 0, ruledOut: {}, without: {} });
      expect(text.startsWith('No ')).toBe(true);
    }),
    { numRuns: 500 },
  );
});

describe('what is said when nothing fits', () => {
  const none = { best: null, ready: 0, matching: 0, ruledOut: {}, without: {} };
  test('in the words of MAAS, and then why', () => {
    expect(refusalText([], {}, none)).toBe('No machine available.\nNo machine is Ready and free.');
    expect(refusalText(read({ system_id: ['334abcd'] }), {}, none)).toMatch(/^No machine with system ID 334abcd available\.\n/);
    const fields = { mem: ['2048'], tags: ["it's"] };
    const found = [...read({ mem: ['2048'] }), ...read({ not_tags: ["it's"] })];
    expect(refusalText(found, { ...fields, not_tags: ["it's"] }, { ...none, ready: 12, ruledOut: { mem: 12, not_tags: 0 } })).toBe(
      `No available machine matches constraints: [('mem', ['2048']), ('not_tags', ["it's"])] (resolved to "mem=2048.0 not_tags=it's")\n12 machines are Ready and free; ruled out by mem 12.`,
    );
  });
});
