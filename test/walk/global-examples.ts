// Examples of global objects: users, keys, zones, pools, tags, spaces, scripts, images, settings, and the fleet's own parts.
import { createHash } from 'node:crypto';
import { selfSignedCertificate } from '../../src/global/certificate.ts';
import { generateSigningKey } from '../../src/global/signing-key.ts';
import { just, made, of, type Examples } from './example.ts';
import { publicKey, type Values, type World } from './world.ts';

const named = (path: string, prefix: string) => made(path, (world) => ({ name: `${prefix}-${world.next()}` }), 'name');
const zone = named('zones/', 'zone');
const tag = named('tags/', 'tag');
const pool = made('resourcepools/', (world) => ({ name: `pool-${world.next()}` }));
const space = made('spaces/', (world) => ({ name: `space-${world.next()}` }));
const user = made(
  'users/',
  (world) => ({
    username: `user${world.next()}`,
    email: `u${world.next()}@example.org`,
    password: 'a-long-pass-word',
    is_superuser: 'false',
  }),
  'username',
);
const script = made('scripts/', (world) => ({ name: `script-${world.next()}`, script: '#!/bin/sh\ntrue\n', type: 'testing' }), 'name');
const oldScript = async (world: World): Promise<string> => {
  const name = `script-${world.next()}`;
  await world.must('admin', 'POST', 'commissioning-scripts/', { name, content: '#!/bin/sh\ntrue\n' });
  return name;
};
const defined = made('tags/', (world) => ({ name: `tag-${world.next()}`, definition: '//node' }), 'name');
const source = made('boot-sources/', (world) => ({ url: `http://images.example/${world.next()}/`, keyring_data: 'a2V5' }));
const repository = made('package-repositories/', (world) => ({ name: `repo-${world.next()}`, url: 'http://deb.example/' }));
const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** An image of which nothing was sent yet, and its bytes, which no other has. */
async function image(world: World): Promise<{ path: Record<string, string>; raw: Buffer }> {
  const raw = Buffer.from(`image ${world.next()}`);
  const body = (await world.must('admin', 'POST', 'boot-resources/', {
    name: `custom/image-${world.next()}`,
    architecture: 'amd64/generic',
    sha256: digestOf(raw),
    size: String(raw.length),
    filetype: 'tar.zst',
  })) as { id: number; sets: Record<string, { files: Record<string, { upload_uri: string }> }> };
  const [set] = Object.values(body.sets);
  const [file] = Object.values(set?.files ?? {});
  const [, upload = ''] = /upload\/([^/]+)\//.exec(file?.upload_uri ?? '') ?? [];
  return { path: { resource_id: String(body.id), id: upload }, raw };
}

/** An image whose bytes are all there. */
async function uploaded(world: World): Promise<string> {
  const given = await image(world);
  const upload = { base: 'api', method: 'PUT', op: null, path: 'boot-resources/{resource_id}/upload/{id}/' } as const;
  await world.ask('admin', upload, given);
  return given.path['resource_id'] ?? '';
}

const file = async (world: World): Promise<string> => {
  const filename = `file-${world.next()}`;
  await world.must('admin', 'POST', 'files/', { filename, file: 'content' });
  return filename;
};
const notification = made('notifications/', () => ({ message: 'hello', users: 'true', admins: 'true' }));
const provider = (world: World, enabled: boolean): Values => ({
  name: `provider-${world.next()}`,
  issuer_url: 'https://issuer.example',
  client_id: 'muster',
  client_secret: 'a-secret',
  enabled: String(enabled),
  token_type: 'JWT',
  vendor: 'walk',
  redirect_uri: 'https://muster.example/back',
  scopes: 'openid profile',
});
const oidc = made('oidc-providers/', (world) => provider(world, false));
const licence = 'AAAAA-AAAAA-AAAAA-AAAAA-AAAAA';
const licensed = async (world: World): Promise<Record<string, string>> => {
  const path = { osystem: 'windows', distro_series: `win${world.next()}` };
  await world.must('admin', 'POST', 'license-keys/', { ...path, license_key: licence });
  return path;
};
const certificate = (): string => selfSignedCertificate(generateSigningKey(), 'walk');
const sslKey = made('account/prefs/sslkeys/', () => ({ key: certificate() }));

const sshKey = made('account/prefs/sshkeys/', (world) => ({ key: publicKey(world.next()) }));

