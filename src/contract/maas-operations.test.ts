/** Handler, path, method, operation and status of what MAAS has (maas-api.md §1.7): clients find operations by these names. */
import { machineBulk } from './resources/machine-bulk.ts';
import { expect, test } from 'vitest';
import { describe as describeApi } from './describe.ts';
import type { Route } from './route.ts';
import { aliases, routes } from './routes.ts';

/** Handler, path, then its actions: `GET` is read, `POST:name` an operation, `=201` a status that is not 200. */
const maas = `
Version version/ GET
Users users/ GET POST GET:whoami
User users/{username}/ GET DELETE=204
Account account/ POST:create_authorisation_token POST:delete_authorisation_token=204 GET:list_authorisation_tokens POST:update_token_name=202
SSHKeys account/prefs/sshkeys/ GET POST=201 POST:import
SSHKey account/prefs/sshkeys/{id}/ GET DELETE=204
Machines machines/ GET POST POST:accept POST:accept_all POST:add_chassis POST:allocate POST:clone=204 GET:is_registered GET:list_allocated GET:power_parameters POST:release POST:set_zone
Machine machines/{system_id}/ GET PUT DELETE=204 POST:abort POST:clear_default_gateways POST:commission POST:deploy GET:details POST:exit_rescue_mode GET:get_curtin_config GET:get_token POST:lock POST:mark_broken POST:mark_fixed POST:mount_special POST:override_failed_testing POST:power_off POST:power_on GET:power_parameters GET:query_power_state POST:release POST:rescue_mode POST:restore_default_configuration POST:restore_networking_configuration POST:restore_storage_configuration POST:set_owner_data POST:set_storage_layout POST:set_workload_annotations POST:test POST:unlock POST:unmount_special
Interfaces nodes/{system_id}/interfaces/ GET POST:create_bond POST:create_bridge POST:create_physical POST:create_vlan
Interface nodes/{system_id}/interfaces/{id}/ GET PUT DELETE=204 POST:add_tag POST:disconnect POST:link_subnet POST:remove_tag POST:set_default_gateway POST:unlink_subnet
BlockDevices nodes/{system_id}/blockdevices/ GET POST
BlockDevice nodes/{system_id}/blockdevices/{id}/ GET PUT DELETE=204 POST:add_tag POST:format POST:mount POST:remove_tag POST:set_boot_disk POST:unformat POST:unmount
Domains domains/ GET POST POST:set_serial
Domain domains/{id}/ GET PUT DELETE=204 POST:set_default
NodeResults commissioning-results/ GET
NodeScriptResults nodes/{system_id}/results/ GET
NodeScriptResult nodes/{system_id}/results/{id}/ GET PUT DELETE=204 GET:download
NodeScripts scripts/ GET POST
NodeScript scripts/{name} GET PUT DELETE=204 POST:add_tag GET:download POST:remove_tag POST:revert
Tags tags/ GET POST
Tag tags/{name}/ GET PUT DELETE=204 GET:devices GET:machines GET:nodes GET:rack_controllers POST:rebuild GET:region_controllers POST:update_nodes
Zones zones/ GET POST
Zone zones/{name}/ GET PUT DELETE=204
ResourcePools resourcepools/ GET POST
ResourcePool resourcepool/{id}/ GET PUT DELETE=204
Spaces spaces/ GET POST
Space spaces/{id}/ GET PUT DELETE=204
Fabrics fabrics/ GET POST
Fabric fabrics/{id}/ GET PUT DELETE=204
Vlans fabrics/{fabric_id}/vlans/ GET POST
Vlan fabrics/{fabric_id}/vlans/{vid}/ GET PUT DELETE=204
Subnets subnets/ GET POST
Subnet subnets/{id}/ GET PUT DELETE=204 GET:ip_addresses GET:reserved_ip_ranges GET:statistics GET:unreserved_ip_ranges
IPRanges ipranges/ GET POST
IPRange ipranges/{id}/ GET PUT DELETE=204
StaticRoutes static-routes/ GET POST
Events events/ GET:query
BootResources boot-resources/ GET POST=201 POST:import GET:is_importing POST:stop_import
BootResource boot-resources/{id}/ GET DELETE=204
BootResourceFileUpload boot-resources/{resource_id}/upload/{id}/ PUT
BootSources boot-sources/ GET POST=201
BootSource boot-sources/{id}/ GET PUT DELETE=204
BootSourceSelections boot-sources/{boot_source_id}/selections/ GET POST
BootSourceSelection boot-sources/{boot_source_id}/selections/{id}/ GET PUT DELETE=204
PackageRepositories package-repositories/ GET POST
PackageRepository package-repositories/{id}/ GET PUT DELETE=204
Maas maas/ GET:get_config POST:set_config
RackControllers rackcontrollers/ GET GET:describe_power_types POST:import_boot_images=202 GET:is_registered GET:power_parameters POST:set_zone
`;

