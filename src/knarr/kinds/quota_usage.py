"""What an object uses up of a ResourceQuota: by kind, in upstream's units. For admission, and for the controller that
counts.

Pods, services and claims are measured; of every other kind the objects are counted, under `count/<plural>.<group>`,
some also under an older name. `Usage` maps the quota's names of resources to amounts.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from knarr.kinds import pod_resources
from knarr.kinds.kind import Kind
from knarr.kinds.pod import is_finished
from knarr.kinds.resources import is_extended
from knarr.kinds.types.core_v1 import (
    Container,
    PersistentVolumeClaim,
    Pod,
    PodAffinityTerm,
    ResourceQuotaSpec,
    ScopedResourceSelectorRequirement,
    Service,
)
from knarr.meta import clock, quantity
from knarr.meta.quantity import ZERO, Quantity

Usage = dict[str, Quantity]
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
OF_CLASS = ".storageclass.storage.k8s.io/"
CLAIMS, STORAGE = "persistentvolumeclaims", "requests.storage"
REQUESTS, LIMITS, HUGE = "requests.", "limits.", "hugepages-"
#: core resources that are also counted under their plain name
ALIASED = frozenset({"configmaps", "resourcequotas", "replicationcontrollers", "secrets"})
#: what every container must name when a quota counts it
COMPULSORY = ("cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory")
POD = frozenset({*COMPULSORY, "pods", "count/pods"} | {f"{p}ephemeral-storage" for p in ("", REQUESTS, LIMITS)})
SERVICE = frozenset({"services", "services.nodeports", "services.loadbalancers", "count/services"})
ONE = quantity.of(1)


def count_name(kind: Kind) -> str:
    """The name under which a quota counts a kind's objects."""
    return f"count/{kind.resource}"


def names(kind: Kind, hard: Iterable[str]) -> list[str]:
    """Those of a quota's resources that objects of this kind can use up."""
    own = {count_name(kind)} | ({kind.plural} if not kind.group and kind.plural in ALIASED else set())
    match kind.resource:
        case "pods":
            return [name for name in hard if name in POD or _of_pods(name)]
        case "services":
            return [name for name in hard if name in SERVICE]
        case "persistentvolumeclaims":
            return [
                n for n in hard if n in (*own, CLAIMS, STORAGE) or n.endswith((OF_CLASS + CLAIMS, OF_CLASS + STORAGE))
            ]
    return [name for name in hard if name in own]


def _of_pods(name: str) -> bool:
    bare = name.removeprefix(REQUESTS)
    return bare.startswith(HUGE) or (name != bare and is_extended(bare))


def usage(kind: Kind, obj: Any, now: datetime) -> Usage:
    """What one object uses."""
    match kind.resource:
        case "pods":
            return of_pod(obj, now)
        case "services":
            return of_service(obj)
        case "persistentvolumeclaims":
            return of_claim(obj)
    used = {count_name(kind): ONE}
    return used | {kind.plural: ONE} if not kind.group and kind.plural in ALIASED else used


def of_pod(pod: Pod, now: datetime) -> Usage:
    """A pod that has ended, or should have by now, only counts as an object."""
    used: Usage = {"count/pods": ONE}
    if is_finished(pod) or _overdue(pod, now):
        return used
    return used | compute(pod_resources.requests(pod.spec), pod_resources.limits(pod.spec)) | {"pods": ONE}


def _overdue(pod: Pod, now: datetime) -> bool:
    """Whether a pod's time to end has passed: one whose node is lost must not keep the place of another."""
    about = pod.metadata
    if not about.deletionTimestamp or about.deletionGracePeriodSeconds is None:
        return False
    return now > clock.parse(about.deletionTimestamp) + timedelta(seconds=about.deletionGracePeriodSeconds)


def compute(requests: Mapping[str, Quantity], limits: Mapping[str, Quantity]) -> Usage:
    """Requests and limits under the names that quotas have for them."""
    used: Usage = {}
    for name in ("cpu", "memory", "ephemeral-storage"):
        if name in requests:
            used[name] = used[REQUESTS + name] = requests[name]
        if name in limits:
            used[LIMITS + name] = limits[name]
    for name, amount in requests.items():
        if name.startswith(HUGE):
            used[name] = used[REQUESTS + name] = amount
        elif is_extended(name):
            used[REQUESTS + name] = amount
    return used


def of_service(service: Service) -> Usage:
    spec = service.spec
    balanced = spec.type == "LoadBalancer"
    ports = len(spec.ports) if balanced or spec.type == "NodePort" else 0
    if balanced and spec.allocateLoadBalancerNodePorts is False:
        ports = sum(1 for port in spec.ports if port.nodePort)
    return {
        "count/services": ONE,
        "services": ONE,
        "services.loadbalancers": quantity.of(int(balanced)),
        "services.nodeports": quantity.of(ports),
    }


