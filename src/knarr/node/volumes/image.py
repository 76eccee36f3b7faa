"""image: the files of an image, for reading. Blocking; called before the pod's first container."""

from pathlib import Path

from knarr.kinds.types.core_v1 import ImageVolumeSource
from knarr.node.images.store import ImageStore
from knarr.node.volumes import mounts
from knarr.node.volumes.volume import VolumeError


def make(source: ImageVolumeSource, folder: Path, images: Path | None) -> Path:
    """Show an image's files on a folder; `images` is where this machine keeps its images."""
    store = ImageStore(images) if images is not None else None
    try:
        found = store.find(source.reference) if store is not None else None
    except ValueError as error:
        raise VolumeError(f'failed to parse image reference "{source.reference}": {error}') from None
    if store is None or found is None:
        why = "not found on this node, and there is no registry to pull from"
        raise VolumeError(f'failed to resolve reference "{source.reference}": {why}')
    if found.host:
        raise VolumeError(f'image "{source.reference}" is made of the host\'s own files, which are no volume')
    folder.mkdir(parents=True, exist_ok=True)
    if found.layers:
        mounts.layers(folder, [store.layers / name for name in reversed(found.layers)])
    return folder
