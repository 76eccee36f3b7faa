"""The API's verbs on stored objects: the request's options in, the registry's verb, the answer in the client's form."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from knarr.client.transport import Response
from knarr.kinds.conversion import Unconverted, by_webhook
from knarr.kinds.kind import Kind, Tree
from knarr.kinds.old.scale import form_of
from knarr.meta.errors import ApiError, Expired, NotAcceptable
from knarr.registry import views
from knarr.registry.core import Options
from knarr.registry.delete import DeleteOptions
from knarr.registry.entry import Entry
from knarr.registry.list import Page
from knarr.registry.patch import Form
from knarr.registry.registry import Registry
from knarr.registry.scale import SCALE
from knarr.registry.views import stored
from knarr.server import bodies, component_statuses, negotiation, queries, rollbacks, status, tables, watches
from knarr.server.admission import Admission
from knarr.server.admission.chain import BY, Plugins
from knarr.server.admission.gate import Gate, Way
from knarr.server.authorization import Authorizer
from knarr.server.call import Call, deprecations, warning_headers
from knarr.server.conversions import Conversions
from knarr.server.queries import ListOptions
from knarr.server.state import RegistryState

ORPHANS = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)
PATCHES: dict[str, Form] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
}
APPLY = "application/apply-patch+yaml"


class Resources:
    """Verbs on kinds that are stored. Permission for the request's own verb was checked before."""

    def __init__(self, registry: Registry, plugins: Plugins, state: RegistryState, authorizer: Authorizer) -> None:
        self._registry, self._conversions = registry, Conversions(state)
        self._way = Way(plugins, state.presence(BY.values()), state, authorizer)
        self._verbs: dict[str, Callable[[Call, Kind], Awaitable[Response]]] = {
            "get": self.get,
            "list": self.list_all,
            "watch": self.watch,
            "create": self.create,
            "update": self.update,
            "patch": self.patch,
            "delete": self.delete,
            "deletecollection": self.delete_collection,
        }

    async def answer(self, call: Call, kind: Kind) -> Response:
        target = call.target
        if target.subresource:
            if target.verb not in kind.subresources.get(target.subresource, ()):
                known = target.subresource in kind.subresources
                raise status.no_such_method() if known else status.no_such_resource()
        elif target.verb not in kind.verbs:
            raise status.no_such_method()
        if kind.namespaced and not target.namespace and target.verb not in ("list", "watch"):
            raise status.no_such_resource() if target.name else status.no_such_method()
        verb = self._verbs[target.verb]
        try:
            try:
                return await verb(call, kind)
            except Unconverted as missing:
                return await self._conversions.again(missing, lambda: verb(call, kind))
        except ApiError as error:
            raise views.named(kind, error) from None

    async def get(self, call: Call, kind: Kind) -> Response:
        target = call.target
        if kind is component_statuses.KIND:
            return await self.show(call, kind, 200, component_statuses.entry(target.name))
        if target.subresource == "scale":
            scale = await self._registry.get_scale(stored(kind), target.namespace, target.name)
            return await self.show(call, form_of(SCALE, kind), 200, scale)
        return await self.show(call, kind, 200, await self._registry.get(stored(kind), target.namespace, target.name))

    async def list_all(self, call: Call, kind: Kind) -> Response:
        options = queries.list_options(call.request.query)
        if kind is component_statuses.KIND:
            return await self.page(call, kind, Page(kind, component_statuses.entries(), self._registry.revision))
        page = await self._registry.list(
            stored(kind),
            call.target.namespace if kind.namespaced else "",
            labels=options.labels,
            fields=views.fields(kind, options.fields),
            limit=options.limit,
            token=options.token,
            resource_version=options.resource_version,
            match=options.match,
        )
        if page.long and not call.form.shape and kind.view is None:
            return call.answer(200, await asyncio.to_thread(lambda: page.raw))
        return await self.page(call, kind, page)

    async def page(self, call: Call, kind: Kind, page: Page) -> Response:
        form = call.form
        if by_webhook(kind) and not form.shape.startswith("Partial"):
            page.entries = await self._conversions.seen(kind, page.entries)
        if form.shape == "Table":
            body = tables.table(kind, page.entries, page.metadata, include=call.include, version=form.version)
            return call.answer(200, body)
        if form.shape == "PartialObjectMetadata":
            raise NotAcceptable("you requested PartialObjectMetadata, but the requested object is a list")
        if form.shape:
            return call.answer(200, tables.partial_list(page.entries, page.metadata, form.version))
        if kind.view is not None:
            page.kind, page.entries = kind, [views.seen(kind, entry) for entry in page.entries]
        return call.answer(200, page.raw)

    async def watch(self, call: Call, kind: Kind) -> Response:
        options = queries.list_options([*call.request.query, ("watch", "true")])
        try:
            watch = self._registry.watch(
                stored(kind),
                call.target.namespace if kind.namespaced else "",
                labels=options.labels,
                fields=views.fields(kind, _fields(options, call)),
                resource_version=options.resource_version,
                bookmarks=options.bookmarks,
                initial_events=options.initial_events,
                timeout=watches.timeout(options.timeout),
            )
        except Expired as error:
            return watches.refused(error, call.form)
        response = watches.response(watch, kind, call.form, call.include, self._conversions)
        response.headers |= warning_headers(deprecations(call.target))
        return response

    async def create(self, call: Call, kind: Kind) -> Response:
        if call.target.subresource == "rollback":
            return await self.roll_back(call, kind)
        asked = queries.write_options(call.request.query, "CreateOptions")
        tree, duplicates = await bodies.load(call.request, kind.kind)
        bodies.check_kind(tree, kind, self._registry.kinds)
        options = self._options(call, kind, asked, "create", duplicates)
        tree = views.inward(kind, tree, options)
        entry = await self._registry.create(
            stored(kind), call.target.namespace if kind.namespaced else "", tree, options
        )
        return await self.show(call, kind, 201, entry, options.warnings)

    async def roll_back(self, call: Call, kind: Kind) -> Response:
        """The `/rollback` of an old Deployment."""
        target = call.target
        asked = queries.write_options(call.request.query, "CreateOptions")
        wanted = bodies.typed(call.request, "DeploymentRollback", f"{kind.group}_{kind.version}.DeploymentRollback")
        options = self._options(call, kind, asked, "update", [])
        answer = await rollbacks.roll_back(self._registry, stored(kind), target.namespace, target.name, wanted, options)
        return call.answer(200, answer, options.warnings)

    async def update(self, call: Call, kind: Kind) -> Response:
        target = call.target
        asked = queries.write_options(call.request.query, "UpdateOptions")
        body_kind = form_of(SCALE, kind) if target.subresource == "scale" else kind
        tree, duplicates = await bodies.load(call.request, body_kind.kind)
        bodies.check_kind(tree, body_kind, self._registry.kinds)
        options = self._options(call, kind, asked, "update", duplicates)
        if target.subresource == "scale":
            tree = views.inward(body_kind, tree, options)
            options.form = kind if kind.view else None
            scale = await self._registry.update_scale(stored(kind), target.namespace, target.name, tree, options)
            return await self.show(call, body_kind, 200, scale, options.warnings)
        tree = views.inward(kind, tree, options)
        entry = await self._registry.update(
            stored(kind), target.namespace, target.name, tree, options, subresource=target.subresource
        )
        return await self.show(call, kind, 200, entry, options.warnings)

    async def patch(self, call: Call, kind: Kind) -> Response:
        target = call.target
        media = negotiation.media_type(call.request.headers)
        if media == APPLY:
            return await self.apply(call, kind)
        how = PATCHES.get(media)
        if how is None:
            raise status.unsupported_patch()
        asked = queries.write_options(call.request.query, "PatchOptions")
        body, duplicates = bodies.patch(call.request)
        options = self._options(call, kind, asked, "update", duplicates)
        namespace = target.namespace if kind.namespaced else ""
        if target.subresource == "scale":
            scale = await self._registry.patch_scale(stored(kind), namespace, target.name, how, body, options)
            return await self.show(call, form_of(SCALE, kind), 200, scale, options.warnings)
        entry = await self._registry.patch(
            kind, namespace, target.name, how, body, options, subresource=target.subresource
        )
        return await self.show(call, kind, 200, entry, options.warnings)

    async def apply(self, call: Call, kind: Kind) -> Response:
        """Server-side apply: a configuration in YAML or JSON, on an object that need not exist."""
        target = call.target
        asked = queries.write_options(call.request.query, "PatchOptions", apply=True)
        tree, duplicates = await bodies.applied(call.request, asked.field_validation)
        bodies.check_kind(tree, kind, self._registry.kinds)
        options = self._options(call, kind, asked, "update", duplicates)
        entry, made = await self._registry.apply(
            kind,
            target.namespace if kind.namespaced else "",
            target.name,
            tree,
            options,
            force=asked.force,
            subresource=target.subresource,
        )
        return await self.show(call, kind, 201 if made else 200, entry, options.warnings)

    async def delete(self, call: Call, kind: Kind) -> Response:
        target = call.target
        wish = bodies.delete_options(call.request)
        _as_of_old(wish, kind)
        options = self._options(call, kind, queries.WriteOptions(wish.dry_run), "delete", [])
        deleted = await self._registry.delete(
            stored(kind), target.namespace if kind.namespaced else "", target.name, wish, options
        )
        if kind.plural == "jobs" and kind.propagation == "orphan" and not wish.propagation and wish.orphan is None:
            options.warnings.append(ORPHANS)
        if not deleted.shown:
            return call.answer(200, deleted.status(), options.warnings)
        return await self.show(call, kind, 200, deleted.entry, options.warnings)

    async def delete_collection(self, call: Call, kind: Kind) -> Response:
        options = queries.list_options([q for q in call.request.query if q[0] != "dryRun"])
        wish = bodies.delete_options(call.request)
        _as_of_old(wish, kind)
        asked = self._options(call, kind, queries.WriteOptions(wish.dry_run), "delete", [])
        page = await self._registry.delete_collection(
            stored(kind),
            call.target.namespace,
            wish,
            asked,
            labels=options.labels,
            fields=views.fields(kind, options.fields),
            limit=options.limit,
        )
        return await self.page(call, kind, page)

    async def ask(self, call: Call, kind: Kind, verb: str, tree: Tree, *, dry_run: bool = False) -> None:
        """Let webhooks and policies change the `tree` of a request that is no write of the kind, or refuse it."""
        target = call.target
        admission = Admission(
            verb, kind, target.namespace, target.name, call.user, target.subresource, tree, dry_run=dry_run
        )
        await self._way.ask(admission)

    def _options(
        self, call: Call, kind: Kind, asked: queries.WriteOptions, verb: str, duplicates: Sequence[str]
    ) -> Options:
        gate = Gate(self._way, call, kind, verb, asked.dry_run)
        return Options(
            dry_run=asked.dry_run,
            field_manager=call.manager,
            field_validation=asked.field_validation,
            user=call.user.name,
            duplicates=list(duplicates),
            warnings=gate.warnings,
            admit=gate.admit,
            approve=gate.approve,
        )

    async def show(
        self, call: Call, kind: Kind, code: int, entry: Entry, warnings: list[str] | None = None
    ) -> Response:
        form = call.form
        if by_webhook(kind) and not form.shape.startswith("Partial"):
            (entry,) = await self._conversions.seen(kind, [entry])
        if not form.shape:
            return call.answer(code, views.outward(kind, entry.raw), warnings)
        if form.shape == "Table":
            metadata = {"resourceVersion": str(entry.revision)} if entry.revision else {}
            body = tables.table(kind, [entry], metadata, include=call.include, version=form.version)
            return call.answer(code, body, warnings)
        if form.shape == "PartialObjectMetadataList":
            raise NotAcceptable("you requested PartialObjectMetadataList, but the requested object is not a list")
        return call.answer(code, tables.partial(entry.raw, form.version), warnings)


def _as_of_old(wish: DeleteOptions, kind: Kind) -> None:
    """Give a delete that names no propagation the default of an old version, which the stored kind does not have."""
    if kind.view is not None and kind.propagation == "orphan" and not wish.propagation and wish.orphan is None:
        wish.propagation = "Orphan"


def _fields(options: ListOptions, call: Call) -> str:
    """The field selector of a watch; the old path form `/watch/.../name` means one object."""
    if not call.target.name:
        return options.fields
    only = f"metadata.name={call.target.name}"
    return f"{options.fields},{only}" if options.fields else only
