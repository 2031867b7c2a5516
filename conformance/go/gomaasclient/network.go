package main

import (
	"strconv"

	"github.com/canonical/gomaasclient/entity"
	"github.com/canonical/gomaasclient/entity/subnet"
)

func text(id int) string { return strconv.Itoa(id) }

func number(id string) int {
	value, err := strconv.Atoi(id)
	if err != nil {
		panic(err)
	}
	return value
}

// networks: fabrics, VLANs, spaces, subnets, addresses, routes.
func (t *tried) networks() {
	t.Scenario("networks", func() {
		fabric := got[*entity.Fabric](t.placed, "Fabrics.Create", &entity.FabricParams{Name: "gmc-fabric", ClassType: "10g"})
		t.must("Fabrics.Get")
		t.must("Fabric.Get", fabric.ID)
		changed := got[*entity.Fabric](t, "Fabric.Update", fabric.ID, &entity.FabricParams{Name: "gmc-fabric2"})
		t.Want("Fabric.Update", changed.Name == "gmc-fabric2", "the name is %q", changed.Name)

		space := got[*entity.Space](t, "Spaces.Create", "gmc-space")
		t.must("Spaces.Get")
		t.must("Space.Update", space.ID, "gmc-space2")
		t.must("Space.Get", space.ID)

		vlan := got[*entity.VLAN](t, "VLANs.Create", fabric.ID, &entity.VLANParams{Name: "gmc-vlan", VID: 100, MTU: 1500})
		t.must("VLANs.Get", fabric.ID)
		t.must("VLAN.Get", fabric.ID, 100)
		moved := got[*entity.VLAN](t, "VLAN.Update", fabric.ID, 100, &entity.VLANParams{Name: "gmc-vlan2", Space: "gmc-space2", MTU: 9000})
		t.Want("VLAN.Update", moved.Space == "gmc-space2" && moved.MTU == 9000, "it is %+v", moved)

		params := &entity.SubnetParams{
			CIDR: "10.77.0.0/24", Name: "gmc-subnet", VLAN: text(vlan.ID), GatewayIP: "10.77.0.1", DNSServers: []string{"10.77.0.2"},
			RDNSMode: 2, AllowDNS: true, AllowProxy: true, Managed: true,
		}
		made := got[*entity.Subnet](t, "Subnets.Create", params)
		other := got[*entity.Subnet](t, "Subnets.Create", &entity.SubnetParams{CIDR: "10.78.0.0/24", VLAN: text(vlan.ID), Managed: true})
		t.must("Subnets.Get")
		t.must("Subnet.Get", made.ID)
		params.Name = "gmc-subnet2"
		renamed := got[*entity.Subnet](t, "Subnet.Update", made.ID, params)
		t.Want("Subnet.Update", renamed.Name == "gmc-subnet2" && renamed.Space == "gmc-space2", "it is %+v", renamed)

		t.addresses(made, other)

		t.must("Subnet.Delete", made.ID)
		t.must("Subnet.Delete", other.ID)
		t.must("VLAN.Delete", fabric.ID, 100)
		t.must("Space.Delete", space.ID)
		t.must("Fabric.Delete", fabric.ID)
	})
	t.Scenario("discoveries", func() {
		t.must("Discoveries.Get")
		t.must("Discoveries.GetByUnknownIP")
		t.must("Discoveries.GetByUnknownMAC")
		t.must("Discoveries.GetByUnknownIPAndMAC")
		t.try("Discoveries.ClearByMACAndIP", "52:54:00:00:00:01", "10.77.0.9")
		t.try("Discovery.Get", "MTAuNzcuMC45LDUyOjU0OjAwOjAwOjAwOjAx")
		t.must("Discoveries.Clear", &entity.DiscoveryClearParams{All: true})
	})
}

