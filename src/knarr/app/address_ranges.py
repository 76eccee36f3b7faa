"""Whether a cluster can have the ranges of services and pods that are wished for. Changes nothing."""

from knarr.app.config import Cluster, ConfigError
from knarr.net.ranges import PODS, SERVICES, usual


def check(cluster: Cluster, before: Cluster | None) -> None:
    """Raise ConfigError for ranges that cannot be; `before` is the cluster as it was, which keeps its own."""
    try:
        ranges = cluster.network.ranges
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if before is not None and before.network.ranges != ranges:
        kept = before.network.ranges
        raise ConfigError(
            f"cluster {cluster.name!r} has {SERVICES} {','.join(kept.services)} and {PODS} {','.join(kept.pods)}; "
            "they are of a new cluster alone"
        )
    if cluster.runtime != "simulated":
        check_real(cluster)


def check_real(cluster: Cluster) -> None:
    """What nodes that are real can have: this host's own range of IPv4, and no IPv6 yet."""
    ranges = cluster.network.ranges
    own = usual(cluster.index, (4,))
    for flag, given, kept in ((SERVICES, ranges.services, own.services), (PODS, ranges.pods, own.pods)):
        if given != kept:
            raise ConfigError(
                f"{flag} {','.join(given)}: on nodes of runtime {cluster.runtime} it must be {kept[0]}, which this "
                "host keeps for the cluster; simulated nodes have any range"
            )
