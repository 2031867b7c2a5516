// Scripts, boot sources and package repositories: what is written is a document, what was written before can be read and gone back to.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalApi, type GlobalApi } from '../../../test/global-api.ts';
import { builtInScripts } from '../built-in-scripts.ts';
import { mostRevisions, secondsOf } from './script-writes.ts';

let api: GlobalApi;
beforeAll(async () => {
  api = await globalApi();
});
afterAll(() => api[Symbol.asyncDispose]());

interface Script {
  readonly id: number;
  readonly tags: string[];
  readonly history: { readonly id: number; readonly comment: string | null; readonly created: string; readonly data?: string }[];
}

const text = (words: string): string => `#!/bin/sh\necho ${words}\n`;
const ok = async <T = Script>(...given: Parameters<GlobalApi['ask']>): Promise<T> => {
  const reply = await api.ask(...given);
  expect([given.slice(0, 2).join(' '), reply.status, reply.status < 300 ? '' : reply.text]).toEqual([
    given.slice(0, 2).join(' '),
    reply.status,
    '',
  ]);
  return (reply.text === '' ? undefined : reply.json()) as T;
};

describe('scripts', () => {
  test('create, read, list, change, download, retire', async () => {
    const made = await ok('POST', 'scripts/', {
      name: 'burn-in',
      script: text('one'),
      title: 'Burn in',
      tags: 'cpu, slow',
      type: 'testing',
      hardware_type: 'cpu',
      parallel: 'any',
      timeout: '1:30:00',
      comment: 'first',
      may_reboot: 'true',
    });
    expect(made).toMatchObject({
      name: 'burn-in',
      type: 2,
      type_name: 'Testing script',
      hardware_type: 1,
      hardware_type_name: 'CPU',
      parallel: 2,
      timeout: '1:30:00',
      tags: ['cpu', 'slow'],
      default: false,
      may_reboot: true,
      destructive: false,
      history: [{ comment: 'first', created: expect.stringMatching(/^\w{3}, \d\d \w{3}\. \d{4} /) as string }],
    });
    const changed = await ok('PUT', 'scripts/burn-in', { script: text('two'), comment: 'second', destructive: '1' });
    expect(changed.history.map(({ comment }) => comment)).toEqual(['second', 'first']);
    // The same text, and other fields, are no new text.
    expect((await ok('PUT', 'scripts/burn-in', { script: text('two'), title: 'x' })).history).toHaveLength(2);
    expect((await api.ask('GET', 'scripts/burn-in?op=download')).text).toBe(text('two'));
    const first = changed.history[1]!.id;
    expect((await api.ask('GET', `scripts/burn-in?op=download&revision=${first}`)).text).toBe(text('one'));
    expect((await api.ask('GET', `scripts/burn-in?op=download&revision=1`)).status).toBe(404);
    const withText = await ok('GET', 'scripts/burn-in', { include_script: 'true' });
    expect(withText.history.map(({ data }) => Buffer.from(data!, 'base64').toString())).toEqual([text('two'), text('one')]);
    const names = async (query: string) => (await ok<{ name: string }[]>('GET', `scripts/?${query}`)).map(({ name }) => name);
    expect(await names('filters=slow')).toEqual(['burn-in']);
    expect(await names('type=testing&hardware_type=cpu')).toEqual(['burn-in']);
    expect(await names('type=release')).toEqual([]);
    expect((await api.ask('GET', 'scripts/?type=nonsense')).status).toBe(400);
    expect((await ok('POST', 'scripts/burn-in?op=add_tag', { tag: 'new' })).tags).toEqual(['cpu', 'slow', 'new']);
    expect((await ok('POST', 'scripts/burn-in?op=remove_tag', { tag: 'slow' })).tags).toEqual(['cpu', 'new']);
    expect((await api.ask('DELETE', 'scripts/burn-in')).status).toBe(204);
    expect((await api.ask('DELETE', 'scripts/burn-in')).status).toBe(404);
    expect((await api.ask('GET', 'scripts/burn-in')).status).toBe(404);
    // The name is free, and what the old one was is not the new one's past.
    expect((await ok('POST', 'scripts/', { name: 'burn-in', script: text('three') })).history).toHaveLength(1);
  });

  test('going back leaves out what came later', async () => {
    await ok('POST', 'scripts/', { name: 'goes-back', script: text('1') });
    for (const n of [2, 3, 4]) await ok('PUT', 'scripts/goes-back', { script: text(String(n)), comment: `v${n}` });
    const back = await ok('POST', 'scripts/goes-back?op=revert', { to: '-1' });
    expect(back.history.map(({ comment }) => comment)).toEqual(['v3', 'v2', null]);
    expect((await api.ask('GET', 'scripts/goes-back?op=download')).text).toBe(text('3'));
    await ok('POST', 'scripts/goes-back?op=revert', { to: String(back.history[2]!.id) });
    expect((await api.ask('GET', 'scripts/goes-back?op=download')).text).toBe(text('1'));
    for (const to of ['-1', '999999', String(back.history[0]!.id)]) {
      expect((await api.ask('POST', 'scripts/goes-back?op=revert', { to })).status).toBe(400);
    }
    expect((await ok('PUT', 'scripts/goes-back', { script: text('5') })).history).toHaveLength(2);
  });

  test('a history is bounded, and what leaves it weighs nothing', async () => {
    await ok('POST', 'scripts/', { name: 'long-lived', script: text('0') });
    for (let n = 1; n < mostRevisions + 5; n += 1) await ok('PUT', 'scripts/long-lived', { script: text(String(n)) });
    const { id, history } = await ok('GET', 'scripts/long-lived');
    expect(history).toHaveLength(mostRevisions);
    const gone = api.authority.memory.retired('script_revision').filter((revision) => revision.script === id);
    expect(gone.map((revision) => revision.text)).toEqual(Array.from({ length: 5 }, () => ''));
  });

  test('a script from before there were histories keeps its text as the first', async () => {
    await api.authority.write('config', 'test', (draft) =>
      draft.put('script', 7_000, { id: 7_000, name: 'ancient', title: '', description: '', type: 0, tags: [], script: text('old') }),
    );
    expect((await ok('GET', 'scripts/ancient')).history).toMatchObject([{ id: 7_000, created: '' }]);
    expect((await api.ask('GET', 'scripts/ancient?op=download&revision=7000')).text).toBe(text('old'));
    const { history } = await ok('PUT', 'scripts/ancient', { script: text('new') });
    expect(history).toHaveLength(2);
    await ok('POST', 'scripts/ancient?op=revert', { to: '-1' });
    expect((await api.ask('GET', 'scripts/ancient?op=download')).text).toBe(text('old'));
  });

  test('what comes with the program is listed, and stays as it is', async () => {
    const [name] = Object.keys(builtInScripts);
    expect(await ok('GET', `scripts/${name}`)).toMatchObject({ name, default: true, type: 0 });
    expect((await api.ask('GET', `scripts/${name}?op=download`)).text).toBe(Object.values(builtInScripts)[0]!.content);
    expect((await ok<object[]>('GET', 'scripts/?type=0')).length).toBeGreaterThan(0);
    for (const [method, path, fields] of [
      ['PUT', `scripts/${name}`, { title: 'mine' }],
      ['DELETE', `scripts/${name}`, undefined],
      ['POST', `scripts/${name}?op=add_tag`, { tag: 'x' }],
      ['POST', `scripts/${name}?op=revert`, { to: '-1' }],
      ['POST', 'scripts/', { name: name!, script: text('x') }],
    ] as const) {
      expect([method, path, (await api.ask(method, path, fields)).status]).toEqual([method, path, 400]);
    }
  });

  test.each([
    [{ name: 'x', script: 'echo no shebang' }, { script: ['Must start with shebang.'] }],
    [{ name: 'none', script: text('x') }, { name: ['"none" is a reserved name.'] }],
    [{ name: '12', script: text('x') }, { name: ['"12" is a reserved name.'] }],
    [{ name: 'goes-back', script: text('x') }, { name: ['Script with this Name already exists.'] }],
    [{ name: 'x' }, { script: ['This field is required.'] }],
    [
      { name: 'x', script: text('x'), type: 'commissioning', destructive: 'true' },
      { destructive: ['Only a testing script may be destructive.'] },
    ],
  ])('%j is refused', async (fields, errors) => {
    const reply = await api.ask('POST', 'scripts/', fields as Record<string, string>);
    expect([reply.status, reply.json()]).toEqual([400, errors]);
  });

  test('whoever is no admin, and a joined cell, change nothing', async () => {
    expect((await api.ask('POST', 'scripts/', { name: 'x', script: text('x') }, { key: '' })).status).toBe(401);
    const refused = await api.ask('DELETE', 'scripts/goes-back', undefined, { joined: true });
    expect([refused.status, refused.headers['muster-error']]).toEqual([409, 'hub_owned']);
    expect((await api.ask('GET', 'scripts/goes-back?op=download', undefined, { joined: true })).status).toBe(200);
  });

  test('durations', () => {
    expect(['90', '0:01:30', '10:00:00', '2 1:00:00'].map(secondsOf)).toEqual([90, 90, 36_000, 176_400]);
  });

  // Whatever bytes come as a script or a field: a reply of the contract, never a 500, and what was taken comes back to the byte.
  test('any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), fc.boolean(), async (words, shebang) => {
        const script = shebang ? `#!${words}` : words;
        const reply = await api.ask('PUT', 'scripts/goes-back', { script, tags: words, timeout: words });
        expect([200, 400]).toContain(reply.status);
        if (reply.status === 200 && script !== '') expect((await api.ask('GET', 'scripts/goes-back?op=download')).text).toBe(script);
      }),
      { numRuns: 60 },
    );
  });
});

