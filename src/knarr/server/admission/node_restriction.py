"""A node's agent writes only its own node, lease and drivers and the pods bound to it, and gets tokens only for these.

Of the volumes that lie on it, it takes finalizers off, and changes nothing else.
"""

from knarr.kinds.types.core_v1 import Pod
from knarr.server.admission import Admission, State, Tree
from knarr.server.identity import node_of

MIRROR = "kubernetes.io/config.mirror"
WRITTEN = ("finalizers", "managedFields", "resourceVersion")


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
        if admission.kind.kind == "Node" and admission.name != node:
            raise admission.refuse(f'node "{node}" is not allowed to modify node "{admission.name}"')
        if (admission.kind.kind, admission.subresource) == ("ServiceAccount", "token"):
            await self._check_token(admission, node, state)
        if admission.kind.kind != "Pod":
            return
        if admission.verb == "create" and not admission.subresource:
            self._check_mirror(admission, node)
        else:
            pod = await state.get(Pod, admission.namespace, admission.name)
            if pod is not None and pod.spec.nodeName != node:
                what = "delete pods" if admission.verb == "delete" else "update pod status for pod"
                what = "evict pods" if admission.subresource == "eviction" else what
                raise admission.refuse(f'node "{node}" can only {what} with spec.nodeName set to itself')

    def _check_mirror(self, admission: Admission, node: str) -> None:
        annotations = admission.tree.get("metadata", {}).get("annotations") or {}
        if MIRROR not in annotations:
            raise admission.refuse(
                f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
            )
        if admission.tree.get("spec", {}).get("nodeName") != node:
            raise admission.refuse(f'node "{node}" can only create pods with spec.nodeName set to itself')

    async def _check_token(self, admission: Admission, node: str, state: State) -> None:
        bound = (admission.tree.get("spec") or {}).get("boundObjectRef") or {}
        if (bound.get("apiVersion"), bound.get("kind")) != ("v1", "Pod") or not bound.get("name"):
            raise admission.refuse("node requested token not bound to a pod")
        if not bound.get("uid"):
            raise admission.refuse("node requested token with a pod binding without a uid")
        pod = await state.get(Pod, admission.namespace, bound["name"])
        if pod is not None and pod.spec.nodeName != node:
            raise admission.refuse("node requested token bound to a pod scheduled on a different node")


def _changes_more(admission: Admission) -> bool:
    """Whether a write changes more than it takes finalizers off."""
    new, old = admission.tree, admission.old or {}
    kept = [each.get("metadata", {}).get("finalizers") or [] for each in (new, old)]
    return _rest(new) != _rest(old) or not set(kept[0]) <= set(kept[1])


def _rest(tree: Tree) -> Tree:
    metadata = {key: value for key, value in tree.get("metadata", {}).items() if key not in WRITTEN}
    return tree | {"metadata": metadata}
