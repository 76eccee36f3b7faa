"""Rules of a pod's spec and of pod templates, put together from the `podspec_*` files.

Called by every kind that holds a pod template, with the path of the spec or template.
"""

from collections.abc import Iterator, Sequence

from knarr.kinds import podspec_affinity, podspec_security, rules
from knarr.kinds.pod_resources import of_containers
from knarr.kinds.podspec_containers import Surroundings, containers, ephemeral_containers, init_containers
from knarr.kinds.podspec_volumes import volumes
from knarr.kinds.resources import amounts, container_resource_name, pod_resource_name, requirements
from knarr.kinds.types.core_v1 import HostAlias, PodDNSConfig, PodResourceClaim, PodSpec, PodTemplateSpec
from knarr.meta import field, names, quantity
from knarr.meta.field import FieldError, at, at_key
from knarr.meta.label_rules import validate_labels

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
NAMESERVERS, SEARCHES, SEARCH_CHARACTERS = 3, 32, 2048


def validate_template(template: PodTemplateSpec, path: str) -> Iterator[FieldError]:
    """What a pod template breaks."""
    yield from validate_labels(template.metadata.labels, f"{path}.labels")
    yield from rules.annotations(template.metadata.annotations, f"{path}.annotations")
    yield from validate_spec(template.spec, f"{path}.spec")
    if template.spec.ephemeralContainers:
        message = "ephemeral containers not allowed in pod template"
        yield field.forbidden(f"{path}.spec.ephemeralContainers", message)


def validate_spec(spec: PodSpec, path: str, *, pod: str = "", is_pod: bool = False) -> Iterator[FieldError]:
    """What a spec breaks, in upstream's order. `pod` is the pod's name, "" in a template."""
    if spec.terminationGracePeriodSeconds is None:
        yield field.required(f"{path}.terminationGracePeriodSeconds")
    good, errors = volumes(spec.volumes, pod, f"{path}.volumes")
    yield from errors
    yield from resource_claims(spec.resourceClaims, f"{path}.resourceClaims")
    around = Surroundings(spec, good)
    yield from containers(spec.containers, around, f"{path}.containers")
    yield from init_containers(spec.initContainers, around, f"{path}.initContainers")
    yield from ephemeral_containers(spec.ephemeralContainers, around, f"{path}.ephemeralContainers")
    if spec.resources is not None:
        yield from pod_resources(spec, around, f"{path}.resources")
    yield from host_ports(spec, path, is_pod=is_pod)
    yield from rules.required_one_of(spec.restartPolicy, RESTART_POLICIES, f"{path}.restartPolicy")
    yield from rules.required_one_of(spec.dnsPolicy, DNS_POLICIES, f"{path}.dnsPolicy")
    yield from validate_labels(spec.nodeSelector, f"{path}.nodeSelector")
    yield from podspec_security.pod_security(spec, path)
    yield from podspec_affinity.affinity(spec.affinity, f"{path}.affinity")
    yield from dns_config(spec.dnsConfig, spec.dnsPolicy, f"{path}.dnsConfig")
    for index, gate in enumerate(spec.readinessGates):
        yield from rules.qualified_name(gate.conditionType, f"{path}.readinessGates[{index}].conditionType")
    yield from podspec_affinity.gates(spec.schedulingGates, f"{path}.schedulingGates")
    yield from podspec_affinity.spread(
        spec.topologySpreadConstraints, f"{path}.topologySpreadConstraints", is_pod=is_pod
    )
    yield from podspec_security.host_users(spec, path)
    yield from single_fields(spec, path)
    yield from podspec_security.operating_system(spec, path)


def single_fields(spec: PodSpec, path: str) -> Iterator[FieldError]:
    """The fields that stand for themselves."""
    for name in ("serviceAccountName", "nodeName"):
        if value := getattr(spec, name):
            yield from rules.dns_subdomain(value, f"{path}.{name}")
    if spec.activeDeadlineSeconds is not None:
        yield from rules.between(spec.activeDeadlineSeconds, 1, rules.INT32, f"{path}.activeDeadlineSeconds")
    for name in ("hostname", "subdomain"):
        if value := getattr(spec, name):
            yield from rules.dns_label(value, f"{path}.{name}")
    yield from podspec_affinity.tolerations(spec.tolerations, f"{path}.tolerations")
    yield from host_aliases(spec.hostAliases, f"{path}.hostAliases")
    if spec.priorityClassName:
        yield from rules.dns_subdomain(spec.priorityClassName, f"{path}.priorityClassName")
    if spec.runtimeClassName is not None:
        yield from rules.dns_subdomain(spec.runtimeClassName, f"{path}.runtimeClassName")
    if spec.preemptionPolicy:
        choices = ("PreemptLowerPriority", "Never")
        yield from rules.one_of(spec.preemptionPolicy, choices, f"{path}.preemptionPolicy")
    yield from amounts(spec.overhead, container_resource_name, f"{path}.overhead.limits")


