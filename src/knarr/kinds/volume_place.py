"""On which node a volume lies that is a place of one node: said by its affinity, and by its provisioner's label. Pure.

The provisioner writes both, the node cleans up what lies on it, and the node authorizer lets it see no other.
"""

from collections.abc import Iterable

from knarr.kinds.placement import volume_terms
from knarr.kinds.types.core_v1 import Node, NodeSelectorTerm, PersistentVolume, PersistentVolumeSpec
from knarr.kinds.volume_binding import PROVISIONED_BY

HOSTNAME = "kubernetes.io/hostname"  #: of a node, its host name; of a volume, the name of the node that it lies on


def host_of(node: Node) -> str:
    """The host name by which affinities mean a node: its name, unless somebody gave it another."""
    return node.metadata.labels.get(HOSTNAME, node.metadata.name)


def home(spec: PersistentVolumeSpec) -> str:
    """The host name of the one node where a volume can be used; "" where that may be several."""
    found = {_only(term) for term in volume_terms(spec)}
    return found.pop() if len(found) == 1 else ""


def lies_on(volume: PersistentVolume, node: str, host: str = "") -> bool:
    """Whether a volume lies on the node of this name and, unless it is its name, host name.

    A label counts on a volume that a provisioner made: people put it on their own for other reasons.
    """
    meta = volume.metadata
    labelled = PROVISIONED_BY in meta.annotations and meta.labels.get(HOSTNAME) == node
    return labelled or home(volume.spec) == (host or node)


def label(spec: PersistentVolumeSpec, nodes: Iterable[Node] = ()) -> dict[str, str]:
    """The label by which a node finds the volumes that lie on it: its name, which its host name need not be."""
    if not (host := home(spec)):
        return {}
    names = [node.metadata.name for node in nodes if node.metadata.labels.get(HOSTNAME) == host]
    return {HOSTNAME: names[0] if len(names) == 1 else host}


def _only(term: NodeSelectorTerm) -> str:
    """The one host name that a term allows, "" where it allows several or does not say."""
    hosts = [each.values for each in term.matchExpressions if each.key == HOSTNAME and each.operator == "In"]
    return hosts[0][0] if len(hosts) == 1 and len(hosts[0]) == 1 else ""
