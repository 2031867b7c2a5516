"""Settings, users and everything else that is global and small."""

import base64
import hashlib
import io
import os
import struct

from maas.client import bones
from maas.client.viscera import Origin

from stage import GIVEN
from tracing import operations


async def log_in(t, origin, url):
    await t.must(lambda: origin.Users.create("libmaas-user", "secret secret", email="libmaas@example.test", is_admin=True))
    _, second = await t.must(lambda: Origin.login(url, username="libmaas-user", password="secret secret"))
    await t.must(lambda: second.Users.whoami())
    await t.must(lambda: Origin.fromURL(url + "api/2.0/"))


async def users(t, origin):
    me = await t.must(lambda: origin.Users.whoami())
    t.want("Users.whoami", me.is_admin, "the first admin is none")
    await t.must(lambda: origin.Users.read())
    user = await t.must(lambda: origin.User.read("libmaas-user"))
    t.want("User.read", user.email == "libmaas@example.test", user.email)
    await t.must(lambda: user.refresh())
    credentials = await t.must(lambda: origin.Account.create_credentials())
    await t.must(lambda: origin.Account.delete_credentials(credentials))


async def ssh_keys(t, origin):
    parts = [b"ssh-ed25519", os.urandom(32)]
    blob = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    made = await t.must(lambda: origin.SSHKeys.create("ssh-ed25519 %s libmaas" % base64.b64encode(blob).decode()))
    keys = await t.must(lambda: origin.SSHKeys.read())
    t.want("SSHKeys.read", made.id in [key.id for key in keys], "the new key is not among them")
    await t.must(lambda: origin.SSHKey.read(made.id))


async def zones_and_pools(t, origin):
    zone = await t.must(lambda: origin.Zones.create("libmaas-zone", "one"))
    await t.must(lambda: origin.Zones.read())
    zone = await t.must(lambda: origin.Zone.read("libmaas-zone"))
    zone.description = "two"
    await t.must(lambda: zone.save())
    await t.must(lambda: zone.refresh())
    t.want("Zone.save", zone.description == "two", zone.description)
    await t.must(lambda: zone.delete())
    pool = await t.must(lambda: origin.ResourcePools.create("libmaas-pool", "one"))
    await t.must(lambda: origin.ResourcePools.read())
    pool = await t.must(lambda: origin.ResourcePool.read(pool.id))
    pool.description = "two"
    await t.must(lambda: pool.save())
    await t.must(lambda: pool.refresh())
    t.want("ResourcePool.save", pool.description == "two", pool.description)
    await t.must(lambda: pool.delete())


async def tags(t, origin):
    await t.must(lambda: origin.Tags.create("libmaas-tag", comment="one"))
    await t.must(lambda: origin.Tags.read())
    tag = await t.must(lambda: origin.Tag.read("libmaas-tag"))
    tag.comment = "two"
    await t.must(lambda: tag.save())
    await t.must(lambda: tag.refresh())
    t.want("Tag.save", tag.comment == "two", tag.comment)
    await t.must(lambda: tag.delete())


async def version_and_files(t, origin):
    version = await t.must(lambda: origin.Version.read())
    t.want("Version.read", "authenticate-api" in version.capabilities, version.capabilities)
    await t.must(lambda: origin.Files.read())


async def events(t, origin):
    first = await t.must(lambda: origin.Events.query(limit=2))
    t.want("Events.query", len(first) == 2, "there are %d" % len(first))
    older = await t.must(lambda: first.prev())
    await t.must(lambda: older.next())


async def images(t, origin):
    await t.must(lambda: origin.BootResources.read())
    await t.attempt(lambda: origin.BootResources.create("custom/libmaas", "amd64/generic", io.BytesIO(b"x" * 100_000), chunk_size=40_000))
    # One of a kind that viscera does not know, by the layer below it.
    _, session = await bones.SessionAPI.connect(GIVEN["url"] + "/MAAS/", apikey=GIVEN["apiKey"])
    content = os.urandom(100_000)
    made = origin.BootResource(
        await session.BootResources.create(
            name="custom/libmaas",
            architecture="amd64/generic",
            filetype="tar.zst",
            size=str(len(content)),
            sha256=hashlib.sha256(content).hexdigest(),
        )
    )
    for found in made.sets[max(made.sets)].files.values():
        await origin.BootResources._upload_chunks(found, io.BytesIO(content), 40_000)
    resource = await t.must(lambda: origin.BootResource.read(made.id))
    await t.must(lambda: resource.refresh())
    await t.must(lambda: resource.delete())


async def imports(t, origin):
    await t.attempt(lambda: origin.BootResources.start_import())
    await t.attempt(lambda: origin.BootResources.stop_import())


async def boot_sources(t, origin):
    made = await t.must(lambda: origin.BootSources.create("http://example.test/libmaas/", keyring_filename="/usr/share/keyrings/x.gpg"))
    await t.must(lambda: origin.BootSources.read())
    source = await t.must(lambda: origin.BootSource.read(made.id))
    source.url = "http://example.test/others/"
    await t.must(lambda: source.save())
    await t.must(lambda: source.refresh())
    t.want("BootSource.save", source.url == "http://example.test/others/", source.url)
    chosen = await t.must(lambda: origin.BootSourceSelections.create(source, "ubuntu", "noble", arches=["amd64"], subarches=["*"], labels=["*"]))
    await t.must(lambda: origin.BootSourceSelections.read(source))
    selection = await t.must(lambda: origin.BootSourceSelection.read(source, chosen.id))
    selection.arches = ["amd64", "arm64"]
    await t.attempt(lambda: selection.save())
    await t.attempt(lambda: selection.refresh())
    await t.must(lambda: selection.delete())
    await t.must(lambda: source.delete())


async def settings(t, origin):
    """Every getter, and every setter with what its getter said."""
    for operation in sorted(set(operations())):
        holder, method = operation.split(".")
        if holder != "MAAS" or not method.startswith("get_") or method == "get_config":
            continue
        well, value = await t.attempt(lambda: getattr(origin.MAAS, method)())
        setter = getattr(origin.MAAS, "set_" + method[len("get_") :], None)
        if well and setter is not None:
            await t.attempt(lambda: setter(value))
    await t.must(lambda: origin.MAAS.set_config("maas_name", "libmaas"))
    name = await t.must(lambda: origin.MAAS.get_config("maas_name"))
    t.want("MAAS.set_config", name == "libmaas", name)


async def pods(t, origin):
    await t.attempt(lambda: origin.Pods.read())
    await t.attempt(lambda: origin.Pods.create(type="lxd", power_address="192.0.2.1"))
    await t.attempt(lambda: origin.Pod.read(1))
    pod = origin.Pod({"id": 1})
    await t.attempt(lambda: pod.compose(cores=1, memory=1024))
    await t.attempt(lambda: pod.parameters())
    await t.attempt(lambda: pod.delete())


def scenarios(t, origin):
    for steps in (users, ssh_keys, zones_and_pools, tags, version_and_files, events, images, imports, boot_sources, settings, pods):
        yield steps.__name__.replace("_", " "), steps(t, origin)
