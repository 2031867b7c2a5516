import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findingKinds, findingText, type FindingKind } from './findings.ts';

const kinds = Object.keys(findingKinds) as FindingKind[];

test.each(kinds)('%s says what is wrong and what to do, in sentences', (kind) => {
  const rule = findingKinds[kind];
  expect(rule.text).toMatch(/^[A-Z{].*[.}]$/);
  expect(rule.advice).toMatch(/^[A-Z].*\.$/);
  expect(rule.subject).toMatch(/^the /);
});

test('blanks are filled in from the data', () => {
  expect(findingText('unknown_mac', { mac: '52:54:00:00:00:01', address: '10.40.1.1' })).toBe(
    'A machine with the MAC address 52:54:00:00:00:01 that nobody knows asked 10.40.1.1 what to boot. It was told to boot its own disk.',
  );
  expect(findingText('hub_lag', { seconds: 90 })).toContain('for 90 seconds; settings are those of revision {revision}');
});

// Data comes from machines: a value that looks like a blank must not be filled in again, nor a key of Object.prototype read.
test('values are never read as blanks', () => {
  fc.assert(
    fc.property(fc.constantFrom(...kinds), fc.string(), (kind, value) => {
      const blanks = [...findingKinds[kind].text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
      const text = findingText(kind, Object.fromEntries(blanks.map((blank) => [blank, value])));
      expect(text).toBe(findingKinds[kind].text.split(/\{\w+\}/).join(value));
    }),
  );
});