// addresses of two subnets, and the route between them.
func (t *tried) addresses(made, other *entity.Subnet) {
	t.Scenario("IP ranges", func() {
		params := &entity.IPRangeParams{Type: "reserved", Subnet: text(made.ID), StartIP: "10.77.0.50", EndIP: "10.77.0.60", Comment: "gmc"}
		ipRange := got[*entity.IPRange](t, "IPRanges.Create", params)
		t.must("IPRanges.Get")
		t.must("IPRange.Get", ipRange.ID)
		params.EndIP = "10.77.0.70"
		longer := got[*entity.IPRange](t, "IPRange.Update", ipRange.ID, params)
		t.Want("IPRange.Update", longer.EndIP.String() == "10.77.0.70", "it ends at %s", longer.EndIP)
		t.must("IPRange.Delete", ipRange.ID)
	})
	t.Scenario("IP addresses", func() {
		reserved := got[*entity.IPAddress](t, "IPAddresses.Reserve", &entity.IPAddressesParams{Subnet: text(made.ID), IP: "10.77.0.99"})
		t.Want("IPAddresses.Reserve", reserved.IP.String() == "10.77.0.99", "it is %s", reserved.IP)
		all := got[[]entity.IPAddress](t, "IPAddresses.Get", &entity.IPAddressesParams{})
		t.Want("IPAddresses.Get", len(all) > 0, "there are none")
		inUse := got[[]subnet.IPAddress](t, "Subnet.GetIPAddresses", made.ID)
		t.Want("Subnet.GetIPAddresses", len(inUse) == 1, "there are %d", len(inUse))
		t.must("IPAddresses.Release", &entity.IPAddressesParams{IP: "10.77.0.99"})
	})
	t.Scenario("what a subnet says of its addresses", func() {
		statistics := got[*subnet.Statistics](t, "Subnet.GetStatistics", made.ID)
		t.Want("Subnet.GetStatistics", statistics.TotalAddresses == 254, "there are %d", statistics.TotalAddresses)
		t.must("Subnet.GetIPAddresses", made.ID)
		t.must("Subnet.GetReservedIPRanges", made.ID)
		t.must("Subnet.GetUnreservedIPRanges", made.ID)
	})
	t.Scenario("static routes", func() {
		params := &entity.StaticRouteParams{Source: text(made.ID), Destination: text(other.ID), GatewayIP: "10.77.0.1", Metric: 5}
		route := got[*entity.StaticRoute](t, "StaticRoutes.Create", params)
		t.must("StaticRoutes.Get")
		t.must("StaticRoute.Get", route.ID)
		params.Metric = 7
		changed := got[*entity.StaticRoute](t, "StaticRoute.Update", route.ID, params)
		t.Want("StaticRoute.Update", changed.Metric == 7, "the metric is %d", changed.Metric)
		t.must("StaticRoute.Delete", route.ID)
	})
}

// names: domains and what is in them.
func (t *tried) names() {
	t.Scenario("domains", func() {
		domain := got[*entity.Domain](t.placed, "Domains.Create", &entity.DomainParams{Name: "gmc.example", Authoritative: true, TTL: 60})
		t.must("Domains.Get")
		t.must("Domain.Get", domain.ID)
		changed := got[*entity.Domain](t, "Domain.Update", domain.ID, &entity.DomainParams{Name: "gmc2.example", Authoritative: true, TTL: 90})
		t.Want("Domain.Update", changed.TTL == 90, "the TTL is %d", changed.TTL)
		t.records("gmc2.example")
		// Each cell has a default domain of its own.
		for _, one := range got[[]entity.Domain](t.placed, "Domains.Get") {
			if one.IsDefault {
				set := got[*entity.Domain](t, "Domain.SetDefault", domain.ID)
				t.Want("Domain.SetDefault", set.IsDefault, "it is not the default")
				t.must("Domain.SetDefault", one.ID)
			}
		}
		t.must("Domain.Delete", domain.ID)
	})
	t.Scenario("the serial of domains", func() {
		t.try("Domains.SetSerial", 2026112301)
	})
}

