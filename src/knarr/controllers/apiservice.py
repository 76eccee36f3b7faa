"""APIServices: for every group version that the server itself serves there is one, which says so.

Those of built-in kinds are there from the start, those of custom resources as long as their definitions are. Entries
that others made are left alone.
"""

from collections.abc import Collection, Iterable

from knarr.kinds.types.apiextensions_v1 import CustomResourceDefinition
from knarr.kinds.types.apiregistration_v1 import APIService, APIServiceSpec
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.loop.executor import carry_out
from knarr.loop.runner import Context, Controller, Enqueue, Key, Source, itself
from knarr.loop.steps import Create, Delete, Step

MANAGED = "kube-aggregator.kubernetes.io/automanaged"
ON_START, ALWAYS = "onstart", "true"  #: of a built-in version, and of a custom resource's
CUSTOM = (1000, 100)  #: priorities of a custom resource's group and version
#: groups by where they stand in discovery; the greater the earlier
GROUPS = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "resource.k8s.io": 15900,
    "storagemigration.k8s.io": 15800,
    "metrics.k8s.io": 100,
}
OTHER_GROUP, STABLE, UNSTABLE = 15000, 15, 9
VERSIONS = {
    ("", "v1"): 1,
    ("autoscaling", "v2"): 30,
    ("flowcontrol.apiserver.k8s.io", "v1"): 21,
    ("events.k8s.io", "v1"): 5,
    ("metrics.k8s.io", "v1beta1"): 100,
}
ENTRY = "entry"  #: the index of definitions by the entries of what they serve
OWN_GROUP = "apiregistration.k8s.io"  #: what serves the entries has none

GroupVersion = tuple[str, str]


def name_of(group_version: GroupVersion) -> str:
    group, version = group_version
    return f"{version}.{group}"


def plan(
    name: str, found: APIService | None, built_in: Collection[GroupVersion], custom: Collection[GroupVersion]
) -> list[Step]:
    """Return the step that makes an entry that ought to be there, or takes away one that is no longer true."""
    wanted = next((gv for gv in (*built_in, *custom) if name_of(gv) == name), None)
    if wanted is None:
        ours = found is not None and found.metadata.labels.get(MANAGED) == ALWAYS
        return [Delete(found, "nothing serves it any more")] if ours else []
    if found is not None:
        return []
    return [Create(entry(wanted, custom=wanted not in built_in), keep=True)]


def entry(group_version: GroupVersion, *, custom: bool = False) -> APIService:
    group, version = group_version
    stable = STABLE if version.removeprefix("v").isdigit() else UNSTABLE
    priority = CUSTOM if custom else (GROUPS.get(group, OTHER_GROUP), VERSIONS.get(group_version, stable))
    return APIService(
        metadata=ObjectMeta(name=name_of(group_version), labels={MANAGED: ALWAYS if custom else ON_START}),
        spec=APIServiceSpec(
            group=group, version=version, groupPriorityMinimum=priority[0], versionPriority=priority[1]
        ),
    )


def served(definition: CustomResourceDefinition) -> list[GroupVersion]:
    """The group versions of a definition that the server serves."""
    established = any(c.type == "Established" and c.status == "True" for c in definition.status.conditions)
    if definition.metadata.deletionTimestamp or not established:
        return []
    return [(definition.spec.group, version.name) for version in definition.spec.versions if version.served]


def entries(definition: CustomResourceDefinition) -> Iterable[str]:
    """The names of the entries of what is served."""
    return map(name_of, served(definition))


def keys(definition: CustomResourceDefinition) -> Iterable[Key]:
    return [("", name_of((definition.spec.group, version.name))) for version in definition.spec.versions]


def controller(group_versions: Iterable[GroupVersion]) -> Controller:
    """`group_versions` are those of the built-in kinds."""
    built_in = sorted({gv for gv in group_versions if gv[0] != OWN_GROUP})

    async def begin(context: Context, enqueue: Enqueue) -> None:
        for group_version in built_in:
            enqueue(("", name_of(group_version)))

    async def sync(key: Key, context: Context) -> None:
        first = next(iter(context.cache(CustomResourceDefinition).by_index(ENTRY, key[1])), None)
        custom = served(first) if first is not None else []
        await carry_out(
            context.api, plan(key[1], context.cache(APIService).get(key[1]), built_in, custom), context.recorder
        )

    return Controller(
        name="apiservice",
        sources=[Source(APIService, itself), Source(CustomResourceDefinition, keys)],
        sync=sync,
        background=begin,
        indexes=[(CustomResourceDefinition, ENTRY, entries)],
    )
