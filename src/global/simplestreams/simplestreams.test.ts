// Reading streams: outside bytes give images or a StreamTrouble, and nothing else.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openpgpSigner } from '../../../test/openpgp-signer.ts';
import { verifiedText } from '../image-import/signed-text.ts';
import { textOfClearsigned } from './clearsign.ts';
import { keyringIn } from './keyring.ts';
import { addressOf, isStreamPath, placeOf } from './stream-address.ts';
import { productPathsIn } from './stream-index.ts';
import { productsIn } from './stream-products.ts';
import { StreamTrouble } from './stream-trouble.ts';
import { wantedImages } from './wanted-images.ts';

const signer = openpgpSigner();
const sha256 = 'a'.repeat(64);
const item = { ftype: 'root-tar.zst', path: 'debian/12/root.tar.zst', sha256, size: 10 };
const document = (items: unknown, more: object = {}) => ({
  format: 'products:1.0',
  products: { p: { os: 'debian', release: '12', arch: 'amd64', ...more, versions: { '20260101': { label: 'stable', items } } } },
});

/** What it gives, or the words of its own error; anything else fails the test. */
function outcome(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof StreamTrouble)) throw error;
    return error;
  }
}

test('whatever comes from outside, nothing is thrown but a StreamTrouble', () => {
  const readers = [
    textOfClearsigned,
    productPathsIn,
    productsIn,
    (text: string) => keyringIn(Buffer.from(text)),
    (text: string) => placeOf(text, true),
  ];
  const shaped = fc.oneof(
    fc.json(),
    fc.string(),
    fc.jsonValue().map((items) => JSON.stringify(document(items))),
  );
  const near = fc.record({
    format: fc.constantFrom('products:1.0', 'index:1.0', 7),
    index: fc.dictionary(fc.string(), fc.record({ path: fc.oneof(fc.string(), fc.constant('../x')), format: fc.constant('products:1.0') })),
    products: fc.dictionary(
      fc.constantFrom('a', '__proto__', 'constructor'),
      fc.record({
        os: fc.jsonValue(),
        release: fc.constant('12'),
        arch: fc.constant('amd64'),
        versions: fc.dictionary(fc.string(), fc.jsonValue()),
      }),
    ),
  });
  fc.assert(
    fc.property(
      fc.oneof(
        shaped,
        near.map((value) => JSON.stringify(value)),
      ),
      (text) => {
        for (const read of readers) outcome(() => read(text));
      },
    ),
    { numRuns: 150 },
  );
  expect(outcome(() => productsIn('['.repeat(1_000_000)))).toBeInstanceOf(StreamTrouble);
});

test('a path that may be asked for is below the root, however it is written', () => {
  const root = 'http://site.example/mirror';
  const parts = fc.array(fc.constantFrom('..', '.', '', 'a', '%2e%2e', 'b:c', '\\', 'http:', '//', 'x y', '?q', '#f', 'é'), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        parts.map((one) => one.join('/')),
      ),
      (path) => {
        if (!isStreamPath(path)) {
          expect(outcome(() => addressOf(root, path))).toBeInstanceOf(StreamTrouble);
          return;
        }
        const url = new URL(addressOf(root, path));
        expect([url.origin, url.pathname.startsWith('/mirror/'), url.search, url.hash]).toEqual(['http://site.example', true, '', '']);
      },
    ),
  );
});

test('a signed text is what was signed, and gpgv says the same', async () => {
  const texts = fc.string({ unit: fc.constantFrom('-', ' ', '\n', '\t', 'a', '{', '"', 'é'), minLength: 1, maxLength: 80 });
  fc.assert(
    fc.property(texts, (text) => {
      const plain = text
        .split('\n')
        .map((line) => line.replace(/[ \t]+$/, ''))
        .join('\n')
        .replace(/\n+$/, '');
      expect(textOfClearsigned(signer.clearsign(text))).toBe(plain);
    }),
  );
  expect(await verifiedText(signer.clearsign('{"a":\n- 1}  \n--- -\n'), keyringIn(Buffer.from(signer.armoured)))).toBe(
    '{"a":\n- 1}\n--- -',
  );
});

