// The hub takes no state from a cell. Every route of it is listed here with every parameter that it takes; a new route or parameter fails this
// test until somebody has said what it is.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hubParts } from '../../test/hub-parts.ts';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { handedKinds } from '../contract/resources/hand-over.ts';
import type { Route } from '../contract/route.ts';
import { routes } from '../contract/routes.ts';
import { Authority } from '../global/authority.ts';
import type { GlobalTables } from '../global/db/global-tables.ts';
import { generateSigningKey } from '../global/signing-key.ts';
import { hubHandlers } from './hub.ts';
import { migrationsOfHub } from './hub-database.ts';

let database: TestDatabase<GlobalTables>;
let served: string[];
const table: Readonly<Record<string, Route>> = routes;

beforeAll(async () => {
  database = await testDatabase<GlobalTables>(migrationsOfHub);
  served = Object.keys(hubHandlers(hubParts(await Authority.open(database), generateSigningKey(), '1'))).toSorted();
});
afterAll(() => database.drop());

/**
 * Who may call it, and everything that is taken from the caller.
 * `member`: a cell or front by its key, which says no more than how far its replica is, and what it is that runs.
 * `joiner`: by a one-time token of an admin. `anyone`: a password, or nothing. `person`: a user about global things; none is of a machine.
 */
type Kind = 'member' | 'joiner' | 'anyone' | 'person';
const allowed: Readonly<Record<string, readonly [Kind, string]>> = {
  'Account.create_authorisation_token': ['person', 'name'],
  'Account.delete_authorisation_token': ['person', 'token_key'],
  'Account.list_authorisation_tokens': ['person', ''],
  'Account.update_token_name': ['person', 'name token'],
  'Authenticate.create': ['anyone', 'consumer password username'],
  'BootResource.delete': ['person', ''],
  'BootResource.read': ['person', ''],
  'BootResourceFileUpload.update': ['person', ''],
  'BootResources.create': ['person', 'architecture base_image filetype name sha256 size title'],
  'BootResources.import': ['person', ''],
  'BootResources.is_importing': ['person', ''],
  'BootResources.read': ['person', 'type'],
  'BootResources.stop_import': ['person', ''],
  'BootSource.delete': ['person', ''],
  'BootSource.read': ['person', ''],
  'BootSource.update': ['person', 'enabled keyring_data keyring_filename name priority skip_keyring_verification url'],
  'BootSourceSelection.delete': ['person', ''],
  'BootSourceSelection.read': ['person', ''],
  'BootSourceSelection.update': ['person', 'arches labels os release subarches'],
  'BootSourceSelections.create': ['person', 'arches labels os release subarches'],
  'BootSourceSelections.read': ['person', ''],
  'BootSources.create': ['person', 'enabled keyring_data keyring_filename name priority skip_keyring_verification url'],
  'BootSources.read': ['person', ''],
  'Cell.read': ['person', ''],
  'Cell.update': ['person', 'state url'],
  'Cells.create': ['person', 'name replace'],
  'Cells.read': ['person', 'retired'],
  'CommissioningScript.delete': ['person', ''],
  'CommissioningScript.read': ['person', ''],
  'CommissioningScript.update': ['person', 'content'],
  'CommissioningScripts.create': ['person', 'content name'],
  'CommissioningScripts.read': ['person', ''],
  'DomainName.delete': ['person', 'cell'],
  'DomainNames.create': ['person', 'cell name'],
  'DomainNames.read': ['person', ''],
  'File.delete': ['person', ''],
  'File.read': ['person', ''],
  'Files.create': ['person', 'file filename'],
  'Files.delete': ['person', 'filename'],
  'Files.get': ['person', 'filename'],
  'Files.get_by_key': ['anyone', 'key'],
  'Files.read': ['person', 'prefix'],
  'Front.update': ['person', 'state url'],
  'Fronts.create': ['person', 'name replace'],
  'Fronts.read': ['person', 'retired'],
  'GlobalObjects.import': ['person', ''],
  'GlobalObjects.plan': ['person', ''],
  'HubKey.read': ['person', ''],
  'HubKey.rotate': ['person', ''],
  'LicenseKey.delete': ['person', ''],
  'LicenseKey.read': ['person', ''],
  'LicenseKey.update': ['person', 'license_key'],
  'LicenseKeys.create': ['person', 'distro_series license_key osystem'],
  'LicenseKeys.read': ['person', ''],
  'Maas.get_config': ['person', 'name'],
  'Maas.set_config': ['person', 'name value'],
  'NodeScript.add_tag': ['person', 'tag'],
  'NodeScript.delete': ['person', ''],
  'NodeScript.download': ['person', 'revision'],
  'NodeScript.read': ['person', 'include_script'],
  'NodeScript.remove_tag': ['person', 'tag'],
  'NodeScript.revert': ['person', 'to'],
  'NodeScript.update': [
    'person',
    'apply_configured_networking comment description destructive for_hardware hardware_type may_reboot parallel recommission script tags timeout title type',
  ],
  'NodeScripts.create': [
    'person',
    'comment description destructive for_hardware hardware_type may_reboot name parallel recommission script tags timeout title type',
  ],
  'NodeScripts.read': ['person', 'filters hardware_type include_script type'],
  'Notification.delete': ['person', ''],
  'Notification.dismiss': ['person', ''],
  'Notification.read': ['person', ''],
  'Notification.update': ['person', 'admins category context dismissable ident message user users'],
  'Notifications.create': ['person', 'admins category context dismissable ident message user users'],
  'Notifications.read': ['person', ''],
  'OidcProvider.delete': ['person', ''],
  'OidcProvider.read': ['person', ''],
  'OidcProvider.update': ['person', 'client_id client_secret enabled issuer_url name redirect_uri scopes token_type vendor'],
  'OidcProviders.create': ['person', 'client_id client_secret enabled issuer_url name redirect_uri scopes token_type vendor'],
  'OidcProviders.get_active': ['person', ''],
  'OidcProviders.read': ['person', ''],
  'PackageRepositories.create': ['person', 'arches components disable_sources disabled_pockets distributions enabled key name url'],
  'PackageRepositories.read': ['person', ''],
  'PackageRepository.delete': ['person', ''],
  'PackageRepository.read': ['person', ''],
  'PackageRepository.update': [
    'person',
    'arches components disable_sources disabled_components disabled_pockets distributions enabled key name url',
  ],
  'ReplicaChanges.read': ['member', 'after mark stream version wait'],
  'ReplicaImage.read': ['member', ''],
  'ReplicaJoin.join': ['joiner', 'key kind name nonce number token url version'],
  'ReplicaKeys.read': ['anyone', ''],
  'ReplicaSnapshot.read': ['member', 'stream version'],
  'ResourcePool.delete': ['person', ''],
  'ResourcePool.read': ['person', ''],
  'ResourcePool.update': ['person', 'description name'],
  'ResourcePools.create': ['person', 'description name'],
  'ResourcePools.read': ['person', ''],
  'SSHKey.delete': ['person', ''],
  'SSHKey.read': ['person', ''],
  'SSHKeys.create': ['person', 'key'],
  'SSHKeys.import': ['person', 'keysource'],
  'SSHKeys.read': ['person', ''],
  'SSLKey.delete': ['person', ''],
  'SSLKey.read': ['person', ''],
  'SSLKeys.create': ['person', 'key'],
  'SSLKeys.read': ['person', ''],
  'Session.create': ['anyone', 'password username'],
  'Session.delete': ['person', ''],
  'Session.renew': ['person', ''],
  'Space.delete': ['person', ''],
  'Space.read': ['person', ''],
  'Space.update': ['person', 'description name'],
  'Spaces.create': ['person', 'description name'],
  'Spaces.read': ['person', ''],
  'Tag.delete': ['person', ''],
  'Tag.read': ['person', ''],
  'Tag.rebuild': ['person', ''],
  'Tag.update': ['person', 'comment definition kernel_opts name'],
  'Tags.create': ['person', 'comment definition kernel_opts name'],
  'Tags.read': ['person', ''],
  'User.delete': ['person', 'transfer_resources_to'],
  'User.read': ['person', ''],
  'Users.create': ['person', 'email is_superuser password username'],
  'Users.read': ['person', ''],
  'Users.whoami': ['person', ''],
  'Version.read': ['anyone', ''],
  'Zone.delete': ['person', ''],
  'Zone.read': ['person', ''],
  'Zone.update': ['person', 'cell description name'],
  'Zones.create': ['person', 'cell description name'],
  'Zones.read': ['person', ''],
};

