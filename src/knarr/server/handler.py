"""The way of one request without its transport: who are you, may you, what do you want, in which form.

`Handler.handle` is what both the HTTP server and the in-process transport call.
"""

import asyncio
import logging
from collections.abc import Sequence

from knarr.client.transport import Request, Response
from knarr.meta.errors import ApiError, InternalError, MethodNotAllowed
from knarr.registry.authorship import AUTHOR, Author
from knarr.server import aggregation_discovery, authorization, health, negotiation, paths, queries, status
from knarr.server.aggregation import GROUPS, Aggregation
from knarr.server.authentication import Authenticator
from knarr.server.authentication.impersonation import acting, impersonates
from knarr.server.authentication.issuer import IssuerDocuments
from knarr.server.authorization import Authorizer
from knarr.server.call import Call, Unwritten, answer, deprecations, warning_headers
from knarr.server.discovery import Discovery, wants_aggregated
from knarr.server.health import Check
from knarr.server.history import PREFIX, Histories
from knarr.server.identity import authenticated
from knarr.server.metrics import Metrics
from knarr.server.metrics_api import MetricsApi
from knarr.server.negotiation import AS_IT_IS, Form
from knarr.server.openapi.documents import OpenApi
from knarr.server.paths import Target
from knarr.server.routes import Routes
from knarr.server.version import version

PATHS = (
    *("/.well-known/openid-configuration", "/api", "/apis", "/healthz", "/livez", "/metrics"),
    *("/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/readyz", "/version"),
)
UNFORMED = ("attach", "exec", "log", "portforward", "proxy")  #: subresources that are streams of somebody else's bytes
log = logging.getLogger("knarr.server")


