"""A node's agent writes only its own node, lease and drivers and the pods bound to it, and gets tokens only for these.

What decides where pods and requests go stays others': taints, the labels of the node that are not an agent's to tell,
the labels of pods. Of a claim it says how it has grown; of the volumes that lie on it, it takes finalizers off.
"""

from collections.abc import Iterator

import msgspec

from knarr.kinds.pod_references import references
from knarr.kinds.types.core_v1 import Node, Pod
from knarr.server.admission import Admission, State, Tree
from knarr.server.identity import node_of

MIRROR = "kubernetes.io/config.mirror"
WRITTEN = ("finalizers", "managedFields", "resourceVersion")
GROWN = ("capacity", "conditions", "allocatedResources", "allocatedResourceStatuses")  #: of a claim's status
#: labels of Kubernetes' own that an agent may tell of its node, and the domains whose labels it may
TOLD = frozenset(
    (
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
    )
)
TOLD_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
RESTRICTED = "node-restriction.kubernetes.io"
KUBERNETES = ("kubernetes.io", "k8s.io")

OWN_ONLY = {
    "Lease": "can only access node lease with the same name as the requesting node",
    "CSINode": "can only access CSINode with the same name as the requesting node",
}


class NodeRestriction:
    async def admit(self, admission: Admission, state: State) -> None:
        node = node_of(admission.user)
        if not node:
            return
        if admission.kind.kind in OWN_ONLY and admission.name != node:
            raise admission.refuse(OWN_ONLY[admission.kind.kind])
        if admission.kind.group:
            return
        if admission.kind.kind == "PersistentVolume" and _changes_more(admission):
            raise admission.refuse(f'node "{node}" may only remove finalizers of a volume')
        if admission.kind.kind == "PersistentVolumeClaim" and _more_than_grown(admission):
            fields = "status.capacity and status.conditions"
            raise admission.refuse(f'node "{node}" is not allowed to update fields other than {fields}')
        if admission.kind.kind == "Node":
            _check_node(admission, node)
        if (admission.kind.kind, admission.subresource) == ("ServiceAccount", "token"):
            await self._check_token(admission, node, state)
        if admission.kind.kind != "Pod":
            return
        if admission.verb == "create" and not admission.subresource:
            await self._check_mirror(admission, node, state)
        else:
            if await _place(admission, state) not in (node, None):
                what = "delete pods" if admission.verb == "delete" else "update pod status for pod"
                what = "evict pods" if admission.subresource == "eviction" else what
                raise admission.refuse(f'node "{node}" can only {what} with spec.nodeName set to itself')
            if admission.subresource == "status":
                _check_status(admission, node)

    async def _check_mirror(self, admission: Admission, node: str, state: State) -> None:
        annotations = admission.tree.get("metadata", {}).get("annotations") or {}
        if MIRROR not in annotations:
            raise admission.refuse(
                f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
            )
        if admission.tree.get("spec", {}).get("nodeName") != node:
            raise admission.refuse(f'node "{node}" can only create pods with spec.nodeName set to itself')
        try:
            pod = msgspec.convert(admission.tree, Pod)
        except msgspec.ValidationError:
            return  # for the rules of the kind to refuse
        own = await state.get(Node, "", node)
        if own is None or not _belongs_to(pod, own):
            raise admission.refuse(f'node "{node}" can only create pods with an owner reference set to itself')
        if named := next(_named(pod), ""):
            raise admission.refuse(f'node "{node}" can not create pods that reference {named}')

    async def _check_token(self, admission: Admission, node: str, state: State) -> None:
        bound = (admission.tree.get("spec") or {}).get("boundObjectRef") or {}
        if (bound.get("apiVersion"), bound.get("kind")) != ("v1", "Pod") or not bound.get("name"):
            raise admission.refuse("node requested token not bound to a pod")
        if not bound.get("uid"):
            raise admission.refuse("node requested token with a pod binding without a uid")
        pod = await state.get(Pod, admission.namespace, bound["name"])
        if pod is not None and pod.spec.nodeName != node:
            raise admission.refuse("node requested token bound to a pod scheduled on a different node")


