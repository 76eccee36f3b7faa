"""What tests of knarr, and of programs that talk to it, need: shipped with the package.

    with Cluster() as cluster:              # or `async with`, in a coroutine
        cluster.apply(manifest)
        cluster.wait("deployment/web", condition="Available")

Under pytest, the fixtures of `knarr.testing.plugin` do the same.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from knarr.testing.cluster import Cluster
    from knarr.testing.sync import SyncCluster
    from knarr.testing.waiting import NotInTime

__all__ = ["Cluster", "NotInTime", "SyncCluster"]
_PLACES = {"Cluster": "cluster", "SyncCluster": "sync", "NotInTime": "waiting"}


def __getattr__(name: str) -> Any:
    """Load what is asked for: pytest loads this package in every run, and most runs need no cluster."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
