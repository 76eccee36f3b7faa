"""`python -m knarr.app.agent --config FILE`: one node's agent as a process, in the node's network namespace.

Puts together what the rooms do not know of one another: the agent, its runtime, and the pods' network.
"""

import sys
from ipaddress import IPv4Network

from knarr.node import main
from knarr.node.config import NodeConfig
from knarr.node.runtimes.runtime import Runtime


def make_runtime(settings: NodeConfig) -> Runtime:
    """The runtime the configuration names."""
    if settings.runtime == "simulated":
        return main.simulated(settings)
    from knarr.net.families import FOUR
    from knarr.net.node_pods import PodNetwork
    from knarr.net.plan import NetworkPlan
    from knarr.node.images.store import ImageStore

    (range_,) = (each for each in settings.pod_cidrs if FOUR.has(each))
    octets = IPv4Network(range_).network_address.packed
    plan = NetworkPlan(
        settings.cluster,
        244 - octets[1],
        service_cidr=settings.service_cidr,
        cluster_cidr=settings.cluster_cidr,
    )
    network = PodNetwork(plan, octets[2], settings.folder / "addresses.json")
    assert settings.images, "the configuration names no image store"
    if settings.runtime == "containerd":
        from knarr.node.runtimes.containerd.daemon import of_node
        from knarr.node.runtimes.containerd.runtime import ContainerdRuntime

        return ContainerdRuntime(of_node(settings.folder), ImageStore(settings.images), network)
    from knarr.node.runtimes.sandbox.runtime import SandboxRuntime

    images = ImageStore(settings.images)
    return SandboxRuntime(settings.folder / "sandboxes", images, network, hidden=settings.hidden)


if __name__ == "__main__":
    sys.exit(main.main(make_runtime=make_runtime))
