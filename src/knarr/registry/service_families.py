"""The address families of a Service, and which of its addresses are given as the plural of which. Pure.

What a service may have follows from what the cluster has: one family or two, the first of them the default. A service
gains or loses its second family only by what is written in it, never because the cluster is another one now: one that
merely prefers two families keeps the one it has until its fields change. Rules: upstream's `initIPFamilyFields`.
"""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from knarr.kinds.kind import Tree
from knarr.kinds.service_rules import FAMILIES, cluster_addresses
from knarr.kinds.types.core_v1 import ServiceSpec
from knarr.meta.field import FieldError, at, wrong

HEADLESS = "None"
NEEDING = ("ClusterIP", "NodePort", "LoadBalancer")  #: the types that have addresses, or none by name
POLICY = "spec.ipFamilyPolicy"


def family_of(address: str) -> str:
    return f"IPv{ip_address(address).version}"


def other(family: str) -> str:
    return FAMILIES[1 - FAMILIES.index(family)]


def needs_address(spec: Tree) -> bool:
    return spec.get("type", "ClusterIP") in NEEDING


def carry_over(spec: Tree, before: Tree) -> None:
    """An update that leaves out the addresses keeps them; one to a mere alias drops what it left as it was."""
    if not before or not needs_address(before):
        return
    if needs_address(spec):
        if before.get("clusterIP") and not spec.get("clusterIP"):
            spec["clusterIP"] = before["clusterIP"]
        if before.get("clusterIPs") and not spec.get("clusterIPs") and same(spec, before, "clusterIP"):
            spec["clusterIPs"] = list(before["clusterIPs"])
        return
    if same(spec, before, "clusterIPs"):
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
    for key in ("ipFamilies", "ipFamilyPolicy"):
        if same(spec, before, key):
            spec.pop(key, None)


def make_plural(spec: Tree, before: Tree) -> None:
    """clusterIPs follows clusterIP where only that was given or changed; never the other way round."""
    single = spec.get("clusterIP")
    if not single or single == before.get("clusterIP"):
        return
    if same(spec, before, "clusterIPs"):
        spec["clusterIPs"] = [single]


def same(spec: Tree, before: Tree, key: str) -> bool:
    return (spec.get(key) or None) == (before.get(key) or None)


def complete(spec: Tree, before: Tree, configured: Sequence[str]) -> list[FieldError]:
    """Fill in the policy and the families of a service with addresses; give what the cluster cannot do.

    What contradicts itself is left as it is: validation refuses it.
    """
    if keeps_preferring(spec, before):
        return []
    if not spec.get("ipFamilyPolicy"):
        spec["ipFamilyPolicy"] = before.get("ipFamilyPolicy") or default_policy(spec)
    if any(cluster_addresses(_typed(spec))):
        return []
    errors = list(change_errors(spec, before) if before else ())
    errors += policy_errors(spec)
    errors += infer(spec, configured)
    if errors:
        return errors
    families, selectorless = spec.get("ipFamilies") or [], is_selectorless(spec)
    errors = [] if selectorless else list(missing(spec, families, configured))
    if errors:
        return errors
    families = families or [configured[0]]
    if spec["ipFamilyPolicy"] != "SingleStack" and len(families) == 1 and (selectorless or len(configured) == 2):
        families = [families[0], other(families[0])]
    spec["ipFamilies"] = families
    return []


def keeps_preferring(spec: Tree, before: Tree) -> bool:
    """Whether a service that prefers two families is left with what it has."""
    return (
        bool(before)
        and spec.get("ipFamilyPolicy") == "PreferDualStack"
        and before.get("ipFamilyPolicy") in (None, "PreferDualStack")
        and spec.get("type") == before.get("type")
        and same(spec, before, "clusterIPs")
        and same(spec, before, "ipFamilies")
    )


def default_policy(spec: Tree) -> str:
    return "RequireDualStack" if is_selectorless(spec) else "SingleStack"


def is_selectorless(spec: Tree) -> bool:
    """Headless and without a selector: such a service may name any family, whatever the cluster has."""
    return spec.get("clusterIP") == HEADLESS and not spec.get("selector")


def change_errors(spec: Tree, before: Tree) -> Iterator[FieldError]:
    """Let the second family go where the policy says so; it may not go otherwise."""
    for key, what in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
        now, was = spec.get(key) or [], before.get(key) or []
        if spec["ipFamilyPolicy"] == "SingleStack":
            if now == was and len(now) > 1:
                spec[key] = now[:1]
        elif now and len(now) < len(was):
            yield wrong(POLICY, spec["ipFamilyPolicy"], f"must be 'SingleStack' to release the secondary {what}")


def policy_errors(spec: Tree) -> Iterator[FieldError]:
    """One family cannot have two of anything."""
    for key, what in (("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")):
        if spec["ipFamilyPolicy"] == "SingleStack" and len(spec.get(key) or ()) == 2:
            message = f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
            yield wrong(POLICY, spec["ipFamilyPolicy"], message)


def infer(spec: Tree, configured: Sequence[str]) -> Iterator[FieldError]:
    """The families of addresses that were given without."""
    addresses, families = spec.get("clusterIPs") or [], list(spec.get("ipFamilies") or ())
    for index, address in enumerate(addresses):
        if address == HEADLESS or index < len(families):
            continue
        if (family := family_of(address)) in configured:
            families.append(family)
        else:
            yield wrong(at("spec.clusterIPs", index), addresses, f"{family} is not configured on this cluster")
    if families:
        spec["ipFamilies"] = families


def missing(spec: Tree, families: Sequence[str], configured: Sequence[str]) -> Iterator[FieldError]:
    """What the cluster has not."""
    if spec["ipFamilyPolicy"] == "RequireDualStack" and len(configured) < 2:
        yield wrong(POLICY, "RequireDualStack", "this cluster is not configured for dual-stack services")
    for index, family in enumerate(families):
        if family not in configured:
            yield wrong(at("spec.ipFamilies", index), family, "not configured on this cluster")


def _typed(spec: Tree) -> ServiceSpec:
    return ServiceSpec(
        clusterIP=spec.get("clusterIP") or "",
        clusterIPs=spec.get("clusterIPs") or [],
        ipFamilies=spec.get("ipFamilies") or [],
        ipFamilyPolicy=spec.get("ipFamilyPolicy") or "",
    )
