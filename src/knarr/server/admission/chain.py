"""The plugins that run by default, in upstream's order: those that change a request, those that judge the outcome.

Quotas are last: what they have counted is then written.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

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
}
ASKED = NodeRestriction | MutatingPolicies | MutatingWebhooks | ValidatingPolicies | ValidatingWebhooks


@dataclass(frozen=True, slots=True)
class Plugins:
    """The two phases of admission."""

    mutating: Sequence[Plugin]
    validating: Sequence[Plugin]
    _by_kind: dict[tuple[int, str], Sequence[Plugin]] = field(default_factory=dict, init=False, repr=False)

    def mutate(self, kind: str) -> Sequence[Plugin]:
        """Those of the first phase for objects of a kind."""
        return self._concerned(0, self.mutating, kind)

    def validate(self, kind: str) -> Sequence[Plugin]:
        """Those of the second phase for objects of a kind."""
        return self._concerned(1, self.validating, kind)

    def _concerned(self, phase: int, plugins: Sequence[Plugin], kind: str) -> Sequence[Plugin]:
        if (found := self._by_kind.get((phase, kind))) is None:
            found = tuple(plugin for plugin in plugins if kind in ONLY.get(type(plugin), (kind,)))
            self._by_kind[phase, kind] = found
        return found

    @property
    def configured(self) -> Sequence[Plugin]:
        """Those that users configure, and what holds nodes to their own: for requests that write no object itself."""
        return [plugin for plugin in (*self.mutating, *self.validating) if isinstance(plugin, ASKED)]


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
