import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Failure } from '../../contract/errors.ts';
import { seriesOf, userData } from './deploy.ts';

test('user_data comes back as it was, however its base64 was wrapped or padded', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 80 }), fc.boolean(), (bytes, width, padded) => {
      const text = Buffer.from(bytes).toString('base64');
      const wrapped = (padded ? text : text.replace(/=+$/, '')).replace(new RegExp(`.{${width}}`, 'g'), '$&\r\n');
      expect([...userData(wrapped)]).toEqual([...bytes]);
    }),
  );
});

test('anything else is the caller’s error', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      try {
        userData(text);
        expect(/^[A-Za-z0-9+/=\s]*$/.test(text)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(Failure);
      }
    }),
  );
  for (const text of ['a', '=', '====', 'ab=c', 'YQ===']) expect(() => userData(text), text).toThrow(Failure);
});

test('an image’s name says what it is', () => {
  expect(seriesOf({ name: 'debian/12' })).toEqual({ osystem: 'debian', distro_series: '12' });
  expect(seriesOf({ name: 'golden' })).toEqual({ osystem: 'custom', distro_series: 'golden' });
});
