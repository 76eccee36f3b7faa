"""The cluster's image store, as the command line and the demo open it."""

from pathlib import Path

from knarr.app.config import Cluster
from knarr.node.images.store import ImageStore


def open_store(cluster: Cluster) -> ImageStore:
    cluster.images.mkdir(mode=0o711, parents=True, exist_ok=True)
    return ImageStore(Path(cluster.images))
