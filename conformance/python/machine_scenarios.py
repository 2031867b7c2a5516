"""The whole life of a machine, and what an administrator does to others."""

import asyncio

from maas.client.enum import NodeStatus

from stage import GIVEN, Stop, failed


async def until(t, operation, machine, status):
    for _ in range(240):
        await t.must(lambda: machine.refresh())
        if machine.status == status:
            return
        await asyncio.sleep(0.5)
    failed(operation, "not within two minutes: %s is %s, not %s" % (machine.system_id, machine.status, status))
    raise Stop


async def the_life_of_a_machine(t, origin, machine_id):
    await t.must(lambda: origin.Machines.read())
    machine = await t.must(lambda: origin.Machine.read(machine_id))
    held = await t.must(lambda: origin.Machines.allocate(hostname=machine.hostname, cpus=1, memory=512))
    t.want("Machines.allocate", held.system_id == machine_id, held.system_id)
    held.owner_data["role"] = "test"
    await t.must(lambda: held.save())
    await t.must(lambda: held.refresh())
    t.want("Machine.save", held.owner_data.get("role") == "test", held.owner_data)
    await t.must(lambda: held.deploy(distro_series=GIVEN["series"], user_data=b"#cloud-config\n", comment="libmaas"))
    await until(t, "Machine.deploy", held, NodeStatus.DEPLOYED)
    await t.attempt(lambda: held.get_curtin_config())
    await t.must(lambda: held.lock(comment="libmaas"))
    await t.must(lambda: held.unlock(comment="libmaas"))
    well, _ = await t.attempt(lambda: held.enter_rescue_mode())
    if well:
        await until(t, "Machine.enter_rescue_mode", held, NodeStatus.RESCUE_MODE)
        await t.must(lambda: held.exit_rescue_mode())
        await until(t, "Machine.exit_rescue_mode", held, NodeStatus.DEPLOYED)
    await t.must(lambda: held.release(comment="libmaas"))
    await until(t, "Machine.release", held, NodeStatus.READY)


async def power_and_hardware(t, origin, machine_id):
    machine = await t.must(lambda: origin.Machine.read(machine_id))
    parameters = await t.must(lambda: machine.get_power_parameters())
    all_parameters = await t.must(lambda: origin.Machines.get_power_parameters_for([machine_id]))
    t.want("Machines.get_power_parameters_for", all_parameters[machine_id] == parameters, sorted(all_parameters))
    power_type = machine._data["power_type"]
    await t.attempt(lambda: machine.set_power(power_type, {name: value for name, value in parameters.items() if value is not None}))
    await t.must(lambda: machine.power_on(comment="libmaas"))
    await t.must(lambda: machine.query_power_state())
    await t.must(lambda: machine.power_off(comment="libmaas"))
    well, details = await t.attempt(lambda: machine.get_details())
    if well:
        t.want("Machine.get_details", details.get("lshw"), "there is no lshw")
    node = await t.must(lambda: origin.Node.read(machine_id))
    await t.must(lambda: origin.Nodes.read())
    await t.attempt(lambda: node.refresh())
    await t.attempt(lambda: node.get_power_parameters())
    await t.attempt(lambda: node.set_power(power_type, parameters))


async def care(t, origin, machine_id):
    machine = await t.must(lambda: origin.Machine.read(machine_id))
    for name in (
        "restore_networking_configuration",
        "restore_storage_configuration",
        "restore_default_configuration",
        "clear_default_gateways",
    ):
        await t.attempt(lambda: getattr(machine, name)())
    tag = await t.must(lambda: origin.Tags.create("libmaas-machines"))
    await t.must(lambda: machine.tags.add(tag))
    await t.must(lambda: machine.refresh())
    t.want("Tags.create", "libmaas-machines" in [one.name for one in machine.tags], "the machine does not have the tag")
    await t.must(lambda: machine.tags.remove(tag))
    await t.must(lambda: machine.mark_broken(comment="libmaas"))
    await t.must(lambda: machine.mark_fixed(comment="libmaas"))
    await until(t, "Machine.mark_fixed", machine, NodeStatus.READY)
    await t.must(lambda: machine.commission(skip_networking=True, testing_scripts=["none"]))
    await until(t, "Machine.commission", machine, NodeStatus.READY)
    await t.must(lambda: machine.commission())
    await t.must(lambda: machine.abort(comment="libmaas"))


async def machines_made_by_hand(t, origin):
    for number, end in ((1, "Machine"), (2, "Node")):
        made = await t.must(
            lambda: t.placed.Machines.create("amd64/generic", ["52:54:00:87:02:0%d" % number], "manual", hostname="libmaas-made-%d" % number)
        )
        await t.must(lambda: made.abort())
        await until(t, "Machine.abort", made, NodeStatus.NEW)
        one = await t.must(lambda: getattr(origin, end).read(made.system_id))
        await t.must(lambda: one.delete())


def scenarios(t, origin, first, second, third):
    yield "the life of a machine", the_life_of_a_machine(t, origin, first)
    yield "power and hardware", power_and_hardware(t, origin, second)
    yield "care", care(t, origin, third)
    yield "machines made by hand", machines_made_by_hand(t, origin)
