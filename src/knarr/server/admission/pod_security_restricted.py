"""What pods of level restricted may not do besides, some of it instead of the baseline's rules, in upstream's words."""

from knarr.kinds.types.core_v1 import Volume
from knarr.server.admission.pod_security_baseline import baseline_seccomp
from knarr.server.admission.pod_security_rules import (
    Check,
    Found,
    Pod,
    added,
    bad,
    named,
    seccomp_types,
    setters,
)

VOLUMES = ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret")


def privilege_escalation(pod: Pod) -> Found:
    if pod.windows:
        return None
    names = bad(pod, lambda c: c.securityContext is None or c.securityContext.allowPrivilegeEscalation is not False)
    text = f"{named('container', names)} must set securityContext.allowPrivilegeEscalation=false"
    return ("allowPrivilegeEscalation != false", text) if names else None


def restricted_capabilities(pod: Pod) -> Found:
    if pod.windows:
        return None
    rule = "unrestricted capabilities"
    kept = bad(pod, lambda c: not (
        c.securityContext and c.securityContext.capabilities and "ALL" in c.securityContext.capabilities.drop
    ))  # fmt: skip
    more = added(pod, frozenset({"NET_BIND_SERVICE"}), rule)
    texts = [f'{named("container", kept)} must set securityContext.capabilities.drop=["ALL"]'] if kept else []
    texts += [more[1]] if more else []
    return (rule, "; ".join(texts)) if texts else None


def restricted_volumes(pod: Pod) -> Found:
    types = {volume.name: type_ for volume in pod.spec.volumes if (type_ := _volume_type(volume)) not in VOLUMES}
    if not types:
        return None
    kinds = sorted(set(types.values()))
    uses = "uses" if len(types) == 1 else "use"
    return "restricted volume types", f"{named('volume', list(types))} {uses} {named('restricted volume type', kinds)}"


def _volume_type(volume: Volume) -> str:
    fields = (name for name in Volume.__struct_fields__ if name != "name")
    return next((name for name in fields if getattr(volume, name) is not None), "unknown")


def run_as_non_root(pod: Pod) -> Found:
    rule = "runAsNonRoot != true"
    own = pod.spec.securityContext.runAsNonRoot if pod.spec.securityContext else None
    given = {c.name: c.securityContext.runAsNonRoot if c.securityContext else None for c in pod.containers}
    wrong = [name for name, value in given.items() if value is False]
    unsaid = [name for name, value in given.items() if value is None] if own is not True else []
    if own is False and not unsaid:
        own = None  # every container says otherwise
    if own is False or wrong:
        return rule, f"{setters(own is False, wrong)} must not set securityContext.runAsNonRoot=false"
    if unsaid:
        return rule, f"pod or {named('container', unsaid)} must set securityContext.runAsNonRoot=true"
    return None


def run_as_user(pod: Pod) -> Found:
    own = pod.spec.securityContext is not None and pod.spec.securityContext.runAsUser == 0
    names = bad(pod, lambda c: c.securityContext is not None and c.securityContext.runAsUser == 0)
    return ("runAsUser=0", f"{setters(own, names)} must not set runAsUser=0") if own or names else None


def restricted_seccomp(pod: Pod) -> Found:
    if pod.windows:
        return None
    if (found := baseline_seccomp(pod)) is not None:
        return found
    own, types = seccomp_types(pod)
    unsaid = [name for name, type_ in types.items() if not type_] if not own else []
    if not unsaid:
        return None
    wanted = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return "seccompProfile", f"pod or {named('container', unsaid)} {wanted}"


RESTRICTED = (
    Check("allowPrivilegeEscalation", privilege_escalation, since=8),
    Check("capabilities_restricted", restricted_capabilities, since=22, instead_of=("capabilities_baseline",)),
    Check("restrictedVolumes", restricted_volumes, instead_of=("hostPathVolumes",)),
    Check("runAsNonRoot", run_as_non_root),
    Check("runAsUser", run_as_user, since=23),
    Check("seccompProfile_restricted", restricted_seccomp, since=19, instead_of=("seccompProfile_baseline",)),
)
