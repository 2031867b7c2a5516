"""The storage of a Ready machine: disks that it gets for this, and everything that is made of them."""

from maas.client.enum import CacheMode, RaidLevel

GIGABYTE = 1000 * 1000 * 1000


async def block_devices(t, origin, machine_id):
    machine = await t.must(lambda: origin.Machine.read(machine_id))
    boot = machine.boot_disk
    for number in range(4):
        made = await t.must(
            lambda: origin.BlockDevices.create(
                machine, "lib%d" % number, model="Conformance", serial="LIB-%d" % number, size=20 * GIGABYTE, tags=["libmaas"]
            )
        )
    disks = await t.must(lambda: origin.BlockDevices.read(machine))
    t.want("BlockDevices.read", len(disks) >= 5, "there are %d" % len(disks))
    disk = await t.must(lambda: origin.BlockDevice.read(machine, made.id))
    disk.name = "lib9"
    await t.must(lambda: disk.save())
    await t.must(lambda: disk.refresh())
    t.want("BlockDevice.save", disk.name == "lib9", disk.name)
    await t.must(lambda: disk.format("ext4"))
    t.want("BlockDevice.format", disk.filesystem.fstype == "ext4", disk._data["filesystem"])
    await t.must(lambda: disk.mount("/srv", mount_options="noatime"))
    await t.must(lambda: disk.unmount())
    await t.must(lambda: disk.unformat())
    await t.must(lambda: disk.set_as_boot_disk())
    await t.must(lambda: boot.set_as_boot_disk())


async def ours(t, origin, machine_id):
    """The machine, and the disks that the first scenario has made."""
    machine = await t.must(lambda: origin.Machine.read(machine_id))
    disks = await t.must(lambda: origin.BlockDevices.read(machine))
    return machine, [disk for disk in disks if disk.model == "Conformance"]


async def partitions(t, origin, machine_id):
    _, disks = await ours(t, origin, machine_id)
    made = await t.must(lambda: origin.Partitions.create(disks[0], 5 * GIGABYTE))
    await t.must(lambda: origin.Partitions.read(disks[0].node, disks[0].id))
    partition = await t.must(lambda: origin.Partition.read(disks[0].node, disks[0], made.id))
    await t.attempt(lambda: partition.refresh())
    await t.must(lambda: partition.format("ext4"))
    t.want("Partition.format", partition.filesystem.fstype == "ext4", partition._data["filesystem"])
    await t.must(lambda: partition.mount("/srv"))
    await t.must(lambda: partition.umount())
    await t.must(lambda: partition.unformat())
    await t.must(lambda: partition.delete())


async def raids(t, origin, machine_id):
    machine, disks = await ours(t, origin, machine_id)
    made = await t.must(lambda: origin.Raids.create(machine, RaidLevel.RAID_1, disks[0:2], name="md7", spare_devices=[]))
    await t.must(lambda: origin.Raids.read(machine))
    raid = await t.must(lambda: origin.Raid.read(machine, made.id))
    raid.name = "md8"
    await t.must(lambda: raid.save())
    await t.must(lambda: raid.refresh())
    t.want("Raid.save", raid.name == "md8", raid.name)
    t.want("Raid.read", len(raid.devices) == 2, "it has %d devices" % len(raid.devices))
    await t.must(lambda: raid.delete())


async def volume_groups(t, origin, machine_id):
    machine, disks = await ours(t, origin, machine_id)
    made = await t.must(lambda: origin.VolumeGroups.create(machine, "vg7", disks[0:2]))
    await t.must(lambda: origin.VolumeGroups.read(machine))
    group = await t.must(lambda: origin.VolumeGroup.read(machine, made.id))
    group.name = "vg8"
    await t.must(lambda: group.save())
    await t.must(lambda: group.refresh())
    t.want("VolumeGroup.save", group.name == "vg8", group.name)
    _, volume = await t.attempt(lambda: origin.LogicalVolumes.create(group, "lv7", 5 * GIGABYTE))
    if volume is not None:
        await logical_volume(t, origin, machine, group, volume)
    await t.must(lambda: group.delete())


async def logical_volume(t, origin, machine, group, volume):
    await t.attempt(lambda: origin.LogicalVolumes.read(machine))
    await t.attempt(lambda: origin.LogicalVolume.read(machine, volume.id))
    await t.attempt(lambda: volume.format("ext4"))
    await t.attempt(lambda: volume.mount("/srv"))
    await t.attempt(lambda: volume.unmount())
    await t.attempt(lambda: volume.unformat())
    await t.attempt(lambda: volume.set_as_boot_disk())
    await t.attempt(lambda: volume.delete())


async def bcaches(t, origin, machine_id):
    machine, disks = await ours(t, origin, machine_id)
    made = await t.must(lambda: origin.BcacheCacheSets.create(machine, disks[0]))
    await t.must(lambda: origin.BcacheCacheSets.read(machine))
    cache = await t.must(lambda: origin.BcacheCacheSet.read(machine, made.id))
    await t.must(lambda: cache.refresh())
    await t.attempt(lambda: cache.save())
    made = await t.must(lambda: origin.Bcaches.create(machine, "bcache7", disks[1], cache, CacheMode.WRITEBACK))
    await t.must(lambda: origin.Bcaches.read(machine))
    bcache = await t.must(lambda: origin.Bcache.read(machine, made.id))
    bcache.name = "bcache8"
    await t.must(lambda: bcache.save())
    await t.must(lambda: bcache.refresh())
    t.want("Bcache.save", bcache.name == "bcache8", bcache.name)
    await t.must(lambda: bcache.delete())
    await t.must(lambda: cache.delete())


async def removing_disks(t, origin, machine_id):
    _, disks = await ours(t, origin, machine_id)
    for disk in disks:
        await t.must(lambda: disk.delete())


def scenarios(t, origin, machine_id):
    for steps in (block_devices, partitions, raids, volume_groups, bcaches, removing_disks):
        yield steps.__name__.replace("_", " "), steps(t, origin, machine_id)
