"""The pods of one node, found by index. Called by the controllers that see to nodes."""

from collections.abc import Iterable, Sequence

from knarr.kinds.types.core_v1 import Pod
from knarr.loop.runner import Context

NAME = "node"


def node_of(pod: Pod) -> Iterable[str]:
    return [pod.spec.nodeName] if pod.spec.nodeName else []


INDEX = (Pod, NAME, node_of)  #: for `Controller.indexes`


def pods_on(context: Context, node: str) -> Sequence[Pod]:
    """The pods that are bound to a node."""
    return context.cache(Pod).by_index(NAME, node)