def resource_claims(given: Sequence[PodResourceClaim], path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, claim in enumerate(given):
        where = f"{path}[{index}]"
        if not claim.name:
            yield field.required(f"{where}.name")
        elif claim.name in seen:
            yield field.duplicate(f"{where}.name", claim.name)
        else:
            yield from rules.dns_label(claim.name, f"{where}.name")
        seen.add(claim.name)
        both = ("resourceClaimName", "resourceClaimTemplateName")
        found = [name for name in both if getattr(claim, name)]
        shown = {"Name": claim.name} | {n[0].upper() + n[1:]: getattr(claim, n) or None for n in both}
        if len(found) > 1:
            message = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            yield field.wrong(where, shown, message)
        if not found:
            yield field.wrong(where, shown, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`")
        for name in found:
            yield from rules.dns_subdomain(getattr(claim, name), f"{where}.{name}")


def pod_resources(spec: PodSpec, around: Surroundings, path: str) -> Iterator[FieldError]:
    """What the pod asks for as a whole."""
    assert spec.resources is not None
    if spec.resources.claims:
        yield field.forbidden(f"{path}.claims", "claims cannot be set for Resources at pod-level")
    yield from requirements(spec.resources, around.claims, path, pod_resource_name)
    for name, needed in of_containers(spec).items():
        asked = spec.resources.requests.get(name, "0")
        if needed > quantity.parse(asked):
            message = f"must be greater than or equal to aggregate container requests of {needed}"
            yield field.wrong(at_key(f"{path}.requests", name), asked, message)
    for index, container in enumerate(spec.containers):
        for name, limit in (container.resources.limits if container.resources else {}).items():
            most = spec.resources.limits.get(name)
            if most is not None and quantity.parse(limit) > quantity.parse(most):
                where = at(at_key(f"{path}.containers[{index}]", name), "limits")
                yield field.wrong(where, limit, f"must be less than or equal to pod limits of {most}")


def host_ports(spec: PodSpec, path: str, *, is_pod: bool) -> Iterator[FieldError]:
    """On the host's network a container's port is the host's port."""
    if not spec.hostNetwork:
        return
    for index, container in enumerate(spec.containers):
        for number, port in enumerate(container.ports):
            if (is_pod or port.hostPort) and (port.hostPort or 0) != port.containerPort:
                message = "must match `containerPort` when `hostNetwork` is true"
                yield field.wrong(f"{path}.containers[{index}].ports[{number}].hostPort", port.hostPort or 0, message)


def dns_config(config: PodDNSConfig | None, policy: str, path: str) -> Iterator[FieldError]:
    if policy == "None" and (config is None or not config.nameservers):
        if config is None:
            yield field.required(path, "must provide `dnsConfig` when `dnsPolicy` is None")
        else:
            message = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            yield field.required(f"{path}.nameservers", message)
        return
    if config is None:
        return
    where = f"{path}.nameservers"
    if len(config.nameservers) > NAMESERVERS:
        yield field.wrong(where, config.nameservers, f"must not have more than {NAMESERVERS} nameservers")
    for index, server in enumerate(config.nameservers):
        yield from rules.ip(server, f"{where}[{index}]")
    yield from dns_searches(config.searches, f"{path}.searches")
    for index, option in enumerate(config.options):
        if not option.name:
            yield field.required(f"{path}.options[{index}]", "must not be empty")


def dns_searches(given: Sequence[str], path: str) -> Iterator[FieldError]:
    if len(given) > SEARCHES:
        yield field.wrong(path, given, f"must not have more than {SEARCHES} search paths")
    if len(" ".join(given)) > SEARCH_CHARACTERS:
        message = f"must not have more than {SEARCH_CHARACTERS} characters (including spaces) in the search list"
        yield field.wrong(path, given, message)
    for index, search in enumerate(given):
        if search != "." and names.subdomain_errors(search.removesuffix(".").replace("_", "-x-")):
            yield field.wrong(f"{path}[{index}]", search.removesuffix("."), UNDERSCORED)


UNDERSCORED = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?(\.[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?)*')"
)


def host_aliases(given: Sequence[HostAlias], path: str) -> Iterator[FieldError]:
    for index, alias in enumerate(given):
        yield from rules.ip(alias.ip, f"{path}[{index}].ip")
        for number, hostname in enumerate(alias.hostnames):
            yield from rules.dns_subdomain(hostname, f"{path}[{index}].hostnames[{number}]")