/** Operations of ours on handlers of MAAS, and handlers of ours on the API. */
const ours = new Set([
  'Machines.ask',
  'Machines.claim',
  'Machines.confirm',
  'Machines.free_claim',
  'Machines.mark_delivered',
  'Machines.settle_key',
  'Machines.summary',
  ...Object.keys(machineBulk),
  'Events.stream',
  'User.resources',
  'User.transfer_resources',
]);
const ourHandlers = new Set([
  'Describe',
  'OpenApi',
  'Operations',
  'Operation',
  'Findings',
  'Finding',
  'Cells',
  'Cell',
  'HubKey',
  'GlobalObjects',
  'Front',
  'Fronts',
  'DomainNames',
  'DomainName',
  ...Object.keys(aliases),
]);

const plain: Record<string, string> = { GET: 'read', POST: 'create', PUT: 'update', DELETE: 'delete' };

interface Expected {
  readonly path: string;
  readonly method: string;
  readonly op: string | null;
  readonly status: number;
}

function table(): Map<string, Expected> {
  const found = new Map<string, Expected>();
  for (const line of maas.trim().split('\n')) {
    const [handler = '', path = '', ...actions] = line.split(' ');
    for (const action of actions) {
      const [, method = '', op, status] = /^([A-Z]+)(?::(\w+))?(?:=(\d+))?$/.exec(action) ?? [];
      found.set(`${handler}.${op ?? plain[method]}`, { path, method, op: op ?? null, status: Number(status ?? 200) });
    }
  }
  return found;
}

const api: [string, Route][] = Object.entries(routes).filter(([, route]) => route.base === 'api');
const expected = table();

test.each(api.filter(([id, route]) => !ours.has(id) && !ourHandlers.has(route.handler)))('%s is as MAAS has it', (id, route) => {
  expect(expected.get(id)).toEqual({ path: route.path, method: route.method, op: route.op, status: route.status });
});

test.each([...ours])('%s is an operation of ours that MAAS does not have', (id) => {
  expect(expected.has(id)).toBe(false);
  expect(Object.keys(routes)).toContain(id);
});

test('an alias is the same resource under another path', () => {
  for (const [alias, name] of Object.entries(aliases)) {
    const shape = (handler: string) =>
      api
        .filter(([, route]) => route.handler === handler)
        .map(([, { method, op, params, policy, reach }]) => ({ method, op, params: Object.keys(params), policy, reach }));
    const first = shape(name);
    expect(first.length).toBeGreaterThan(0);
    expect(shape(alias)).toEqual(first);
  }
});

test('the describe document shows each resource once', () => {
  const shown = describeApi(routes).resources.map((one) => one.name.replace(/Handler$/, ''));
  expect(shown).toContain('Vlan');
  expect(shown.filter((name) => Object.hasOwn(aliases, name))).toEqual([]);
});

// Juju (gomaasapi v2) cannot work with less; devices and files come later.
test.each([
  'Version.read',
  'Users.whoami',
  'Zones.read',
  'Spaces.read',
  'Fabrics.read',
  'StaticRoutes.read',
  'Domains.read',
  'BootResources.read',
  'Machines.read',
  'Machines.allocate',
  'Machines.release',
  'Machine.deploy',
  'Machine.set_owner_data',
  'Interfaces.create_physical',
  'Interface.update',
  'Interface.link_subnet',
  'Interface.unlink_subnet',
  'Interface.delete',
])('%s is there for Juju', (id) => {
  expect(Object.keys(routes)).toContain(id);
});
