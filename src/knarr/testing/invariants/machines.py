"""At most one: no two machines, reachable or not, ever run processes of two StatefulSet pods of one name.

What runs is what the machines say, not the API. A pod that a user deleted by force, or whose node a user took out of
the cluster, is taken for dead on the user's word.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from knarr.testing.invariants.world import World


class Running(NamedTuple):
    """A pod with running processes on a machine."""

    machine: str
    namespace: str
    name: str
    uid: str


def at_most_one(running: Iterable[Running], stateful: set[str], world: World) -> Iterator[str]:
    """Names that run twice; `stateful` are the uids of pods that a StatefulSet made."""
    by_name: dict[tuple[str, str], list[Running]] = defaultdict(list)
    for pod in running:
        if pod.uid in stateful and pod.uid not in world.forced:
            by_name[pod.namespace, pod.name].append(pod)
    for (namespace, name), pods in by_name.items():
        if len(pods) > 1:
            where = ", ".join(f"{pod.uid[:8]} on {pod.machine}" for pod in pods)
            yield f"pod {namespace}/{name} runs {len(pods)} times: {where}"
