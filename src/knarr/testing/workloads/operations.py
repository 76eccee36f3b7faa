"""What simulated users do: one verb each, carried out through the API with kubectl's requests.

What an act is about may be gone when its time comes: the server's refusal is then the answer, and life goes on.
"""

from collections.abc import Awaitable, Callable, Mapping

from knarr.client.api import Api
from knarr.client.codec import encode
from knarr.kinds.pod import is_finished
from knarr.kinds.types.autoscaling_v2 import HorizontalPodAutoscaler
from knarr.kinds.types.core_v1 import Pod, ResourceQuota, Service
from knarr.kinds.types.policy_v1 import PodDisruptionBudget
from knarr.loop.steps import Propagation
from knarr.meta.errors import ApiError
from knarr.testing.invariants.world import World
from knarr.testing.sim.schedule import Act, Verb, seconds
from knarr.testing.workloads import crowds
from knarr.testing.workloads import node_operations as nodes
from knarr.testing.workloads.objects import (
    LOAD,
    SPACE,
    TYPES,
    Tree,
    amount,
    autoscaler,
    budget,
    quota,
    service,
    tree,
)
from knarr.testing.workloads.options import annotations

Operate = Callable[[Act, Api, World], Awaitable[None]]


def word(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


PROPAGATIONS: Mapping[str, Propagation] = {
    "Background": "Background",
    "Foreground": "Foreground",
    "Orphan": "Orphan",
}


def propagation(text: str) -> Propagation:
    if text not in PROPAGATIONS:
        raise ValueError(f"must be one of {', '.join(PROPAGATIONS)}")
    return PROPAGATIONS[text]


def whole(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 1000:
        raise ValueError("must be from 0 to 1000")
    return value


CREATED: Mapping[str, Callable[[str], object]] = {
    **dict.fromkeys(("replicas", "settle", "partition", "start", "grace", "parallelism", "completions"), whole),
    **dict.fromkeys(("limit", "ttl", "code"), whole) | dict.fromkeys(("cpu", "load"), word),
    **dict.fromkeys(("image", "policy", "update", "claim", "mode", "suspend", "replacement", "concurrency"), word),
    **dict.fromkeys(("surge", "down"), amount),
    "lasts": seconds,
    "options": annotations,
}

OPERATIONS: Mapping[str, Verb] = {
    "create": Verb("create a workload", CREATED, subjects="object"),
    "scale": Verb("set its replicas", {"replicas": whole}, frozenset({"replicas"}), "object"),
    "roll": Verb("give its pods another image", {"image": word}, frozenset({"image"}), "object"),
    "hold": Verb("set a StatefulSet's partition", {"partition": whole}, frozenset({"partition"}), "object"),
    "parallel": Verb("set a Job's parallelism", {"to": whole}, frozenset({"to"}), "object"),
    "pause": Verb("pause a rollout, or suspend a Job or CronJob", {}, subjects="object"),
    "resume": Verb("resume what is paused", {}, subjects="object"),
    "delete": Verb("delete it", {"propagation": propagation}, subjects="object"),
    "delete-pod": Verb("delete one of its pods", {"number": whole, "force": word}, subjects="object"),
    "fail-pod": Verb("have one of its pods fail", {"number": whole}, subjects="object"),
    "let-go": Verb("take the label off one of its pods", {"number": whole}, subjects="object"),
    "remove-pod": Verb("delete a pod by its name", {}, subjects="object"),
    "protect": Verb("give it a disruption budget", {"least": amount, "down": amount}, subjects="object"),
    "evict": Verb("evict one of its pods", {"number": whole}, subjects="object"),
    "autoscale": Verb("give it an autoscaler", {"least": whole, "most": whole, "percent": whole}, subjects="object"),
    "load": Verb("have its pods use so many cores", {"cores": word}, frozenset({"cores"}), "object"),
    "expose": Verb("give it a service", {}, subjects="object"),
    "limit": Verb("let so many pods be", {"pods": whole}, frozenset({"pods"}), "object"),
    "lift": Verb("let any number be again", {}, subjects="object"),
    "drain": Verb("let no pods come to a node, and evict those that are there", {}, subjects="node"),
    "out-of-service": Verb("say that a node is out of service, and its pods dead", {}, subjects="node"),
    "cordon": Verb("let no pods come to a node", {}, subjects="node"),
    "uncordon": Verb("let pods come again", {}, subjects="node"),
    "remove-node": Verb("take a node out of the cluster, and its pods for dead", {}, subjects="node"),
    "label": Verb("label a node", {"value": word}, frozenset({"value"}), "node"),
    "crowd": Verb("create a pod that wants all of a node", {"rank": crowds.rank}, frozenset({"rank"}), "node"),
}


async def operate(act: Act, api: Api, world: World) -> str:
    """Carry out an act; the server's refusal, or "" when there was none."""
    try:
        await DONE[act.verb](act, api, world)
    except ApiError as error:
        return f"{error.reason}: {error.message}"
    return ""


def what(act: Act) -> tuple[str, str]:
    kind, _, name = act.subject.partition("/")
    return kind, name


async def create(act: Act, api: Api, world: World) -> None:
    path = api.resource(TYPES[what(act)[0]]).path(SPACE)
    await api.raw("POST", path, body=encode(tree(act)))


async def change(act: Act, api: Api, patch: Tree) -> None:
    kind, name = what(act)
    await api.patch(TYPES[kind], name, SPACE, patch, kind="strategic")


async def scale(act: Act, api: Api, world: World) -> None:
    await change(act, api, {"spec": {"replicas": int(act.number("replicas"))}})


async def roll(act: Act, api: Api, world: World) -> None:
    template = {"spec": {"containers": [{"name": "c", "image": f"img:{act.get('image')}"}]}}
    await change(act, api, {"spec": {"template": template}})


async def hold(act: Act, api: Api, world: World) -> None:
    rolling = {"partition": int(act.number("partition"))}
    await change(act, api, {"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}})


async def parallel(act: Act, api: Api, world: World) -> None:
    await change(act, api, {"spec": {"parallelism": int(act.number("to"))}})


async def pause(act: Act, api: Api, world: World) -> None:
    await change(act, api, {"spec": {_paused(act): True}})


async def resume(act: Act, api: Api, world: World) -> None:
    await change(act, api, {"spec": {_paused(act): False}})


def _paused(act: Act) -> str:
    return "paused" if act.subject.startswith("deployment/") else "suspend"


async def delete(act: Act, api: Api, world: World) -> None:
    kind, name = what(act)
    await api.delete(TYPES[kind], name, SPACE, propagation=PROPAGATIONS[act.get("propagation", "Background")])


async def delete_pod(act: Act, api: Api, world: World) -> None:
    if (pod := chosen(act, world)) is None:
        return
    force = act.get("force") == "true"
    if force:
        world.forced.add(pod.metadata.uid)
    await api.delete(Pod, pod.metadata.name, SPACE, uid=pod.metadata.uid, grace=0 if force else None)


async def remove_pod(act: Act, api: Api, world: World) -> None:
    await api.delete(Pod, act.subject, SPACE)


async def fail_pod(act: Act, api: Api, world: World) -> None:
    if (pod := chosen(act, world)) is not None and pod.spec.nodeName and not is_finished(pod):
        world.forced.add(pod.metadata.uid)  # its node did not say so: whoever believes it takes the pod for dead
        await api.patch(Pod, pod.metadata.name, SPACE, {"status": {"phase": "Failed"}}, subresource="status")


async def let_go(act: Act, api: Api, world: World) -> None:
    if (pod := chosen(act, world)) is not None:
        await api.patch(Pod, pod.metadata.name, SPACE, {"metadata": {"labels": {"app": "nobody"}}})


def chosen(act: Act, world: World) -> Pod | None:
    """One of the workload's pods, by its place among their names."""
    name = what(act)[1]
    pods = sorted(
        (pod for pod in world.all(Pod) if pod.metadata.labels.get("app") == name), key=lambda pod: pod.metadata.name
    )
    return pods[int(act.number("number")) % len(pods)] if pods else None


async def protect(act: Act, api: Api, world: World) -> None:
    await api.raw("POST", api.resource(PodDisruptionBudget).path(SPACE), body=encode(budget(act)))


async def evict(act: Act, api: Api, world: World) -> None:
    if (pod := chosen(act, world)) is not None:
        await nodes.evicted(pod, api, world)


async def autoscale(act: Act, api: Api, world: World) -> None:
    await api.raw("POST", api.resource(HorizontalPodAutoscaler).path(SPACE), body=encode(autoscaler(act)))


async def load(act: Act, api: Api, world: World) -> None:
    await change(act, api, {"metadata": {"annotations": {LOAD: act.get("cores")}}})


async def expose(act: Act, api: Api, world: World) -> None:
    await api.raw("POST", api.resource(Service).path(SPACE), body=encode(service(act)))


async def limit(act: Act, api: Api, world: World) -> None:
    await api.raw("POST", api.resource(ResourceQuota).path(SPACE), body=encode(quota(act)))


async def lift(act: Act, api: Api, world: World) -> None:
    await api.delete(ResourceQuota, what(act)[1], SPACE)


DONE: Mapping[str, Operate] = {
    "create": create,
    "scale": scale,
    "roll": roll,
    "hold": hold,
    "parallel": parallel,
    "pause": pause,
    "resume": resume,
    "delete": delete,
    "delete-pod": delete_pod,
    "fail-pod": fail_pod,
    "let-go": let_go,
    "remove-pod": remove_pod,
    "protect": protect,
    "evict": evict,
    "autoscale": autoscale,
    "load": load,
    "expose": expose,
    "limit": limit,
    "lift": lift,
    "drain": nodes.drain,
    "cordon": nodes.cordon,
    "uncordon": nodes.uncordon,
    "out-of-service": nodes.out_of_service,
    "remove-node": nodes.remove_node,
    "label": nodes.label,
    "crowd": nodes.crowd,
}
