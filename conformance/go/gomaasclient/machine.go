package main

import (
	"github.com/canonical/gomaasclient/entity"
)

const gigabyte = 1000 * 1000 * 1000

// machine as it is now.
func (t *tried) machine(id string) *entity.Machine { return got[*entity.Machine](t, "Machine.Get", id) }

func (t *tried) untilStatus(operation, id, status string) {
	t.Until(operation, id+" is "+status, func() bool { return t.machine(id).StatusName == status })
}

// machineLife: allocated, deployed, used, released.
func (t *tried) machineLife(id string) {
	t.Scenario("the life of a machine", func() {
		t.must("Machines.Get", &entity.MachinesParams{ID: []string{id}})
		t.must("Machine.Update", id, &entity.MachineParams{Description: "gmc", Zone: "default", Pool: "default"}, nil)
		held := got[*entity.Machine](t, "Machines.Allocate", &entity.MachineAllocateParams{SystemID: id, CPUCount: 1, Mem: 512})
		t.Want("Machines.Allocate", held.SystemID == id && held.StatusName == "Allocated", "it is %s, %s", held.SystemID, held.StatusName)
		t.must("Machines.ListAllocated")
		noted := got[*entity.Machine](t, "Machine.SetWorkloadAnnotations", id, map[string]string{"role": "test"})
		t.Want("Machine.SetWorkloadAnnotations", noted.WorkloadAnnotations["role"] == "test", "they are %v", noted.WorkloadAnnotations)
		t.must("Machine.Deploy", id, &entity.MachineDeployParams{DistroSeries: t.Series, UserData: "I2Nsb3VkLWNvbmZpZwo=", Comment: "gmc"})
		t.try("Machine.GetToken", id)
		t.untilStatus("Machine.Deploy", id, "Deployed")
		t.try("Machine.GetCurtinConfig", id)
		t.must("Machine.Lock", id, "gmc")
		t.must("Machine.Unlock", id, "gmc")
		t.Scenario("rescue mode", func() {
			t.must("Machine.RescueMode", id)
			t.untilStatus("Machine.RescueMode", id, "Rescue mode")
			t.must("Machine.ExitRescueMode", id)
			t.untilStatus("Machine.ExitRescueMode", id, "Deployed")
		})
		t.must("Machine.Release", id, &entity.MachineReleaseParams{Comment: "gmc"})
		t.untilStatus("Machine.Release", id, "Ready")
		t.must("Machines.Allocate", &entity.MachineAllocateParams{SystemID: id})
		t.must("Machines.Release", []string{id}, "gmc")
		t.untilStatus("Machines.Release", id, "Ready")
	})
}

// machineCare: what an administrator does to one.
func (t *tried) machineCare(id string) {
	t.Scenario("power", func() {
		t.must("Machine.GetPowerParameters", id)
		t.must("Machine.PowerOn", id, &entity.MachinePowerOnParams{Comment: "gmc"})
		t.must("Machine.GetPowerState", id)
		t.must("Machine.PowerOff", id, &entity.MachinePowerOffParams{Comment: "gmc", StopMode: "hard"})
		t.Until("Machine.PowerOff", id+" is off", func() bool { return t.machine(id).PowerState == "off" })
	})
	t.Scenario("hardware", func() {
		details := got[*entity.MachineDetails](t, "Machine.Details", id)
		t.Want("Machine.Details", details.LSHW != "", "there is no lshw")
		devices := got[[]entity.NodeDevice](t, "NodeDevices.Get", id, &entity.NodeDeviceParams{})
		t.Want("NodeDevices.Get", len(devices) > 0, "there are none")
		if len(devices) > 0 {
			t.must("NodeDevice.Get", id, devices[0].ID)
			t.must("NodeDevice.Delete", id, devices[0].ID)
		}
	})
	t.Scenario("restoring", func() {
		t.try("Machine.RestoreNetworkingConfiguration", id)
		t.try("Machine.RestoreStorageConfiguration", id)
		t.try("Machine.RestoreDefaultConfiguration", id)
		t.try("Machine.ClearDefaultGateways", id)
	})
	t.Scenario("broken and mended", func() {
		t.must("Machine.MarkBroken", id, "gmc")
		t.must("Machine.MarkFixed", id, "gmc")
		t.untilStatus("Machine.MarkFixed", id, "Ready")
	})
	t.Scenario("commissioning", func() {
		t.must("Machine.Commission", id, &entity.MachineCommissionParams{SkipBMCConfig: 1, TestingScripts: "none"})
		t.must("Machine.Abort", id, "gmc")
		t.Until("Machine.Abort", "it is no longer commissioning", func() bool { return t.machine(id).StatusName != "Commissioning" })
	})
	t.Scenario("a machine that is added by hand", func() {
		made := got[*entity.Machine](t.placed, "Machines.Create", &entity.MachineParams{
			Hostname: "gmc-machine", Architecture: "amd64/generic", PowerType: "manual", MACAddresses: []string{"52:54:00:77:00:03"},
		}, map[string]interface{}{})
		t.must("Machines.AcceptAll")
		t.must("Machine.Abort", made.SystemID, "gmc")
		t.untilStatus("Machine.Abort", made.SystemID, "New")
		t.must("Machine.Delete", made.SystemID)
	})
}

