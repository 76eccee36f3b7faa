"""Custom resources while the server runs: definitions become kinds of the table, and cease to be.

A definition that is established is served before its status says so: whoever waited for the condition can write
objects at once. One that is deleted first loses its objects, which may have finalizers of their own.
"""

import asyncio
import hashlib
import logging

import msgspec

from knarr.kinds import custom, custom_names, customresourcedefinition
from knarr.kinds.kind import Kind, Tree
from knarr.meta import clock
from knarr.meta.errors import ApiError, NotFound
from knarr.registry.core import Core, Options
from knarr.registry.delete import delete
from knarr.registry.entry import Entry
from knarr.registry.modify import modify
from knarr.registry.resource import Change
from knarr.registry.selection import Bucket
from knarr.store.store import StoreError

DEFINITIONS = customresourcedefinition.KIND
PREFIX = f"/registry/{DEFINITIONS.group}/{DEFINITIONS.plural}/"
MANAGER = "kube-apiserver"
RETRY_SECONDS = 1.0  #: after a failure
PATIENCE_SECONDS = 60.0  #: until a definition says that its objects do not go
log = logging.getLogger("knarr.registry")


def _group(name: str) -> str:
    """The group of a definition: its name is the plural and that."""
    return name.partition(".")[2]


class CustomResources:
    """Keeps the table of kinds to the definitions. A listener of their cache; `run` does the work."""

    bucket: Bucket | None = None

    def __init__(self, core: Core) -> None:
        self._core = core
        self._dirty: dict[str, None] = {}  # names, in the order in which they changed
        self._taken: dict[str, custom_names.Taken] = {}  # the accepted names by group
        self._refused: dict[str, dict[str, None]] = {}  # by group: those that want names which others have
        self._wake = asyncio.Event()
        self._served: dict[str, tuple[str, Kind]] = {}  # by name: a mark of what it was made from, the stored kind
        self._endings: dict[str, asyncio.Task[None]] = {}

    async def preload(self) -> None:
        """Serve what is established in the store, before the cache is filled."""
        _, records = await self._core.store.range(PREFIX)
        for record in records:
            await self._serve(msgspec.json.decode(record.value))

    def begin(self) -> None:
        """Look at every definition, and from now on at those that change."""
        resource = self._core.resource(DEFINITIONS)
        resource.listen(self)
        for entry in resource.span(""):
            self._note(entry.name, entry.tree())
            self._mark(entry.name)

    def offer(self, change: Change) -> None:
        found = change.new or change.old
        assert found is not None, "a change is of something"
        self._note(found.name, change.new.tree() if change.new is not None else None)
        for name in self._refused.get(_group(found.name), ()):  # names may be free for them now
            self._mark(name)
        self._mark(found.name)

    def _note(self, name: str, definition: Tree | None) -> None:
        """Remember which names a definition has, and whether it was refused some; of one that is gone, nothing."""
        group = _group(name)
        taken, refused = self._taken.setdefault(group, custom_names.Taken()), self._refused.setdefault(group, {})
        taken.drop(name)
        refused.pop(name, None)
        if definition is not None:
            taken.put(name, (definition.get("status") or {}).get("acceptedNames") or {})
            if not custom_names.holds(definition, "NamesAccepted"):
                refused[name] = None
        if not taken:
            del self._taken[group], self._refused[group]

    def _mark(self, name: str) -> None:
        self._dirty[name] = None
        self._wake.set()

    async def run(self) -> None:
        """Follow the definitions, until cancelled."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._dirty:
                    name = next(iter(self._dirty))
                    del self._dirty[name]
                    await self._try(name)
        finally:
            for task in self._endings.values():
                task.cancel()
            await asyncio.gather(*self._endings.values(), return_exceptions=True)

    async def _try(self, name: str) -> None:
        try:
            await self._settle(name)
        except (ApiError, StoreError) as error:
            log.warning("custom resource definition %s: %s", name, error)
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._mark, name)

    async def _settle(self, name: str) -> None:
        """Bring the table and one definition's status up to its spec."""
        entry = self._core.resource(DEFINITIONS).get("", name)
        if entry is None:
            self._forget(name)
            return
        definition = entry.tree()
        deleting = bool(definition["metadata"].get("deletionTimestamp"))
        if not deleting:
            status = custom_names.accepted(definition, self._taken[_group(name)], clock.timestamp())
            if status != definition.get("status"):
                await self._serve(definition | {"status": status})
                await self._write_status(name, entry.uid, status)
                return  # which brings it here again
        await self._serve(definition)
        held = custom_names.CLEANUP in (definition["metadata"].get("finalizers") or ())
        if deleting and held and name not in self._endings:
            self._endings[name] = asyncio.create_task(self._end(name, definition), name=f"end of {name}")

    async def _serve(self, definition: Tree) -> None:
        """Have a definition's kinds in the table, if it is established."""
        if not custom_names.holds(definition, "Established"):
            return
        spec, name = definition["spec"], definition["metadata"]["name"]
        group, plural = spec["group"], spec["names"]["plural"]
        deleting = bool(definition["metadata"].get("deletionTimestamp"))
        mark = hashlib.sha256(msgspec.json.encode([spec, definition["status"]["acceptedNames"], deleting])).hexdigest()
        known = self._served.get(name)
        if known is not None and known[0] == mark:
            return
        if any(k.plural == plural and k.group == group and k.custom is None for k in self._core.kinds.all()):
            return  # a kind of the server's own has that place
        found = custom.served(definition, await self._at_rest(definition, known[1] if known else None))
        await self._core.serve(found.stored)
        self._core.kinds.put(group, plural, found.kinds)
        self._served[name] = mark, found.stored

    async def _at_rest(self, definition: Tree, known: Kind | None) -> str:
        """The version that objects are in which only a webhook can convert; "" when that can be any.

        Clients cannot tell which it is. The one that the definition stores takes its place when no object is left.
        """
        spec = definition["spec"]
        if (spec.get("conversion") or {}).get("strategy") != "Webhook":
            return ""
        if known is not None:
            return known.version if self._core.resource(known).count("") else ""
        _, records = await self._core.store.range(f"/registry/{spec['group']}/{spec['names']['plural']}/")
        first = next(iter(records), None)
        return msgspec.json.decode(first.value)["apiVersion"].rpartition("/")[2] if first is not None else ""

    def _forget(self, name: str) -> None:
        """Serve a definition no more."""
        if known := self._served.pop(name, None):
            kind = known[1]
            self._core.kinds.drop(kind.group, kind.plural)
            self._core.unserve(kind)

    async def _end(self, name: str, definition: Tree) -> None:
        """Delete a definition's objects, wait for them to go, and let the definition go."""
        uid = definition["metadata"]["uid"]
        while True:
            try:
                await self._empty(name, uid, definition)
                await self._let_go(name, uid)
                break
            except (ApiError, StoreError) as error:
                log.warning("custom resource definition %s: %s", name, error)
                message = f"could not issue all deletes: {error}"
                await self._report(name, uid, definition, "True", "InstanceDeletionFailed", message)
                await asyncio.sleep(RETRY_SECONDS)
        del self._endings[name]

    async def _empty(self, name: str, uid: str, definition: Tree) -> None:
        known = self._served.get(name)
        if known is None:
            await self._report(name, uid, definition, "False", "NeverEstablished", "resource was never established")
            return
        resource = self._core.resource(known[1])
        message = "CustomResource deletion is in progress"
        await self._report(name, uid, definition, "True", "InstanceDeletionInProgress", message)
        for entry in list(resource.span("")):
            try:
                await delete(self._core, resource.kind, entry.namespace, entry.name)
            except NotFound:
                continue
        gone = _Gone()
        resource.listen(gone)
        try:
            while resource.count(""):
                gone.event.clear()
                try:
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        await gone.event.wait()
                except TimeoutError:
                    message = "could not confirm zero CustomResources remaining: timed out waiting for the condition"
                    await self._report(name, uid, definition, "True", "InstanceDeletionCheck", message)
        finally:
            resource.forget(gone)
        message = "removed all instances"
        await self._report(name, uid, definition, "False", "InstanceDeletionCompleted", message)

    async def _report(self, name: str, uid: str, definition: Tree, status: str, reason: str, message: str) -> None:
        found = dict(definition.get("status") or {})
        new = custom_names.condition("Terminating", status, reason, message)
        custom_names.set_condition(found, new, clock.timestamp())
        definition["status"] = found
        await self._write_status(name, uid, found)

    async def _let_go(self, name: str, uid: str) -> None:
        def change(old: Entry, before: Tree) -> Tree:
            tree = old.tree()
            if old.uid == uid:
                kept = [one for one in tree["metadata"].get("finalizers") or () if one != custom_names.CLEANUP]
                tree["metadata"]["finalizers"] = kept
            return tree

        try:
            await modify(self._core, DEFINITIONS, "", name, change, Options(), subresource="finalize")
        except NotFound:
            return

    async def _write_status(self, name: str, uid: str, status: Tree) -> None:
        def change(old: Entry, before: Tree) -> Tree:
            tree = old.tree()
            del tree["metadata"]["resourceVersion"]
            return tree | {"status": status} if old.uid == uid else tree

        options = Options(field_manager=MANAGER)
        try:
            await modify(self._core, DEFINITIONS, "", name, change, options, subresource="status")
        except NotFound:
            return


class _Gone:
    """A listener that tells of every change of a resource."""

    bucket: Bucket | None = None

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def offer(self, change: Change) -> None:
        self.event.set()