test('every route and every parameter of the hub is known here', () => {
  expect(served).toEqual(Object.keys(allowed).toSorted());
  for (const id of served) expect([id, Object.keys(table[id]!.params).toSorted().join(' ')]).toEqual([id, allowed[id]![1]]);
});

test('a cell or front, by its own key, only reads', () => {
  for (const id of served) {
    const { policy, method } = table[id]!;
    const isMember = policy === 'cell' || policy === 'machine' || policy === 'nonce';
    expect([id, isMember]).toEqual([id, allowed[id]![0] === 'member']);
    if (isMember) expect([id, policy, method]).toEqual([id, 'cell', 'GET']);
    if (policy === 'anonymous' && method !== 'GET') expect([id, allowed[id]![0]]).not.toEqual([id, 'person']);
  }
});

test('nothing that the hub takes is of a machine, its networks, its power or its events', () => {
  const ofCells =
    /machine|node|device|interface|block|partition|subnet|vlan|fabric|(?<!re)lease|power|bmc|event|operation|finding|result|ticket|secret/i;
  for (const id of served) {
    // A node script is global: MAAS's name for commissioning and testing scripts.
    expect([id, ofCells.test(id.replace(/^NodeScripts?/, ''))]).toEqual([id, false]);
    // What an OpenID provider knows the fleet by is the hub's own, and stays there.
    const names = Object.keys(table[id]!.params).filter((name) => name !== 'client_secret');
    for (const name of names) expect([id, name, ofCells.test(name)]).toEqual([id, name, false]);
  }
});

test('what is not among parameters, a whole body, is taken from people only, and only by these', () => {
  const whole = served.filter((id) => table[id]!.raw === true || table[id]!.free === true);
  expect(whole).toEqual(['BootResourceFileUpload.update', 'GlobalObjects.import', 'GlobalObjects.plan']);
  for (const id of whole) expect([id, allowed[id]![0], table[id]!.policy]).toEqual([id, 'person', 'admin']);
  // What a cell that joins hands over, by an admin, is of global kinds only.
  expect(handedKinds).toEqual([
    'zone',
    'pool',
    'tag',
    'space',
    'script',
    'package_repository',
    'setting',
    'user',
    'token',
    'sshkey',
    'sslkey',
  ]);
});
