from pathlib import Path

from kopf.testing import KopfRunner

HERE = Path(__file__).parent
BOAT = {"apiVersion": "example.com/v1", "kind": "Boat", "metadata": {"name": "skuld"}, "spec": {"oars": 3}}


def test_a_boat_has_a_rower_for_each_oar(knarr, knarr_kubeconfig):
    knarr.apply(HERE / "boats.yaml")
    with KopfRunner(["run", "--standalone", "--namespace", "default", str(HERE / "operator.py")]):
        knarr.apply(BOAT)
        knarr.wait("boat/skuld", jsonpath="{.status.aboard}=3")

        knarr.patch("boat/skuld", {"spec": {"oars": 5}})
        knarr.wait_all("pods", labels="boat=skuld", count=5, condition="Ready")

        knarr.delete("boat/skuld")
        knarr.wait_gone("pods", labels="boat=skuld")
