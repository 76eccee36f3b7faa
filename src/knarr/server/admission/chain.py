"""The plugins that run by default, in upstream's order: those that change a request first, quotas last."""

from collections.abc import Sequence

from knarr.server.admission import Plugin
from knarr.server.admission.claim_protection import StorageObjectInUseProtection
from knarr.server.admission.ingress_class import DefaultIngressClass
from knarr.server.admission.namespace_lifecycle import NamespaceLifecycle
from knarr.server.admission.node_restriction import NodeRestriction
from knarr.server.admission.priority import Priority
from knarr.server.admission.service_account import ServiceAccounts
from knarr.server.admission.storage_class import DefaultStorageClass
from knarr.server.admission.taint_nodes import TaintNodesByCondition
from knarr.server.admission.toleration_seconds import DefaultTolerationSeconds


def default_plugins() -> Sequence[Plugin]:
    return (
        NamespaceLifecycle(),
        ServiceAccounts(),
        NodeRestriction(),
        TaintNodesByCondition(),
        Priority(),
        DefaultTolerationSeconds(),
        DefaultStorageClass(),
        StorageObjectInUseProtection(),
        DefaultIngressClass(),
    )
