"""Clusters of two homes on one host: neither knows of the other, and neither takes what the other has."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from knarr.app import config
from knarr.app.config import Cluster
from tests.e2e.conftest import Kubectl, knarr

pytestmark = pytest.mark.e2e
UP = ["--nodes", "1", "--runtime", "sandbox", "--upstream-dns", "127.0.0.1", "--port", "0"]


@pytest.fixture
def other_home(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home that knows nothing of the tests' cluster, while that runs."""
    with monkeypatch.context() as changed:
        changed.setenv("KNARR_HOME", str(tmp_path / "home"))
        changed.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        try:
            yield tmp_path
        finally:
            knarr("down", "--name", "second", "--delete-data", check=False)


def links() -> set[str]:
    said = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    return {line.split(": ")[1].partition("@")[0] for line in said.splitlines()}


def test_a_second_cluster_takes_the_next_addresses(cluster: Cluster, other_home: Path):
    before = links()
    knarr("up", "--name", "second", *UP)
    second = config.find("second")
    assert second is not None
    assert second.index == cluster.index + 1
    assert before <= links()
    assert "Ready" in Kubectl()("get", "nodes")
    knarr("down", "--name", "second")
    assert links() == before
    first = f"https://{cluster.network.host}:{cluster.port}/readyz"
    assert subprocess.run(["curl", "-sk", "-m", "60", first], capture_output=True, check=False).stdout == b"ok"


def test_one_of_the_same_name_or_the_same_addresses_is_refused(cluster: Cluster, other_home: Path):
    refused = knarr("up", "--name", cluster.name, *UP, check=False)
    assert refused.returncode != 0
    assert "another cluster 'e2e' has nodes on this host (knarr0); choose another --name" in refused.stderr
    knarr("up", "--name", "second", *UP)
    knarr("down", "--name", "second")
    second = config.find("second")
    assert second is not None
    subprocess.run(["ip", "link", "add", second.network.bridge, "type", "bridge"], check=True)
    try:
        refused = knarr("up", "--name", "second", *UP, check=False)
        assert refused.returncode != 0
        assert "the addresses of cluster 'second' are in use: bridge knarr1 is of something else" in refused.stderr
    finally:
        subprocess.run(["ip", "link", "delete", second.network.bridge], check=True)


RANGES = {
    "no range": ("172.30.0.200-x", "'172.30.0.200-x' is no range of addresses"),
    "backwards": ("172.30.0.9-172.30.0.2", "is no range of addresses"),
    "too many": ("11.0.0.0/8", "at most 4096 addresses"),
    "of the pods": ("10.243.7.0/24", "overlaps the pods' range"),
    "of the services": ("10.97.0.50", "overlaps the services' range"),
    "of the host": ("172.30.1.1", "overlaps the host's address on the bridge"),
    "of a node": ("172.30.1.2-172.30.1.9", "overlaps the address of node second-0"),
    "of everybody": ("224.0.0.9", "overlaps the range without hosts"),
}


def test_a_range_for_balancers_that_cannot_be_is_refused(other_home: Path):
    for name, (text, why) in RANGES.items():
        refused = knarr("up", "--name", "second", *UP, "--load-balancer-addresses", text, check=False)
        assert refused.returncode != 0, name
        assert why in refused.stderr, name
        assert sys.executable not in refused.stderr, name
