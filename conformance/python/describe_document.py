"""The describe document as python-libmaas reads it: every handler and action that MAAS has, each with its path and method."""

import asyncio
import json
import sys

from maas.client import bones
from maas.client.bones.helpers import derive_resource_name

from stage import GIVEN, failed, maas_operations, passed, say


def check(handlers, operation, wanted):
    handler, action = operation.split(".")
    found = handlers.get(derive_resource_name(handler + "Handler"))
    if found is None:
        return "there is no handler of this name"
    found = getattr(found, action, None)
    if not isinstance(found, bones.ActionAPI):
        return "the handler has no such action"
    seen = {"path": found.handler.path.split("/MAAS/api/2.0/")[-1], "method": found.method, "op": found.op}
    expected = {name: wanted[name] for name in seen}
    return None if seen == expected else "it is %s, not %s" % (seen, expected)


async def run():
    say(scenario="the describe document")
    _, session = await bones.SessionAPI.connect(GIVEN["url"] + "/MAAS/", apikey=GIVEN["apiKey"])
    handlers = dict(session.handlers)
    for operation, wanted in maas_operations().items():
        problem = check(handlers, operation, wanted)
        if problem is None:
            passed(operation)
        else:
            failed(operation, problem)


if sys.argv[1] == "list":
    print(json.dumps(list(maas_operations())))
else:
    asyncio.run(run())
