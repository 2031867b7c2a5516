"""What the Python programs share: what they are tried on, and the lines that conformance/run.ts reads."""

import json
import os
import sys
import traceback

GIVEN = json.loads(os.environ.get("MUSTER_CONFORMANCE", "{}"))


def maas_operations():
    """What the API of MAAS has: `Handler.action` to path, method and op."""
    return json.loads(os.environ["MUSTER_MAAS_OPERATIONS"])


def say(**line):
    sys.stdout.write(json.dumps({"ok": True, **line}) + "\n")
    sys.stdout.flush()


def passed(operation):
    say(operation=operation)


def failed(operation, error):
    say(operation=operation, ok=False, error=str(error) or repr(error))


class Stop(Exception):
    """An operation that the rest of the scenario needs has failed; it has been told."""


async def scenario(name, steps):
    """What fails in one scenario does not end the others."""
    say(scenario=name)
    try:
        await steps
    except Stop:
        pass
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        failed("the scenario " + name, "%r in %s line %s" % (error, os.path.basename(at.filename), at.lineno))
