"""The operator on nodes with real processes: each rower is a `sleep` in namespaces of its own. Needs root on Linux."""

from pathlib import Path

import pytest
from kopf.testing import KopfRunner

HERE = Path(__file__).parent
BOAT = {"apiVersion": "example.com/v1", "kind": "Boat", "metadata": {"name": "skuld"}, "spec": {"oars": 2}}


@pytest.mark.knarr(runtime="sandbox", nodes=2)
def test_the_rowers_of_a_boat_are_processes(knarr, knarr_kubeconfig):
    knarr.knarr("image", "build", "-t", "rower", str(HERE))
    knarr.apply(HERE / "boats.yaml")
    with KopfRunner(["run", "--standalone", "--namespace", "default", str(HERE / "operator.py")]):
        knarr.apply(BOAT)
        knarr.wait("boat/skuld", jsonpath="{.status.aboard}=2", timeout=120)

        knarr.delete("boat/skuld")
        knarr.wait_gone("pods", labels="boat=skuld", timeout=120)
