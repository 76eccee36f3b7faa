"""Every kind the API serves, found by resource, by kind or by Struct type. A new kind is a file and a line here."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from knarr.kinds import (
    apiservice,
    certificatesigningrequest,
    clusterrole,
    clusterrolebinding,
    configmap,
    controllerrevision,
    cronjob,
    csidriver,
    csinode,
    csistoragecapacity,
    customresourcedefinition,
    daemonset,
    deployment,
    deviceclass,
    endpoints,
    endpointslice,
    event,
    event_view,
    flowschema,
    horizontalpodautoscaler,
    horizontalpodautoscaler_v1,
    ingress,
    ingressclass,
    ipaddress,
    job,
    lease,
    limitrange,
    mutatingadmissionpolicy,
    mutatingadmissionpolicybinding,
    mutatingwebhookconfiguration,
    namespace,
    networkpolicy,
    node,
    persistentvolume,
    persistentvolumeclaim,
    pod,
    poddisruptionbudget,
    podtemplate,
    priorityclass,
    prioritylevelconfiguration,
    replicaset,
    replicationcontroller,
    resourceclaim,
    resourceclaimtemplate,
    resourcequota,
    resourceslice,
    role,
    rolebinding,
    runtimeclass,
    secret,
    service,
    serviceaccount,
    servicecidr,
    statefulset,
    storageclass,
    validatingadmissionpolicy,
    validatingadmissionpolicybinding,
    validatingwebhookconfiguration,
    volumeattachment,
    volumeattributesclass,
)
from knarr.kinds.kind import Kind
from knarr.kinds.old import table as old
from knarr.kinds.types.base import Type


class KindTable:
    """Kinds in the order in which they are listed. Those of custom resources come and go: `put` and `drop`."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds = tuple(kinds)
        self.version = 0  #: counts the changes

    def own(self) -> "KindTable":
        """A table of the same kinds that may change without this one."""
        return KindTable(self._kinds)

    def put(self, group: str, plural: str, kinds: Iterable[Kind]) -> None:
        """Have these kinds, all of one resource, instead of what the table has of it."""
        others = [kind for kind in self._kinds if kind.plural != plural or kind.group != group]
        self._replace([*others, *kinds])

    def drop(self, group: str, plural: str) -> None:
        """Have no kind of this resource."""
        self.put(group, plural, ())

    def _replace(self, kinds: Iterable[Kind]) -> None:
        self._kinds = tuple(kinds)
        self.version += 1
        for name in ("_resources", "_names", "_types", "_versions", "_showing"):
            self.__dict__.pop(name, None)  # worked out anew when next asked for

    def all(self) -> Sequence[Kind]:
        return self._kinds

    def serves(self, group: str, version: str) -> bool:
        """Whether any resource of a group version is served."""
        return (group, version) in self._versions

    def groups(self) -> Sequence[str]:
        """The API groups, the core group "" included, in the kinds' order."""
        return list(dict.fromkeys(kind.group for kind in self._kinds))

    def by_resource(self, group: str, version: str, plural: str) -> Kind | None:
        return self._resources.get((group, version, plural))

    def by_kind(self, group: str, version: str, kind: str) -> Kind | None:
        return self._names.get((group, version, kind))

    def by_type(self, type_: type[Type]) -> Kind:
        """The kind of a Struct type; KeyError when the table has none."""
        return self._types[type_]

    def showing(self, kind: Kind) -> Sequence[Kind]:
        """All kinds that show the objects of a stored kind, and that kind."""
        return self._showing.get((kind.group, kind.version, kind.plural), ())

    @cached_property
    def _resources(self) -> Mapping[tuple[str, str, str], Kind]:
        return {(kind.group, kind.version, kind.plural): kind for kind in self._kinds}

    @cached_property
    def _versions(self) -> frozenset[tuple[str, str]]:
        return frozenset((kind.group, kind.version) for kind in self._kinds)

    @cached_property
    def _showing(self) -> Mapping[tuple[str, str, str], Sequence[Kind]]:
        found: dict[tuple[str, str, str], list[Kind]] = {}
        for kind in self._kinds:
            of = kind.view.kind if kind.view else kind
            found.setdefault((of.group, of.version, of.plural), []).append(kind)
        return found

    @cached_property
    def _names(self) -> Mapping[tuple[str, str, str], Kind]:
        return {(kind.group, kind.version, kind.kind): kind for kind in self._kinds}

    @cached_property
    def _types(self) -> Mapping[type[Type], Kind]:
        return {kind.type: kind for kind in self._kinds}


_NEWEST = tuple(
    module.KIND
    for module in (
        configmap,
        endpoints,
        event,
        limitrange,
        namespace,
        node,
        persistentvolume,
        persistentvolumeclaim,
        pod,
        podtemplate,
        replicationcontroller,
        resourcequota,
        secret,
        service,
        serviceaccount,
        controllerrevision,
        daemonset,
        deployment,
        replicaset,
        statefulset,
        event_view,
        horizontalpodautoscaler,
        horizontalpodautoscaler_v1,
        cronjob,
        job,
        certificatesigningrequest,
        lease,
        endpointslice,
        runtimeclass,
        ingress,
        ingressclass,
        ipaddress,
        networkpolicy,
        servicecidr,
        poddisruptionbudget,
        clusterrole,
        clusterrolebinding,
        role,
        rolebinding,
        priorityclass,
        csidriver,
        csinode,
        csistoragecapacity,
        storageclass,
        volumeattachment,
        volumeattributesclass,
        mutatingwebhookconfiguration,
        validatingwebhookconfiguration,
        validatingadmissionpolicy,
        validatingadmissionpolicybinding,
        mutatingadmissionpolicy,
        mutatingadmissionpolicybinding,
        customresourcedefinition,
        apiservice,
        deviceclass,
        resourceclaim,
        resourceclaimtemplate,
        resourceslice,
        flowschema,
        prioritylevelconfiguration,
    )
)

BUILTIN = KindTable((*_NEWEST, *old.kinds()))