func (t *tried) records(domain string) {
	t.Scenario("DNS resources", func() {
		params := &entity.DNSResourceParams{Name: "www", Domain: domain, IPAddresses: "10.99.0.7", AddressTTL: 30}
		made := got[*entity.DNSResource](t, "DNSResources.Create", params)
		t.Want("DNSResources.Create", made.FQDN == "www."+domain && len(made.IPAddresses) == 1, "it is %+v", made)
		t.must("DNSResources.Get", &entity.DNSResourcesParams{Domain: domain})
		t.must("DNSResource.Get", made.ID)
		params.IPAddresses = "10.99.0.8"
		changed := got[*entity.DNSResource](t, "DNSResource.Update", made.ID, params)
		t.Want("DNSResource.Update", len(changed.IPAddresses) == 1 && changed.IPAddresses[0].IP.String() == "10.99.0.8", "it is %+v", changed)
		t.must("DNSResource.Delete", made.ID)
	})
	t.Scenario("DNS records", func() {
		params := &entity.DNSResourceRecordParams{Name: "txt", Domain: domain, RRType: "TXT", RRData: "one", TTL: 30}
		made := got[*entity.DNSResourceRecord](t, "DNSResourceRecords.Create", params)
		t.must("DNSResourceRecords.Get", &entity.DNSResourceRecordsParams{Domain: domain})
		t.must("DNSResourceRecord.Get", made.ID)
		params.RRData = "two"
		t.must("DNSResourceRecord.Update", made.ID, params)
		t.must("DNSResourceRecord.Delete", made.ID)
	})
}

// devices: things that are not deployed.
func (t *tried) devices() {
	t.Scenario("devices", func() {
		made := got[*entity.Device](t.placed, "Devices.Create", &entity.DeviceCreateParams{Hostname: "gmc-device", MacAddresses: []string{"52:54:00:77:00:01"}})
		t.must("Devices.Get")
		t.must("Device.Get", made.SystemID)
		changed := got[*entity.Device](t, "Device.Update", made.SystemID, &entity.DeviceUpdateParams{Hostname: "gmc-device2", Zone: "default"})
		t.Want("Device.Update", changed.Hostname == "gmc-device2", "the name is %q", changed.Hostname)
		noted := got[*entity.Device](t, "Device.SetWorkloadAnnotations", made.SystemID, map[string]string{"a": "b"})
		t.Want("Device.SetWorkloadAnnotations", noted.WorkloadAnnotations["a"] == "b", "they are %v", noted.WorkloadAnnotations)
		t.must("Device.Delete", made.SystemID)
	})
}

// controllers: the processes of the cells.
func (t *tried) controllers() {
	t.Scenario("power types and zones of controllers", func() {
		t.try("RackControllers.DescribePowerTypes")
		t.must("RackControllers.IsRegistered", "52:54:00:77:00:02")
		all := got[[]entity.RackController](t, "RackControllers.Get", &entity.RackControllersGetParams{})
		t.Want("RackControllers.Get", len(all) > 0, "there are none")
		if len(all) == 0 {
			t.Stop()
		}
		id := all[0].SystemID
		t.try("RackControllers.GetPowerParameters", []string{id})
		t.try("RackControllers.SetZone", &entity.RackControllerSetZoneParams{Zone: "default", Nodes: []string{id}})
		t.try("RackController.Get", id)
		t.try("RackController.Update", id, &entity.RackControllerParams{Zone: "default"}, map[string]interface{}{})
		t.try("RackController.GetPowerParameters", id)
		t.try("RackController.GetPowerState", id)
		t.try("RackController.Details", id)
		t.try("RackController.PowerOn", id, &entity.RackControllerPowerOnParams{})
		t.try("RackController.PowerOff", id, &entity.RackControllerPowerOffParams{})
		t.try("RackController.Test", id, map[string]interface{}{})
		t.try("RackController.Abort", id, "gmc")
		t.try("RackController.OverrideFailedTesting", id, "gmc")
		t.try("RackController.Delete", id)
	})
}
