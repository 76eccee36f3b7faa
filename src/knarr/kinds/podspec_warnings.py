"""What the server accepts in a pod's spec but warns of: deprecated, useless or probably a mistake.

Called by the `warnings` of pods and of the kinds that hold a pod template; `path` is "" for a pod.
"""

from collections.abc import Iterator, Mapping, Sequence

from knarr.kinds.types.core_v1 import Container, ContainerPort, NodeSelectorTerm, PodSpec, PodTemplateSpec
from knarr.kinds.types.meta_v1 import ObjectMeta
from knarr.meta import quantity
from knarr.meta.field import at, at_key

OLD_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
}
OLD_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
OLD_VOLUMES = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
BYTES = ("memory", "ephemeral-storage")
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def template_warnings(template: PodTemplateSpec | None, path: str) -> Iterator[str]:
    """The warnings of a pod template at `path`."""
    if template is not None:
        yield from spec_warnings(template.spec, template.metadata, path)


def spec_warnings(spec: PodSpec, metadata: ObjectMeta, path: str = "") -> Iterator[str]:
    """The warnings of a pod, or of a template at `path`."""
    inner = at(path, "spec")
    yield from old_labels(spec, inner)
    for index, constraint in enumerate(spec.topologySpreadConstraints):
        where, key = at(inner, "topologySpreadConstraints", index), constraint.topologyKey
        if key in OLD_LABELS:
            yield f"{at(where, 'topologyKey')}: {key} is {OLD_LABELS[key]}"
        if constraint.labelSelector is None:
            yield f"{at(where, 'labelSelector')}: a null labelSelector results in matching no pod"
    for key, message in OLD_ANNOTATIONS.items():
        if key in metadata.annotations:
            yield f"{at_key(at(path, 'metadata', 'annotations'), key)}: {message}"
    for index, volume in enumerate(spec.volumes):
        for name, message in OLD_VOLUMES.items():
            if getattr(volume, name) is not None:
                yield f"{inner}.volumes[{index}].{name}: {message}"
    if spec.hostAliases:
        yield from repeated([alias.ip for alias in spec.hostAliases], f"{inner}.hostAliases", "ip")
    if spec.imagePullSecrets:
        yield from repeated([secret.name for secret in spec.imagePullSecrets], f"{inner}.imagePullSecrets", "name")
    for index, secret in enumerate(spec.imagePullSecrets):
        if not secret.name:
            yield f'{inner}.imagePullSecrets[{index}].name: invalid empty name ""'
    if spec.overhead:
        yield from fractions(spec.overhead, f"{inner}.overhead")
    yield from container_warnings(spec, inner)


def old_labels(spec: PodSpec, path: str) -> Iterator[str]:
    for key in spec.nodeSelector:
        if key in OLD_LABELS:
            yield f"{at_key(at(path, 'nodeSelector'), key)}: {OLD_LABELS[key]}"
    node = spec.affinity.nodeAffinity if spec.affinity is not None else None
    if node is None:
        return
    path = at(path, "affinity", "nodeAffinity")
    required = node.requiredDuringSchedulingIgnoredDuringExecution
    for index, term in enumerate(required.nodeSelectorTerms if required is not None else ()):
        yield from term_warnings(term, at(path, REQUIRED, "nodeSelectorTerms", index))
    for index, weighted in enumerate(node.preferredDuringSchedulingIgnoredDuringExecution):
        yield from term_warnings(weighted.preference, at(path, PREFERRED, index, "preference"))


def term_warnings(term: NodeSelectorTerm, path: str) -> Iterator[str]:
    for index, requirement in enumerate(term.matchExpressions):
        if requirement.key in OLD_LABELS:
            where = at(path, "matchExpressions", index, "key")
            yield f"{where}: {requirement.key} is {OLD_LABELS[requirement.key]}"


def repeated(values: Sequence[str], path: str, name: str) -> Iterator[str]:
    for index, value in enumerate(values):
        if value in values[:index]:
            yield f'{at(path, index, name)}: duplicate {name} "{value}"'


def fractions(amounts: Mapping[str, str], path: str) -> Iterator[str]:
    """Bytes that are no whole number."""
    for name in BYTES:
        if name in amounts and quantity.parse(amounts[name]).milli % 1000:
            yield f'{at_key(path, name)}: fractional byte value "{amounts[name]}" is invalid, must be an integer'


def container_warnings(spec: PodSpec, path: str) -> Iterator[str]:
    """What one container, or two together, will probably not do as meant."""
    taken: dict[tuple[int, str], list[tuple[str, ContainerPort]]] = {}
    clashes: list[str] = []
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(getattr(spec, kind)):
            where = f"{path}.{kind}[{index}]"
            if container.resources is not None:
                for name, amounts in (
                    ("limits", container.resources.limits),
                    ("requests", container.resources.requests),
                ):
                    yield from fractions(amounts, f"{where}.resources.{name}") if amounts else ()
            if container.env:
                yield from hidden_variables(container, f"{where}.env")
            for number, port in enumerate(container.ports):
                here = f"{where}.ports[{number}]"
                others = taken.setdefault((port.containerPort, port.protocol), [])
                found = ((clash(port, other), there) for there, other in others)
                clashes += (f"{here}: {what} with {there}" for what, there in found if what)
                others.append((here, port))
    yield from clashes


def clash(port: ContainerPort, other: ContainerPort) -> str:
    """How two definitions of one port get in each other's way; "" when they don't."""
    if (port.hostIP, port.hostPort) == (other.hostIP, other.hostPort):
        return "duplicate port definition"
    if not port.hostPort or not other.hostPort:
        return "overlapping port definition"
    same_port = port.hostPort == other.hostPort
    return "dangerously ambiguous port definition" if same_port and not (port.hostIP and other.hostIP) else ""


def hidden_variables(container: Container, path: str) -> Iterator[str]:
    """A variable that replaces one before it without building on it."""
    seen: set[str] = set()
    for index, variable in enumerate(container.env):
        reference = f"$({variable.name})"
        builds = variable.valueFrom is None and variable.value != reference and reference in variable.value
        if variable.name in seen and not builds:
            yield (
                f'{at(path, index)}: hides previous definition of "{variable.name}", which may be dropped when using '
                "apply"
            )
        seen.add(variable.name)
