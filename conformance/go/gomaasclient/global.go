package main

import (
	"encoding/json"
	"fmt"

	"github.com/canonical/gomaasclient/entity"
	"github.com/canonical/gomaasclient/entity/notification"
	"muster/conformance/stage"
)

// settings: what is global and small.
func (t *tried) settings() {
	t.Scenario("version and settings", func() {
		version := got[*entity.Version](t, "Version.Get")
		t.Want("Version.Get", len(version.Capabilities) == 9, "there are %d capabilities", len(version.Capabilities))
		before := got[[]byte](t, "MAASServer.Get", "maas_name")
		var name string
		t.Want("MAASServer.Get", json.Unmarshal(before, &name) == nil, "it is no JSON string: %s", before)
		t.must("MAASServer.Post", "maas_name", "conformance")
		after := got[[]byte](t, "MAASServer.Get", "maas_name")
		t.Want("MAASServer.Post", string(after) == `"conformance"`, "the setting is %s", after)
		t.try("MAASServer.Post", "maas_name", name)
	})
	t.Scenario("zones and pools", func() {
		t.must("Zones.Create", &entity.ZoneParams{Name: "gmc-zone", Description: "one"})
		t.must("Zones.Get")
		t.must("Zone.Update", "gmc-zone", &entity.ZoneParams{Name: "gmc-zone2", Description: "two"})
		zone := got[*entity.Zone](t, "Zone.Get", "gmc-zone2")
		t.Want("Zone.Update", zone.Description == "two", "the description is %q", zone.Description)
		t.must("Zone.Delete", "gmc-zone2")
		pool := got[*entity.ResourcePool](t, "ResourcePools.Create", &entity.ResourcePoolParams{Name: "gmc-pool", Description: "one"})
		t.must("ResourcePools.Get")
		t.must("ResourcePool.Get", pool.ID)
		t.must("ResourcePool.Update", pool.ID, &entity.ResourcePoolParams{Name: "gmc-pool", Description: "two"})
		t.try("ResourcePool.GetByName", "gmc-pool")
		t.try("ResourcePool.UpdateByName", "gmc-pool", &entity.ResourcePoolParams{Description: "three"})
		t.must("ResourcePool.Delete", pool.ID)
		t.must("ResourcePools.Create", &entity.ResourcePoolParams{Name: "gmc-pool2"})
		t.try("ResourcePool.DeleteByName", "gmc-pool2")
	})
	t.Scenario("tags", func() {
		t.must("Tags.Create", &entity.TagParams{Name: "gmc-tag", Comment: "one"})
		t.must("Tags.Get")
		t.must("Tag.Get", "gmc-tag")
		t.must("Tag.Update", "gmc-tag", &entity.TagParams{Name: "gmc-tag2", Comment: "two"})
		t.must("Tag.AddMachines", "gmc-tag2", t.Ready[:2])
		machines := got[[]entity.Machine](t, "Tag.GetMachines", "gmc-tag2")
		t.Want("Tag.AddMachines", len(machines) == 2, "%d machines have the tag", len(machines))
		t.must("Tag.RemoveMachines", "gmc-tag2", t.Ready[:1])
		machines = got[[]entity.Machine](t, "Tag.GetMachines", "gmc-tag2")
		t.Want("Tag.RemoveMachines", len(machines) == 1, "%d machines have the tag", len(machines))
		t.must("Tag.Delete", "gmc-tag2")
	})
	t.Scenario("package repositories", func() {
		params := &entity.PackageRepositoryParams{Name: "gmc-repo", URL: "http://example.test/ubuntu", Enabled: true}
		made := got[*entity.PackageRepository](t, "PackageRepositories.Create", params)
		t.must("PackageRepositories.Get")
		t.must("PackageRepository.Get", made.ID)
		params.Name = "gmc-repo2"
		updated := got[*entity.PackageRepository](t, "PackageRepository.Update", made.ID, params)
		t.Want("PackageRepository.Update", updated.Name == "gmc-repo2", "the name is %q", updated.Name)
		t.must("PackageRepository.Delete", made.ID)
	})
	t.Scenario("notifications", func() {
		params := &entity.NotificationParams{Message: "hello", Category: notification.INFO, Users: true, Admins: true, Dismissable: true}
		made := got[*entity.Notification](t, "Notifications.Create", params)
		t.must("Notifications.Get")
		t.must("Notification.Get", made.ID)
		params.Message = "bye"
		updated := got[*entity.Notification](t, "Notification.Update", made.ID, params)
		t.Want("Notification.Update", updated.Message == "bye", "the message is %q", updated.Message)
		t.must("Notification.Dismiss", made.ID)
		t.must("Notification.Delete", made.ID)
	})
	t.Scenario("licence keys", func() {
		params := &entity.LicenseKeyParams{OSystem: "windows", DistroSeries: "win2012", LicenseKey: "XXXXX-XXXXX-XXXXX-XXXXX-XXXXX"}
		t.must("LicenseKeys.Create", params)
		t.must("LicenseKeys.Get")
		t.try("LicenseKey.Get", "windows", "win2012")
		params.LicenseKey = "YYYYY-YYYYY-YYYYY-YYYYY-YYYYY"
		t.try("LicenseKey.Update", "windows", "win2012", params)
		t.try("LicenseKey.Delete", "windows", "win2012")
	})
}

