"""What a Service may be and what may change of it."""

from collections.abc import Iterator, Sequence

from knarr.kinds import rules
from knarr.kinds.types.core_v1 import LoadBalancerStatus, Service, ServicePort, ServiceSpec
from knarr.meta import field
from knarr.meta.field import FieldError, at, at_key
from knarr.meta.label_rules import validate_labels

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
AFFINITIES = ("ClientIP", "None")
POLICIES = ("Cluster", "Local")
FAMILIES = ("IPv4", "IPv6")
FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
LONGEST_AFFINITY = 86400  #: seconds
SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'"
SET_ONCE = "may not change once set"


def is_headless(spec: ServiceSpec) -> bool:
    return spec.clusterIPs == ["None"]


def is_external(spec: ServiceSpec) -> bool:
    """Whether traffic from outside the cluster may come in."""
    return spec.type in ("LoadBalancer", "NodePort") or (spec.type == "ClusterIP" and bool(spec.externalIPs))


def validate(service: Service) -> Iterator[FieldError]:
    spec = service.spec
    if not spec.ports and not is_headless(spec) and spec.type != "ExternalName":
        yield field.required("spec.ports")
    if spec.type in ("LoadBalancer", "NodePort") and is_headless(spec):
        message = f"may not be set to 'None' for {spec.type} services"
        yield field.wrong("spec.clusterIPs[0]", spec.clusterIPs[0], message)
    if spec.type == "ExternalName":
        yield from external_name(spec)
    seen: set[str] = set()
    for index, port in enumerate(spec.ports):
        yield from port_errors(port, seen, at("spec.ports", index), several=len(spec.ports) > 1)
    yield from validate_labels(spec.selector, "spec.selector")
    yield from affinity(spec)
    if spec.type != "ExternalName":
        yield from cluster_addresses(spec)
    for index, address in enumerate(spec.externalIPs):
        faults = list(rules.ip(address, at("spec.externalIPs", index)))
        yield from faults or rules.ordinary_ip(address, at("spec.externalIPs", index))
    yield from rules.required_one_of(spec.type, TYPES, "spec.type")
    yield from distinct_ports(spec)
    yield from balancer(service)
    yield from policies(spec)


def external_name(spec: ServiceSpec) -> Iterator[FieldError]:
    """A mere alias has no addresses."""
    for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if getattr(spec, name):
            yield field.forbidden(at("spec", name), "may not be set for ExternalName services")
    name = spec.externalName.removesuffix(".")
    if name:
        yield from rules.dns_subdomain(name, "spec.externalName")
    else:
        yield field.required("spec.externalName")


def port_errors(port: ServicePort, seen: set[str], path: str, *, several: bool) -> Iterator[FieldError]:
    if port.name:
        yield from rules.dns_label(port.name, at(path, "name"))
        if port.name in seen:
            yield field.duplicate(at(path, "name"), port.name)
        seen.add(port.name)
    elif several:
        yield field.required(at(path, "name"))
    yield from rules.port_number(port.port, at(path, "port"))
    yield from rules.required_one_of(port.protocol, rules.PROTOCOLS, at(path, "protocol"))
    yield from rules.port(0 if port.targetPort is None else port.targetPort, at(path, "targetPort"))
    if port.appProtocol:
        yield from rules.qualified_name(port.appProtocol, at(path, "appProtocol"))


def affinity(spec: ServiceSpec) -> Iterator[FieldError]:
    yield from rules.required_one_of(spec.sessionAffinity, AFFINITIES, "spec.sessionAffinity")
    path, config = "spec.sessionAffinityConfig", spec.sessionAffinityConfig
    if spec.sessionAffinity == "None" and config is not None:
        yield field.forbidden(path, "must not be set when session affinity is None")
    if spec.sessionAffinity != "ClientIP":
        return
    seconds = config.clientIP.timeoutSeconds if config is not None and config.clientIP is not None else None
    if seconds is None:
        yield field.required(path, "when session affinity type is ClientIP")
    elif not 0 < seconds <= LONGEST_AFFINITY:
        message = f"must be greater than 0 and less than {LONGEST_AFFINITY}"
        yield field.wrong(at(path, "clientIP", "timeoutSeconds"), seconds, message)


def cluster_addresses(spec: ServiceSpec) -> Iterator[FieldError]:
    """clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy, each for itself and all together."""
    path, given = "spec.clusterIPs", spec.clusterIPs
    if spec.clusterIP and not given:
        yield field.required(path)
    elif spec.clusterIP and given[0] != spec.clusterIP:
        yield field.wrong(path, given, "first value must match `clusterIP`")
    elif given and not spec.clusterIP:
        yield field.wrong(path, given, "must be empty when `clusterIP` is not specified")
    for index, family in enumerate(spec.ipFamilies):
        yield from rules.one_of(family, FAMILIES, at("spec.ipFamilies", index))
        if family in spec.ipFamilies[:index]:
            yield field.duplicate(at("spec.ipFamilies", index), family)
    if spec.ipFamilyPolicy:
        yield from rules.one_of(spec.ipFamilyPolicy, FAMILY_POLICIES, "spec.ipFamilyPolicy")
    bad = list(bad_addresses(given, path))
    yield from bad
    if len(given) > 2:
        yield field.wrong(path, given, "may only hold up to 2 values")
    if not bad and not is_headless(spec):
        yield from families(spec, path)


