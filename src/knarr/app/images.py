"""The cluster's image store, as the command line and the demo open it."""

from collections.abc import Iterator
from contextlib import contextmanager

from knarr.app.config import Cluster, ConfigError
from knarr.node.images.archive import load
from knarr.node.images.build import build
from knarr.node.images.store import ImageError, ImageStore

__all__ = ["build", "load", "one_line_errors", "open_store"]


def open_store(cluster: Cluster) -> ImageStore:
    return ImageStore(cluster.images)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """An image that cannot be built or loaded ends the command with its one line."""
    try:
        yield
    except (ImageError, ValueError) as error:
        raise ConfigError(str(error)) from error
