"""downwardAPI: the pod's own fields as files."""

from collections.abc import Mapping, Sequence

from knarr.kinds.types.core_v1 import DownwardAPIVolumeFile, Pod
from knarr.node.fields import FieldUnknown, object_field, resource_field
from knarr.node.volumes.objects import DEFAULT_MODE
from knarr.node.volumes.volume import File, VolumeError


def files(
    pod: Pod, items: Sequence[DownwardAPIVolumeFile], mode: int | None, allocatable: Mapping[str, str]
) -> dict[str, File]:
    out: dict[str, File] = {}
    usual = DEFAULT_MODE if mode is None else mode
    for item in items:
        try:
            if item.fieldRef is not None:
                text = object_field(pod, item.fieldRef.fieldPath)
            elif item.resourceFieldRef is not None:
                text = resource_field(pod, pod.spec.containers[0], item.resourceFieldRef, allocatable)
            else:
                continue
        except FieldUnknown as error:
            raise VolumeError(str(error)) from None
        out[item.path] = File(text.encode(), usual if item.mode is None else item.mode)
    return out
