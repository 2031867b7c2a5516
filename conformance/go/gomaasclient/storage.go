package main

import (
	"fmt"

	"github.com/canonical/gomaasclient/entity"
)

// storage of a Ready machine: disks that it gets for this, and everything that is made of them.
func (t *tried) storage(id string) {
	disks := []string{}
	t.Scenario("block devices", func() {
		for number := range 4 {
			made := got[*entity.BlockDevice](t, "BlockDevices.Create", id, &entity.BlockDeviceParams{
				Name: fmt.Sprintf("gmc%d", number), Model: "Conformance", Serial: fmt.Sprintf("GMC-%d", number), Size: 20 * gigabyte, BlockSize: 512,
			})
			disks = append(disks, text(made.ID))
			if number > 0 {
				continue
			}
			t.must("BlockDevice.Get", id, made.ID)
			changed := got[*entity.BlockDevice](t, "BlockDevice.Update", id, made.ID, &entity.BlockDeviceParams{Name: "gmc-zero"})
			t.Want("BlockDevice.Update", changed.Name == "gmc-zero", "the name is %q", changed.Name)
			tagged := got[*entity.BlockDevice](t, "BlockDevice.AddTag", id, made.ID, "gmc")
			t.Want("BlockDevice.AddTag", len(tagged.Tags) == 1, "the tags are %v", tagged.Tags)
			t.must("BlockDevice.RemoveTag", id, made.ID, "gmc")
			formatted := got[*entity.BlockDevice](t, "BlockDevice.Format", id, made.ID, "ext4")
			t.Want("BlockDevice.Format", formatted.Filesystem.FSType == "ext4", "the file system is %+v", formatted.Filesystem)
			t.must("BlockDevice.Mount", id, made.ID, "/srv", "noatime")
			t.must("BlockDevice.Unmount", id, made.ID)
			t.must("BlockDevice.Unformat", id, made.ID)
		}
		all := got[[]entity.BlockDevice](t, "BlockDevices.Get", id)
		t.Want("BlockDevices.Get", len(all) >= 5, "there are %d", len(all))
		boot := t.machine(id).BootDisk.ID
		t.try("BlockDevice.SetBootDisk", id, all[len(all)-1].ID)
		t.try("BlockDevice.SetBootDisk", id, boot)
	})
	if len(disks) < 4 {
		return
	}
	t.partitions(id, disks[0])
	t.Scenario("RAID", func() {
		made := got[*entity.RAID](t, "RAIDs.Create", id, &entity.RAIDCreateParams{Name: "md7", Level: "raid-1", BlockDevices: disks[0:2]})
		t.must("RAIDs.Get", id)
		t.must("RAID.Get", id, made.ID)
		changed := got[*entity.RAID](t, "RAID.Update", id, made.ID, &entity.RAIDUpdateParams{Name: "md8", AddSpareDevices: disks[2:3]})
		t.Want("RAID.Update", changed.Name == "md8" && len(changed.SpareDevices) == 1, "it is %q with %d spares", changed.Name, len(changed.SpareDevices))
		t.must("RAID.Delete", id, made.ID)
	})
	t.Scenario("volume groups", func() {
		made := got[*entity.VolumeGroup](t, "VolumeGroups.Create", id, &entity.VolumeGroupCreateParams{Name: "vg7", BlockDevices: disks[0:2]})
		t.must("VolumeGroups.Get", id)
		changed := got[*entity.VolumeGroup](t, "VolumeGroup.Update", id, made.ID, &entity.VolumeGroupUpdateParams{Name: "vg8"})
		t.Want("VolumeGroup.Update", changed.Name == "vg8", "the name is %q", changed.Name)
		volume := got[*entity.BlockDevice](t, "VolumeGroup.CreateLogicalVolume", id, made.ID, &entity.LogicalVolumeParams{Name: "lv7", Size: 5 * gigabyte})
		read := got[*entity.VolumeGroup](t, "VolumeGroup.Get", id, made.ID)
		t.Want("VolumeGroup.Get", len(read.LogicalVolumes) == 1, "there are %d logical volumes", len(read.LogicalVolumes))
		t.must("VolumeGroup.DeleteLogicalVolume", id, made.ID, volume.ID)
		t.must("VolumeGroup.Delete", id, made.ID)
	})
	t.Scenario("bcache", func() {
		set := got[*entity.BCacheCacheSet](t, "BCacheCacheSets.Create", id, &entity.BCacheCacheSetParams{CacheDevice: disks[0]})
		t.must("BCacheCacheSets.Get", id)
		t.must("BCacheCacheSet.Get", id, set.ID)
		t.must("BCacheCacheSet.Update", id, set.ID, &entity.BCacheCacheSetParams{CacheDevice: disks[1]})
		params := &entity.BCacheParams{Name: "bcache7", CacheSet: text(set.ID), BackingDevice: disks[2], CacheMode: "writeback"}
		made := got[*entity.BCache](t, "BCaches.Create", id, params)
		t.must("BCaches.Get", id)
		t.must("BCache.Get", id, made.ID)
		changed := got[*entity.BCache](t, "BCache.Update", id, made.ID, &entity.BCacheParams{Name: "bcache8", CacheMode: "writethrough"})
		t.Want("BCache.Update", changed.Name == "bcache8" && changed.CacheMode == "writethrough", "it is %q, %q", changed.Name, changed.CacheMode)
		t.must("BCache.Delete", id, made.ID)
		t.must("BCacheCacheSet.Delete", id, set.ID)
	})
	t.Scenario("deleting a block device", func() {
		for _, one := range got[[]entity.BlockDevice](t, "BlockDevices.Get", id) {
			if one.Model == "Conformance" {
				t.must("BlockDevice.Delete", id, one.ID)
			}
		}
	})
}

func (t *tried) partitions(id, disk string) {
	t.Scenario("partitions", func() {
		made := got[*entity.BlockDevicePartition](t, "BlockDevicePartitions.Create", id, number(disk), &entity.BlockDevicePartitionParams{Size: 5 * gigabyte})
		t.must("BlockDevicePartitions.Get", id, number(disk))
		t.must("BlockDevicePartition.Get", id, number(disk), made.ID)
		tagged := got[*entity.BlockDevicePartition](t, "BlockDevicePartition.AddTag", id, number(disk), made.ID, "gmc")
		t.Want("BlockDevicePartition.AddTag", len(tagged.Tags) == 1, "the tags are %v", tagged.Tags)
		t.must("BlockDevicePartition.RemoveTag", id, number(disk), made.ID, "gmc")
		formatted := got[*entity.BlockDevicePartition](t, "BlockDevicePartition.Format", id, number(disk), made.ID, "ext4", "data")
		t.Want("BlockDevicePartition.Format", formatted.FileSystem.Label == "data", "the file system is %+v", formatted.FileSystem)
		mounted := got[*entity.BlockDevicePartition](t, "BlockDevicePartition.Mount", id, number(disk), made.ID, "/srv", "noatime")
		t.Want("BlockDevicePartition.Mount", mounted.FileSystem.MountPoint == "/srv", "the file system is %+v", mounted.FileSystem)
		t.must("BlockDevicePartition.Unmount", id, number(disk), made.ID)
		t.must("BlockDevicePartition.Unformat", id, number(disk), made.ID)
		t.must("BlockDevicePartition.Delete", id, number(disk), made.ID)
	})
}