describe('boot sources and selections', () => {
  const url = 'https://images.example/stable';
  const armoured = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----\n';

  test('create, select, change, retire', async () => {
    const made = await api.ask('POST', 'boot-sources/', { url, keyring_data: armoured, priority: '5' });
    expect([made.status, made.json()]).toEqual([
      201,
      expect.objectContaining({ url, name: url, keyring_data: Buffer.from(armoured).toString('base64'), priority: 5, enabled: true }),
    ]);
    const { id, resource_uri } = made.json<{ id: number; resource_uri: string }>();
    const selections = `boot-sources/${id}/selections/`;
    const chosen = await ok<{ id: number }>('POST', selections, { os: 'debian', release: '12', arches: ['amd64', 'arm64'] });
    expect(chosen).toMatchObject({
      os: 'debian',
      release: '12',
      arches: ['amd64', 'arm64'],
      subarches: ['*'],
      labels: ['*'],
      boot_source_id: id,
    });
    expect((await api.ask('POST', selections, { os: 'debian', release: '12' })).status).toBe(400);
    expect(await ok('PUT', `${selections}${chosen.id}/`, { release: '13' })).toMatchObject({ release: '13', arches: ['amd64', 'arm64'] });
    expect(await ok('GET', selections)).toHaveLength(1);
    expect((await api.ask('PUT', resource_uri, { keyring_data: 'no keyring' })).status).toBe(400);
    expect(await ok('PUT', resource_uri, { keyring_data: 'bXkga2V5' })).toMatchObject({ keyring_data: 'bXkga2V5' });
    expect(await ok('PUT', resource_uri, { enabled: 'false' })).toMatchObject({ enabled: false, url });
    // A selection is found below its own source only.
    const other = await ok<{ id: number }>('POST', 'boot-sources/', { url: `${url}/other` });
    expect((await api.ask('GET', `boot-sources/${other.id}/selections/${chosen.id}/`)).status).toBe(404);
    expect((await api.ask('POST', 'boot-sources/', { url })).json()).toEqual({ url: ['Boot source with this Url already exists.'] });
    expect((await api.ask('DELETE', resource_uri)).status).toBe(204);
    expect(api.authority.memory.list('boot_source_selection')).toEqual([]);
    expect((await api.ask('GET', selections)).status).toBe(404);
    expect((await api.ask('DELETE', `boot-sources/${other.id}/`)).status).toBe(204);
  });

  test.each(['file:///etc/passwd', 'https://user:secret@host/', 'images.example', 'https://h/#x'])(
    '%s is no URL of a boot source',
    async (bad) => {
      expect((await api.ask('POST', 'boot-sources/', { url: bad })).status).toBe(400);
    },
  );
});

