"""Logs, exec, attach and port-forward of a pod: found, checked, and carried from and to the node's agent."""

from collections.abc import Sequence

from knarr.client.transport import Request, Response
from knarr.kinds.types.core_v1 import Pod
from knarr.meta.errors import BadRequest
from knarr.meta.field import FieldError, forbidden, invalid, wrong
from knarr.server.agents import Agents
from knarr.server.queries import Query, flag, number, one

LOG_FLAGS = ("follow", "previous", "timestamps")
LOG_NUMBERS = {"tailLines": 0, "sinceSeconds": 1, "limitBytes": 1}  #: and the least value of each
TEXT = {"content-type": "text/plain"}
#: the API's names of the streams, and the agent's
STREAMS = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}


class PodStreams:
    """Answers pods/log, pods/exec, pods/attach and pods/portforward."""

    def __init__(self, agents: Agents | None) -> None:
        self._agents = agents

    async def answer(self, request: Request, pod: Pod, subresource: str) -> Response:
        if subresource == "log":
            return await self._log(request, pod)
        if subresource == "portforward":
            query = [(key, value) for key, value in request.query if key in ("port", "ports")]
            return await self._connect(request, pod, f"/portForward/{_place(pod)}", query)
        container = chosen_container(pod, one(request.query, "container") or "")
        query = [("command", value) for key, value in request.query if key == "command" and subresource == "exec"]
        query += [(theirs, "1") for ours, theirs in STREAMS.items() if _asked(request.query, ours, subresource)]
        return await self._connect(request, pod, f"/{subresource}/{_place(pod)}/{container}", query)

    async def _log(self, request: Request, pod: Pod) -> Response:
        query = log_query(request.query, pod)
        container = chosen_container(pod, one(request.query, "container") or "")
        if not pod.spec.nodeName or self._agents is None:
            return Response(204)
        place = await self._agents.place(pod.spec.nodeName)
        answer = await self._agents.stream(place, f"/containerLogs/{_place(pod)}/{container}", query)
        if answer.status == 200:
            answer.headers = dict(TEXT)
        elif answer.status < 500:
            raise BadRequest(answer.body.decode(errors="replace").strip())
        return answer

    async def _connect(self, request: Request, pod: Pod, path: str, query: list[tuple[str, str]]) -> Response:
        if not pod.spec.nodeName or self._agents is None:
            raise BadRequest(f"pod {pod.metadata.name} does not have a host assigned")
        if "upgrade" not in request.headers:
            raise BadRequest("Upgrade request required")
        return self._agents.upgrade(request, await self._agents.place(pod.spec.nodeName), path, query)


def log_query(query: Query, pod: Pod) -> dict[str, str]:
    """What the agent is asked, checked; raise Invalid in upstream's words."""
    errors: list[FieldError] = []
    out = {name: "true" for name in LOG_FLAGS if flag(query, name)}
    for name, least in LOG_NUMBERS.items():
        value = number(query, name)
        if value is None:
            continue
        if value < least:
            errors.append(wrong(name, value, f"must be greater than {'or equal to ' if not least else ''}0"))
        out[name] = str(value)
    if since := one(query, "sinceTime"):
        if "sinceSeconds" in out:
            errors.append(forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
        out["sinceTime"] = since
    if errors:
        raise invalid("PodLogOptions", "", pod.metadata.name, errors)
    if stream := one(query, "stream"):
        out["stream"] = stream
    return out


def chosen_container(pod: Pod, wanted: str) -> str:
    """The container a request is about; raise BadRequest when that is unclear or wrong."""
    spec, name = pod.spec, pod.metadata.name
    containers = [c.name for c in spec.containers]
    initial, ephemeral = [c.name for c in spec.initContainers], [c.name for c in spec.ephemeralContainers]
    if wanted:
        if wanted not in (*containers, *initial, *ephemeral):
            raise BadRequest(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(containers) == 1:
        return containers[0]
    text = f"a container name must be specified for pod {name}"
    if containers:
        text += f", choose one of: {_listed(containers)}"
        text += f" or one of the init containers: {_listed(initial)}" if initial else ""
        text += f" or one of the ephemeral containers: {_listed(ephemeral)}" if ephemeral else ""
    raise BadRequest(text)


def _listed(names: Sequence[str]) -> str:
    return f"[{' '.join(names)}]"


def _place(pod: Pod) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"


def _asked(query: Query, stream: str, subresource: str) -> bool:
    """Whether a stream is wanted; attach and exec give stdout and stderr unless told otherwise."""
    value = one(query, stream)
    if value is None:
        return stream in ("stdout", "stderr")
    return flag(query, stream)
