import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ApiError } from '../src/http/client.ts';
import { errorText, readCellsAsked, streamUrl, worthRetrying } from './api.ts';

test('Muster-Cells, as fronts write it', () => {
  expect(readCellsAsked('asked=50 answered=49 absent=c17')).toEqual({ asked: 50, answered: 49, absent: ['c17'] });
  expect(readCellsAsked('asked=3 answered=1 absent=c1,c2 out=c9')).toEqual({ asked: 3, answered: 1, absent: ['c1', 'c2'] });
  expect(readCellsAsked('asked=3 answered=3 out=c9')).toEqual({ asked: 3, answered: 3, absent: [] });
  expect(readCellsAsked(null)).toBeUndefined();
});

test('anything else in that header is no answer, and no error', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const found = readCellsAsked(text);
      expect(found === undefined || (Number.isInteger(found.asked) && !found.absent.includes(''))).toBe(true);
    }),
  );
});

test('the stream starts now, or behind where it broke off', () => {
  expect(streamUrl('')).toBe('/MAAS/api/2.0/events/?op=stream');
  expect(new URL(streamUrl('1:7.3,2:9&x'), 'http://h').searchParams.get('after')).toBe('1:7.3,2:9&x');
});

const refused = (given: Partial<ApiError>) =>
  new ApiError({ status: 400, code: undefined, text: '', retryAfter: undefined, fields: undefined, ...given });

test('errors in words', () => {
  expect(errorText(refused({ status: 0 }))).toMatch(/^No answer/);
  expect(errorText(refused({ fields: { zone: ["No such zone: 'x'."] } }))).toBe("zone: No such zone: 'x'.");
  expect(errorText(refused({ text: 'Machine 4 is busy.' }))).toBe('Machine 4 is busy.');
});

test('only what may pass is tried again, and not for ever', () => {
  expect(worthRetrying(0, refused({ status: 404 }))).toBe(false);
  expect(worthRetrying(0, refused({ status: 503, retryAfter: 2 }))).toBe(true);
  expect(worthRetrying(0, refused({ status: 0 }))).toBe(true);
  expect(worthRetrying(2, refused({ status: 0 }))).toBe(false);
});
