"""What the cluster adds to a request or refuses it for, after authorization.

One file each; `chain` lists them in upstream's order, in two phases. Before the kind's own rules a plugin sees the tree
as the client sent it, its types checked and its defaults filled in, and may change it in place, defaults and all; after
them it sees what would be written, and may only refuse it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec import Struct, field

from knarr.client.transport import User
from knarr.kinds.kind import Kind
from knarr.kinds.types.base import Type
from knarr.meta.errors import Cause, Forbidden

T = TypeVar("T", bound=Type)
Tree = dict[str, Any]


class State(Protocol):
    """What plugins read of the cluster."""

    async def get(self, type_: type[T], namespace: str, name: str) -> T | None:
        """One object, None when it is not there."""

    async def list(self, type_: type[T], namespace: str = "") -> Sequence[T]:
        """All objects of a type, of one namespace or of all."""

    def kind(self, group: str, version: str, kind: str) -> Kind | None:
        """A kind that is served, custom resources among them."""

    def trees(self, kind: Kind, namespace: str = "") -> Iterator[Tree]:
        """The objects of any kind as trees of one's own, of one namespace or of all."""

    def tree(self, kind: Kind, namespace: str, name: str) -> Tree | None:
        """One of them."""

    async def appears(self, type_: type[T], namespace: str, name: str, seconds: float) -> T | None:
        """One object, as soon as it is there; None when it is not within so many seconds."""


class Calls(Struct):
    """Which webhooks or policies have changed or may change one object: kept by the plugin that asks them."""

    again: bool = False  #: whether one has changed the object, so that all plugins look at it once more
    second: bool = False  #: whether this is that second round
    called: set[str] = field(default_factory=set)  #: those that may be asked again, by a name of the plugin's own
    due: set[str] = field(default_factory=set)  #: those of them that have to be, as the object has changed since
    outcome: bytes = b""  #: the object after the last call

    def begin(self, tree: Tree) -> None:
        """Before the first: when others have changed the object since the last, all are due."""
        if self.second and self.outcome != msgspec.json.encode(tree):
            self._make_due()

    def wants(self, key: str) -> bool:
        return not self.second or key in self.due

    def changed(self) -> None:
        """One has changed the object."""
        self._make_due()
        self.again = not self.second

    def end(self, tree: Tree) -> None:
        self.outcome = msgspec.json.encode(tree)

    def _make_due(self) -> None:
        self.due |= self.called
        self.called.clear()


class Admission(Struct):
    """One write on its way in."""

    verb: str  #: create, update or delete
    kind: Kind
    namespace: str
    name: str
    user: User
    subresource: str = ""
    tree: Tree = field(default_factory=dict)  #: the new object; empty for a delete
    old: Tree | None = None
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)  #: for the client, to be added to
    requested: Kind | None = None  #: the version that the client speaks, when it is not the stored one
    _calls: dict[str, Calls] = field(default_factory=dict)  # by who keeps them; most writes concern nobody

    @property
    def calls(self) -> Calls:
        """The calls of webhooks."""
        return self._calls.setdefault("webhooks", Calls())

    @property
    def policies(self) -> Calls:
        """The calls of policies."""
        return self._calls.setdefault("policies", Calls())

    def begin_again(self) -> bool:
        """Whether a webhook or a policy has changed the object, so that all plugins look at it once more, as begins."""
        if not self._calls or not any(calls.again for calls in self._calls.values()):
            return False
        for calls in (self.calls, self.policies):
            calls.again, calls.second = False, True
        return True

    def object(self) -> Any:
        """The new object as its kind's Struct; only when the kind's rules have passed it."""
        return msgspec.convert(self.tree, self.kind.type)

    def old_object(self) -> Any:
        return msgspec.convert(self.old, self.kind.type)

    def is_(self, kind: str, *verbs: str, group: str = "") -> bool:
        """Whether this is one of `verbs` on the main resource of a kind."""
        return self.verb in verbs and not self.subresource and self.kind.kind == kind and self.kind.group == group

    def refuse(self, why: str, causes: Sequence[Cause] = ()) -> Forbidden:
        """The 403 of a plugin, in upstream's form."""
        name = self.name or self.tree.get("metadata", {}).get("generateName", "")
        head = f'{self.kind.resource} "{name}"' if name else self.kind.resource
        return Forbidden(
            f"{head} is forbidden: {why}", kind=self.kind.plural, group=self.kind.group, name=name, causes=causes
        )


class Plugin(Protocol):
    """One rule of admission."""

    async def admit(self, admission: Admission, state: State) -> None:
        """Change the tree or raise an ApiError."""


async def admit(plugins: Sequence[Plugin], admission: Admission, state: State) -> None:
    """Run a write past every plugin; once more when a webhook or a policy has changed it."""
    for plugin in plugins:
        await plugin.admit(admission, state)
    if admission.begin_again():
        for plugin in plugins:
            await plugin.admit(admission, state)


def part(tree: Tree, key: str) -> Tree:
    """The mapping under a key, made when it is missing; an empty one that changes nothing when it has a wrong type."""
    if tree.get(key) is None:
        tree[key] = {}
    value = tree[key]
    return value if isinstance(value, dict) else {}


def items(tree: Tree, key: str) -> list[Tree]:
    """The mappings of a list, without what has a wrong type."""
    value = tree.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
