import fc from 'fast-check';
import { expect, test } from 'vitest';
import { architectures, machineArchitecture, readArchitecture } from './architecture.ts';

test.each([
  ['amd64', 'amd64', 'amd64/generic'],
  ['AMD64/Generic', 'amd64/generic', 'amd64/generic'],
  ['arm', 'armhf', 'armhf/generic'],
  ['arm64/xgene-uboot', 'arm64/xgene-uboot', 'arm64/xgene-uboot'],
  ['z80', undefined, undefined],
  ['amd64/', undefined, undefined],
  ['amd64/a/b', undefined, undefined],
])('%s', (text, read, ofMachine) => {
  expect([readArchitecture(text), machineArchitecture(text)]).toEqual([read, ofMachine]);
});

test('what is read can be read again, and is always of a kind that there is', () => {
  const text = fc.oneof(
    fc.string(),
    fc.tuple(fc.constantFrom(...architectures, 'arm', 'mips'), fc.constantFrom('', '/generic', '/', '/x y')).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (given) => {
      const read = readArchitecture(given);
      if (read === undefined) return;
      expect(readArchitecture(read)).toBe(read);
      expect(architectures).toContain(read.split('/')[0]);
    }),
  );
});
