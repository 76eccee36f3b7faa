"""Rules of security contexts, the pod's and its containers'."""

import re
from collections.abc import Iterator

from knarr.kinds import internal, rules
from knarr.kinds.types.core_v1 import (
    AppArmorProfile,
    PodSecurityContext,
    PodSpec,
    SeccompProfile,
    SecurityContext,
    Sysctl,
)
from knarr.meta import field
from knarr.meta.field import FieldError, at

PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
PROFILE_PATH = 4095  #: characters

_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
SYSCTL = rf"({_SEGMENT}[\./])*{_SEGMENT}"
_SYSCTL = re.compile(SYSCTL)
_SYSCTL_LENGTH = 253
_IPC_SYSCTL = re.compile(r"kernel\.(msg|shm).*|kernel\.sem|fs\.mqueue\..*")


def pod_security(spec: PodSpec, path: str) -> Iterator[FieldError]:
    """What the pod's own security context breaks; `path` is the spec's."""
    context = spec.securityContext
    if context is None:
        return
    path = f"{path}.securityContext"
    yield from rules.identity(context.fsGroup, f"{path}.fsGroup")
    yield from rules.identity(context.runAsUser, f"{path}.runAsUser")
    yield from rules.identity(context.runAsGroup, f"{path}.runAsGroup")
    for index, group in enumerate(context.supplementalGroups):
        yield from rules.identity(group, f"{path}.supplementalGroups[{index}]")
    if spec.shareProcessNamespace and spec.hostPID:
        message = "ShareProcessNamespace and HostPID cannot both be enabled"
        yield field.wrong(f"{path}.shareProcessNamespace", True, message)
    yield from sysctls(context.sysctls, spec, f"{path}.sysctls")
    yield from choice(context.fsGroupChangePolicy, ("Always", "OnRootMismatch"), f"{path}.fsGroupChangePolicy")
    yield from seccomp(context.seccompProfile, f"{path}.seccompProfile")
    yield from app_armor(context.appArmorProfile, f"{path}.appArmorProfile")
    yield from choice(context.supplementalGroupsPolicy, ("Merge", "Strict"), f"{path}.supplementalGroupsPolicy")
    yield from choice(context.seLinuxChangePolicy, ("MountOption", "Recursive"), f"{path}.seLinuxChangePolicy")


def choice(value: str, choices: tuple[str, ...], path: str) -> Iterator[FieldError]:
    """An optional field's choice."""
    if value:
        yield from rules.one_of(value, choices, path)


