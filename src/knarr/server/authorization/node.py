"""What a node's agent may do: read what its pods need, write its own node, lease, pods' status and events.

As upstream's node authorizer, with selectors: Secrets, ConfigMaps, claims, volumes and accounts only as far as a pod
bound to the node names them, pods only its own. What `NodeRestriction` looks at, whose node or pod a write is for,
is left to it. Beyond upstream: a node reads and patches the volumes that lie on it, to clean their directories up.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from knarr.kinds.pod_references import references, volume_secrets
from knarr.kinds.types.base import Type
from knarr.kinds.types.core_v1 import PersistentVolume, Pod
from knarr.kinds.types.storage_v1 import VolumeAttachment
from knarr.kinds.volume_place import HOSTNAME, lies_on
from knarr.meta import fields, labels
from knarr.meta.errors import BadRequest
from knarr.server.authorization import Attributes
from knarr.server.authorization.rules import Rule, cover
from knarr.server.identity import node_of

T = TypeVar("T", bound=Type)
READ = ("get", "list", "watch")
RULES = (
    Rule(READ, ("",), ("services", "namespaces")),
    Rule(READ, ("discovery.k8s.io",), ("endpointslices",)),
    Rule(("create", "update", "patch"), ("", "events.k8s.io"), ("events",)),
    Rule(("create",), ("authentication.k8s.io",), ("tokenreviews",)),
    Rule(("create",), ("authorization.k8s.io",), ("subjectaccessreviews", "localsubjectaccessreviews")),
    Rule(("create", "get", "list", "watch"), ("certificates.k8s.io",), ("certificatesigningrequests",)),
    Rule(READ, ("node.k8s.io",), ("runtimeclasses",)),
    Rule(READ, ("storage.k8s.io",), ("csidrivers", "storageclasses")),
)
POD_WRITES = {"": ("create", "delete"), "status": ("update", "patch"), "eviction": ("create",)}  #: by subresource
LEASES = "kube-node-lease"
KEPT = 4096  #: answers that are remembered, each with the pod that gave it
Answer = tuple[bool, str]
YES: Answer = (True, "")


class Cluster(Protocol):
    """What it reads."""

    async def get(self, type_: type[T], namespace: str, name: str) -> T | None: ...
    def mentioning(self, type_: type[T], namespace: str, *words: str) -> Iterable[T]: ...


class NodeAgents:
    """Allows the users `system:node:<name>` of the group system:nodes."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: OrderedDict[tuple[str, str, str, str], Pod] = OrderedDict()
        self._judges: dict[tuple[str, str], Callable[[str, Attributes], Awaitable[Answer]]] = {
            ("", "secrets"): self._named_only,
            ("", "configmaps"): self._named_only,
            ("", "persistentvolumeclaims"): self._claim,
            ("", "persistentvolumes"): self._volume,
            ("", "serviceaccounts"): self._account,
            ("", "nodes"): self._node,
            ("", "pods"): self._pod,
            ("storage.k8s.io", "volumeattachments"): self._attachment,
            ("storage.k8s.io", "csinodes"): self._drivers,
            ("coordination.k8s.io", "leases"): self._lease,
        }

    async def allows(self, attributes: Attributes) -> Answer:
        node = node_of(attributes.user)
        if not node:
            return False, ""
        if judge := self._judges.get((attributes.group, attributes.resource)):
            return await judge(node, attributes)
        return cover(RULES, attributes), ""

    # ------------------------------------------------------------------- one resource each

    async def _named_only(self, node: str, asked: Attributes) -> Answer:
        if asked.verb not in READ:
            return False, "can only read resources of this type"
        if asked.subresource:
            return False, "cannot read subresource"
        if not asked.namespace:
            return False, "can only read namespaced object of this type"
        return await self._related(node, asked)

    async def _claim(self, node: str, asked: Attributes) -> Answer:
        if asked.subresource == "status":
            if asked.verb not in ("update", "patch"):
                return False, "can only get/update/patch this type"
        elif wrong := _not_a_get(asked):
            return False, wrong
        return await self._related(node, asked)

    async def _volume(self, node: str, asked: Attributes) -> Answer:
        if asked.verb in ("list", "watch") and not asked.subresource and _pins_label(asked, HOSTNAME, node):
            return YES
        if asked.verb != "patch" and (wrong := _not_a_get(asked)):
            return False, wrong
        volume = await self._cluster.get(PersistentVolume, "", asked.name) if asked.name else None
        if volume is not None and not asked.subresource and lies_on(volume, node):
            return YES
        mounted = volume is not None and asked.verb == "get" and await self._mounted(node, volume)
        return mounted, "" if mounted else _unrelated(node)

    async def _account(self, node: str, asked: Attributes) -> Answer:
        if asked.verb == "get" and not asked.subresource:
            return await self._related(node, asked)
        if asked.verb != "create" or not asked.name:
            return False, "can only create tokens for individual service accounts"
        if asked.subresource != "token":
            return False, "can only create token subresource of serviceaccount"
        return await self._related(node, asked)

    async def _node(self, node: str, asked: Attributes) -> Answer:
        writes = ("update", "patch") if asked.subresource else ("create", "update", "patch")
        if asked.subresource in ("", "status") and asked.verb in writes:
            return YES  # whose, NodeRestriction says
        if asked.subresource or asked.verb not in READ:
            return False, ""
        if asked.name == node:
            return YES
        which = f"read '{asked.name}'" if asked.name else "read all nodes"
        return False, f"node '{node}' cannot {which}, only its own Node object"

    async def _pod(self, node: str, asked: Attributes) -> Answer:
        if asked.verb in POD_WRITES.get(asked.subresource, ()):
            return YES  # whose, NodeRestriction says
        if asked.subresource or asked.verb not in READ:
            return False, ""
        if asked.verb != "get" and _pins_field(asked, "spec.nodeName", node):
            return YES
        if not asked.name:
            reason = "can only list/watch pods with spec.nodeName field selector"
            return False, "No Object name found" if asked.verb == "get" else reason
        pod = await self._cluster.get(Pod, asked.namespace, asked.name) if asked.namespace else None
        bound = pod is not None and pod.spec.nodeName == node
        return bound, "" if bound else _unrelated(node)

    async def _attachment(self, node: str, asked: Attributes) -> Answer:
        if wrong := _not_a_get(asked):
            return False, wrong
        found = await self._cluster.get(VolumeAttachment, "", asked.name)
        own = found is not None and found.spec.nodeName == node
        return own, "" if own else _unrelated(node)

    async def _drivers(self, node: str, asked: Attributes) -> Answer:
        if asked.verb not in ("get", "create", "update", "patch", "delete"):
            return False, "can only get, create, update, patch, or delete a CSINode"
        if asked.subresource:
            return False, "cannot authorize CSINode subresources"
        own = asked.name == node or (asked.verb == "create" and not asked.name)
        return own, "" if own else "can only access CSINode with the same name as the requesting node"

    async def _lease(self, node: str, asked: Attributes) -> Answer:
        if asked.verb not in ("get", "create", "update", "patch", "delete"):
            return False, "can only get, create, update, patch, or delete a node lease"
        if asked.namespace != LEASES:
            return False, f'can only access leases in the "{LEASES}" system namespace'
        own = asked.name == node or (asked.verb == "create" and not asked.name)
        return own, "" if own else "can only access node lease with the same name as the requesting node"

    # ------------------------------------------------------------------- what belongs together

    async def _related(self, node: str, asked: Attributes) -> Answer:
        """Whether a pod of the node names the object, or, of a Secret, a volume of such a pod."""
        if not asked.name:
            return False, "No Object name found"
        found = await self._names(node, asked.resource, asked.namespace, asked.name)
        if not found and asked.resource == "secrets":
            found = await self._mounts_with(node, asked.namespace, asked.name)
        return found, "" if found else _unrelated(node)

    async def _names(self, node: str, resource: str, namespace: str, name: str) -> bool:
        key = node, resource, namespace, name
        if (known := self._known.get(key)) is not None:
            pod = await self._cluster.get(Pod, namespace, known.metadata.name)
            if pod is not None and pod.metadata.uid == known.metadata.uid and pod.spec.nodeName == node:
                return True  # what a bound pod names does not change
            del self._known[key]
        for pod in self._candidates(node, resource, namespace, name):
            if pod.spec.nodeName == node and (resource, name) in references(pod):
                self._known[key] = pod
                if len(self._known) > KEPT:
                    self._known.popitem(last=False)
                return True
        return False

    def _candidates(self, node: str, resource: str, namespace: str, name: str) -> Iterator[Pod]:
        """The pods whose text has the name, or, for a claim, those that may have one made: its name is put together."""
        yield from self._cluster.mentioning(Pod, namespace, name, node)
        if resource == "persistentvolumeclaims":
            yield from self._cluster.mentioning(Pod, namespace, "volumeClaimTemplate", node)

    async def _mounts_with(self, node: str, namespace: str, name: str) -> bool:
        for volume in self._cluster.mentioning(PersistentVolume, "", name):
            if (namespace, name) in volume_secrets(volume) and await self._mounted(node, volume):
                return True
        return False

    async def _mounted(self, node: str, volume: PersistentVolume) -> bool:
        """Whether a pod of the node names the claim that the volume is bound to."""
        claim = volume.spec.claimRef
        return claim is not None and await self._names(node, "persistentvolumeclaims", claim.namespace, claim.name)


def _not_a_get(asked: Attributes) -> str:
    if asked.verb != "get":
        return "can only get individual resources of this type"
    return "cannot get subresource" if asked.subresource else ""


def _unrelated(node: str) -> str:
    return f"no relationship found between node '{node}' and this object"


def _pins_field(asked: Attributes, field: str, value: str) -> bool:
    try:
        return fields.parse(asked.fields).required(field) == value
    except BadRequest:
        return False


def _pins_label(asked: Attributes, key: str, value: str) -> bool:
    try:
        selector = labels.parse(asked.labels)
    except BadRequest:
        return False
    return any(each.key == key and each.operator == "=" and each.values == (value,) for each in selector.requirements)
