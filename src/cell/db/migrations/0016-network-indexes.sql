-- What is looked up while a list is shown, DHCP is derived, or a row goes that others refer to, with thousands of machines.
-- A MAC address of whatever has it: bonds and bridges have those of their cards, which interface_by_mac leaves out.
create index interface_by_any_mac on interface (mac) where mac is not null;
create index interface_by_vlan on interface (vlan_id) where vlan_id is not null;
create index interface_link_by_subnet on interface_link (subnet_id) where subnet_id is not null;
create index node_by_domain on node (domain_id) where domain_id is not null;
create index boot_by_nonce on boot (nonce) where nonce is not null;
create index power_verb_by_bmc on power_verb (bmc_id) where bmc_id is not null;