class Handler:
    """Answers every request; never raises but when it is cancelled."""

    def __init__(
        self,
        authenticator: Authenticator,
        authorizer: Authorizer,
        routes: Routes,
        discovery: Discovery,
        openapi: OpenApi,
        histories: Histories,
        aggregation: Aggregation,
        checks: Sequence[Check],
        address: str,
        issuer: IssuerDocuments | None,
    ) -> None:
        self._authenticator, self._authorizer, self._routes = authenticator, authorizer, routes
        self._discovery, self._openapi, self._checks = discovery, openapi, tuple(checks)
        self._address, self._histories, self.aggregation = address, histories, aggregation
        self._issuer, self._metrics = issuer, Metrics()

    @property
    def metrics_api(self) -> MetricsApi:
        """What answers for metrics.k8s.io."""
        return self._routes.metrics

    async def handle(self, request: Request) -> Response:
        """Answer a request. `request.user` is set when the transport made sure of the caller."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        target = paths.target(request.method, request.path, request.query)
        try:
            response = await self._answer(request, target)
            if isinstance(response, Unwritten):
                response = await response.written()
        except ApiError as error:
            response = status.response(error, request.headers)
            response.headers |= warning_headers(deprecations(target))
        except Exception as error:
            log.exception("%s %s", request.method, request.path)
            response = status.response(InternalError(f"Internal error occurred: {error}"), request.headers)
        self._measure(target, response.status, loop.time() - began)
        return response

    def _measure(self, target: Target, code: int, seconds: float) -> None:
        """Count a request. What is not served counts as one thing: made-up names must not make the numbers grow."""
        sort = target.verb, target.group, target.resource, code
        if sort not in self._metrics and not (
            target.resource and self._discovery.serves(target.group, target.resource)
        ):
            sort = target.verb if target.verb.upper() in paths.VERBS else "", "", "", code
        self._metrics.observe(sort, seconds)

    async def _answer(self, request: Request, target: Target) -> Response:
        if not target.resource and _public(request.path):
            return await self._open(request)
        user = authenticated(request.user) if request.user is not None else await self._authenticator.user(request)
        if impersonates(request.headers):
            user = await acting(user, request.headers, self._authorizer)
        asked = authorization.attributes(user, target)
        allowed, reason = await self._authorizer.allows(asked)
        if not allowed:
            raise authorization.refusal(asked, reason)
        if request.path.startswith(GROUPS) and (other := await self.aggregation.behind(request.path)) is not None:
            return await self.aggregation.answer(request, user, other)
        if not target.resource:
            return await self._path(request)
        form = self._form(request, target)
        manager = queries.manager(request.query, request.headers)
        call = Call(request, target, user, form, manager)
        if request.method not in ("GET", "HEAD"):
            AUTHOR.set(Author(manager, user.name))
        return await self._routes.answer(call)

    def _form(self, request: Request, target: Target) -> Form:
        """The form of the answer; what a pod or an agent says goes through as it is, whatever the client takes."""
        if target.subresource in UNFORMED:
            return Form()
        pretty = queries.pretty(request.query, request.headers)
        if not pretty and negotiation.plain(request.headers):
            return AS_IT_IS
        return negotiation.form(
            request.headers,
            pretty=pretty,
            protobuf=lambda: self._routes.has_protobuf(target),
            watch=target.verb == "watch",
        )

    async def _open(self, request: Request) -> Response:
        """What anybody may ask."""
        if request.path.rstrip("/") == "/version":
            return answer(request, Form(pretty=True), 200, version())
        return await health.answer(request.path, request.query, self._checks)

    async def _path(self, request: Request) -> Response:
        """Discovery, OpenAPI and metrics: what is not a resource."""
        path = request.path.rstrip("/")
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("the server does not allow this method on the requested resource")
        if path.startswith("/openapi/v"):
            return await self._openapi.answer(request)
        if path.startswith(PREFIX):
            return await self._histories.answer(request)
        if path == "/metrics":
            return self._metrics.answer()
        if self._issuer is not None and (document := self._issuer.answer(path)) is not None:
            return document
        if path in ("/api", "/apis") and (form := wants_aggregated(request.headers.get("accept", ""))):
            return await self._aggregated(request, path == "/api", form)
        tree = await self._with_others(path, self._discovered(path))
        return self._plain(request, tree) if tree is not None else status.no_such_path()

    def _discovered(self, path: str) -> dict[str, object] | None:
        parts = path.strip("/").split("/")
        match parts:
            case [""]:
                return {"paths": list(PATHS)}
            case ["api"]:
                return self._discovery.api(self._address)
            case ["apis"]:
                return self._discovery.apis()
            case ["api", version_]:
                return self._discovery.group_version("", version_)
            case ["apis", group]:
                return self._discovery.group(group)
            case ["apis", group, version_]:
                return self._discovery.group_version(group, version_)
        return None

    async def _with_others(self, path: str, tree: dict[str, object] | None) -> dict[str, object] | None:
        """Discovery of groups with those of other servers."""
        if not path.startswith("/apis") or not (services := await self.aggregation.services()):
            return tree
        match path.strip("/").split("/"):
            case ["apis"] if tree is not None:
                return aggregation_discovery.with_groups(tree, services)
            case ["apis", group]:
                return aggregation_discovery.with_group(tree, group, services)
        return tree

    async def _aggregated(self, request: Request, core: bool, form: str) -> Response:
        tree = self._discovery.aggregated(core) | {"apiVersion": f"apidiscovery.k8s.io/{form}"}
        if not core and (services := await self.aggregation.services()):
            tree = aggregation_discovery.with_aggregated(tree, services, self.aggregation.documents)
        found = answer(request, Form(pretty=queries.pretty(request.query, request.headers)), 200, tree)
        found.headers["content-type"] = f"application/json;g=apidiscovery.k8s.io;v={form};as=APIGroupDiscoveryList"
        found.headers["vary"] = "Accept"
        return found

    def _plain(self, request: Request, tree: dict[str, object]) -> Response:
        """Discovery in the client's form; what is no object is always JSON."""
        form = Form(pretty="kind" not in tree or queries.pretty(request.query, request.headers))
        if "kind" in tree:
            form = negotiation.form(request.headers, pretty=form.pretty, shapes=False)
        return answer(request, form, 200, tree)


def _public(path: str) -> bool:
    root = "/" + path.strip("/").partition("/")[0]
    return root in health.PATHS or path.rstrip("/") == "/version"
