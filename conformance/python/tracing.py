"""The operations of python-libmaas' viscera, found in its classes, and which of them a step really called, by tracing."""

import importlib
import inspect
import pkgutil
import sys

from maas.client import bones, viscera
from maas.client.bones.helpers import derive_resource_name

from stage import Stop, failed, maas_operations, passed

# What every object inherits, with the action of MAAS that it needs.
INHERITED = {"save": "update", "refresh": "read"}


def _modules():
    for found in pkgutil.iter_modules(viscera.__path__):
        if found.name not in ("testing", "tests"):
            yield importlib.import_module("maas.client.viscera." + found.name)


def classes():
    """The public classes of objects, and the origin: what a user of the library gets in hand."""
    found = {"Origin": viscera.Origin}
    for module in _modules():
        for name, one in vars(module).items():
            if isinstance(one, viscera.ObjectType) and one.__module__ == module.__name__ and not name.startswith("_"):
                found[name] = one
    return found


def _methods(one):
    """Name and code of each method that is awaited, of the class and of its metaclass."""
    for holder in [*one.__mro__, *type(one).__mro__]:
        if not holder.__module__.startswith("maas.client.viscera"):
            continue
        for name, attribute in vars(holder).items():
            function = inspect.unwrap(getattr(attribute, "__func__", attribute)) if callable(attribute) else None
            if not name.startswith("_") and inspect.iscoroutinefunction(function):
                yield name, function.__code__


def _has_key(one):
    """Whether the class knows which of its fields are the key; some know none, and one knows two."""
    try:
        return bool(viscera.get_pk_descriptors(one)[0])
    except AttributeError:
        return False


def _has(handlers, name, one, method):
    """Inherited ones are operations where MAAS has the action that they need, and the object a key to read it by."""
    if method not in INHERITED:
        return True
    if INHERITED[method] not in handlers.get(name, ()):
        return False
    return method == "save" or (hasattr(one, "read") and _has_key(one))


def operations():
    handlers = {}
    for operation in maas_operations():
        handler, action = operation.split(".")
        handlers.setdefault(derive_resource_name(handler + "Handler"), set()).add(action)
    for name, one in classes().items():
        for method, _ in _methods(one):
            if _has(handlers, name, one, method):
                yield "%s.%s" % (name, method)


class Tracer:
    """Notes which operations are entered while a step runs."""

    def __init__(self):
        self.entered = []
        # An origin at the URL of one cell, where what nothing says a cell for is made.
        self.placed = None
        self._known = classes()
        self._names = {}
        for name, one in self._known.items():
            for method, code in _methods(one):
                self._names[code] = method

    def _profile(self, frame, event, _):
        if event != "call" or frame.f_code not in self._names:
            return
        given = frame.f_locals.get("self", frame.f_locals.get("cls"))
        one = given if isinstance(given, type) else type(given)
        for holder in one.__mro__:
            name = holder.__name__.split(".")[0]
            if name in self._known:
                operation = "%s.%s" % (name, self._names[frame.f_code])
                if operation not in self.entered:
                    self.entered.append(operation)
                return

    async def attempt(self, step):
        """Run a step. Every operation in it passes, or the first one fails. Returns whether it went well, and what it gave."""
        self.entered = []
        sys.setprofile(self._profile)
        error = result = None
        try:
            result = await step()
            # Some of the client's methods give what has to be awaited once more.
            while inspect.isawaitable(result):
                result = await result
        except Exception as reason:
            error = reason
        finally:
            sys.setprofile(None)
        if error is not None:
            text = str(error)
            if isinstance(error, bones.CallError):
                text = "%s %s" % (text, error.content)
            failed(self.entered[0] if self.entered else "a step that called nothing", "%s: %s" % (type(error).__name__, text))
            return False, None
        for operation in self.entered:
            passed(operation)
        return True, result

    async def must(self, step):
        well, result = await self.attempt(step)
        if not well:
            raise Stop
        return result

    def want(self, operation, is_so, what):
        if not is_so:
            failed(operation, "answered, but " + str(what))