// people: users and what belongs to them.
func (t *tried) people() {
	t.Scenario("users", func() {
		me := got[*entity.User](t, "Users.Whoami")
		t.Want("Users.Whoami", me.IsSuperUser, "the first admin is none")
		t.must("Users.Create", &entity.UserParams{UserName: "gmc-user", Password: "secret secret", Email: "gmc@example.test"})
		t.must("Users.Get")
		made := got[*entity.User](t, "User.Get", "gmc-user")
		t.Want("User.Get", made.Email == "gmc@example.test" && !made.IsSuperUser, "it is %+v", made)
		t.must("User.Delete", &entity.UserDeleteParams{UserName: "gmc-user", TransferResourcesTo: me.UserName})
	})
	t.Scenario("API keys", func() {
		made := got[*entity.AuthorisationToken](t, "Account.CreateAuthorisationToken", "gmc")
		tokens := got[[]entity.AuthorisationTokenListItem](t, "Account.ListAuthorisationTokens")
		t.Want("Account.ListAuthorisationTokens", len(tokens) > 1, "there are %d", len(tokens))
		t.must("Account.UpdateTokenName", "gmc2", made.TokenKey)
		t.must("Account.DeleteAuthorisationToken", made.TokenKey)
	})
	t.Scenario("SSH keys", func() {
		made := got[*entity.SSHKey](t, "SSHKeys.Create", stage.SSHKey())
		t.must("SSHKeys.Get")
		t.must("SSHKey.Get", made.ID)
		t.must("SSHKey.Delete", made.ID)
		t.must("SSHKeys.Import", "gh:nobody-at-all-of-muster")
	})
	t.Scenario("SSL keys", func() {
		made := got[*entity.SSLKey](t, "SSLKeys.Create", stage.Certificate())
		t.must("SSLKeys.Get")
		t.must("SSLKey.Get", made.ID)
		t.must("SSLKey.Delete", made.ID)
	})
}