// interfaces of a Ready machine.
func (t *tried) interfaces(id string) {
	t.Scenario("interfaces", func() {
		all := got[[]entity.NetworkInterface](t, "NetworkInterfaces.Get", id)
		vlan := all[0].VLAN
		first := got[*entity.NetworkInterface](t, "NetworkInterfaces.CreatePhysical", id, &entity.NetworkInterfacePhysicalParams{
			Name: "gmc0", MACAddress: "52:54:00:77:01:01", VLAN: vlan.ID, Tags: "one,two",
		})
		second := got[*entity.NetworkInterface](t, "NetworkInterfaces.CreatePhysical", id, &entity.NetworkInterfacePhysicalParams{
			Name: "gmc1", MACAddress: "52:54:00:77:01:02", VLAN: vlan.ID,
		})
		t.must("NetworkInterface.Get", id, first.ID)
		renamed := got[*entity.NetworkInterface](t, "NetworkInterface.Update", id, first.ID, &entity.NetworkInterfaceUpdateParams{Name: "gmc2", VLAN: vlan.ID})
		t.Want("NetworkInterface.Update", renamed.Name == "gmc2", "the name is %q", renamed.Name)
		t.try("NetworkInterface.AddTag", id, first.ID, "gmc")
		t.try("NetworkInterface.RemoveTag", id, first.ID, "gmc")
		t.links(id, first.ID, vlan)
		t.Scenario("bond, VLAN and bridge", func() {
			bond := got[*entity.NetworkInterface](t, "NetworkInterfaces.CreateBond", id, &entity.NetworkInterfaceBondParams{
				Name: "bond0", Parents: []int{first.ID, second.ID}, BondMode: "active-backup", BondMiimon: 100,
			})
			t.Want("NetworkInterfaces.CreateBond", len(bond.Parents) == 2, "the parents are %v", bond.Parents)
			bridge := got[*entity.NetworkInterface](t, "NetworkInterfaces.CreateBridge", id, &entity.NetworkInterfaceBridgeParams{
				Name: "br0", Parents: []int{bond.ID}, BridgeType: "standard",
			})
			t.must("NetworkInterface.Delete", id, bridge.ID)
			tagged := got[*entity.VLAN](t, "VLANs.Create", vlan.FabricID, &entity.VLANParams{Name: "gmc-tagged", VID: 77})
			on := got[*entity.NetworkInterface](t, "NetworkInterfaces.CreateVLAN", id, &entity.NetworkInterfaceVLANParams{Parents: []int{bond.ID}, VLAN: tagged.ID})
			t.Want("NetworkInterfaces.CreateVLAN", on.VLAN.VID == 77, "the VLAN is %d", on.VLAN.VID)
			t.must("NetworkInterface.Delete", id, on.ID)
			t.must("NetworkInterface.Delete", id, bond.ID)
			t.must("VLAN.Delete", vlan.FabricID, 77)
		})
		t.try("NetworkInterface.Delete", id, first.ID)
		t.try("NetworkInterface.Delete", id, second.ID)
	})
}

func (t *tried) links(id string, card int, vlan entity.VLAN) {
	t.Scenario("links", func() {
		for _, one := range got[[]entity.Subnet](t, "Subnets.Get") {
			if one.VLAN.ID != vlan.ID {
				continue
			}
			params := &entity.SubnetParams{
				CIDR: "10.79.0.0/24", Name: "gmc-links", VLAN: text(vlan.ID), GatewayIP: "10.79.0.1", Managed: true, AllowDNS: true, AllowProxy: true,
			}
			made := got[*entity.Subnet](t, "Subnets.Create", params)
			linked := got[*entity.NetworkInterface](t, "NetworkInterface.LinkSubnet", id, card, &entity.NetworkInterfaceLinkParams{
				Mode: "STATIC", Subnet: made.ID, IPAddress: "10.79.0.20",
			})
			link := 0
			for _, each := range linked.Links {
				if each.IPAddress == "10.79.0.20" {
					link = each.ID
				}
			}
			t.Want("NetworkInterface.LinkSubnet", link != 0, "the links are %+v", linked.Links)
			t.must("NetworkInterface.SetDefaultGateway", id, card, link)
			t.must("Machine.ClearDefaultGateways", id)
			t.must("NetworkInterface.UnlinkSubnet", id, card, link)
			t.must("NetworkInterface.Disconnect", id, card)
			t.must("NetworkInterface.Update", id, card, &entity.NetworkInterfaceUpdateParams{VLAN: vlan.ID})
			t.must("Subnet.Delete", made.ID)
			return
		}
		t.Failed("Subnets.Get", "no subnet is in the VLAN of the machine's card")
	})
}
