import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readAnswer, readPlan, shellWords } from './shell-words.ts';

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

describe('words', () => {
  test('every word that is quoted comes back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string().filter((word) => !word.includes('\n'))),
        (words) => void expect(shellWords(words.map(quoted).join(' '))).toEqual(words),
      ),
    );
  });

  test('sh reads the same words', () => {
    const words = ['plain', "it's", 'a  b', '$HOME `id`', '', '"'];
    const line = words.map(quoted).join(' ');
    const bySh = execFileSync('/bin/sh', ['-c', `printf '%s\\n' ${line}`], { encoding: 'utf8' });
    expect(bySh).toBe(`${shellWords(line).join('\n')}\n`);
  });

  test('whatever a shell would do something with is refused', () => {
    for (const line of ['a $b', 'a; b', 'a|b', 'a > b', 'a `b`', "a 'b", 'a "b"', 'a *', 'a\\b', '~/x'])
      expect(() => shellWords(line)).toThrow(/quote/);
  });

  test('any text is words or an error', () => {
    fc.assert(
      fc.property(fc.string(), (line) => {
        try {
          shellWords(line);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });
});

describe('plans', () => {
  test('calls with their words and lines', () => {
    expect(readPlan("#!/bin/sh\n. /muster/steps.sh\n\ndisk target 'S 1' 10\n# why\nunmount /target\n")).toEqual([
      { line: 4, name: 'disk', words: ['target', 'S 1', '10'] },
      { line: 6, name: 'unmount', words: ['/target'] },
    ]);
  });

  test('a plan without its functions, or with code in it, is refused', () => {
    expect(() => readPlan('disk target S 10\n')).toThrow(/steps\.sh/);
    expect(() => readPlan('. /muster/steps.sh\ndisk target $(id) 10\n')).toThrow(/line 2/);
    expect(() => readPlan('. /muster/steps.sh\nA=b\n')).toThrow(/calls/);
  });
});

describe('answers', () => {
  test('are what sh reads', () => {
    const text = "ACTION='reboot'\nTOKEN_SECRET='it'\\''s $x'\nsomething else\nlower='no'\n";
    expect(readAnswer(text)).toEqual(
      new Map([
        ['ACTION', 'reboot'],
        ['TOKEN_SECRET', "it's $x"],
      ]),
    );
    expect(
      execFileSync('/bin/sh', ['-c', `${text.split('\n').slice(0, 2).join('\n')}\nprintf %s "$TOKEN_SECRET"`], { encoding: 'utf8' }),
    ).toBe("it's $x");
  });

  test('any text is pairs of names and values', () => {
    fc.assert(
      fc.property(fc.string(), (text) => void expect([...readAnswer(text).keys()].every((name) => /^[A-Z_]+$/.test(name))).toBe(true)),
    );
  });
});
