"""python-libmaas' viscera, unmodified, against what MUSTER_CONFORMANCE names."""

import asyncio
import json
import sys

from maas.client.viscera import Origin
from tracing import Tracer, operations

from stage import GIVEN, scenario

READY = GIVEN.get("ready", [])


async def run():
    import machine_scenarios
    import network_scenarios
    import people_scenarios
    import storage_scenarios

    t = Tracer()
    url = GIVEN["url"] + "/MAAS/"
    _, t.placed = await t.must(lambda: Origin.connect(GIVEN["placedUrl"] + "/MAAS/", apikey=GIVEN["apiKey"]))
    _, origin = await t.must(lambda: Origin.connect(url, apikey=GIVEN["apiKey"]))
    await scenario("logging in", people_scenarios.log_in(t, origin, url))
    for module, machines in (
        (people_scenarios, []),
        (network_scenarios, READY[0:1]),
        (storage_scenarios, READY[1:2]),
        (machine_scenarios, READY[2:5]),
    ):
        for name, steps in module.scenarios(t, origin, *machines):
            await scenario(name, steps)


if sys.argv[1] == "list":
    print(json.dumps(sorted(set(operations()))))
else:
    asyncio.run(run())
