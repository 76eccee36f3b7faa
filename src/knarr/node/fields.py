"""The downward API: what a pod may learn about itself. Used for environment variables and volumes; pure."""

import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

from knarr.kinds.types.core_v1 import Container, Pod, ResourceFieldSelector

SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)$")
SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]$")


class FieldUnknown(Exception):
    """A field reference that names nothing."""


def amount(text: str) -> Decimal:
    """The number a quantity stands for; 0 for none."""
    if not text:
        return Decimal(0)
    if (match := QUANTITY.match(text)) is None or match[2] not in SUFFIXES:
        raise FieldUnknown(f"{text!r} is not a quantity")
    return Decimal(match[1]) * SUFFIXES[match[2]]


def object_field(pod: Pod, path: str) -> str:
    """A `fieldRef`'s value."""
    if match := SUBSCRIPT.match(path):
        owner = pod.metadata.labels if match[1] == "labels" else pod.metadata.annotations
        return owner.get(match[2], "")
    simple = {
        "metadata.name": pod.metadata.name,
        "metadata.namespace": pod.metadata.namespace,
        "metadata.uid": pod.metadata.uid,
        "metadata.labels": lines(pod.metadata.labels),
        "metadata.annotations": lines(pod.metadata.annotations),
        "spec.nodeName": pod.spec.nodeName,
        "spec.serviceAccountName": pod.spec.serviceAccountName,
        "status.hostIP": pod.status.hostIP,
        "status.hostIPs": ",".join(each.ip for each in pod.status.hostIPs),
        "status.podIP": pod.status.podIP,
        "status.podIPs": ",".join(each.ip for each in pod.status.podIPs),
    }
    if path not in simple:
        raise FieldUnknown(f"unsupported fieldPath: {path}")
    return simple[path]


def lines(values: Mapping[str, str]) -> str:
    """Labels as a file shows them: sorted, one per line, values quoted as Go quotes."""
    return "\n".join(f"{key}={quote(value)}" for key, value in sorted(values.items()))


def quote(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(char, char) for char in text) + '"'


def resource_field(pod: Pod, container: Container, ref: ResourceFieldSelector, allocatable: Mapping[str, str]) -> str:
    """A `resourceFieldRef`'s value, in units of its divisor, rounded up."""
    if ref.containerName:
        everyone = (*pod.spec.containers, *pod.spec.initContainers)
        found = next((each for each in everyone if each.name == ref.containerName), None)
        if found is None:
            raise FieldUnknown(f"container {ref.containerName} not found")
        container = found
    kind, _, name = ref.resource.partition(".")
    limits = container.resources.limits if container.resources else {}
    requests = container.resources.requests if container.resources else {}
    if kind == "limits":
        value = limits.get(name) or allocatable.get(name, "0")
    elif kind == "requests":
        value = requests.get(name) or limits.get(name, "0")
    else:
        raise FieldUnknown(f"unsupported container resource : {ref.resource}")
    divisor = amount(ref.divisor) or Decimal(1)
    return str(int((amount(value) / divisor).to_integral_value(ROUND_CEILING)))
