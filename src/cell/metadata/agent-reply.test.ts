import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { agentReply } from './agent-reply.ts';

const folder = mkdtempSync(join(tmpdir(), 'muster-reply-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a real sh that sources the reply has exactly the values', () => {
  // NUL cannot be in a shell variable; command substitution is not used, so line ends stay.
  const value = fc.string({ unit: 'binary', maxLength: 60 }).map((text) => text.replaceAll('\0', '').replace(/[\ud800-\udfff]/g, ''));
  const hostile = fc.constantFrom("'; touch /tmp/muster-owned; '", '$(id)', '`id`', '\\', "a'b'c", '\n', '$HOME', "'\\''", '');
  fc.assert(
    fc.property(fc.array(fc.oneof(value, hostile), { minLength: 8, maxLength: 8 }), (values) => {
      const names = values.map((_, index) => `V${'A'.repeat(index)}`);
      const reply = agentReply(Object.fromEntries(names.map((name, index) => [name, values[index]!])));
      const file = join(folder, 'reply');
      writeFileSync(file, reply);
      const out = execFileSync('/bin/sh', [
        '-eu',
        '-c',
        `. "$1"\nprintf '%s\\0' ${names.map((name) => `"$${name}"`).join(' ')}`,
        'sh',
        file,
      ]);
      expect(out.toString('utf8').split('\0').slice(0, -1)).toEqual(values);
    }),
    { numRuns: 40 },
  );
});

test('a name that sh could not assign to is refused', () => {
  for (const name of ['', 'a', 'A B', 'A;id', '1A', 'A=']) expect(() => agentReply({ [name]: 'x' }), name).toThrow(RangeError);
});