async function selection(world: World): Promise<Record<string, string>> {
  const id = await source(world);
  const body = (await world.must('admin', 'POST', `boot-sources/${id}/selections/`, { os: 'debian', release: 'trixie' })) as { id: number };
  return { boot_source_id: id, id: String(body.id) };
}

async function token(world: World): Promise<string> {
  const body = (await world.must('admin', 'POST', 'account/?op=create_authorisation_token', { name: 'walk' })) as { token_key: string };
  return body.token_key;
}

export const globalExamples: Examples = {
  'Version.read': just(),
  'Describe.read': just(),
  'OpenApi.read': just(),
  'Authenticate.create': just({ username: 'ann', password: 'ann-pass-word' }),
  'Session.create': just({ username: 'ann', password: 'ann-pass-word' }),
  'Account.create_authorisation_token': just({ name: 'a key' }),
  'Account.delete_authorisation_token': async (world) => ({ fields: { token_key: await token(world) } }),
  'Account.list_authorisation_tokens': just(),
  'Account.update_token_name': async (world) => ({ fields: { token: await token(world), name: 'renamed' } }),
  'Users.read': just(),
  'Users.create': (world) => ({
    fields: { username: `new${world.next()}`, email: `new${world.next()}@example.org`, password: 'a-long-pass-word', is_superuser: '0' },
  }),
  'Users.whoami': just(),
  'User.read': of('username', user),
  'User.delete': of('username', user),
  'User.resources': of('username', user),
  'User.transfer_resources': of('username', user, { to: 'ann' }),
  'SSHKeys.read': just(),
  'SSHKeys.create': (world) => ({ fields: { key: publicKey(world.next()) } }),
  'SSHKey.read': of('id', sshKey),
  'SSHKey.delete': of('id', sshKey),
  'Zones.read': just(),
  'Zones.create': (world) => ({ fields: { name: `zone-${world.next()}` } }),
  'Zone.read': of('name', zone),
  'Zone.update': of('name', zone, { description: 'changed' }),
  'Zone.delete': of('name', zone),
  'ResourcePools.read': just(),
  'ResourcePools.create': (world) => ({ fields: { name: `pool-${world.next()}` } }),
  'ResourcePool.read': of('id', pool),
  'ResourcePool.update': of('id', pool, { description: 'changed' }),
  'ResourcePool.delete': of('id', pool),
  'Tags.read': just(),
  'Tags.create': (world) => ({ fields: { name: `tag-${world.next()}` } }),
  'Tag.read': of('name', tag),
  'Tag.update': of('name', tag, { comment: 'changed' }),
  'Tag.delete': of('name', tag),
  'Tag.machines': of('name', tag),
  'Tag.nodes': of('name', tag),
  'Tag.update_nodes': async (world) => ({ path: { name: await tag(world) }, fields: { add: await world.machine() } }),
  'Spaces.read': just(),
  'Spaces.create': (world) => ({ fields: { name: `space-${world.next()}` } }),
  'Space.read': of('id', space),
  'Space.update': of('id', space, { name: 'renamed', description: 'changed' }),
  'Space.delete': of('id', space),
  'NodeScripts.read': just(),
  'NodeScripts.create': (world) => ({ fields: { name: `script-${world.next()}`, script: '#!/bin/sh\ntrue\n' } }),
  'NodeScript.read': of('name', script),
  'NodeScript.update': of('name', script, { description: 'changed' }),
  'NodeScript.delete': of('name', script),
  'NodeScript.add_tag': of('name', script, { tag: 'noauto' }),
  'NodeScript.remove_tag': of('name', script, { tag: 'noauto' }),
  'NodeScript.download': of('name', script),
  'NodeScript.revert': async (world) => {
    const name = await script(world);
    await world.must('admin', 'PUT', `scripts/${name}`, { script: '#!/bin/sh\nfalse\n' });
    const [first] = (await world.must('admin', 'GET', `scripts/${name}`)).history.toSorted(
      (a: { id: number }, b: { id: number }) => a.id - b.id,
    );
    return { path: { name }, fields: { to: String(first.id) } };
  },
  'BootResources.read': just(),
  'BootResources.create': (world) => ({
    fields: {
      name: `custom/made-${world.next()}`,
      architecture: 'amd64/generic',
      sha256: digestOf(Buffer.from('made')),
      size: '4',
      filetype: 'tar.zst',
    },
  }),
  'BootResources.import': just(),
  'BootResources.is_importing': just(),
  'BootResources.stop_import': just(),
  'BootResource.read': async (world) => ({ path: { id: await uploaded(world) } }),
  'BootResource.delete': async (world) => ({ path: { id: await uploaded(world) } }),
  'BootResourceFileUpload.update': image,
  'BootSources.read': just(),
  'BootSources.create': (world) => ({ fields: { url: `http://images.example/${world.next()}/`, keyring_data: 'a2V5' } }),
  'BootSource.read': of('id', source),
  'BootSource.update': of('id', source, { priority: '7' }),
  'BootSource.delete': of('id', source),
  'BootSourceSelections.read': of('boot_source_id', source),
  'BootSourceSelections.create': of('boot_source_id', source, { os: 'debian', release: 'trixie' }),
  'BootSourceSelection.read': async (world) => ({ path: await selection(world) }),
  'BootSourceSelection.update': async (world) => ({ path: await selection(world), fields: { os: 'debian', release: 'forky' } }),
  'BootSourceSelection.delete': async (world) => ({ path: await selection(world) }),
  'PackageRepositories.read': just(),
  'PackageRepositories.create': (world) => ({ fields: { name: `repo-${world.next()}`, url: 'http://deb.example/' } }),
  'PackageRepository.read': of('id', repository),
  'PackageRepository.update': of('id', repository, { components: 'main' }),
  'PackageRepository.delete': of('id', repository),
  'Maas.get_config': just({ name: 'kernel_opts' }),
  'Maas.set_config': just({ name: 'kernel_opts', value: 'quiet' }),
  'CommissioningScripts.read': just(),
  'CommissioningScripts.create': (world) => ({ fields: { name: `script-${world.next()}`, content: '#!/bin/sh\ntrue\n' } }),
  'CommissioningScript.read': of('name', oldScript),
  'CommissioningScript.update': of('name', oldScript, { content: '#!/bin/sh\nfalse\n' }),
  'CommissioningScript.delete': of('name', oldScript),
  'Tag.rebuild': of('name', defined),
  'DomainNames.read': just(),
  'SSHKeys.import': just({ keysource: 'gh:somebody' }),
  'SSLKeys.read': just(),
  'SSLKeys.create': () => ({ fields: { key: certificate() } }),
  'SSLKey.read': of('id', sslKey),
  'SSLKey.delete': of('id', sslKey),
  'Files.read': just(),
  'Files.create': (world) => ({ fields: { filename: `file-${world.next()}`, file: 'content' } }),
  'Files.delete': async (world) => ({ fields: { filename: await file(world) } }),
  'Files.get': async (world) => ({ fields: { filename: await file(world) } }),
  'Files.get_by_key': async (world) => {
    const name = await file(world);
    const { anon_resource_uri: uri } = await world.must('admin', 'GET', `files/${name}/`);
    return { fields: { key: new URL(uri, 'http://x').searchParams.get('key') ?? '' } };
  },
  'File.read': of('filename', file),
  'File.delete': of('filename', file),
  'Notifications.read': just(),
  'Notifications.create': just({ message: 'hello', users: 'true' }),
  'Notification.read': of('id', notification),
  'Notification.update': of('id', notification, { message: 'changed' }),
  'Notification.delete': of('id', notification),
  'Notification.dismiss': of('id', notification),
  'LicenseKeys.read': just(),
  'LicenseKeys.create': (world) => ({ fields: { osystem: 'windows', distro_series: `win${world.next()}`, license_key: licence } }),
  'LicenseKey.read': async (world) => ({ path: await licensed(world) }),
  'LicenseKey.update': async (world) => ({ path: await licensed(world), fields: { license_key: licence.replace('A', 'B') } }),
  'LicenseKey.delete': async (world) => ({ path: await licensed(world) }),
  'OidcProviders.read': just(),
  'OidcProviders.create': (world) => ({ fields: provider(world, false) }),
  'OidcProviders.get_active': async (world) => {
    await world.must('admin', 'POST', 'oidc-providers/', provider(world, true));
    return {};
  },
  'OidcProvider.read': of('id', oidc),
  'OidcProvider.update': of('id', oidc, { vendor: 'other' }),
  'OidcProvider.delete': of('id', oidc),
};
