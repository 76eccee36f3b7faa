"""What a test does with a cluster: apply, get, list, patch, delete, wait. Objects are plain trees, as YAML has them.

Over any `Api`, so over a cluster in this process and over one of real nodes alike. A kind is named as for kubectl.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec

from knarr.client.api import PATCH_TYPES, Api, PatchKind
from knarr.client.codec import encode
from knarr.client.resource import Resource
from knarr.loop.waits import Waits
from knarr.testing import names
from knarr.testing.following import seen
from knarr.testing.waiting import NotInTime, Tree, Wanted, complaint, wanted

MANAGER = "knarr-testing"  #: whose fields `apply` owns
TIMEOUT = 60.0  #: seconds, virtual ones on virtual time
EVENTS = Resource[Any](dict, "", "v1", "events", "Event")
ACCOUNTS = Resource[Any](dict, "", "v1", "serviceaccounts", "ServiceAccount")
Trees = list[Tree]
Manifest = str | os.PathLike[str] | Tree | Any


class Verbs:
    """Verbs in a namespace. `waits` is what the controllers of the cluster wait for, where they can be asked."""

    def __init__(self, api: Api, namespace: str = "default", waits: Callable[[], Waits] | None = None) -> None:
        self.api, self.namespace = api, namespace
        self._waits = waits

    def within(self, namespace: str) -> "Verbs":
        """The same in another namespace."""
        return Verbs(self.api, namespace, self._waits)

    async def apply(self, *manifests: Manifest, namespace: str = "") -> Trees:
        """Create or change what manifests say, by server-side apply; give the objects as the server has them.

        A manifest is YAML of any number of objects, the path of such a file or of a folder of them, or an object. What
        later ones need is waited for: custom resources are served, new namespaces have their service account.
        """
        return [
            await self._apply_one(tree, namespace or self.namespace)
            for manifest in manifests
            for tree in trees(manifest)
        ]

    async def get(self, kind: str, name: str = "", namespace: str = "") -> Tree:
        """One object, as "deployment/web" or as "deployment", "web"; raise NotFound."""
        where, name = await self._find(kind, name)
        if not name:
            raise ValueError(f"get {kind} of which name? All of them are given by list")
        found: Tree = await self.api.get(where, name, self._space(where, namespace))
        return found

    async def list(self, kind: str, *, labels: str = "", fields: str = "", namespace: str = "") -> Trees:
        """The objects that the selectors select."""
        where, _ = await self._find(kind, "")
        found = await self.api.list(where, self._space(where, namespace), labels=labels, fields=fields)
        return [{"apiVersion": where.api_version, "kind": where.kind, **tree} for tree in found.items]

    async def patch(
        self,
        kind: str,
        patch: Any,
        name: str = "",
        *,
        type: PatchKind = "merge",  # noqa: A002 (kubectl's word)
        subresource: str = "",
        namespace: str = "",
    ) -> Tree:
        """Change an object by a patch; give what it is then."""
        where, name = await self._find(kind, name)
        space = self._space(where, namespace)
        force = type == "apply"
        changed: Tree = await self.api.patch(
            where, name, space, patch, kind=type, subresource=subresource, field_manager=MANAGER, force=force
        )
        return changed

    async def delete(
        self, kind: str, name: str = "", *, labels: str = "", namespace: str = "", grace: int | None = None
    ) -> None:
        """Delete an object, or all that a label selector selects, without waiting; "" selects nothing."""
        where, name = await self._find(kind, name)
        space = self._space(where, namespace)
        if name:
            await self.api.delete(where, name, space, grace=grace)
        elif labels:
            await self.api.delete_collection(where, space, labels=labels, grace=grace)
        else:
            raise ValueError(f"delete which {kind}? Give a name or labels")

    async def wait(
        self,
        kind: str,
        name: str = "",
        *,
        condition: str = "",
        jsonpath: str = "",
        until: Callable[[Tree], Any] | None = None,
        timeout: float = TIMEOUT,
        namespace: str = "",
    ) -> Tree:
        """Return an object once it is there and as wanted: `condition="Ready"` (or "Ready=False"),
        `jsonpath="{.status.readyReplicas}=3"`, `until=` a function of the tree. Raise NotInTime, which tells why.
        """
        want = wanted(condition, jsonpath, until)
        where, name = await self._find(kind, name)
        if not name:
            raise ValueError(f"wait for which {kind}? For several there is wait_all")
        field = f"metadata.name={name}"
        met = await self._follow(
            where, namespace, lambda there: all(map(want.holds, there)) and there, want, timeout, fields=field
        )
        return met[0]

    async def wait_all(
        self,
        kind: str,
        *,
        labels: str = "",
        count: int | None = None,
        condition: str = "",
        jsonpath: str = "",
        until: Callable[[Tree], Any] | None = None,
        timeout: float = TIMEOUT,
        namespace: str = "",
    ) -> Trees:
        """Return all objects that a label selector selects once they are as wanted and `count` (None: at least one)."""
        want = wanted(condition, jsonpath, until)
        where, _ = await self._find(kind, "")

        def met(there: Trees) -> bool:
            return (len(there) == count if count is not None else bool(there)) and all(map(want.holds, there))

        numbered = want if count is None else Wanted(f"{count}, each {want.text}", want.holds)
        return await self._follow(where, namespace, met, numbered, timeout, labels=labels)

    async def wait_gone(
        self, kind: str, name: str = "", *, labels: str = "", timeout: float = TIMEOUT, namespace: str = ""
    ) -> None:
        """Return when an object, or all that a label selector selects, are no more."""
        where, name = await self._find(kind, name)
        gone = Wanted("gone", lambda tree: False)
        field = f"metadata.name={name}" if name else ""
        await self._follow(where, namespace, lambda there: not there, gone, timeout, labels=labels, fields=field)

    async def events(self, name: str = "", *, namespace: str = "") -> Trees:
        """The events of a namespace; with a name those about that object, and about what is named after it."""
        found = (await self.api.list(EVENTS, namespace or self.namespace)).items
        return [event for event in found if _about(event["involvedObject"].get("name", ""), name)]

    # ---------------------------------------------------------------- inside

    async def _find(self, kind: str, name: str) -> tuple[Resource[Any], str]:
        if not name:
            kind, _, name = kind.partition("/")
        return await names.resource(self.api, kind), name

    def _space(self, where: Resource[Any], namespace: str) -> str:
        return (namespace or self.namespace) if where.namespaced else ""

    async def _apply_one(self, tree: Tree, namespace: str) -> Tree:
        if fault := _fault(tree):
            raise ValueError(f"no manifest of an object: {fault}: {tree!r}")
        where = await names.resource_of(self.api, tree["apiVersion"], tree["kind"])
        space = self._space(where, tree["metadata"].get("namespace") or namespace)
        name = tree["metadata"].get("name", "")
        if not name:  # a generated one
            answer = await self.api.raw("POST", where.path(space), body=encode(tree))
        else:
            answer = await self.api.raw(
                "PATCH",
                where.path(space, name),
                query=[("fieldManager", MANAGER), ("force", "true")],
                body=encode(tree),
                headers={"content-type": PATCH_TYPES["apply"]},
            )
        if where.kind == "CustomResourceDefinition":
            await self.wait("crd", name, condition="Established")
        elif where.kind == "Namespace":
            await self.within(name).wait("serviceaccount", "default")
        applied: Tree = msgspec.json.decode(answer.body)
        return applied

    async def _follow(
        self,
        where: Resource[Any],
        namespace: str,
        met: Callable[[Trees], Any],
        want: Wanted,
        timeout: float,
        *,
        labels: str = "",
        fields: str = "",
    ) -> Trees:
        """The selected objects as soon as they meet; what they were last is in the error."""
        space = self._space(where, namespace)
        there: Trees = []
        try:
            async with asyncio.timeout(timeout), aclosing(seen(self.api, where, space, labels, fields)) as changes:
                async for there in changes:
                    if met(there):
                        return there
        except TimeoutError:
            pass
        name = fields.removeprefix("metadata.name=")
        what = f"{where.kind.lower()} {name or labels or 'any'}" + (f" in {space}" if space else "")
        waits = self._waits().lines(space, name) if self._waits is not None else []
        events = await self.events(name, namespace=space or self.namespace)
        raise NotInTime(complaint(what, want, timeout, there, waits, events))


def trees(manifest: Manifest) -> Iterator[Tree]:
    """The objects of a manifest: of text, of a file, of a folder's files in the order of their names."""
    import yaml

    from knarr.kinds.yaml_text import LOADER

    if isinstance(manifest, os.PathLike):
        path = Path(manifest)
        files = sorted(path.glob("*.y*ml")) if path.is_dir() else [path]
        for file in files:
            yield from trees(file.read_text())
        return
    found = yaml.load_all(manifest, LOADER) if isinstance(manifest, str) else [_built(manifest)]
    for tree in found:
        if isinstance(tree, dict) and "items" in tree and str(tree.get("kind", "")).endswith("List"):
            yield from tree["items"]
        elif tree is not None:
            yield tree


def _fault(tree: Any) -> str:
    """What keeps a tree from being an object's manifest, "" when nothing does."""
    if not isinstance(tree, dict):
        return "it is no mapping; a file is given as a pathlib.Path" if isinstance(tree, str) else "it is no mapping"
    missing = [key for key in ("apiVersion", "kind") if not isinstance(tree.get(key), str)]
    missing += [] if isinstance(tree.get("metadata"), dict) else ["metadata"]
    return f"it has no {' and no '.join(missing)}" if missing else ""


def _built(manifest: Any) -> Any:
    """A tree, or an object that a builder made without what only the server sets."""
    if isinstance(manifest, dict):
        return manifest
    tree = msgspec.to_builtins(manifest)
    for field in ("uid", "resourceVersion", "creationTimestamp"):
        tree["metadata"].pop(field, None)
    return tree


def _about(subject: str, name: str) -> bool:
    """Whether an event concerns an object, or a pod of it, which is named after it."""
    return not name or subject == name or subject.startswith(f"{name}-")
