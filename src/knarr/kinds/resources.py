"""Rules of resource names and amounts: what containers request, what quotas and ranges bound.

Which names are standard, which are whole numbers, which may be overcommitted: as upstream's core helper says.
"""

from collections.abc import Callable, Collection, Iterator, Mapping

from knarr.kinds import rules
from knarr.kinds.types.core_v1 import ResourceClaim, ResourceRequirements
from knarr.meta import field, names, quantity
from knarr.meta.field import FieldError, at, at_key

COMPUTE = frozenset({"cpu", "memory"})
CONTAINER = frozenset({*COMPUTE, "ephemeral-storage"})
WHOLE = frozenset(
    {
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    }
)
QUOTA = frozenset(
    {
        *WHOLE,
        *CONTAINER,
        "requests.cpu",
        "requests.memory",
        "requests.storage",
        "requests.ephemeral-storage",
        "limits.cpu",
        "limits.memory",
        "limits.ephemeral-storage",
    }
)
STANDARD = frozenset({*QUOTA, "storage"})
HUGE = "hugepages-"
NATIVE_DOMAIN = "kubernetes.io/"
REQUESTS = "requests."

NameRule = Callable[[str, str], Iterator[FieldError]]


def is_native(name: str) -> bool:
    """Whether Kubernetes itself gives the resource its meaning."""
    return "/" not in name or NATIVE_DOMAIN in name


def is_extended(name: str) -> bool:
    """Whether the resource is somebody else's, such as a device plugin's."""
    return not (is_native(name) or name.startswith(REQUESTS)) and not names.qualified_errors(REQUESTS + name)


def is_whole(name: str) -> bool:
    """Whether only whole numbers of it make sense."""
    return name in WHOLE or is_extended(name)


def may_overcommit(name: str) -> bool:
    """Whether limits may exceed requests."""
    return is_native(name) and not name.startswith(HUGE)


def is_huge_pages(name: str) -> bool:
    return name.startswith(HUGE)


def resource_name(name: str, path: str) -> Iterator[FieldError]:
    faults = list(rules.qualified_name(name, path))
    yield from faults
    if not faults and "/" not in name and name not in STANDARD and not name.startswith((HUGE, REQUESTS + HUGE)):
        yield field.wrong(path, name, "must be a standard resource type or fully qualified")


def container_resource_name(name: str, path: str) -> Iterator[FieldError]:
    yield from resource_name(name, path)
    if "/" not in name:
        if name not in CONTAINER and not name.startswith(HUGE):
            yield field.wrong(path, name, "must be a standard resource for containers")
    elif not is_native(name) and not is_extended(name):
        yield field.wrong(path, name, "doesn't follow extended resource name standard")


def pod_resource_name(name: str, path: str) -> Iterator[FieldError]:
    faults = list(resource_name(name, path))
    yield from faults
    if not faults and name not in COMPUTE and not name.startswith(HUGE):
        yield field.unsupported(path, name, ("cpu", HUGE, "memory"))


def quota_resource_name(name: str, path: str) -> Iterator[FieldError]:
    yield from resource_name(name, path)
    if "/" not in name and name not in QUOTA and not name.startswith((HUGE, REQUESTS + HUGE)):
        yield field.wrong(path, name, "must be a standard resource for quota")


def amount(name: str, value: str, path: str) -> Iterator[FieldError]:
    """An amount of a resource: not negative, and whole where it must be."""
    parsed = quantity.parse(value)
    if parsed.nano < 0:
        yield field.wrong(path, value, rules.NOT_NEGATIVE)
    if is_whole(name) and parsed.nano % quantity.NANO:
        yield field.wrong(path, value, "must be an integer")


def amounts(given: Mapping[str, str], rule: NameRule, path: str) -> Iterator[FieldError]:
    for name, value in given.items():
        where = at_key(path, name)
        yield from rule(name, where)
        yield from amount(name, value, where)


def basic(value: str, path: str) -> Iterator[FieldError]:
    """An amount of storage: no more than not negative."""
    whole = quantity.parse(value).value
    if whole < 0:
        yield field.wrong(path, whole, "must be a valid resource quantity")


def positive(value: str, path: str) -> Iterator[FieldError]:
    if quantity.parse(value).nano <= 0:
        yield field.wrong(path, value, rules.POSITIVE)


def requirements(
    given: ResourceRequirements | None,
    claims: Collection[str],
    path: str,
    rule: NameRule = container_resource_name,
) -> Iterator[FieldError]:
    """What requests and limits break; `claims` are the names of the pod's resource claims."""
    if given is None:
        return
    for name, value in given.limits.items():
        yield from one_amount(name, value, rule, at_key(at(path, "limits"), name))
    for name, value in given.requests.items():
        yield from one_amount(name, value, rule, at_key(at(path, "requests"), name))
        yield from within_limit(name, value, given.limits.get(name), path)
    used = {*given.limits, *given.requests}
    if any(map(is_huge_pages, used)) and not used & COMPUTE:
        yield field.forbidden(path, "HugePages require cpu or memory")
    yield from claimed(given.claims, claims, at(path, "claims"))


def one_amount(name: str, value: str, rule: NameRule, path: str) -> Iterator[FieldError]:
    yield from rule(name, path)
    yield from amount(name, value, path)
    if is_huge_pages(name):
        try:
            page = quantity.parse(name.removeprefix(HUGE)).nano
        except ValueError:
            page = 0
        if page <= 0 or quantity.parse(value).nano % page:
            yield field.wrong(path, value, f"{value} is not positive integer multiple of {name}")


def within_limit(name: str, value: str, limit: str | None, path: str) -> Iterator[FieldError]:
    requests = at(path, "requests")
    if limit is None:
        if not may_overcommit(name):
            yield field.required(at(path, "limits"), "Limit must be set for non overcommitable resources")
        return
    asked, most = quantity.parse(value), quantity.parse(limit)
    if asked != most and not may_overcommit(name):
        yield field.wrong(requests, value, f"must be equal to {name} limit of {limit}")
    elif asked > most:
        yield field.wrong(requests, value, f"must be less than or equal to {name} limit of {limit}")


def claimed(given: list[ResourceClaim], claims: Collection[str], path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, claim in enumerate(given):
        where = at(path, index)
        if not claim.name:
            yield field.required(where)
            continue
        if claim.request:
            yield from rules.dns_label(claim.request, at(where, "request"))
        key = f"{claim.name}/{claim.request}" if claim.request else claim.name
        if claim.name in seen or key in seen:
            yield field.duplicate(where, claim.name if claim.name in seen else key)
        elif not claim.request and any(other.startswith(claim.name + "/") for other in seen):
            yield field.duplicate(where, claim.name)
        seen.add(key)
        if claim.name not in claims:
            choices = ": " + ", ".join(sorted(claims)) if claims else " which is empty"
            error = field.not_found(where, claim.name)
            detail = f": must be one of the names in pod.spec.resourceClaims{choices}"
            yield FieldError(error.reason, error.path, error.message + detail)
