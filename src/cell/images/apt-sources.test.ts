import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { debianSources, parseAptSources, renderAptSources } from './apt-sources.ts';
import { parsePrintedUris } from './debian-packages.ts';

const stanzas = `Types: deb
# a comment
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
Enabled: no
URIs: http://mirror.test/off
Suites: bookworm
Components: main

Types: deb deb-src
URIs:
 http://mirror.test/security
Suites: bookworm-security
Components: main

Types: deb
URIs: https://vendor.test/apt
Suites: nodistro
Components: main
`;

describe('parseAptSources', () => {
  test('deb822: the Debian ones, main only, with their keyring', () => {
    expect(debianSources(parseAptSources(stanzas, 'sources'), 'bookworm')).toEqual([
      {
        uri: 'http://mirror.test/debian',
        suite: 'bookworm',
        components: ['main'],
        signedBy: '/usr/share/keyrings/debian-archive-keyring.gpg',
      },
      {
        uri: 'http://mirror.test/debian',
        suite: 'bookworm-updates',
        components: ['main'],
        signedBy: '/usr/share/keyrings/debian-archive-keyring.gpg',
      },
      { uri: 'http://mirror.test/security', suite: 'bookworm-security', components: ['main'] },
    ]);
  });

  test('one-line: options, comments, vendors left out', () => {
    const text = `# deb http://old.test bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian bookworm main contrib # why
deb-src http://mirror.test/debian bookworm main
deb https://vendor.test/apt cloud-sdk-bookworm main
`;
    expect(debianSources(parseAptSources(text, 'list'), 'bookworm')).toEqual([
      { uri: 'http://mirror.test/debian', suite: 'bookworm', components: ['main'], signedBy: '/k.gpg' },
    ]);
  });

  test('what is rendered is read back', () => {
    const sources = debianSources(parseAptSources(stanzas, 'sources'), 'bookworm');
    expect(parseAptSources(renderAptSources(sources), 'list')).toEqual(sources);
  });

  test('any text is read without an error, and nothing of it can add a line', () => {
    const line = fc.stringMatching(/^[ -~]{0,60}$/);
    const lines = fc.oneof(
      line,
      line.map((rest) => `deb ${rest}`),
      line.map((rest) => `URIs: ${rest}`),
      fc.constant('Types: deb'),
      fc.constant('Suites: bookworm'),
      fc.constant('Components: main'),
      fc.constant(''),
    );
    fc.assert(
      fc.property(
        fc.array(lines).map((all) => all.join('\n')),
        fc.constantFrom('list' as const, 'sources' as const),
        (text, format) => {
          const found = parseAptSources(text, format);
          expect(renderAptSources(found).split('\n')).toHaveLength(found.length + 1);
        },
      ),
    );
  });
});

test('parsePrintedUris: names and unescaped versions, sorted; anything else is passed over', () => {
  const text = `Reading package lists...
'http://mirror.test/pool/z/zstd_1.5.4%2bdfsg2-5_amd64.deb' zstd_1.5.4+dfsg2-5_amd64.deb 700656 SHA256:aa
'http://mirror.test/pool/b/busybox.deb' busybox-static_1%3a1.35.0-4_amd64.deb 928188 SHA256:bb
`;
  expect(parsePrintedUris(text)).toEqual([
    { name: 'busybox-static', version: '1:1.35.0-4' },
    { name: 'zstd', version: '1.5.4+dfsg2-5' },
  ]);
  fc.assert(fc.property(fc.string(), (any) => void parsePrintedUris(any)));
});
