"""Networks, names, devices, and the interfaces of a Ready machine."""

from maas.client.enum import InterfaceType, IPRangeType, LinkMode


async def networks(t, origin):
    fabric = await t.must(lambda: t.placed.Fabrics.create(name="libmaas-fabric"))
    await t.must(lambda: origin.Fabrics.read())
    await t.attempt(lambda: origin.Fabric.get_default())
    fabric = await t.must(lambda: origin.Fabric.read(fabric.id))
    fabric.name = "libmaas-fabric2"
    await t.must(lambda: fabric.save())
    await t.must(lambda: fabric.refresh())
    t.want("Fabric.save", fabric.name == "libmaas-fabric2", fabric.name)
    space = await t.must(lambda: origin.Spaces.create(name="libmaas-space", description="one"))
    await t.must(lambda: origin.Spaces.read())
    await t.attempt(lambda: origin.Space.get_default())
    space = await t.must(lambda: origin.Space.read(space.id))
    await t.must(lambda: space.refresh())
    await t.attempt(lambda: space.save())
    vlan = await t.must(lambda: origin.Vlans.create(fabric, 300, name="libmaas-vlan", mtu=1500, space=space))
    await t.must(lambda: origin.Vlans.read(fabric))
    vlan = await t.must(lambda: origin.Vlan.read(fabric, vlan.vid))
    vlan.name = "libmaas-vlan2"
    await t.must(lambda: vlan.save())
    await t.must(lambda: vlan.refresh())
    t.want("Vlan.save", vlan.name == "libmaas-vlan2", vlan.name)
    subnet = await t.must(
        lambda: origin.Subnets.create("10.87.0.0/24", vlan, name="libmaas-subnet", gateway_ip="10.87.0.1", dns_servers=["10.87.0.2"])
    )
    other = await t.must(lambda: origin.Subnets.create("10.88.0.0/24", vlan))
    await t.must(lambda: origin.Subnets.read())
    subnet = await t.must(lambda: origin.Subnet.read(subnet.id))
    subnet.name = "libmaas-subnet2"
    await t.must(lambda: subnet.save())
    await t.must(lambda: subnet.refresh())
    t.want("Subnet.save", subnet.name == "libmaas-subnet2", subnet.name)
    await ranges(t, origin, subnet)
    await t.must(lambda: subnet.delete())
    await t.must(lambda: other.delete())
    await t.must(lambda: vlan.delete())
    await t.must(lambda: space.delete())
    await t.must(lambda: fabric.delete())


async def ranges(t, origin, subnet):
    made = await t.must(lambda: origin.IPRanges.create("10.87.0.50", "10.87.0.60", type=IPRangeType.RESERVED, comment="one", subnet=subnet))
    await t.must(lambda: origin.IPRanges.read())
    made = await t.must(lambda: origin.IPRange.read(made.id))
    made.comment = "two"
    await t.must(lambda: made.save())
    changed = await t.must(lambda: origin.IPRange.read(made.id))
    t.want("IPRange.save", changed.comment == "two", changed.comment)
    await t.must(lambda: made.delete())


async def static_routes(t, origin):
    fabric = await t.must(lambda: t.placed.Fabrics.create(name="libmaas-routes"))
    vlan = await t.must(lambda: origin.Vlans.create(fabric, 301))
    one = await t.must(lambda: origin.Subnets.create("10.89.0.0/24", vlan))
    two = await t.must(lambda: origin.Subnets.create("10.90.0.0/24", vlan))
    made = await t.must(lambda: origin.StaticRoutes.create(two, one, "10.89.0.1", 5))
    await t.must(lambda: origin.StaticRoutes.read())
    route = await t.must(lambda: origin.StaticRoute.read(made.id))
    route.metric = 7
    await t.must(lambda: route.save())
    await t.must(lambda: route.refresh())
    t.want("StaticRoute.save", route.metric == 7, route.metric)
    await t.must(lambda: route.delete())


async def domains(t, origin):
    made = await t.must(lambda: t.placed.Domains.create("libmaas.example", authoritative=True))
    await t.must(lambda: origin.Domains.read())
    domain = await t.must(lambda: origin.Domain.read(made.id))
    domain.ttl = 60
    await t.must(lambda: domain.save())
    await t.must(lambda: domain.refresh())
    t.want("Domain.save", domain.ttl == 60, domain.ttl)
    await t.must(lambda: domain.delete())


