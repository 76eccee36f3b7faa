"""`python -m knarr.app.agent --config FILE`: one node's agent as a process, in the node's network namespace.

Puts together what the rooms do not know of one another: the agent, its runtime, and the pods' network.
"""

import sys

from knarr.node import main
from knarr.node.config import NodeConfig
from knarr.node.runtimes.runtime import Runtime


def make_runtime(settings: NodeConfig) -> Runtime:
    """The runtime the configuration names."""
    if settings.runtime == "simulated":
        return main.simulated(settings)
    from knarr.net.node_pods import PodNetwork
    from knarr.net.plan import NetworkPlan, place_of
    from knarr.node.images.store import ImageStore

    index, number = place_of(settings.node_ip)
    plan = NetworkPlan(
        settings.cluster,
        index,
        service_cidr=settings.service_cidr,
        cluster_cidr=settings.cluster_cidr,
    )
    network = PodNetwork(plan, number, settings.folder / "addresses.json")
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
