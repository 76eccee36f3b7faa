"""PodSecurity: a namespace's labels say what its pods may do.

`pod-security.kubernetes.io/enforce` refuses pods, `warn` warns of them and of the workloads that make them, `audit` is
accepted and has no effect here: there is no audit log. Without labels everything is allowed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from knarr.kinds.types.core_v1 import Namespace, PodSpec
from knarr.kinds.types.core_v1 import Pod as PodObject
from knarr.meta.field import FieldError, at_key, invalid, wrong
from knarr.server.admission import Admission, State, Tree
from knarr.server.admission.pod_security_checks import LATEST, violations

PREFIX = "pod-security.kubernetes.io/"
LEVELS = ("privileged", "baseline", "restricted")
VERSION = re.compile(r"v1\.(0|[1-9][0-9]{0,3})")
#: where a workload keeps its pod's template
TEMPLATES = {
    "pods": ("spec",),
    "podtemplates": ("template", "spec"),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template", "spec"),
} | dict.fromkeys(
    ("replicationcontrollers", "replicasets.apps", "deployments.apps", "statefulsets.apps", "daemonsets.apps",
     "jobs.batch"),
    ("spec", "template", "spec"),
)  # fmt: skip
IGNORED = ("exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status")


@dataclass(frozen=True, slots=True)
class Standard:
    level: str = "privileged"
    version: str = "latest"

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"

    @property
    def minor(self) -> int:
        return LATEST if self.version == "latest" else int(self.version.partition(".")[2])

    def breach(self, spec: PodSpec) -> str:
        """What of a pod breaks this standard, "" when nothing does."""
        return ", ".join(f"{rule} ({text})" for rule, text in violations(self.level, self.minor, spec))


@dataclass(frozen=True, slots=True)
class Policy:
    enforce: Standard = Standard()
    warn: Standard = Standard()


PRIVILEGED = Policy()


class PodSecurity:
    async def admit(self, admission: Admission, state: State) -> None:
        kind = admission.kind
        if kind.resource == "namespaces" and not admission.subresource:
            await self._namespace(admission, state)
            return
        path = TEMPLATES.get(kind.resource)
        if path is None or admission.verb not in ("create", "update"):
            return
        is_pod = kind.resource == "pods"
        if admission.subresource and (not is_pod or admission.subresource in IGNORED):
            return
        namespace = await state.get(Namespace, "", admission.namespace)
        policy = policy_of(namespace.metadata.labels if namespace is not None else {})[0]
        if policy == PRIVILEGED or (is_pod and not significant(admission)):
            return
        if (spec := spec_at(admission.tree, path)) is None:
            return
        if is_pod and (text := policy.enforce.breach(spec)):
            raise admission.refuse(f'violates PodSecurity "{policy.enforce}": {text}')
        if text := policy.warn.breach(spec):
            admission.warnings.append(f'would violate PodSecurity "{policy.warn}": {text}')

    async def _namespace(self, admission: Admission, state: State) -> None:
        """Labels must make sense when they are written; stricter ones warn of the pods that are there."""
        if admission.verb not in ("create", "update"):
            return
        policy, errors = policy_of(_labels(admission.tree))
        before, known = policy_of(_labels(admission.old or {}))
        if errors and errors != known:
            raise invalid("Namespace", "", admission.name, errors)
        new, old = policy.enforce, before.enforce
        stricter = LEVELS.index(new.level) > LEVELS.index(old.level)
        if admission.verb == "update" and new != old and (stricter or new.version != old.version):
            pods = await state.list(PodObject, admission.name)
            admission.warnings += existing(admission.name, new, {pod.metadata.name: pod.spec for pod in pods})


def policy_of(labels: Mapping[str, str]) -> tuple[Policy, list[FieldError]]:
    """The policy that a namespace's labels ask for, and what is wrong with them: what is wrong enforces the most."""
    errors: list[FieldError] = []
    if not any(key.startswith(PREFIX) for key in labels):
        return PRIVILEGED, errors
    enforce = _standard(labels, "enforce", "restricted", errors)
    _standard(labels, "audit", "privileged", errors)
    warn = _standard(labels, "warn", "privileged", errors)
    if PREFIX + "warn" not in labels and PREFIX + "enforce" in labels:
        warn = replace(enforce) if PREFIX + "warn-version" not in labels else replace(warn, level=enforce.level)
    return Policy(enforce, warn), errors


def _standard(labels: Mapping[str, str], mode: str, fallback: str, errors: list[FieldError]) -> Standard:
    level, version = labels.get(PREFIX + mode, "privileged"), labels.get(f"{PREFIX}{mode}-version", "latest")
    if level not in LEVELS:
        text = "must be one of privileged, baseline, restricted"
        errors.append(wrong(at_key("metadata.labels", PREFIX + mode), level, text))
        level = fallback
    if version != "latest" and VERSION.fullmatch(version) is None:
        text = 'must be "latest" or "v1.x"'
        errors.append(wrong(at_key("metadata.labels", f"{PREFIX}{mode}-version"), version, text))
        version = "latest"
    return Standard(level, version)


def existing(namespace: str, standard: Standard, pods: Mapping[str, PodSpec]) -> list[str]:
    """Warnings about the pods of a namespace that break a new standard, those that break the same rules together."""
    broken: dict[str, list[str]] = {}
    for name, spec in sorted(pods.items()):
        if found := violations(standard.level, standard.minor, spec):
            broken.setdefault(", ".join(rule for rule, _ in found), []).append(name)
    if not broken:
        return []
    head = f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{standard}"'
    return [head, *sorted(f"{_some(names)}: {rules}" for rules, names in broken.items())]


def _some(names: list[str]) -> str:
    others = len(names) - 1
    return names[0] if not others else f"{names[0]} (and {others} other pod{'s' if others > 1 else ''})"


def significant(admission: Admission) -> bool:
    """Whether a pod is new, or something changes that counts here: containers, that is, or their images."""
    if admission.old is None:
        return True
    new, old = (tree.get("spec") or {} for tree in (admission.tree, admission.old))
    return any(
        [(c.get("name"), c.get("image")) for c in new.get(key) or ()]
        != [(c.get("name"), c.get("image")) for c in old.get(key) or ()]
        for key in ("initContainers", "containers", "ephemeralContainers")
    )


def spec_at(tree: Tree, path: tuple[str, ...]) -> PodSpec | None:
    found: object = tree
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return msgspec.convert(found, PodSpec) if isinstance(found, dict) else None


def _labels(tree: Tree) -> Mapping[str, str]:
    return (tree.get("metadata") or {}).get("labels") or {}
