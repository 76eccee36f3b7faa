"""EndpointSlice of discovery.k8s.io/v1beta1, where the zone of an endpoint stands in a map with all its topology.

Source: `pkg/apis/discovery/v1beta1/conversion.go` of Kubernetes.
"""

from knarr.kinds.kind import Tree
from knarr.kinds.old.form import Form
from knarr.kinds.trees import items

ZONE = "topology.kubernetes.io/zone"


def inward(tree: Tree) -> Tree:
    for endpoint in items(tree, "endpoints"):
        topology = endpoint.pop("topology", None) or {}
        if zone := topology.pop(ZONE, ""):
            endpoint["zone"] = zone
        if topology:
            endpoint["deprecatedTopology"] = topology
    return tree


def outward(tree: Tree) -> Tree:
    for endpoint in items(tree, "endpoints"):
        topology = endpoint.pop("deprecatedTopology", None) or {}
        if zone := endpoint.pop("zone", ""):
            topology[ZONE] = zone
        if topology:
            endpoint["topology"] = topology
    return tree


SLICE = Form(None, inward, outward)
