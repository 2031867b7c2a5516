// Definitions of tags and commissioning scripts under their older name, at the authority.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalApi, type GlobalApi } from '../../../test/global-api.ts';

let api: GlobalApi;
beforeAll(async () => {
  api = await globalApi();
});
afterAll(() => api[Symbol.asyncDispose]());

describe('definitions', () => {
  test('one that can be judged is kept; asked to judge again, the tag counts it and shows nothing of it', async () => {
    const made = await api.ask('POST', 'tags/', { name: 'acme', definition: '//lshw:vendor = "Acme"', kernel_opts: 'iommu=on quiet' });
    expect([made.status, made.json()]).toEqual([
      200,
      {
        name: 'acme',
        definition: '//lshw:vendor = "Acme"',
        comment: '',
        kernel_opts: 'iommu=on quiet',
        resource_uri: '/MAAS/api/2.0/tags/acme/',
      },
    ]);
    const again = await api.ask('POST', 'tags/acme/?op=rebuild', {});
    expect([again.status, again.json()]).toEqual([200, { rebuilding: 'acme' }]);
    expect((await api.ask('GET', 'tags/acme/')).json()).toEqual(made.json());
    const changed = await api.ask('PUT', 'tags/acme/', { definition: 'count(//node) > 3', name: 'many' });
    expect(changed.json()).toMatchObject({ name: 'many', definition: 'count(//node) > 3' });
    expect((await api.ask('PUT', 'tags/many/', { definition: '' })).json()).toMatchObject({ definition: '' });
    expect((await api.ask('POST', 'tags/none/?op=rebuild', {})).status).toBe(404);
  });

  test.each([
    ['no XPath', '//node['],
    ['an unknown prefix', '//x:node'],
    ['an unknown function', 'run("rm")'],
    ['too long', `//node${'|//a'.repeat(3000)}`],
    ['never closed', '('.repeat(9000)],
  ])('%s is refused, and nothing is made or changed', async (_, definition) => {
    const made = await api.ask('POST', 'tags/', { name: 'bad', definition });
    expect(made.status).toBe(400);
    expect(Object.keys(made.json() as object)).toEqual(['definition']);
    expect((await api.ask('GET', 'tags/bad/')).status).toBe(404);
    await api.ask('POST', 'tags/', { name: 'kept' });
    expect((await api.ask('PUT', 'tags/kept/', { definition, comment: 'changed' })).status).toBe(400);
    expect((await api.ask('GET', 'tags/kept/')).json()).toMatchObject({ definition: '', comment: '' });
  });

  test.each(['x=$(y)', 'a;b', 'a\nb', '"x"', 'x=${y}', `x${'y'.repeat(64)}=1`, `x=${'y'.repeat(513)}`])(
    'kernel options that no boot script can carry are refused: %s',
    async (options) => {
      const made = await api.ask('POST', 'tags/', { name: 'options', kernel_opts: options });
      expect([made.status, Object.keys(made.json() as object)]).toEqual([400, ['kernel_opts']]);
    },
  );
});

describe('commissioning scripts', () => {
  const text = '#!/bin/sh\necho é\n';
  test('create, list, fetch, change, retire', async () => {
    const made = await api.ask('POST', 'commissioning-scripts/', { name: '99-own', content: text });
    expect([made.status, made.json()]).toEqual([
      200,
      {
        name: '99-own',
        content: Buffer.from(text).toString('base64'),
        deprecated: true,
        resource_uri: '/MAAS/api/2.0/commissioning-scripts/99-own',
      },
    ]);
    expect((await api.ask('GET', 'commissioning-scripts/')).json()).toEqual(['50-muster-inventory', '60-muster-lshw', '99-own']);
    expect((await api.ask('GET', 'commissioning-scripts/99-own')).text).toBe(text);
    expect((await api.ask('GET', 'scripts/99-own')).json()).toMatchObject({ type: 0, type_name: 'Commissioning script' });
    const changed = await api.ask('PUT', 'commissioning-scripts/99-own', { content: '#!/bin/sh\n' });
    expect([changed.status, changed.text]).toEqual([200, 'OK']);
    expect((await api.ask('GET', 'commissioning-scripts/99-own')).text).toBe('#!/bin/sh\n');
    expect((await api.ask('DELETE', 'commissioning-scripts/99-own')).status).toBe(204);
    expect((await api.ask('GET', 'commissioning-scripts/99-own')).status).toBe(404);
    expect((await api.ask('DELETE', 'commissioning-scripts/99-own')).status).toBe(404);
  });

  test.each([
    ['no name', { content: text }],
    ['no content', { name: 'x' }],
    ['a name with a slash', { name: 'a/b', content: text }],
    ['no shebang', { name: 'x', content: 'echo' }],
    ['a name that is taken', { name: '50-muster-inventory', content: text }],
  ])('%s: 400', async (_, fields) => {
    expect((await api.ask('POST', 'commissioning-scripts/', fields)).status).toBe(400);
  });

  test('those that come with the program are read and never changed; testing scripts are not there', async () => {
    expect((await api.ask('GET', 'commissioning-scripts/60-muster-lshw')).text).toMatch(/^#!/);
    expect((await api.ask('PUT', 'commissioning-scripts/60-muster-lshw', { content: text })).status).toBe(400);
    expect((await api.ask('DELETE', 'commissioning-scripts/60-muster-lshw')).status).toBe(400);
    expect((await api.ask('GET', 'commissioning-scripts/10-muster-disk-read')).status).toBe(404);
    expect((await api.ask('PUT', 'commissioning-scripts/10-muster-disk-read', { content: text })).status).toBe(404);
  });
});