async def devices(t, origin):
    made = await t.must(lambda: t.placed.Devices.create(["52:54:00:87:00:01"], hostname="libmaas-device"))
    await t.must(lambda: origin.Devices.read())
    device = await t.must(lambda: origin.Device.read(made.system_id))
    device.hostname = "libmaas-device2"
    await t.must(lambda: device.save())
    await t.must(lambda: device.refresh())
    t.want("Device.save", device.hostname == "libmaas-device2", device.hostname)
    await t.attempt(lambda: device.get_power_parameters())
    await t.attempt(lambda: device.set_power("manual"))
    await t.must(lambda: device.delete())


async def controllers(t, origin):
    racks = await t.must(lambda: origin.RackControllers.read())
    regions = await t.must(lambda: origin.RegionControllers.read())
    for group, name in ((racks, "RackController"), (regions, "RegionController")):
        t.want(name + "s.read", len(group) > 0, "there are none")
        if len(group) == 0:
            continue
        one = await t.must(lambda: getattr(origin, name).read(group[0].system_id))
        await t.attempt(lambda: one.refresh())
        await t.attempt(lambda: one.get_power_parameters())
        await t.attempt(lambda: one.set_power("manual"))
        await t.attempt(lambda: one.save())
        await t.attempt(lambda: one.delete())


async def interfaces(t, origin, machine_id):
    machine = await t.must(lambda: origin.Machine.read(machine_id))
    cards = await t.must(lambda: origin.Interfaces.read(machine))
    vlan = cards[0].vlan
    made = []
    for number in (1, 2):
        made.append(
            await t.must(
                lambda: origin.Interfaces.create(
                    machine, InterfaceType.PHYSICAL, name="lib%d" % number, mac_address="52:54:00:87:01:0%d" % number, vlan=vlan, tags=["a"]
                )
            )
        )
    card = await t.must(lambda: origin.Interface.read(machine, made[0].id))
    card.name = "lib3"
    await t.must(lambda: card.save())
    await t.must(lambda: card.refresh())
    t.want("Interface.save", card.name == "lib3", card.name)
    subnet = await t.must(lambda: origin.Subnets.create("10.91.0.0/24", vlan, gateway_ip="10.91.0.1"))
    await links(t, origin, card, subnet)
    await t.must(lambda: card.disconnect())
    card.vlan = vlan
    await t.must(lambda: card.save())
    await t.must(lambda: subnet.delete())
    well, bond = await t.attempt(
        lambda: origin.Interfaces.create(machine, InterfaceType.BOND, name="libbond0", parents=made, bond_mode="active-backup")
    )
    if well:
        _, bridge = await t.attempt(lambda: origin.Interfaces.create(machine, InterfaceType.BRIDGE, name="libbr0", parent=bond))
        if bridge:
            await t.attempt(lambda: bridge.delete())
        fabric = await t.must(lambda: origin.Fabric.read(vlan.fabric.id))
        tagged = await t.must(lambda: origin.Vlans.create(fabric, 302))
        _, on = await t.attempt(lambda: origin.Interfaces.create(machine, InterfaceType.VLAN, parent=bond, vlan=tagged))
        if on:
            await t.attempt(lambda: on.delete())
        await t.must(lambda: bond.delete())
    for one in made:
        await t.attempt(lambda: one.delete())


async def links(t, origin, card, subnet):
    well, _ = await t.attempt(lambda: origin.InterfaceLinks.create(card, LinkMode.STATIC, subnet=subnet, ip_address="10.91.0.20"))
    if not well:
        return
    await t.must(lambda: card.refresh())
    link = next(one for one in card.links if one.ip_address == "10.91.0.20")
    await t.attempt(lambda: link.set_as_default_gateway())
    await t.must(lambda: link.delete())


def scenarios(t, origin, machine_id):
    for steps in (networks, static_routes, domains, devices, controllers):
        yield steps.__name__.replace("_", " "), steps(t, origin)
    yield "interfaces", interfaces(t, origin, machine_id)