async def _place(admission: Admission, state: State) -> str | None:
    """The node of the pod that a request is about, "" while it has none; None when there is no such pod."""
    if admission.subresource == "status" and admission.old is not None:
        return (admission.old.get("spec") or {}).get("nodeName") or ""
    pod = await state.get(Pod, admission.namespace, admission.name)
    return pod.spec.nodeName if pod is not None else None


def _belongs_to(pod: Pod, node: Node) -> bool:
    """Whether a pod is that node's alone, and does not hold it up when it goes."""
    owners = [
        (each.apiVersion, each.kind, each.name, each.uid, bool(each.controller), bool(each.blockOwnerDeletion))
        for each in pod.metadata.ownerReferences
    ]
    return owners == [("v1", "Node", node.metadata.name, node.metadata.uid, True, False)]


def _named(pod: Pod) -> Iterator[str]:
    """The sorts of objects that a pod names."""
    bare = msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, annotations={}))
    for resource, _ in references(bare):
        yield "a service account" if resource == "serviceaccounts" else resource


def _check_node(admission: Admission, node: str) -> None:
    """Only itself, and nothing that would steer pods to it."""
    if admission.name != node:
        raise admission.refuse(f'node "{node}" is not allowed to modify node "{admission.name}"')
    changed = sorted(key for key in _relabelled(admission) if not _is_told(key))
    if changed and admission.verb == "create":
        raise admission.refuse(f'node "{node}" is not allowed to set the following labels: {", ".join(changed)}')
    if changed:
        raise admission.refuse(f"is not allowed to modify labels: {', '.join(changed)}")
    if admission.verb == "update" and not admission.subresource:
        new, old = ((tree.get("spec") or {}).get("taints") or [] for tree in (admission.tree, admission.old or {}))
        if new != old:
            raise admission.refuse(f'node "{node}" is not allowed to modify taints')


def _check_status(admission: Admission, node: str) -> None:
    """A pod's labels decide which services and policies it counts for, its claims' names what the node may read."""
    if any(_relabelled(admission)):
        raise admission.refuse(f'node "{node}" cannot update labels through pod status')
    new, old = (
        (tree.get("status") or {}).get("resourceClaimStatuses") or [] for tree in (admission.tree, admission.old or {})
    )
    if new != old:
        raise admission.refuse(f'node "{node}" cannot update resource claim statuses')


def _relabelled(admission: Admission) -> Iterator[str]:
    """The keys of the labels that a write adds, changes or takes away."""
    new, old = ((tree.get("metadata") or {}).get("labels") or {} for tree in (admission.tree, admission.old or {}))
    if isinstance(new, dict) and new != old:
        yield from (key for key in {*new, *old} if new.get(key) != old.get(key))


def _is_told(key: str) -> bool:
    """Whether an agent may say this label of its node."""
    domain = key.partition("/")[0] if "/" in key else ""
    if _within(domain, RESTRICTED):
        return False
    ours = any(_within(domain, each) for each in KUBERNETES)
    return not ours or key in TOLD or any(_within(domain, each) for each in TOLD_DOMAINS)


def _within(domain: str, outer: str) -> bool:
    return domain == outer or domain.endswith(f".{outer}")


def _more_than_grown(admission: Admission) -> bool:
    """Whether a claim's status is written with more than how it has grown."""
    if admission.verb != "update" or admission.subresource != "status":
        return True
    new, old = (
        {key: value for key, value in (tree.get("status") or {}).items() if key not in GROWN}
        for tree in (admission.tree, admission.old or {})
    )
    return new != old or any(_relabelled(admission))


def _changes_more(admission: Admission) -> bool:
    """Whether a write changes more than it takes finalizers off."""
    new, old = admission.tree, admission.old or {}
    kept = [each.get("metadata", {}).get("finalizers") or [] for each in (new, old)]
    return _rest(new) != _rest(old) or not set(kept[0]) <= set(kept[1])


def _rest(tree: Tree) -> Tree:
    metadata = {key: value for key, value in tree.get("metadata", {}).items() if key not in WRITTEN}
    return tree | {"metadata": metadata}