describe('package repositories', () => {
  test('create, read, change, retire', async () => {
    const given = { name: 'internal', url: 'https://packages.example/debian', distributions: 'bookworm', components: ['main', 'extra'] };
    const made = await ok<{ resource_uri: string }>('POST', 'package-repositories/', given);
    expect(made).toMatchObject({
      ...given,
      distributions: ['bookworm'],
      arches: ['amd64', 'i386'],
      key: '',
      enabled: true,
      disable_sources: true,
    });
    expect((await api.ask('POST', 'package-repositories/', given)).status).toBe(400);
    expect(await ok('PUT', made.resource_uri, { enabled: '0', disabled_components: 'extra' })).toMatchObject({
      enabled: false,
      disabled_components: ['extra'],
      components: ['main', 'extra'],
    });
    expect((await api.ask('PUT', made.resource_uri, { key: 'no key' })).status).toBe(400);
    expect((await api.ask('PUT', made.resource_uri, { arches: 'vax' })).status).toBe(400);
    expect((await api.ask('DELETE', made.resource_uri)).status).toBe(204);
    expect((await api.ask('GET', made.resource_uri)).status).toBe(404);
  });

  test('a document from before there were routes has the defaults', async () => {
    await api.authority.write('config', 'test', (draft) =>
      draft.put('package_repository', 8_000, { id: 8_000, name: 'old', url: 'https://old.example' }),
    );
    expect(await ok('GET', 'package-repositories/8000/')).toMatchObject({ name: 'old', components: [], enabled: true });
  });
});