def bad_addresses(given: Sequence[str], path: str) -> Iterator[FieldError]:
    for index, address in enumerate(given):
        if index == 0 and address == "None":
            if len(given) > 1:
                yield field.wrong(path, given, "'None' must be the first and only value")
        else:
            yield from rules.ip(address, at(path, index))


def families(spec: ServiceSpec, path: str) -> Iterator[FieldError]:
    found = [f"IPv{address.version}" for text in spec.clusterIPs if (address := rules.address_of(text)) is not None]
    if len(found) > 1 and len(set(found)) == 1:
        yield field.wrong(path, spec.clusterIPs, "may specify no more than one IP for each IP family")
    for index, (family, wanted) in enumerate(zip(found, spec.ipFamilies, strict=False)):
        if family != wanted and wanted in FAMILIES:
            message = f"expected an {wanted} value as indicated by `ipFamilies[{index}]`"
            yield field.wrong(at(path, index), spec.clusterIPs[index], message)


def distinct_ports(spec: ServiceSpec) -> Iterator[FieldError]:
    """No port, and no node port, twice for one protocol."""
    if spec.type == "ClusterIP":
        for index, port in enumerate(spec.ports):
            if port.nodePort:
                message = "may not be used when `type` is 'ClusterIP'"
                yield field.forbidden(at("spec.ports", index, "nodePort"), message)
    taken: set[tuple[str, int]] = set()
    for index, port in enumerate(spec.ports):
        if port.nodePort and (port.protocol, port.nodePort) in taken:
            yield field.duplicate(at("spec.ports", index, "nodePort"), port.nodePort)
        taken.add((port.protocol, port.nodePort or 0))
    taken.clear()
    for index, port in enumerate(spec.ports):
        if (port.protocol, port.port) in taken:
            key = {"Name": "", "Protocol": port.protocol, "AppProtocol": None, "Port": port.port}
            yield field.duplicate(at("spec.ports", index), {**key, "TargetPort": 0, "NodePort": 0})
        taken.add((port.protocol, port.port))


def balancer(service: Service) -> Iterator[FieldError]:
    """What only a load balancer has."""
    spec, balanced = service.spec, service.spec.type == "LoadBalancer"
    ranges = service.metadata.annotations.get(SOURCE_RANGES)
    if spec.loadBalancerSourceRanges:
        path = "spec.LoadBalancerSourceRanges"
        if not balanced:
            yield field.forbidden(path, ONLY_BALANCED)
        for index, value in enumerate(spec.loadBalancerSourceRanges):
            yield from rules.cidr(value.strip(), at(path, index))
    elif ranges is not None:
        path = at_key("metadata.annotations", SOURCE_RANGES)
        if not balanced:
            yield field.forbidden(path, ONLY_BALANCED)
        for value in ranges.split(",") if ranges.strip() else ():
            yield from rules.cidr(value.strip(), path)
    if spec.allocateLoadBalancerNodePorts is not None and not balanced:
        yield field.forbidden("spec.allocateLoadBalancerNodePorts", ONLY_BALANCED)
    if balanced and spec.allocateLoadBalancerNodePorts is None:
        yield field.required("allocateLoadBalancerNodePorts")
    if spec.loadBalancerClass and balanced:
        yield from rules.qualified_name(spec.loadBalancerClass, "spec.loadBalancerClass")
    elif spec.loadBalancerClass:
        yield field.forbidden("spec.loadBalancerClass", ONLY_BALANCED)


def policies(spec: ServiceSpec) -> Iterator[FieldError]:
    path = "spec.externalTrafficPolicy"
    if is_external(spec):
        yield from rules.required_one_of(spec.externalTrafficPolicy, POLICIES, path)
    elif spec.externalTrafficPolicy:
        message = "may only be set for externally-accessible services"
        yield field.wrong(path, spec.externalTrafficPolicy, message)
    path, local = "spec.healthCheckNodePort", spec.type == "LoadBalancer" and spec.externalTrafficPolicy == "Local"
    if spec.healthCheckNodePort and not local:
        message = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield field.wrong(path, spec.healthCheckNodePort, message)
    elif spec.healthCheckNodePort:
        yield from rules.port_number(spec.healthCheckNodePort, path)
    if spec.internalTrafficPolicy:
        yield from rules.one_of(spec.internalTrafficPolicy, POLICIES, "spec.internalTrafficPolicy")
    elif spec.type in ("ClusterIP", "NodePort", "LoadBalancer"):
        yield field.required("spec.internalTrafficPolicy")
    if spec.trafficDistribution:
        yield from rules.one_of(spec.trafficDistribution, DISTRIBUTIONS, "spec.trafficDistribution")