def sysctls(settings: list[Sysctl], spec: PodSpec, path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, setting in enumerate(settings):
        where, name = f"{path}[{index}].name", setting.name
        if not name:
            yield field.required(where)
        elif len(name) > _SYSCTL_LENGTH or _SYSCTL.fullmatch(name) is None:
            message = f"must have at most {_SYSCTL_LENGTH} characters and match regex ^{SYSCTL}$"
            yield field.wrong(where, name, message)
        elif name in seen:
            yield field.duplicate(where, name)
        seen.add(name)
        dotted = name.replace("/", ".")
        if spec.hostNetwork and dotted.startswith("net."):
            yield field.wrong(where, name, "may not be specified when 'hostNetwork' is true")
        elif spec.hostIPC and _IPC_SYSCTL.fullmatch(dotted):
            yield field.wrong(where, name, "may not be specified when 'hostIPC' is true")


def seccomp(profile: SeccompProfile | None, path: str) -> Iterator[FieldError]:
    if profile is None:
        return
    if not profile.type:
        yield field.required(f"{path}.type", "type is required when seccompProfile is set")
    else:
        yield from rules.one_of(profile.type, PROFILES, f"{path}.type")
    where = f"{path}.localhostProfile"
    if profile.type == "Localhost":
        if not profile.localhostProfile:
            yield field.required(where, "must be set when seccomp type is Localhost")
        else:
            yield from rules.relative_path(profile.localhostProfile, where)
    elif profile.localhostProfile:
        yield field.wrong(where, internal.tree(profile), "can only be set when seccomp type is Localhost")


def app_armor(profile: AppArmorProfile | None, path: str) -> Iterator[FieldError]:
    if profile is None:
        return
    where, name = f"{path}.localhostProfile", profile.localhostProfile
    if profile.type == "Localhost":
        if not name.strip():
            yield field.required(where, "must be set when AppArmor type is Localhost")
        elif name.strip() != name:
            yield field.wrong(where, name, "must not be padded with whitespace")
        if len(name) > PROFILE_PATH:
            yield field.too_long(where, PROFILE_PATH)
    elif not profile.type:
        yield field.required(f"{path}.type", "type is required when appArmorProfile is set")
    elif profile.type not in PROFILES:
        yield field.unsupported(f"{path}.type", profile.type, PROFILES)
    elif name:
        yield field.wrong(where, name, "can only be set when AppArmor type is Localhost")


def container_security(context: SecurityContext | None, path: str, *, host_users: bool) -> Iterator[FieldError]:
    """What a container's security context breaks; `host_users` says whether the pod shares the host's users."""
    if context is None:
        return
    yield from rules.identity(context.runAsUser, f"{path}.runAsUser")
    yield from rules.identity(context.runAsGroup, f"{path}.runAsGroup")
    if context.procMount:
        yield from rules.one_of(context.procMount, ("Default", "Unmasked"), f"{path}.procMount")
        if host_users and context.procMount == "Unmasked":
            yield field.wrong(f"{path}.procMount", "Unmasked", "`hostUsers` must be false to use `Unmasked`")
    yield from seccomp(context.seccompProfile, f"{path}.seccompProfile")
    if context.allowPrivilegeEscalation is False:
        start = "cannot set `allowPrivilegeEscalation` to false and "
        if context.privileged:
            yield field.wrong(path, internal.tree(context), start + "`privileged` to true")
        if context.capabilities is not None and "CAP_SYS_ADMIN" in context.capabilities.add:
            yield field.wrong(path, internal.tree(context), start + "`capabilities.Add` CAP_SYS_ADMIN")
    yield from app_armor(context.appArmorProfile, f"{path}.appArmorProfile")


def host_users(spec: PodSpec, path: str) -> Iterator[FieldError]:
    """A pod with users of its own may not share the host's other namespaces."""
    if spec.hostUsers is not False:
        return
    for shared, name in ((spec.hostNetwork, "hostNetwork"), (spec.hostPID, "HostPID"), (spec.hostIPC, "HostIPC")):
        if shared:
            yield field.forbidden(f"{path}.{name}", "when `pod.Spec.HostUsers` is false")


WINDOWS_POD = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
)
WINDOWS_CONTAINER = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
)
WINDOWS_SPEC = ("hostUsers", "hostPID", "hostIPC", "shareProcessNamespace")


def operating_system(spec: PodSpec, path: str) -> Iterator[FieldError]:
    """What does not go with the operating system the pod says it needs."""
    if spec.os is None:
        return
    if not spec.os.name:
        yield field.required(f"{path}.os.name", "cannot be empty")
    if spec.os.name not in ("linux", "windows"):
        yield field.unsupported(f"{path}.os", spec.os.name, ("linux", "windows"))
        return
    if spec.os.name == "linux":
        pod_fields: tuple[str, ...] = ("windowsOptions",)
        container_fields: tuple[str, ...] = pod_fields
        message = "windows options cannot be set for a linux pod"
    else:
        pod_fields, container_fields, message = WINDOWS_POD, WINDOWS_CONTAINER, "cannot be set for a windows pod"
        for name in WINDOWS_SPEC:
            if getattr(spec, name) not in (None, False) or (name == "hostUsers" and spec.hostUsers is not None):
                yield field.forbidden(f"{path}.{name}", message)
    yield from unwanted(spec.securityContext, pod_fields, f"{path}.securityContext", message)
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(getattr(spec, kind)):
            where = at(path, kind, index, "securityContext")
            yield from unwanted(container.securityContext, container_fields, where, message)


def unwanted(
    context: SecurityContext | PodSecurityContext | None, names: tuple[str, ...], path: str, message: str
) -> Iterator[FieldError]:
    for name in names:
        if getattr(context, name, None) not in (None, "", []):
            yield field.forbidden(f"{path}.{name}", message)
