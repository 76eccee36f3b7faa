"""Members of a StatefulSet find each other by SRV, elect the lowest ordinal, and re-form whatever happens to them."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from knarr.app.config import Cluster
from tests.e2e.conftest import ROOT, Kubectl, build, knarr

pytestmark = pytest.mark.e2e
SECONDS = 120.0  #: until the group must have re-formed; it takes two or three


@pytest.fixture
def group(cluster: Cluster, kubectl: Kubectl, namespace: str) -> Callable[..., None]:
    """Three peers; calling it waits until each of those named says the same of leader and members."""
    build(ROOT / "examples/peers", "peers")
    kubectl("apply", "-f", str(ROOT / "examples/peers/peers.yaml"))
    kubectl("rollout", "status", "statefulset/peers", "--timeout=120s")

    def agreed(*asked: int, leader: int | None, members: int | list[int]) -> None:
        names = [f"peers-{n}" for n in (range(members) if isinstance(members, int) else members)]
        wanted = {f"peers-{n}": ("" if leader is None else f"peers-{leader}", names) for n in asked}
        deadline = time.perf_counter() + SECONDS
        while (seen := {name: _view(kubectl, namespace, name) for name in wanted}) != wanted:
            assert time.perf_counter() < deadline, f"{seen} is not {wanted}"
            time.sleep(0.1)

    return agreed


def _view(kubectl: Kubectl, namespace: str, name: str) -> tuple[str, list[str]] | str:
    """What a member says, through the API server's proxy."""
    said = kubectl.run("get", "--raw", f"/api/v1/namespaces/{namespace}/pods/{name}/proxy/")
    if said.returncode:
        return said.stderr
    tree = json.loads(said.stdout)
    return tree["leader"], tree["members"]


def test_a_group_follows_scaling_and_the_loss_of_a_pod(group: Callable[..., None], kubectl: Kubectl) -> None:
    group(0, 1, 2, leader=0, members=3)
    kubectl("scale", "statefulset", "peers", "--replicas=5")
    group(0, 1, 2, 3, 4, leader=0, members=5)
    kubectl("scale", "statefulset", "peers", "--replicas=3")
    group(0, 1, 2, leader=0, members=3)
    kubectl.replace("peers-0")
    group(0, 1, 2, leader=0, members=3)


@pytest.fixture
def heal(cluster: Cluster, kubectl: Kubectl) -> Iterator[None]:
    yield
    knarr("node", "heal", "--name", "e2e", "e2e-1")
    kubectl("uncordon", "e2e-0", "e2e-1")
    kubectl("wait", "node/e2e-1", "--for=condition=Ready", "--timeout=120s")


def on_lost(kubectl: Kubectl) -> list[int]:
    """The numbers of the members on the node that will be lost."""
    where = "jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName}{'\\n'}{end}"
    nodes = dict(line.split() for line in kubectl("get", "pods", "-l", "app=peers", "-o", where).splitlines())
    return sorted(int(name.removeprefix("peers-")) for name, node in nodes.items() if node == "e2e-1")


def test_a_group_outlives_a_node(group: Callable[..., None], kubectl: Kubectl, heal: None) -> None:
    while len(lost := on_lost(kubectl)) != 1:  # with two of them a majority would be gone
        full, pod = ("e2e-1", lost[-1]) if lost else ("e2e-0", 2)
        kubectl("cordon", full)
        kubectl.replace(f"peers-{pod}")
        kubectl("uncordon", full)
    (gone,) = lost
    rest = [n for n in range(3) if n != gone]
    group(*rest, leader=0, members=3)
    knarr("node", "partition", "--name", "e2e", "e2e-1")
    group(*rest, leader=rest[0], members=rest)
    kubectl("cordon", "e2e-1")
    kubectl("delete", "pod", f"peers-{gone}", "--force")
    group(0, 1, 2, leader=0, members=3)
