"""What a node's agent may do: read what its pods need, write its own node, lease, pods' status and events.

Upstream narrows reading to what is bound to the node through a graph; here the verbs and kinds are upstream's, writes
are narrowed to the node's own objects, and reading secrets and configmaps is allowed by name only.
"""

from knarr.server.authorization import Attributes
from knarr.server.authorization.rules import Rule, cover
from knarr.server.identity import node_of

READ = ("get", "list", "watch")
RULES = (
    Rule(READ, ("",), ("services", "nodes", "pods", "namespaces")),
    Rule(READ, ("discovery.k8s.io",), ("endpointslices",)),
    Rule(READ, ("",), ("secrets", "configmaps", "persistentvolumes", "persistentvolumeclaims")),
    Rule(("patch",), ("",), ("persistentvolumes",)),  # takes its finalizer off a local-path volume it has cleaned up
    Rule(("get",), ("",), ("persistentvolumeclaims/status", "serviceaccounts")),
    Rule(("create", "delete"), ("",), ("pods",)),
    Rule(("create",), ("",), ("pods/eviction", "serviceaccounts/token", "nodes")),
    Rule(("update", "patch", "get"), ("",), ("pods/status",)),
    Rule(("create", "update", "patch"), ("", "events.k8s.io"), ("events",)),
    Rule(("create",), ("authentication.k8s.io",), ("tokenreviews",)),
    Rule(("create",), ("authorization.k8s.io",), ("subjectaccessreviews", "localsubjectaccessreviews")),
    Rule(("create", "get", "list", "watch"), ("certificates.k8s.io",), ("certificatesigningrequests",)),
    Rule(READ, ("node.k8s.io",), ("runtimeclasses",)),
    Rule(READ, ("storage.k8s.io",), ("volumeattachments", "csidrivers", "storageclasses")),
    Rule(("create", "get", "list", "watch", "update", "patch", "delete"), ("storage.k8s.io",), ("csinodes",)),
    Rule(("get", "create", "update", "patch", "delete"), ("coordination.k8s.io",), ("leases",)),
)
OWN = (Rule(("update", "patch", "delete", "get"), ("",), ("nodes", "nodes/status")),)
NAMED = ("secrets", "configmaps")
LEASES = "kube-node-lease"
OTHER_CSI_NODE = "can only access CSINode with the same name as the requesting node"
OTHER_LEASE = "can only access node lease with the same name as the requesting node"


class NodeAgents:
    """Allows the users `system:node:<name>` of the group system:nodes."""

    async def allows(self, attributes: Attributes) -> tuple[bool, str]:
        node = node_of(attributes.user)
        if not node:
            return False, ""
        if attributes.resource == "leases":
            own = attributes.namespace == LEASES and attributes.name in ("", node)
            return own and cover(RULES, attributes), "" if own else OTHER_LEASE
        if attributes.resource == "csinodes" and attributes.verb not in READ and attributes.name not in ("", node):
            return False, OTHER_CSI_NODE
        if cover(OWN, attributes) and attributes.verb != "get":
            own = attributes.name == node
            return own, "" if own else f"node '{node}' cannot modify node '{attributes.name}'"
        if attributes.resource in NAMED and attributes.verb in ("list", "watch") and not attributes.name:
            return False, "No Object name found"
        return cover(RULES, attributes) or cover(OWN, attributes), ""