const message = signer.clearsign('{"a": 1}');
test.each([
  ['before it', `x\n${message}`],
  ['behind it', `${message}{"b": 2}`],
  ['twice', `${message}${message}`],
  ['in its headers', message.replace('Hash: SHA512', 'Hash: SHA512\nNotDashEscaped: yes')],
  ['an unescaped dash', message.replace('{"a"', '-x\n{"a"')],
  ['cut off', message.slice(0, 120)],
  ['not signed', '{"a": 1}'],
  ['changed', message.replace('"a"', '"b"')],
])('a signed text with something %s is refused', async (_what, text) => {
  await expect(verifiedText(text, signer.keyring)).rejects.toBeInstanceOf(StreamTrouble);
});

test('the key of somebody else, and one that is none', async () => {
  await expect(verifiedText(message, openpgpSigner().keyring)).rejects.toThrow('signed by a key that is not in its keyring');
  await expect(verifiedText(message, Buffer.from('rubbish'))).rejects.toBeInstanceOf(StreamTrouble);
  await expect(verifiedText(message.replace('"a"', '"b"'), signer.keyring)).rejects.toThrow('its signature is wrong');
});

describe('products', () => {
  test.each([
    ['no digest', { ...item, sha256: undefined }],
    ['an MD5 digest', { ...item, sha256: 'b'.repeat(32) }],
    ['no size', { ...item, size: undefined }],
    ['size as a text', { ...item, size: '10' }],
    ['size 0', { ...item, size: 0 }],
    ['65 GiB', { ...item, size: 65 * 2 ** 30 }],
    ['half a byte', { ...item, size: 1.5 }],
    ['a path upwards', { ...item, path: '../../etc/shadow' }],
    ['an absolute path', { ...item, path: '/etc/shadow' }],
    ['another site', { ...item, path: 'http://evil.example/x' }],
  ])('a file with %s makes the whole list bad', (_what, bad) => {
    expect(outcome(() => productsIn(JSON.stringify(document({ a: bad }))))).toBeInstanceOf(StreamTrouble);
  });

  const read = (...documents: object[]) => documents.flatMap((one) => productsIn(JSON.stringify(one)));
  const all = { os: 'debian', release: '12', arches: ['*'], subarches: ['*'], labels: ['*'] };

  test.each([
    [{}, 1],
    [{ arches: ['amd64', 'arm64'] }, 1],
    [{ arches: ['arm64'] }, 0],
    [{ labels: ['stable'] }, 1],
    [{ labels: ['daily'] }, 0],
    [{ subarches: ['hwe-12'] }, 1],
    [{ subarches: ['ga-12'] }, 0],
    [{ os: 'ubuntu' }, 0],
    [{ release: '13' }, 0],
  ])('a selection of %j takes %i', (given, count) => {
    const products = read(document({ a: item }, { subarches: 'generic,hwe-12' }));
    const { images, unmet } = wantedImages([{ ...all, ...given }], products);
    expect([images.length, unmet.length]).toEqual([count, 1 - count]);
  });

  test('the newest version, fields of any level, and what cannot be deployed by its types', () => {
    const products = read(
      {
        format: 'products:1.0',
        os: 'debian',
        release: '12',
        arch: 'amd64',
        label: 'stable',
        products: { old: { versions: { '2025': { items: { a: item } } } } },
      },
      document({ a: { ...item, sha256: 'c'.repeat(64) }, b: { ftype: 'squashfs' } }, { release_title: '12 Bookworm' }),
      document({ b: { ftype: 'squashfs' }, c: { ftype: 'boot-kernel' } }, { os: 'ubuntu', release: 'jammy' }),
      document({ a: item }, { os: undefined }),
    );
    const { images, left } = wantedImages([all, { ...all, os: 'ubuntu', release: 'jammy' }], products);
    expect(images).toMatchObject([
      { name: 'debian/12', architecture: 'amd64/generic', version: { version: '20260101', title: '12 Bookworm' } },
    ]);
    expect(left).toEqual(['ubuntu/jammy amd64 (squashfs, boot-kernel)']);
  });
});
