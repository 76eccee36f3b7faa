"""Whether the servers behind APIServices are there: the condition Available, by asking them for their resources.

Asked whenever an entry, its service or that service's endpoints change, and every half minute; a server that fails is
asked ever more seldom. Reasons and messages are upstream's. What a server says of itself is learned on the way.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from knarr.client.transport import Response
from knarr.kinds.types.apiregistration_v1 import APIService, APIServiceCondition
from knarr.kinds.types.core_v1 import Service
from knarr.kinds.types.discovery_v1 import EndpointSlice
from knarr.kinds.types.meta_v1 import APIResourceList
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Key, Source, itself
from knarr.loop.steps import Patch
from knarr.meta import clock
from knarr.meta.errors import ApiError, ServiceUnavailable
from knarr.server.admission.webhook_client import SERVICE
from knarr.server.aggregation import PORT, Aggregation, endpoints, port_of
from knarr.server.proxies import host_of

AGAIN, LONGEST = 30.0, 30.0  #: seconds until a server is asked again that was there, and at most one that was not
ATTEMPTS = 5  #: questions at the same time, as there may be many endpoints: one answer is enough
SECONDS = 5.0  #: for an answer
JSON = {"accept": "application/json"}

Said = tuple[str, str, str]  #: status, reason and message of the condition


async def sync(key: Key, context: Context, aggregation: Aggregation) -> float | None:
    """Look at one entry; give when to look again. ServiceUnavailable: the server does not answer as it should."""
    entry = context.cache(APIService).get(key[1])
    if entry is None or entry.spec.service is None:
        version, _, group = key[1].partition(".")
        aggregation.documents.forget((group, version))
        return None
    said = unreachable(entry, context)
    failure: ApiError | None = None
    if said is None:
        said = ("True", "Passed", "all checks passed")
        try:
            await learn(aggregation, entry, await ask(aggregation, entry, context))
        except ApiError as error:
            failure, said = error, ("False", "FailedDiscoveryCheck", error.message)
    if (condition := condition_of(entry, said)) is not None:
        patch = Patch(entry, {"status": {"conditions": [condition]}}, kind="strategic", subresource="status")
        await carry_out(context.api, [patch], context.recorder)
    if failure is not None:
        raise failure
    return AGAIN


def unreachable(entry: APIService, context: Context) -> Said | None:
    """Why an entry's service cannot lead anywhere; None when it may."""
    wanted = entry.spec.service
    assert wanted is not None, "only called for entries with one"
    about, port = f'service/{wanted.name} in "{wanted.namespace}"', wanted.port or PORT
    service = context.cache(Service).get(wanted.name, wanted.namespace)
    if service is None:
        return "False", "ServiceNotFound", f"{about} is not present"
    if service.spec.type not in ("", "ClusterIP"):
        return None
    found = port_of(service, port)
    if found is None:
        return "False", "ServicePortError", f"{about} is not listening on port {port}"
    slices = [s for s in context.cache(EndpointSlice).list(wanted.namespace) if wanted.name == service_of(s)]
    if not slices:
        return "False", "EndpointsNotFound", f"cannot find endpointslices for {about}"
    if next(endpoints(wanted.name, found.name, slices), None) is None:
        message = f'endpointslices for {about} have no addresses with port name "{found.name}"'
        return "False", "MissingEndpoints", message
    return None


def condition_of(entry: APIService, said: Said) -> dict[str, Any] | None:
    """The condition to write, None when the entry has it; its time is that of the last change of status."""
    known = next((c for c in entry.status.conditions if c.type == "Available"), APIServiceCondition())
    status, reason, message = said
    if (known.status, known.reason, known.message) == said:
        return None
    since = known.lastTransitionTime if known.status == status else clock.timestamp()
    return {
        "type": "Available",
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since,
    }


