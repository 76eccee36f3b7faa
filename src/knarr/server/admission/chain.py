"""The plugins that run by default, in upstream's order: those that change a request, those that judge the outcome.

Quotas are last: what they have counted is then written.
"""

from collections.abc import Callable, Iterable, Sequence
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
    PodSecurity: ("Namespace", "Pod", "PodTemplate", *WORKLOADS),
}
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

Configured = tuple[Plugin, type[Type] | None]  #: a plugin, and what it is configured by


@dataclass(frozen=True, slots=True)
class Plugins:
    """The two phases of admission."""

    mutating: Sequence[Plugin]
    validating: Sequence[Plugin]
    _known: dict[tuple[str, str], Sequence[Configured]] = field(default_factory=dict, init=False, repr=False)

    def mutate(self, kind: str, has: Callable[[type[Type]], bool]) -> Sequence[Plugin]:
        """Those of the first phase for objects of a kind; `has` says whether there is an object of a type."""
        return self._concerned("mutate", kind, has)

    def validate(self, kind: str, has: Callable[[type[Type]], bool]) -> Sequence[Plugin]:
        """Those of the second phase for objects of a kind."""
        return self._concerned("validate", kind, has)

    def configured(self, has: Callable[[type[Type]], bool]) -> Sequence[Plugin]:
        """Those that users configure, and what holds nodes to their own: for requests that write no object itself."""
        return self._concerned("ask", "", has)

    def _concerned(self, phase: str, kind: str, has: Callable[[type[Type]], bool]) -> Sequence[Plugin]:
        if (found := self._known.get((phase, kind))) is None:
            chosen = self._chosen(phase, kind)
            found = self._known[phase, kind] = tuple((plugin, BY.get(type(plugin))) for plugin in chosen)
        return [plugin for plugin, by in found if by is None or has(by)]

    def _chosen(self, phase: str, kind: str) -> Iterable[Plugin]:
        if phase == "ask":
            return (plugin for plugin in (*self.mutating, *self.validating) if isinstance(plugin, ASKED))
        plugins = self.mutating if phase == "mutate" else self.validating
        return (plugin for plugin in plugins if kind in ONLY.get(type(plugin), (kind,)))


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
