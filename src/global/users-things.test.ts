// What users keep and are told, asked of the authority itself and through a front over its hub (vitest's projects `cell` and `front`).
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalApi, type GlobalApi } from '../../test/global-api.ts';
import { openFleet, through, type Fleet, type FleetOptions } from '../../test/through-front.ts';
import { oauthHeader } from '../http/oauth.ts';
import type { Server } from '../http/server.ts';
import { streamOf } from './kinds.ts';

let api: GlobalApi;
let fleet: Fleet | undefined;

beforeAll(async () => {
  api = await globalApi();
  const { authority } = api;
  const put: FleetOptions['put'] = (kind, id, body) => authority.write(streamOf(kind), 'test', (draft) => draft.put(kind, id, body));
  if (through === 'front') fleet = await openFleet({ global: authority.memory, put, authority });
});
afterAll(async () => {
  await fleet?.close();
  await api[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** `given`: fields of a form, or a body as it is, of which `more` headers say what it is. An empty key: nobody. */
async function ask(
  method: string,
  path: string,
  given?: Record<string, string> | string,
  key = api.adminKey,
  more = {},
  at?: Server,
): Promise<Answer> {
  const url = path.startsWith('/') ? path : `/MAAS/api/2.0/${path}`;
  const payload = given === undefined || typeof given === 'string' ? given : new URLSearchParams(given).toString();
  const headers = {
    ...(key === '' ? {} : { authorization: oauthHeader(key, randomUUID()) }),
    ...(payload === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    ...more,
  };
  if (fleet && at === undefined) {
    const { text: body, ...rest } = await fleet.send(method, url, headers, payload);
    return { ...rest, body };
  }
  const asked = { method: method as 'GET', url, headers, ...(payload === undefined ? {} : { payload }) };
  const { statusCode: status, body, headers: told } = await (at ?? api.server).inject(asked);
  return { status, body, headers: told };
}
const json = (answer: Answer): unknown => JSON.parse(answer.body) as unknown;

describe('what users keep and are told', () => {
  /** As python-libmaas and the maas CLI send a file. */
  const part = (name: string, rest: string, data: Buffer): string =>
    `--xyz\r\nContent-Disposition: form-data; name="${name}"${rest}\r\nContent-Transfer-Encoding: base64\r\n\r\n${data.toString('base64')}\r\n`;
  const multipart = { 'content-type': 'multipart/form-data; boundary=xyz' };
  const bytes = Buffer.from([0, 255, 13, 10, 0xc3, 0x28]);

  test('a file, byte for byte, until it is deleted', async () => {
    const body = `${part('filename', '', Buffer.from('my state'))}${part('file', '; filename="state"', bytes)}--xyz--\r\n`;
    const stored = await ask('POST', 'files/?op=', body, api.adminKey, multipart);
    expect([stored.status, stored.body]).toEqual([201, 'Created']);
    const { content, anon_resource_uri } = json(await ask('GET', 'files/my%20state/')) as Record<string, string>;
    expect(content).toBe(bytes.toString('base64'));
    expect((await ask('GET', anon_resource_uri!, undefined, '')).status).toBe(200);
    expect(json(await ask('GET', 'files/?prefix=my'))).toEqual([
      { filename: 'my state', anon_resource_uri, resource_uri: '/MAAS/api/2.0/files/my%20state/' },
    ]);
    expect((await ask('DELETE', 'files/my%20state/')).status).toBe(204);
    expect((await ask('GET', anon_resource_uri!, undefined, '')).status).toBe(404);
    expect((await ask('GET', 'files/', undefined, '')).status).toBe(401);
  });

  test('a notification, until it is dismissed', async () => {
    const made = await ask('POST', 'notifications/', { message: 'Rack {rack} is warm.', context: '{"rack":7}', admins: 'true' });
    const { resource_uri } = json(made) as { resource_uri: string };
    expect(json(await ask('GET', 'notifications/'))).toEqual([json(made)]);
    expect(json(made)).toMatchObject({ text: 'Rack 7 is warm.', message: 'Rack {rack} is warm.' });
    const dismissed = await ask('POST', `${resource_uri}?op=dismiss`, {});
    expect([dismissed.status, dismissed.body]).toEqual([200, 'null']);
    expect(json(await ask('GET', 'notifications/'))).toEqual([]);
    expect((await ask('DELETE', resource_uri)).status).toBe(204);
  });

  test('licence keys have no slash at the end of their path', async () => {
    const key = { osystem: 'windows', distro_series: 'win2022', license_key: 'AAAAA-BBBBB-CCCCC-DDDDD-EEEEE' };
    const made = json(await ask('POST', 'license-keys/', key)) as { resource_uri: string };
    expect(made.resource_uri).toBe('/MAAS/api/2.0/license-key/windows/win2022');
    expect(json(await ask('GET', made.resource_uri))).toEqual(made);
    expect((await ask('DELETE', made.resource_uri)).status).toBe(204);
  });

  test('an import of SSH keys says what is wrong with where they are', async () => {
    const refused = await ask('POST', 'account/prefs/sshkeys/?op=import', { keysource: 'lp:../x' });
    expect([refused.status, json(refused)]).toEqual([400, { keysource: [expect.stringContaining('lp:USER')] }]);
  });

  test('what a joined cell is asked to write it leaves to the hub', async () => {
    for (const [method, path, form] of [
      ['POST', 'account/prefs/sshkeys/?op=import', { keysource: 'lp:ann' }],
      ['POST', 'files/', { filename: 'x', file: 'x' }],
      ['POST', 'notifications/7/?op=dismiss', {}],
      ['POST', 'license-keys/', { osystem: 'a', distro_series: 'b', license_key: 'c' }],
    ] as const) {
      const refused = await ask(method, path, form, api.adminKey, {}, api.joined);
      expect([path, refused.status, refused.headers['muster-error']]).toEqual([path, 409, 'hub_owned']);
    }
  });

  test('virtual machine hosts are gone', async () => {
    for (const path of ['pods/', 'vm-hosts/7/', 'pods/7/?op=compose']) {
      const gone = await ask('POST', path, {}, '');
      expect([gone.status, gone.body]).toEqual([410, 'VM host (KVM) support has been removed from MAAS.']);
    }
  });
});
