"""The load of simulated pods: CPU that a workload has to bring up in all, shared by those of its pods that are ready.

The annotation `knarr.dev/simulated-load` on a Deployment, StatefulSet or ReplicaSet is a number of cores. It may change
at any time (`kubectl annotate --overwrite deployment web knarr.dev/simulated-load=2`), and no pod takes more of it than
its limits allow: so more replicas mean less for each, as an autoscaler expects.
"""

from collections.abc import Sequence
from typing import Any

from knarr.client.informer import Informers
from knarr.kinds.pod import is_active, is_ready
from knarr.kinds.types.apps_v1 import Deployment, ReplicaSet, StatefulSet
from knarr.kinds.types.core_v1 import Container, Pod
from knarr.loop.claims import controller_of
from knarr.meta import quantity

LOAD = "knarr.dev/simulated-load"  #: cores, as a quantity, for all ready pods of an object together
OWNERS: dict[str, type[Any]] = {"ReplicaSet": ReplicaSet, "StatefulSet": StatefulSet, "Deployment": Deployment}


class Loads:
    """Looks up the load of pods. The owners are followed from the first time somebody asks."""

    def __init__(self, informers: Informers) -> None:
        self._informers = informers

    async def follow(self) -> None:
        """Return when the owners are known."""
        for type_ in OWNERS.values():
            await self._informers.of(type_).wait_synced()

    def of(self, pod: Pod, sharers: dict[str, int]) -> float | None:
        """The cores that a pod has to bring up; None when its owner has no load.

        `sharers` keeps, by the owner's uid, how many pods share a load: they are counted once for all pods of a node.
        """
        pod = self._informers.of(Pod).cache.get(pod.metadata.name, pod.metadata.namespace) or pod
        owner = self._owner(pod)
        above = self._owner(owner) if owner is not None else None
        for each in (above, owner):
            if each is None or (load := cores(each)) is None:
                continue
            uid = each.metadata.uid
            if uid not in sharers:
                sharers[uid] = sum(is_ready(one) and is_active(one) for one in self._pods(each))
            return share(load, pod, sharers[uid])
        return None

    def _owner(self, obj: Any) -> Any:
        reference = controller_of(obj)
        type_ = OWNERS.get(reference.kind) if reference is not None else None
        if reference is None or type_ is None:
            return None
        return self._informers.of(type_).cache.get(reference.name, obj.metadata.namespace)

    def _pods(self, owner: Any) -> Sequence[Pod]:
        """The pods of an owner, and of the sets that it owns."""
        sets = self._informers.of(ReplicaSet).cache.by_index("owner", owner.metadata.uid)
        pods = self._informers.of(Pod).cache
        return [pod for each in (owner, *sets) for pod in pods.by_index("owner", each.metadata.uid)]


def cores(owner: Any) -> float | None:
    """The load that an owner's annotation gives; None without one, or when it is no quantity."""
    text = owner.metadata.annotations.get(LOAD)
    if text is None:
        return None
    try:
        return quantity.parse(text).nano / 1e9
    except ValueError:
        return None


def share(load: float, pod: Pod, sharers: int) -> float:
    """A pod's part of a load that so many ready pods share; nothing while it is not ready."""
    return load / max(1, sharers) if is_ready(pod) else 0.0


def spread(load: float, containers: Sequence[Container]) -> dict[str, float]:
    """A pod's cores dealt out to its containers, to none of them more than its limit."""
    each = load / max(1, len(containers))
    return {container.name: min(each, limit(container)) for container in containers}


def limit(container: Container) -> float:
    text = container.resources.limits.get("cpu") if container.resources is not None else None
    return quantity.parse(text).nano / 1e9 if text else float("inf")
