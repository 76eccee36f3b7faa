"""The plugins that run by default, in upstream's order: those that change a request, those that judge the outcome.

Quotas are last: what they have counted is then written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from knarr.kinds.types.admissionregistration_v1 import (
    MutatingAdmissionPolicy,
    MutatingWebhookConfiguration,
    ValidatingAdmissionPolicy,
    ValidatingWebhookConfiguration,
)
from knarr.kinds.types.base import Type
from knarr.kinds.types.core_v1 import LimitRange, ResourceQuota
from knarr.server.admission import Plugin
from knarr.server.admission.certificate_requester import CertificateRequester
from knarr.server.admission.certificates import CertificateSigners, CertificateSubjectRestriction
from knarr.server.admission.claim_protection import StorageObjectInUseProtection
from knarr.server.admission.claim_resize import PersistentVolumeClaimResize
from knarr.server.admission.concern import Versions
from knarr.server.admission.ingress_class import DefaultIngressClass
from knarr.server.admission.limit_bounds import LimitBounds
from knarr.server.admission.limit_defaults import LimitDefaults
from knarr.server.admission.namespace_lifecycle import NamespaceLifecycle
from knarr.server.admission.node_restriction import NodeRestriction
from knarr.server.admission.pod_security import PodSecurity
from knarr.server.admission.policies import MutatingPolicies, ValidatingPolicies
from knarr.server.admission.priority import Priority
from knarr.server.admission.quota import Charge, ResourceQuotas
from knarr.server.admission.runtime_class import RuntimeClasses
from knarr.server.admission.service_account import ServiceAccounts
from knarr.server.admission.storage_class import DefaultStorageClass
from knarr.server.admission.taint_nodes import TaintNodesByCondition
from knarr.server.admission.toleration_seconds import DefaultTolerationSeconds
from knarr.server.admission.webhooks import MutatingWebhooks, ValidatingWebhooks
from knarr.server.authorization import Authorizer
from knarr.server.authorization.escalation import BINDINGS, ROLES, NoEscalation

WORKLOADS = ("ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
#: plugins that look at objects of these kinds alone: nobody else's way leads past them
ONLY: dict[type, tuple[str, ...]] = {
    LimitDefaults: ("Pod",),
    ServiceAccounts: ("Pod",),
    TaintNodesByCondition: ("Node",),
    Priority: ("Pod", "PriorityClass"),
    DefaultTolerationSeconds: ("Pod",),
    DefaultStorageClass: ("PersistentVolumeClaim",),
    StorageObjectInUseProtection: ("PersistentVolumeClaim", "PersistentVolume"),
    RuntimeClasses: ("Pod",),
    DefaultIngressClass: ("Ingress",),
    CertificateRequester: ("CertificateSigningRequest",),
    CertificateSigners: ("CertificateSigningRequest",),
    LimitBounds: ("Pod", "PersistentVolumeClaim"),
    PersistentVolumeClaimResize: ("PersistentVolumeClaim",),
    CertificateSubjectRestriction: ("CertificateSigningRequest",),
    NoEscalation: (*ROLES, *BINDINGS),
    PodSecurity: ("Namespace", "Pod", "PodTemplate", *WORKLOADS),
}
#: those of them that look at writes of the object itself alone, not at those of its parts: its status, say
WHOLE = (
    *(LimitDefaults, ServiceAccounts, TaintNodesByCondition, Priority, DefaultTolerationSeconds, DefaultStorageClass),
    *(StorageObjectInUseProtection, RuntimeClasses, DefaultIngressClass, CertificateRequester, NoEscalation),
    *(PersistentVolumeClaimResize, CertificateSubjectRestriction),
)
#: what users configure a plugin by: while there is no object of it, nobody's way leads past the plugin
BY: dict[type, type[Type]] = {
    LimitDefaults: LimitRange,
    MutatingPolicies: MutatingAdmissionPolicy,
    MutatingWebhooks: MutatingWebhookConfiguration,
    LimitBounds: LimitRange,
    ValidatingPolicies: ValidatingAdmissionPolicy,
    ValidatingWebhooks: ValidatingWebhookConfiguration,
    ResourceQuotas: ResourceQuota,
}
ASKED = NodeRestriction | MutatingPolicies | MutatingWebhooks | ValidatingPolicies | ValidatingWebhooks

Types = frozenset[type[Type]]


@dataclass(frozen=True, slots=True)
class Plugins:
    """The two phases of admission."""

    mutating: Sequence[Plugin]
    validating: Sequence[Plugin]
    _known: dict[tuple[str, str, bool, Types], Sequence[Plugin]] = field(default_factory=dict, init=False, repr=False)

    def mutate(self, kind: str, subresource: str, there: Types) -> Sequence[Plugin]:
        """Those of the first phase for a write of a kind; `there`: of which types among `BY`'s there is one."""
        return self._concerned("mutate", kind, subresource, there)

    def validate(self, kind: str, subresource: str, there: Types) -> Sequence[Plugin]:
        """Those of the second phase for a write of a kind."""
        return self._concerned("validate", kind, subresource, there)

    def configured(self, there: Types) -> Sequence[Plugin]:
        """Those that users configure, and what holds nodes to their own: for requests that write no object itself."""
        return self._concerned("ask", "", "", there)

    def _concerned(self, phase: str, kind: str, subresource: str, there: Types) -> Sequence[Plugin]:
        key = phase, kind, subresource != "", there
        if (found := self._known.get(key)) is None:
            chosen = self._chosen(phase, kind, subresource != "")
            found = self._known[key] = tuple(p for p in chosen if (by := BY.get(type(p))) is None or by in there)
        return found

    def _chosen(self, phase: str, kind: str, part: bool) -> Iterable[Plugin]:
        if phase == "ask":
            return (plugin for plugin in (*self.mutating, *self.validating) if isinstance(plugin, ASKED))
        plugins = self.mutating if phase == "mutate" else self.validating
        return (
            plugin
            for plugin in plugins
            if kind in ONLY.get(type(plugin), (kind,)) and not (part and isinstance(plugin, WHOLE))
        )


def default_plugins(charge: Charge, versions: Versions, authorizer: Authorizer) -> Plugins:
    """All plugins; `charge` is how the one for quotas writes down what is used, `versions` gives a kind's others."""
    return Plugins(
        (
            NamespaceLifecycle(),
            LimitDefaults(),
            ServiceAccounts(),
            NodeRestriction(),
            TaintNodesByCondition(),
            Priority(),
            DefaultTolerationSeconds(),
            DefaultStorageClass(),
            StorageObjectInUseProtection(),
            RuntimeClasses(),
            DefaultIngressClass(),
            MutatingPolicies(versions, authorizer),
            MutatingWebhooks(versions, authorizer),
            CertificateRequester(),
        ),
        (
            LimitBounds(),
            PodSecurity(),
            PersistentVolumeClaimResize(),
            CertificateSubjectRestriction(),
            ValidatingPolicies(versions, authorizer),
            ValidatingWebhooks(versions, authorizer),
            ResourceQuotas(charge),
        ),
    )
