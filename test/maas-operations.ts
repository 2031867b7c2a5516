/** What the API of MAAS has (maas-api.md §1.7), for the test of our table and for the clients of conformance/. */

/** Handler, path, then its actions: `GET` is read, `POST:name` an operation, `=201` a status that is not 200. */
const maas = `
Machines machines/ GET POST POST:accept POST:accept_all POST:add_chassis POST:allocate POST:clone=204 GET:is_registered GET:list_allocated GET:power_parameters POST:release POST:set_zone
Machine machines/{system_id}/ GET PUT DELETE=204 POST:abort POST:clear_default_gateways POST:commission POST:deploy GET:details POST:exit_rescue_mode GET:get_curtin_config GET:get_token POST:lock POST:mark_broken POST:mark_fixed POST:mount_special POST:override_failed_testing POST:power_off POST:power_on GET:power_parameters GET:query_power_state POST:release POST:rescue_mode POST:restore_default_configuration POST:restore_networking_configuration POST:restore_storage_configuration POST:set_owner_data POST:set_storage_layout POST:set_workload_annotations POST:test POST:unlock POST:unmount_special
Account account/ POST:create_authorisation_token POST:delete_authorisation_token=204 GET:list_authorisation_tokens POST:update_token_name=202
SSHKeys account/prefs/sshkeys/ GET POST=201 POST:import
SSHKey account/prefs/sshkeys/{id}/ GET DELETE=204
SSLKeys account/prefs/sslkeys/ GET POST=201
SSLKey account/prefs/sslkeys/{id}/ GET DELETE=204
BootResources boot-resources/ GET POST=201 POST:import GET:is_importing POST:stop_import
BootResource boot-resources/{id}/ GET DELETE=204
BootResourceFileUpload boot-resources/{resource_id}/upload/{id}/ PUT
BootSources boot-sources/ GET POST=201
BootSourceSelections boot-sources/{boot_source_id}/selections/ GET POST
BootSourceSelection boot-sources/{boot_source_id}/selections/{id}/ GET PUT DELETE=204
BootSource boot-sources/{id}/ GET PUT DELETE=204
NodeResults commissioning-results/ GET
CommissioningScripts commissioning-scripts/ GET POST
CommissioningScript commissioning-scripts/{name} GET PUT DELETE=204
Devices devices/ GET POST GET:is_registered POST:set_zone
Device devices/{system_id}/ GET PUT DELETE=204 GET:details GET:power_parameters POST:restore_default_configuration POST:restore_networking_configuration POST:set_owner_data POST:set_workload_annotations
DHCPSnippets dhcp-snippets/ GET POST
DHCPSnippet dhcp-snippets/{id}/ GET PUT DELETE=204 POST:revert
Discoveries discovery/ GET GET:by_unknown_ip GET:by_unknown_ip_and_mac GET:by_unknown_mac POST:clear=204 POST:clear_by_mac_and_ip=204 POST:scan
Discovery discovery/{discovery_id}/ GET
DNSResourceRecords dnsresourcerecords/ GET POST
DNSResourceRecord dnsresourcerecords/{id}/ GET PUT DELETE=204
DNSResources dnsresources/ GET POST
DNSResource dnsresources/{id}/ GET PUT DELETE=204
Domains domains/ GET POST POST:set_serial
Domain domains/{id}/ GET PUT DELETE=204 POST:set_default
Events events/ GET:query
Fabrics fabrics/ GET POST
Vlans fabrics/{fabric_id}/vlans/ GET POST
Fabric fabrics/{id}/ GET PUT DELETE=204
Files files/ GET POST=201 DELETE=204
File files/{filename}/ GET DELETE=204
IPAddresses ipaddresses/ GET POST:release=204 POST:reserve
IPRanges ipranges/ GET POST
IPRange ipranges/{id}/ GET PUT DELETE=204
LicenseKey license-key/{osystem}/{distro_series} GET PUT DELETE=204
LicenseKeys license-keys/ GET POST
Maas maas/ GET:get_config POST:set_config
Networks networks/ GET POST
Network networks/{name}/ GET PUT DELETE POST:connect_macs POST:disconnect_macs GET:list_connected_macs
Nodes nodes/ GET GET:is_registered POST:set_zone
Node nodes/{system_id}/ GET DELETE=204 GET:details GET:power_parameters
BcacheCacheSet nodes/{system_id}/bcache-cache-set/{id}/ GET PUT DELETE=204
BcacheCacheSets nodes/{system_id}/bcache-cache-sets/ GET POST
Bcache nodes/{system_id}/bcache/{id}/ GET PUT DELETE=204
Bcaches nodes/{system_id}/bcaches/ GET POST
BlockDevices nodes/{system_id}/blockdevices/ GET POST
Partition nodes/{system_id}/blockdevices/{device_id}/partition/{id} GET DELETE=204 POST:add_tag POST:format POST:mount POST:remove_tag POST:unformat POST:unmount
Partitions nodes/{system_id}/blockdevices/{device_id}/partitions/ GET POST
BlockDevice nodes/{system_id}/blockdevices/{id}/ GET PUT DELETE=204 POST:add_tag POST:format POST:mount POST:remove_tag POST:set_boot_disk POST:unformat POST:unmount
NodeDevices nodes/{system_id}/devices/ GET
NodeDevice nodes/{system_id}/devices/{id}/ GET DELETE=204
Interfaces nodes/{system_id}/interfaces/ GET POST:create_bond POST:create_bridge POST:create_physical POST:create_vlan
Interface nodes/{system_id}/interfaces/{id}/ GET PUT DELETE=204 POST:add_tag POST:disconnect POST:link_subnet POST:remove_tag POST:set_default_gateway POST:unlink_subnet
Raid nodes/{system_id}/raid/{id}/ GET PUT DELETE=204
Raids nodes/{system_id}/raids/ GET POST
NodeScriptResults nodes/{system_id}/results/ GET
NodeScriptResult nodes/{system_id}/results/{id}/ GET PUT DELETE=204 GET:download
VmfsDatastore nodes/{system_id}/vmfs-datastore/{id}/ GET PUT DELETE=204
VmfsDatastores nodes/{system_id}/vmfs-datastores/ GET POST
VolumeGroup nodes/{system_id}/volume-group/{id}/ GET PUT DELETE=204 POST:create_logical_volume POST:delete_logical_volume=204
VolumeGroups nodes/{system_id}/volume-groups/ GET POST
Notifications notifications/ GET POST
Notification notifications/{id}/ GET PUT DELETE=204 POST:dismiss
OidcProviders oidc-providers/ GET POST=201 GET:get_active
OidcProvider oidc-providers/{id}/ GET PUT DELETE=204
PackageRepositories package-repositories/ GET POST
PackageRepository package-repositories/{id}/ GET PUT DELETE=204
RackControllers rackcontrollers/ GET GET:describe_power_types POST:import_boot_images=202 GET:is_registered GET:power_parameters POST:set_zone
RackController rackcontrollers/{system_id}/ GET PUT DELETE=204 POST:abort GET:details POST:import_boot_images=202 GET:list_boot_images POST:override_failed_testing POST:power_off POST:power_on GET:power_parameters GET:query_power_state POST:test
RegionControllers regioncontrollers/ GET GET:is_registered POST:set_zone
RegionController regioncontrollers/{system_id}/ GET PUT DELETE=204 GET:details GET:power_parameters
ReservedIps reservedips/ GET POST
ReservedIp reservedips/{id}/ GET PUT DELETE=204
ResourcePool resourcepool/{id}/ GET PUT DELETE=204
ResourcePools resourcepools/ GET POST
NodeScripts scripts/ GET POST
NodeScript scripts/{name} GET PUT DELETE=204 POST:add_tag GET:download POST:remove_tag POST:revert
Spaces spaces/ GET POST
Space spaces/{id}/ GET PUT DELETE=204
StaticRoutes static-routes/ GET POST
StaticRoute static-routes/{id}/ GET PUT DELETE=204
Subnets subnets/ GET POST
Subnet subnets/{id}/ GET PUT DELETE=204 GET:ip_addresses GET:reserved_ip_ranges GET:statistics GET:unreserved_ip_ranges
Tags tags/ GET POST
Tag tags/{name}/ GET PUT DELETE=204 GET:devices GET:machines GET:nodes GET:rack_controllers POST:rebuild GET:region_controllers POST:update_nodes
Users users/ GET POST GET:whoami
User users/{username}/ GET DELETE=204
Version version/ GET
Vlan fabrics/{fabric_id}/vlans/{vid}/ GET PUT DELETE=204
Zones zones/ GET POST
Zone zones/{name}/ GET PUT DELETE=204
`;

const plain: Record<string, string> = { GET: 'read', POST: 'create', PUT: 'update', DELETE: 'delete' };

/** An operation as MAAS has it. */
export interface MaasOperation {
  readonly path: string;
  readonly method: string;
  readonly op: string | null;
  readonly status: number;
}

/** By `Handler.action`, the name that clients find it by. `perm:internal` operations and groups are not among them. */
export function maasOperations(): Map<string, MaasOperation> {
  const found = new Map<string, MaasOperation>();
  for (const line of maas.trim().split('\n')) {
    const [handler = '', path = '', ...actions] = line.split(' ');
    for (const action of actions) {
      const [, method = '', op, status] = /^([A-Z]+)(?::(\w+))?(?:=(\d+))?$/.exec(action) ?? [];
      found.set(`${handler}.${op ?? plain[method]}`, { path, method, op: op ?? null, status: Number(status ?? 200) });
    }
  }
  return found;
}
