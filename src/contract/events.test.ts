import { expect, test } from 'vitest';
import { eventKinds } from './events.ts';
import { eventLevels } from './resources/events.ts';

test('every kind has a level of MAAS and a name of its own', () => {
  const rules = Object.values(eventKinds);
  for (const rule of rules) expect(eventLevels).toContain(rule.level);
  expect(new Set(rules.map((rule) => rule.type)).size).toBe(rules.length);
});