def of_claim(claim: PersistentVolumeClaim) -> Usage:
    """A claim counts with what it asks for, or with what is set aside for it when that is more, in whole bytes."""
    used: Usage = {CLAIMS: ONE, f"count/{CLAIMS}": ONE}
    requests = claim.spec.resources.requests if claim.spec.resources else {}
    if "storage" in requests:
        asked = quantity.parse(requests["storage"])
        held = quantity.parse(claim.status.allocatedResources.get("storage", "0"))
        larger = max(asked, held)
        used[STORAGE] = quantity.of(larger.value, larger.format)
    class_ = claim.metadata.annotations.get(BETA_CLASS) or claim.spec.storageClassName
    if class_:
        used |= {f"{class_}{OF_CLASS}{name}": used[name] for name in (CLAIMS, STORAGE) if name in used}
    return used


def in_scope(kind: Kind, spec: ResourceQuotaSpec, obj: Any) -> bool:
    """Whether a quota's scopes, all of them, take the object in."""
    return all(_matches(kind, requirement, obj) for requirement in requirements(spec))


def requirements(spec: ResourceQuotaSpec) -> list[ScopedResourceSelectorRequirement]:
    plain = [ScopedResourceSelectorRequirement(scopeName=scope, operator="Exists") for scope in spec.scopes]
    return plain + (spec.scopeSelector.matchExpressions if spec.scopeSelector else [])


def _matches(kind: Kind, requirement: ScopedResourceSelectorRequirement, obj: Any) -> bool:
    if kind.resource == CLAIMS:
        return requirement.scopeName == "VolumeAttributesClass" and selected(requirement, attribute_classes(obj))
    if kind.resource != "pods":
        return False
    pod: Pod = obj
    match requirement.scopeName:
        case "Terminating" | "NotTerminating":
            deadline = pod.spec.activeDeadlineSeconds
            ends = deadline is not None and deadline >= 0
            return ends is (requirement.scopeName == "Terminating")
        case "BestEffort" | "NotBestEffort":
            return best_effort(pod) is (requirement.scopeName == "BestEffort")
        case "PriorityClass":
            return selected(requirement, {pod.spec.priorityClassName} - {""})
        case "CrossNamespacePodAffinity":
            return any(term.namespaces or term.namespaceSelector is not None for term in affinity_terms(pod))
    return False


def selected(requirement: ScopedResourceSelectorRequirement, values: Collection[str]) -> bool:
    """Whether a requirement on a name is met by any of the names that an object has."""
    match requirement.operator:
        case "Exists":
            return bool(values)
        case "DoesNotExist":
            return not values
        case "In":
            return any(value in requirement.values for value in values)
        case "NotIn":
            return not values or any(value not in requirement.values for value in values)
    return False


def best_effort(pod: Pod) -> bool:
    if pod.status.qosClass:
        return pod.status.qosClass == "BestEffort"
    named = [c.resources for c in (*pod.spec.containers, *pod.spec.initContainers)] + [pod.spec.resources]
    amounts = [amount for r in named if r is not None for side in (r.requests, r.limits) for amount in _compute(side)]
    return not any(quantity.parse(amount) for amount in amounts)


def _compute(amounts: Mapping[str, str]) -> list[str]:
    return [amounts[name] for name in pod_resources.COMPUTE if name in amounts]


def attribute_classes(claim: PersistentVolumeClaim) -> set[str]:
    modifying = claim.status.modifyVolumeStatus
    named = {claim.spec.volumeAttributesClassName, claim.status.currentVolumeAttributesClassName}
    return {name for name in (*named, modifying.targetVolumeAttributesClassName if modifying else "") if name}


def affinity_terms(pod: Pod) -> Iterator[PodAffinityTerm]:
    affinity = pod.spec.affinity
    for side in (affinity.podAffinity, affinity.podAntiAffinity) if affinity else ():
        if side is not None:
            yield from side.requiredDuringSchedulingIgnoredDuringExecution
            preferred = side.preferredDuringSchedulingIgnoredDuringExecution
            yield from (term.podAffinityTerm for term in preferred if term.podAffinityTerm is not None)


def unnamed(pod: Pod, counted: Collection[str]) -> dict[str, list[str]]:
    """The compulsory resources among those counted that a container does not name, with the containers' names."""
    missing: dict[str, set[str]] = {}
    for container in (*pod.spec.containers, *pod.spec.initContainers):
        named = _named(container)
        for name in COMPULSORY:
            if name in counted and name not in named:
                missing.setdefault(name, set()).add(container.name)
    return {name: sorted(missing[name]) for name in sorted(missing)}


def _named(container: Container) -> Collection[str]:
    resources = container.resources or pod_resources.NOTHING
    parsed = (dict.fromkeys(side, ZERO) for side in (resources.requests, resources.limits))
    return compute(*parsed).keys()


def add(left: Mapping[str, Quantity], right: Mapping[str, Quantity]) -> Usage:
    return {**left, **right, **{name: left[name] + right[name] for name in left.keys() & right.keys()}}


def shown(usage: Mapping[str, Quantity]) -> str:
    """As messages name amounts: "cpu=1,pods=2"."""
    return ",".join(f"{name}={usage[name]}" for name in sorted(usage))


def parsed(amounts: Mapping[str, str]) -> Usage:
    return {name: quantity.parse(amount) for name, amount in amounts.items()}
