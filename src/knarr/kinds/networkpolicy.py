"""NetworkPolicy: who may talk to a selection of pods, and to whom they may."""

import ipaddress
from collections.abc import Iterator, Sequence
from datetime import datetime

from knarr.kinds import cells, rules
from knarr.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Tree
from knarr.kinds.trees import child, fill, items
from knarr.kinds.types.meta_v1 import LabelSelector
from knarr.kinds.types.networking_v1 import IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort
from knarr.meta import field, labels
from knarr.meta.field import FieldError, at
from knarr.meta.label_rules import validate_selector

POLICY_TYPES = ("Ingress", "Egress")


def defaults(tree: Tree) -> None:
    spec = child(tree, "spec")
    for rule in items(spec, "ingress", "egress"):
        for port in items(rule, "ports"):
            fill(port, protocol="TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def validate(policy: NetworkPolicy) -> Iterator[FieldError]:
    spec = policy.spec
    if spec is None:
        return
    yield from validate_selector(spec.podSelector, "spec.podSelector")
    for index, incoming in enumerate(spec.ingress):
        yield from rule_rules(incoming.ports, incoming.from_, "from", at("spec", "ingress", index))
    for index, outgoing in enumerate(spec.egress):
        yield from rule_rules(outgoing.ports, outgoing.to, "to", at("spec", "egress", index))
    if len(spec.policyTypes) > len(POLICY_TYPES):
        message = "may not specify more than two policyTypes"
        yield field.wrong("spec.policyTypes", spec.policyTypes, message)
        return
    for index, type_ in enumerate(spec.policyTypes):
        yield from rules.one_of(type_, POLICY_TYPES, at("spec", "policyTypes", index))


def rule_rules(
    ports: Sequence[NetworkPolicyPort], peers: Sequence[NetworkPolicyPeer], name: str, path: str
) -> Iterator[FieldError]:
    for index, port in enumerate(ports):
        yield from port_rules(port, at(path, "ports", index))
    for index, peer in enumerate(peers):
        yield from peer_rules(peer, at(path, name, index))


def port_rules(port: NetworkPolicyPort, path: str) -> Iterator[FieldError]:
    if port.protocol:
        yield from rules.one_of(port.protocol, rules.PROTOCOLS, at(path, "protocol"))
    if port.port is not None:
        yield from rules.port(port.port, at(path, "port"))
    if port.endPort is None:
        return
    if port.port is None:
        yield field.required(at(path, "port"), "must be specified when endPort is set")
    elif isinstance(port.port, str):
        yield field.wrong(at(path, "endPort"), port.endPort, "may not be specified when `port` is non-numeric")
    elif port.endPort < port.port:
        yield field.wrong(at(path, "endPort"), port.endPort, "must be greater than or equal to `port`")
    else:
        yield from rules.port_number(port.endPort, at(path, "endPort"))


def peer_rules(peer: NetworkPolicyPeer, path: str) -> Iterator[FieldError]:
    for name in ("podSelector", "namespaceSelector"):
        yield from validate_selector(getattr(peer, name), at(path, name))
    selects = peer.podSelector is not None or peer.namespaceSelector is not None
    if peer.ipBlock is not None:
        yield from block_rules(peer.ipBlock, at(path, "ipBlock"))
    if not selects and peer.ipBlock is None:
        yield field.required(path, "must specify a peer")
    elif selects and peer.ipBlock is not None:
        yield field.forbidden(path, "may not specify both ipBlock and another peer")


def block_rules(block: IPBlock, path: str) -> Iterator[FieldError]:
    if not block.cidr:
        yield field.required(at(path, "cidr"))
        return
    found = list(rules.cidr(block.cidr, at(path, "cidr")))
    yield from found
    if found:
        return
    outer = ipaddress.ip_network(block.cidr, strict=False)
    for index, excluded in enumerate(block.except_):
        where = at(path, "except", index)
        if wrong := list(rules.cidr(excluded, where)):
            yield from wrong
            continue
        inner = ipaddress.ip_network(excluded, strict=False)
        if inner.version != outer.version or inner == outer or not _inside(inner, outer):
            yield field.wrong(where, excluded, "must be a strict subset of `cidr`")


def _inside(
    inner: ipaddress.IPv4Network | ipaddress.IPv6Network, outer: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> bool:
    return inner.prefixlen >= outer.prefixlen and inner.network_address in outer


def row(policy: NetworkPolicy, now: datetime) -> Sequence[object]:
    selector = policy.spec.podSelector if policy.spec is not None else None
    return policy.metadata.name, labels.shown(selector or LabelSelector()) or cells.NONE, cells.age(policy, now)


KIND = Kind(
    type=NetworkPolicy,
    group="networking.k8s.io",
    version="v1",
    kind="NetworkPolicy",
    plural="networkpolicies",
    singular="networkpolicy",
    short_names=("netpol",),
    generation=True,
    defaults=defaults,
    validate=validate,
    columns=(NAME_COLUMN, Column("Pod-Selector"), AGE_COLUMN),
    row=row,
)
