"""Admission as the registry's verbs ask for it: of one write, by the plugins on its way. Made by `resources`."""

from msgspec import Struct, field
from msgspec.structs import replace

from knarr.kinds.kind import Kind
from knarr.registry.views import stored
from knarr.server.admission import Admission, Tree, admit
from knarr.server.admission.chain import Plugins
from knarr.server.authorization import Authorizer, attributes, refusal
from knarr.server.call import Call
from knarr.server.state import Presence, RegistryState


class Way(Struct, frozen=True):
    """What all writes come past."""

    plugins: Plugins
    configured: Presence  #: what users configure plugins by
    state: RegistryState
    authorizer: Authorizer

    async def ask(self, admission: Admission) -> None:
        """Let those look at a request that writes no object itself that users configure, and what holds nodes back."""
        await admit(self.plugins.configured(self.configured.types), admission, self.state)


class Gate(Struct):
    """Where one write is changed, judged or refused."""

    way: Way
    call: Call
    kind: Kind  #: as the client speaks of it
    verb: str
    dry_run: bool
    warnings: list[str] = field(default_factory=list)  #: for the client

    async def admit(self, new: Tree, old: Tree | None) -> None:
        """The first phase: the registry's `Options.admit`."""
        way = self.way
        if plugins := way.plugins.mutate(self.kind.kind, self.call.target.subresource, way.configured.types):
            await admit(plugins, self._about(new, old), way.state)

    async def approve(self, new: Tree, old: Tree | None) -> None:
        """The second phase: the registry's `Options.approve`."""
        way = self.way
        if old is None and self.verb != "create":
            await self._may_create()  # an apply makes what is not there
        if plugins := way.plugins.validate(self.kind.kind, self.call.target.subresource, way.configured.types):
            await admit(plugins, self._about(new, old), way.state)

    def _about(self, new: Tree, old: Tree | None) -> Admission:
        target = self.call.target
        return Admission(
            "create" if old is None else self.verb,
            stored(self.kind),
            target.namespace,
            _name(new) or target.name or _name(old or {}),
            self.call.user,
            target.subresource,
            new,
            old,
            self.dry_run,
            self.warnings,
            self.kind,
        )

    async def _may_create(self) -> None:
        asked = attributes(self.call.user, replace(self.call.target, verb="create"))
        allowed, reason = await self.way.authorizer.allows(asked)
        if not allowed:
            raise refusal(asked, reason)


def _name(tree: Tree) -> str:
    metadata = tree.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else ""
    return name if isinstance(name, str) else ""
