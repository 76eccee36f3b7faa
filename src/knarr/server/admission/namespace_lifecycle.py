"""Nothing is created in a namespace that is missing or ending; the namespaces the cluster needs are not deleted."""

from knarr.kinds.types.core_v1 import Namespace
from knarr.meta.errors import Cause, NotFound
from knarr.server.admission import Admission, State

IMMORTAL = ("default", "kube-system", "kube-public")


class NamespaceLifecycle:
    async def admit(self, admission: Admission, state: State) -> None:
        if admission.is_("Namespace", "delete") and admission.name in IMMORTAL:
            raise admission.refuse("this namespace may not be deleted")
        if admission.verb != "create" or not admission.kind.namespaced or not admission.namespace:
            return
        namespace = await state.get(Namespace, "", admission.namespace)
        if namespace is None:
            raise NotFound(f'namespaces "{admission.namespace}" not found', kind="namespaces", name=admission.namespace)
        if namespace.metadata.deletionTimestamp or (namespace.status and namespace.status.phase == "Terminating"):
            raise admission.refuse(
                f"unable to create new content in namespace {admission.namespace} because it is being terminated",
                [
                    Cause(
                        "NamespaceTerminating",
                        f"namespace {admission.namespace} is being terminated",
                        "metadata.namespace",
                    )
                ],
            )