async def ask(aggregation: Aggregation, entry: APIService, context: Context) -> Response:
    """The first good answer to what every such server serves: the resources of its group version."""
    spec = entry.spec
    assert spec.service is not None, "only called for entries with one"
    service = context.cache(Service).get(spec.service.name, spec.service.namespace)
    host = (service.spec.clusterIP or service.spec.externalName) if service is not None else ""
    path = f"/apis/{spec.group}/{spec.version}"
    url = f"https://{host_of(host, spec.service.port or PORT)}{path}"
    tasks = [asyncio.create_task(_attempt(aggregation, entry, path, url)) for _ in range(ATTEMPTS)]
    try:
        failure: ApiError | None = None
        for done in asyncio.as_completed(tasks):
            try:
                return await done
            except ApiError as error:
                failure = error
        assert failure is not None, "there was an attempt"
        raise failure
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _attempt(aggregation: Aggregation, entry: APIService, path: str, url: str) -> Response:
    try:
        async with asyncio.timeout(SECONDS):
            answer = await aggregation.ask(entry, path, JSON)
    except TimeoutError:
        why = f'Get "{url}": context deadline exceeded'
    except ApiError as error:
        why = f'Get "{url}": {error.message}'
    else:
        if 200 <= answer.status < 300:
            return answer
        why = f"bad status from {url}: {answer.status}"
    raise ServiceUnavailable(f"failing or missing response from {url}: {why}")


async def learn(aggregation: Aggregation, entry: APIService, answer: Response) -> None:
    """Take in what the server says of itself; a server without OpenAPI documents has none."""
    where, documents = (entry.spec.group, entry.spec.version), aggregation.documents
    try:
        documents.learn(where, msgspec.json.decode(answer.body, type=APIResourceList, strict=False))
    except msgspec.DecodeError as error:
        raise ServiceUnavailable(f"the resources of {'/'.join(where)} are unreadable: {error}") from None
    tag = documents.of(where).v2_tag
    v2 = await _document(aggregation, entry, "/openapi/v2", JSON | ({"if-none-match": tag} if tag else {}))
    if v2 is not None:
        documents.learn_v2(where, v2[0], v2[1])
    if (v3 := await _document(aggregation, entry, "/openapi/v3", JSON)) is not None:
        documents.learn_v3(where, v3[0])


async def _document(
    aggregation: Aggregation, entry: APIService, path: str, headers: dict[str, str]
) -> tuple[dict[str, Any], str] | None:
    """A document and its tag; None when there is none, or no new one."""
    try:
        async with asyncio.timeout(SECONDS):
            answer = await aggregation.ask(entry, path, headers)
        tree = msgspec.json.decode(answer.body) if answer.status == 200 else None
    except (ApiError, TimeoutError, msgspec.DecodeError):
        return None  # optional: clients do without, and the next look asks again
    return (tree, answer.headers.get("etag", "")) if isinstance(tree, dict) else None


def service_of(slice_: EndpointSlice) -> str:
    return slice_.metadata.labels.get(SERVICE, "")


def behind(namespace: str, name: str, context: Context) -> Iterable[Key]:
    """The entries that a service is behind."""
    for entry in context.cache(APIService).list():
        wanted = entry.spec.service
        if wanted is not None and (wanted.namespace, wanted.name) == (namespace, name):
            yield "", entry.metadata.name


def specified(old: APIService, new: APIService) -> bool:
    return old.spec != new.spec


def controllers(aggregation: Aggregation) -> Sequence[Controller]:
    """The controller, for the server that this is the aggregation of."""

    async def sync_one(key: Key, context: Context) -> float | None:
        return await sync(key, context, aggregation)

    def by_service(service: Service, context: Context) -> Iterable[Key]:
        return behind(service.metadata.namespace, service.metadata.name, context)

    def by_slice(slice_: EndpointSlice, context: Context) -> Iterable[Key]:
        return behind(slice_.metadata.namespace, service_of(slice_), context)

    return (
        Controller(
            name="apiservice-availability",
            sources=[
                Source(APIService, itself, matters=specified),
                Source(Service, related=by_service),
                Source(EndpointSlice, related=by_slice),
            ],
            sync=sync_one,
            longest=LONGEST,
        ),
    )