// images: boot sources and resources.
func (t *tried) images() {
	t.Scenario("boot sources", func() {
		params := &entity.BootSourceParams{URL: "http://example.test/images/", KeyringFilename: "/usr/share/keyrings/example.gpg"}
		made := got[*entity.BootSource](t, "BootSources.Create", params)
		t.must("BootSources.Get")
		t.must("BootSource.Get", made.ID)
		params.URL = "http://example.test/others/"
		updated := got[*entity.BootSource](t, "BootSource.Update", made.ID, params)
		t.Want("BootSource.Update", updated.URL == params.URL, "the URL is %q", updated.URL)
		t.Scenario("boot source selections", func() {
			chosen := &entity.BootSourceSelectionParams{OS: "ubuntu", Release: "noble", Arches: []string{"amd64"}, Subarches: []string{"*"}, Labels: []string{"*"}}
			selection := got[*entity.BootSourceSelection](t, "BootSourceSelections.Create", made.ID, chosen)
			t.must("BootSourceSelections.Get", made.ID)
			t.must("BootSourceSelection.Get", made.ID, selection.ID)
			chosen.Arches = []string{"amd64", "arm64"}
			changed := got[*entity.BootSourceSelection](t, "BootSourceSelection.Update", made.ID, selection.ID, chosen)
			t.Want("BootSourceSelection.Update", len(changed.Arches) == 2, "the architectures are %v", changed.Arches)
			t.must("BootSourceSelection.Delete", made.ID, selection.ID)
		})
		t.must("BootSource.Delete", made.ID)
	})
	t.Scenario("boot resources", func() {
		all := got[[]entity.BootResource](t, "BootResources.Get", &entity.BootResourcesReadParams{})
		t.Want("BootResources.Get", len(all) > 0, "there are none")
		for _, one := range all {
			t.must("BootResource.Get", one.ID)
		}
		t.must("BootResources.IsImporting")
		t.try("BootResources.Import")
		t.try("BootResources.StopImport")
		t.try("BootResources.Create", &entity.BootResourceParams{Name: "custom/gmc", Architecture: "amd64/generic"})
		id, err := t.NewBootResource("custom/gmc")
		if err != nil {
			t.Failed("BootResource.Delete", fmt.Errorf("there is none to delete: %w", err))
			return
		}
		t.must("BootResource.Delete", id)
	})
}

// scripts, and what they said.
func (t *tried) scripts() {
	t.Scenario("scripts", func() {
		params := &entity.NodeScriptParams{Name: "gmc-script", Title: "One", ScriptType: "testing", HardwareType: "node", Timeout: "60", Tags: "gmc"}
		script := []byte("#!/bin/sh\n# one\ntrue\n")
		t.must("NodeScripts.Create", params, script)
		t.must("NodeScripts.Get", &entity.NodeScriptReadParams{Type: "testing", IncludeScript: "true"})
		read := got[*entity.NodeScript](t, "NodeScript.Get", "gmc-script", true)
		t.Want("NodeScript.Get", len(read.History) == 1, "the history has %d entries", len(read.History))
		params.Title = "Two"
		params.Comment = "second"
		updated := got[*entity.NodeScript](t, "NodeScript.Update", "gmc-script", params, []byte("#!/bin/sh\n# two\ntrue\n"))
		t.Want("NodeScript.Update", updated.Title == "Two", "the title is %q", updated.Title)
		text := got[[]byte](t, "NodeScript.Download", "gmc-script", read.History[0].ID)
		t.Want("NodeScript.Download", string(text) == string(script), "it is %q", text)
		t.must("NodeScript.AddTag", "gmc-script", "gmc-other")
		t.must("NodeScript.RemoveTag", "gmc-script", "gmc-other")
		t.must("NodeScript.Revert", "gmc-script", -1)
		t.must("NodeScript.Delete", "gmc-script")
	})
	t.Scenario("results and events", func() {
		results := got[[]entity.NodeResult](t, "NodeResults.Get", &entity.NodeResultParams{SystemID: t.Ready[0]})
		t.Want("NodeResults.Get", len(results) > 0, "there are none")
		events := got[*entity.EventsResp](t, "Events.Get", &entity.EventParams{Limit: "5"})
		t.Want("Events.Get", len(events.Events) == 5, "there are %d", len(events.Events))
	})
}

// virtual: MAAS has none of it any more.
func (t *tried) virtual() {
	t.Scenario("virtual machines", func() {
		t.try("VMHosts.Get")
		t.try("VMHosts.Create", &entity.VMHostParams{Type: "lxd", PowerAddress: "192.0.2.1"})
		t.try("VMHost.Get", 1)
		t.try("VMHost.Update", 1, &entity.VMHostParams{Name: "x"})
		t.try("VMHost.Compose", 1, &entity.VMHostMachineParams{Cores: 1})
		t.try("VMHost.Refresh", 1)
		t.try("VMHost.GetParameters", 1)
		t.try("VMHost.Delete", 1)
	})
}
