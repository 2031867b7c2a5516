import { expect, test } from 'vitest';
import { Turns } from './turns.ts';

test('two at a time, in the order in which they came, whatever becomes of each', async () => {
  const turns = new Turns(2);
  const ends: (() => void)[] = [];
  const begun: number[] = [];
  let most = 0;
  let now = 0;
  const works = [0, 1, 2, 3, 4].map((n) =>
    turns.run(async () => {
      begun.push(n);
      most = Math.max(most, (now += 1));
      await new Promise<void>((resolve) => ends.push(resolve));
      now -= 1;
      if (n === 1) throw new Error('one fails');
      return n;
    }),
  );
  const results = Promise.allSettled(works);
  for (let n = 0; n < 5; n += 1) {
    expect(begun).toHaveLength(Math.min(5, n + 2));
    ends[n]?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await results).map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
  expect([begun, most]).toEqual([[0, 1, 2, 3, 4], 2]);
  expect(await turns.run(async () => 'free again')).toBe('free again');
});
