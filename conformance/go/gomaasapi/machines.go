package main

import (
	"encoding/base64"
	"fmt"
	"net/url"

	gomaasapi "github.com/juju/gomaasapi/v2"
)

// allocate: what Juju does with a machine, with labels for its disks and networks.
func (t *tried) allocate() {
	t.Scenario("allocate, start, release", func() {
		chosen := t.withTwoDisks()
		vlan := chosen.BootInterface().VLAN().ID()
		space := numberOf(t.made("spaces", "", url.Values{"name": {"gma-space"}}), "id")
		if _, err := t.low.GetSubObject("vlans").GetSubObject(fmt.Sprint(vlan)).Update(url.Values{"space": {"gma-space"}}); err != nil {
			panic(err)
		}
		args := gomaasapi.AllocateMachineArgs{
			SystemId: chosen.SystemID(), MinCPUCount: 1, MinMemory: 512, Architecture: "amd64", Zone: "default", AgentName: "gma",
			Storage:    []gomaasapi.StorageSpec{{Label: "root", Size: 1}, {Label: "data", Size: 1}},
			Interfaces: []gomaasapi.InterfaceSpec{{Label: "0", Space: fmt.Sprint(space)}},
		}
		given, ok := t.TryAll("Controller.AllocateMachine", t.controller, "AllocateMachine", args)
		if !ok {
			t.Stop()
		}
		machine := given[0].(gomaasapi.Machine)
		matches := given[1].(gomaasapi.ConstraintMatches)
		t.Want("Controller.AllocateMachine", machine.SystemID() == chosen.SystemID(), "it is %s", machine.SystemID())
		t.Want("Controller.AllocateMachine", len(matches.Storage["root"]) == 1 && len(matches.Storage["data"]) == 1, "the disks are %v", matches.Storage)
		t.Want("Controller.AllocateMachine", len(matches.Interfaces["0"]) > 0, "the interfaces are %v", matches.Interfaces)
		t.on(machine, "OwnerDataHolder.SetOwnerData", map[string]string{"juju-controller-uuid": "x", "juju-is-controller": "false"})
		t.Want("OwnerDataHolder.SetOwnerData", machine.OwnerData()["juju-controller-uuid"] == "x", "it is %v", machine.OwnerData())
		owned := t.on(t.controller, "Controller.Machines", gomaasapi.MachinesArgs{AgentName: "gma"}).([]gomaasapi.Machine)
		t.Want("Controller.Machines", len(owned) == 1, "%d have the agent's name", len(owned))
		userData := base64.StdEncoding.EncodeToString([]byte("#cloud-config\n"))
		t.on(machine, "Machine.Start", gomaasapi.StartArgs{DistroSeries: t.Series, UserData: userData, Comment: "gma"})
		t.untilStatus("Machine.Start", machine.SystemID(), "Deployed")
		t.containers(machine)
		t.on(t.controller, "Controller.ReleaseMachines", gomaasapi.ReleaseMachinesArgs{SystemIDs: []string{machine.SystemID()}, Comment: "gma"})
		t.untilStatus("Controller.ReleaseMachines", machine.SystemID(), "Ready")
	})
	t.Scenario("nothing matches", func() {
		_, _, err := t.controller.AllocateMachine(gomaasapi.AllocateMachineArgs{MinMemory: 1 << 30})
		t.Want("Controller.AllocateMachine", gomaasapi.IsNoMatchError(err), "a machine with a petabyte: %v", err)
		err = t.controller.ReleaseMachines(gomaasapi.ReleaseMachinesArgs{SystemIDs: []string{"nobody"}})
		t.Want("Controller.ReleaseMachines", gomaasapi.IsBadRequestError(err), "a machine that is not there: %v", err)
	})
}

func (t *tried) withTwoDisks() gomaasapi.Machine {
	for _, id := range t.Ready {
		if machine := t.machine(id); len(machine.PhysicalBlockDevices()) > 1 {
			return machine
		}
	}
	// The first one gets a second disk.
	disk := url.Values{"name": {"gma"}, "model": {"Conformance"}, "serial": {"GMA"}, "size": {"5000000000"}, "block_size": {"512"}}
	t.made("nodes/"+t.Ready[0]+"/blockdevices", "", disk)
	return t.machine(t.Ready[0])
}

// containers: Juju registers them as devices of their machine, and gives them addresses.
func (t *tried) containers(machine gomaasapi.Machine) {
	t.Scenario("containers", func() {
		card := machine.BootInterface()
		subnet := t.subnetOf(card.VLAN().ID())
		device := t.on(machine, "Machine.CreateDevice", gomaasapi.CreateMachineDeviceArgs{
			Hostname: "gma-container", InterfaceName: "eth0", MACAddress: "52:54:00:97:00:01", Subnet: subnet, VLAN: subnet.VLAN(),
		}).(gomaasapi.Device)
		t.Want("Machine.CreateDevice", device.Parent() == machine.SystemID(), "its parent is %q", device.Parent())
		found := t.on(machine, "Machine.Devices", gomaasapi.DevicesArgs{Hostname: []string{"gma-container"}}).([]gomaasapi.Device)
		t.Want("Machine.Devices", len(found) == 1, "there are %d", len(found))
		t.Want("Interface.LinkSubnet", len(found) == 1 && len(found[0].IPAddresses()) == 1, "it has no address")
		t.on(device, "Device.Delete")
	})
}

func (t *tried) subnetOf(vlan int) gomaasapi.Subnet {
	for _, space := range t.on(t.controller, "Controller.Spaces").([]gomaasapi.Space) {
		for _, subnet := range space.Subnets() {
			if subnet.VLAN() != nil && subnet.VLAN().ID() == vlan {
				return subnet
			}
		}
	}
	t.Failed("Controller.Spaces", fmt.Sprintf("no subnet is in VLAN %d", vlan))
	t.Stop()
	return nil
}

// devices by themselves, and their interfaces.
func (t *tried) devices() {
	t.Scenario("devices", func() {
		device := t.on(t.placed, "Controller.CreateDevice", gomaasapi.CreateDeviceArgs{
			Hostname: "gma-device", MACAddresses: []string{"52:54:00:97:00:02"},
		}).(gomaasapi.Device)
		all := t.on(t.controller, "Controller.Devices", gomaasapi.DevicesArgs{SystemIDs: []string{device.SystemID()}}).([]gomaasapi.Device)
		t.Want("Controller.Devices", len(all) == 1, "there are %d", len(all))
		subnet := t.subnetOf(t.machine(t.Ready[0]).BootInterface().VLAN().ID())
		card := t.on(device, "Device.CreateInterface", gomaasapi.CreateInterfaceArgs{
			Name: "eth1", MACAddress: "52:54:00:97:00:03", VLAN: subnet.VLAN(), Tags: []string{"a", "b"}, MTU: 1500,
		}).(gomaasapi.Interface)
		t.on(card, "Interface.Update", gomaasapi.UpdateInterfaceArgs{Name: "eth2", VLAN: subnet.VLAN()})
		t.Want("Interface.Update", card.Name() == "eth2", "the name is %q", card.Name())
		t.on(card, "Interface.LinkSubnet", gomaasapi.LinkSubnetArgs{Mode: gomaasapi.LinkModeStatic, Subnet: subnet})
		t.Want("Interface.LinkSubnet", len(card.Links()) == 1 && card.Links()[0].IPAddress() != "", "the links are %v", card.Links())
		t.on(card, "Interface.UnlinkSubnet", subnet)
		t.on(card, "Interface.Delete")
		t.on(device, "Device.Delete")
	})
}