def validate_update(new: Service, old: Service) -> Iterator[FieldError]:
    if new.spec.type != "ExternalName" and old.spec.type != "ExternalName":
        if not (is_headless(new.spec) and is_headless(old.spec)):
            yield from kept_addresses(new.spec, old.spec)
        if not is_headless(new.spec) and not is_headless(old.spec):
            yield from kept_families(new.spec, old.spec)
    if new.spec.type == old.spec.type == "LoadBalancer":
        if new.spec.loadBalancerClass != old.spec.loadBalancerClass:
            yield field.wrong("spec.loadBalancerClass", new.spec.loadBalancerClass or None, SET_ONCE)
        local = new.spec.externalTrafficPolicy == old.spec.externalTrafficPolicy == "Local"
        if local and new.spec.healthCheckNodePort != old.spec.healthCheckNodePort:
            yield field.forbidden("spec.healthCheckNodePort", rules.IMMUTABLE)
    yield from validate(new)


def kept_addresses(new: ServiceSpec, old: ServiceSpec) -> Iterator[FieldError]:
    path, after, before = "spec.clusterIPs", new.clusterIPs, old.clusterIPs
    if len(after) == len(before):
        for index, address in enumerate(before):
            if address != after[index]:
                yield field.wrong(at(path, index), after, SET_ONCE)
    elif not after:
        yield field.wrong(at(path, 0), after, "primary clusterIP can not be unset")
    elif before and after[0] != before[0]:
        yield field.wrong(at(path, 0), after, SET_ONCE)
    if len(after) == 1 and len(before) == 2 and new.ipFamilyPolicy != "SingleStack":
        message = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        yield field.wrong("spec.ipFamilyPolicy", new.ipFamilyPolicy or None, message)


def kept_families(new: ServiceSpec, old: ServiceSpec) -> Iterator[FieldError]:
    path, after, before = "spec.ipFamilies[0]", new.ipFamilies, old.ipFamilies
    if len(after) == len(before):
        for index, family in enumerate(before):
            if family != after[index]:
                yield field.wrong(path, after, SET_ONCE)
    elif after and before and after[0] != before[0]:
        yield field.wrong(path, after, SET_ONCE)
    elif before and not after:
        yield field.wrong(path, after, "primary ipFamily can not be unset")
    if len(after) == 1 and len(before) == 2 and new.ipFamilyPolicy != "SingleStack":
        message = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        yield field.wrong("spec.ipFamilyPolicy", new.ipFamilyPolicy or None, message)


HINTS = "service.kubernetes.io/topology-aware-hints"
TOPOLOGY = "service.kubernetes.io/topology-mode"


def warnings(service: Service) -> Iterator[str]:
    """What a service says in vain, or in an old way."""
    spec = service.spec
    if HINTS in service.metadata.annotations:
        yield f"annotation {HINTS} is deprecated, please use {TOPOLOGY} instead"
    if spec.type == "ClusterIP" and is_headless(spec):
        if spec.loadBalancerIP:
            yield "spec.loadBalancerIP is ignored for headless services"
        if spec.externalIPs:
            yield "spec.externalIPs is ignored for headless services"
        if spec.sessionAffinity != "None":
            yield "spec.SessionAffinity is ignored for headless services"
    elif spec.externalIPs and spec.type != "ExternalName":
        yield "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
    if spec.type == "ExternalName" and spec.externalIPs:
        yield 'spec.externalIPs is ignored when spec.type is "ExternalName"'
    if spec.type != "ExternalName" and spec.externalName:
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'
    if spec.trafficDistribution == "PreferClose":
        yield 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'


def validate_status(new: Service, old: Service) -> Iterator[FieldError]:
    """What a load balancer says of itself."""
    given = (new.status.loadBalancer or LoadBalancerStatus()).ingress
    path = "status.loadBalancer.ingress"
    if given and new.spec.type != "LoadBalancer":
        yield field.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")
        return
    for index, ingress in enumerate(given):
        where = at(path, index)
        if ingress.ip:
            yield from rules.ip(ingress.ip, at(where, "ip"))
            if not ingress.ipMode:
                yield field.required(at(where, "ipMode"), "must be specified when `ip` is set")
            else:
                yield from rules.one_of(ingress.ipMode, ("Proxy", "VIP"), at(where, "ipMode"))
        elif ingress.ipMode:
            yield field.forbidden(at(where, "ipMode"), "may not be specified when `ip` is not set")
        if ingress.hostname:
            yield from rules.dns_subdomain(ingress.hostname, at(where, "hostname"))
            if rules.address_of(ingress.hostname) is not None:
                yield field.wrong(at(where, "hostname"), ingress.hostname, "must be a DNS name, not an IP address")
