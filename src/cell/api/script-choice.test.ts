import { expect, test } from 'vitest';
import type { BodyOf } from '../../global/kinds.ts';
import { GlobalMemory } from '../../global/memory.ts';
import { chooseScripts } from './script-choice.ts';

const script = (id: number, name: string, more: Partial<BodyOf<'script'>> = {}): BodyOf<'script'> => ({
  id,
  name,
  title: '',
  description: '',
  type: 2,
  tags: [],
  script: '#!/bin/sh\n',
  ...more,
});

const memory = new GlobalMemory();
const scripts = [
  script(2, 'burn-in', { tags: ['slow'] }),
  script(3, 'wipe', { destructive: true, tags: ['slow'] }),
  script(4, 'by-hand', { tags: ['noauto'] }),
];
const revision = { epoch: 1, n: 1 };
memory.apply({
  stream: 'config',
  to: revision,
  whole: false,
  documents: scripts.map((body) => ({ kind: 'script', id: String(body.id), stream: 'config', revision, retired: false, body })),
});
const all = ['built-in', 'burn-in', 'wipe', 'by-hand'];
const choose = (text?: string) => chooseScripts('testing_scripts', text, all, memory);

test('what writes to disks, and what says so itself, runs only where somebody names it', () => {
  expect(choose()).toEqual(['built-in', 'burn-in']);
  expect(choose('wipe')).toEqual(['wipe']);
  expect(choose('slow,by-hand')).toEqual(['burn-in', 'wipe', 'by-hand']);
  expect(choose('none')).toEqual([]);
  expect(() => choose('unheard-of')).toThrow('unheard-of is not one of the available choices');
});
