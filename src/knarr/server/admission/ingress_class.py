"""An ingress that names no class gets the default one, when exactly one is marked."""

from knarr.kinds.types.networking_v1 import IngressClass
from knarr.server.admission import Admission, State, part

GROUP = "networking.k8s.io"
DEFAULT = "ingressclass.kubernetes.io/is-default-class"
LEGACY = "kubernetes.io/ingress.class"


class DefaultIngressClass:
    async def admit(self, admission: Admission, state: State) -> None:
        if not admission.is_("Ingress", "create", group=GROUP):
            return
        spec = part(admission.tree, "spec")
        annotations = part(admission.tree, "metadata").get("annotations") or {}
        if spec.get("ingressClassName") is not None or LEGACY in annotations:
            return
        marked = [c for c in await state.list(IngressClass) if c.metadata.annotations.get(DEFAULT) == "true"]
        if marked:
            newest = max(marked, key=lambda c: (c.metadata.creationTimestamp, c.metadata.name))
            spec["ingressClassName"] = newest.metadata.name
