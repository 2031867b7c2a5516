import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { originsOf, readSeed } from './cloud-init.ts';
import { readKernelLine } from './kernel-line.ts';
import { readServerPacket } from './tftp-client.ts';

const nonce = '0123456789abcdef'.repeat(2);

describe('kernel command line', () => {
  test('url, purpose and nonce', () => {
    expect(
      readKernelLine(
        `initrd=initrd.img muster_url=http://10.0.0.1:5240 muster_purpose=deploy muster_nonce=${nonce} BOOTIF=01-52 console=ttyS0,115200`,
      ),
    ).toEqual({
      muster_url: 'http://10.0.0.1:5240',
      muster_purpose: 'deploy',
      muster_nonce: nonce,
    });
    expect(readKernelLine('muster_url=http://10.0.0.1:5240 muster_purpose=enlist')).toEqual({
      muster_url: 'http://10.0.0.1:5240',
      muster_purpose: 'enlist',
    });
  });

  test('several addresses of one cell', () => {
    const urls = 'http://10.0.0.1:5240,http://10.0.0.2:5240';
    expect(readKernelLine(`muster_url=${urls} muster_purpose=enlist`).muster_url).toBe(urls);
    for (const wrong of ['http://a,', ',http://a', 'http://a,b', 'http://a/,http://b'])
      expect(() => readKernelLine(`muster_url=${wrong} muster_purpose=enlist`)).toThrow(/no address of a cell/);
  });

  test('any text is a command line or an error', () => {
    expect(() => readKernelLine('muster_url=http://a muster_purpose=deploy')).toThrow(/nonce/);
    fc.assert(fc.property(fc.string(), (text) => void expect(() => readKernelLine(text)).toThrow(Error)));
  });
});

describe("cloud-init's seed", () => {
  test('a name has all the addresses that the hosts file gives it, in order', () => {
    const hosts = '127.0.0.1 localhost\n10.0.0.1 muster-cell # the first\n10.0.0.2\tother muster-cell\n';
    expect(originsOf('http://muster-cell:5240/MAAS/metadata/', hosts)).toBe('http://10.0.0.1:5240,http://10.0.0.2:5240');
    expect(originsOf('http://10.0.0.9:5240/x', hosts)).toBe('http://10.0.0.9:5240');
  });

  const keys = { consumer_key: 'c', token_key: 't', token_secret: 's' };
  const seed = (config: object) =>
    `#cloud-config\n${Object.entries(config)
      .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
      .join('')}`;

  test('datasource and webhook', () => {
    const text = seed({
      datasource_list: ['MAAS'],
      datasource: { MAAS: { metadata_url: 'http://h/MAAS/metadata/', consumer_secret: '', ...keys } },
      reporting: { x: { type: 'webhook', endpoint: 'http://h/s', ...keys } },
    });
    expect(readSeed(text)).toEqual({
      metadataUrl: 'http://h/MAAS/metadata',
      key: 'c:t:s',
      reporting: { endpoint: 'http://h/s', key: 'c:t:s' },
    });
  });

  test('any text is a seed or an error', () => {
    expect(() => readSeed(seed({ datasource_list: ['MAAS'], datasource: { MAAS: { metadata_url: 'http://h/' } } }))).toThrow(/credential/);
    expect(() => readSeed(seed({ datasource: {} }))).toThrow(/stays off/);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json().map((json) => `#cloud-config\n${json}`),
        ),
        (text) => void expect(() => readSeed(text)).toThrow(Error),
      ),
    );
  });
});

test('any datagram is a packet or nothing', () => {
  expect(readServerPacket(Buffer.from([0, 6, 98, 0, 49, 0]))).toEqual({ kind: 'oack', options: new Map([['b', '1']]) });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const packet = readServerPacket(bytes);
      expect(packet === undefined || ['data', 'oack', 'error'].includes(packet.kind)).toBe(true);
    }),
  );
});
