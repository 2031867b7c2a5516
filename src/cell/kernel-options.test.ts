// Words that operators add to kernel command lines, from the setting and from tags.
import { expect, test } from 'vitest';
import { memoryOf } from '../../test/cell-api.ts';
import { kernelOptions } from './kernel-options.ts';

function global(setting: string, ...tags: readonly (readonly [name: string, options: string])[]) {
  const { memory, put } = memoryOf();
  put('setting', 'kernel_opts', { value: setting });
  for (const [index, [name, options]] of tags.entries())
    put('tag', 30 + index, { id: 30 + index, name, definition: '', comment: '', kernel_opts: options });
  return memory;
}

test('the setting first, then tags by name; those of other machines’ tags not', () => {
  const memory = global('nomodeset', ['zz', 'last=1'], ['aa', ' iommu=on  quiet '], ['other', 'other=1']);
  expect(kernelOptions(memory, [30, 31, 999])).toBe('nomodeset iommu=on quiet last=1');
  expect(kernelOptions(memory, [])).toBe('nomodeset');
});

test('what a boot script cannot carry is left out, and the machine boots', () => {
  const memory = global('', ['a', 'x=$(reboot)'], ['b', 'fine=1'], ['c', 'two\nlines=${y}'], ['d', `long=${'x'.repeat(600)}`]);
  expect(kernelOptions(memory, [30, 31, 32, 33])).toBe('fine=1');
});

test('a tag whose options make the line too long is left out, and the others stay', () => {
  const long = (letter: string) => `${letter}=${letter.repeat(500)}`;
  const memory = global('', ['a', long('a')], ['b', long('b')], ['c', long('c')], ['d', 'short']);
  expect(kernelOptions(memory, [30, 31, 32, 33])).toBe(`${long('a')} ${long('b')} short`);
});
