"""How many nodes of which runtime the command line asks for, and what becomes of it."""

from pathlib import Path

import pytest

from knarr.app import config
from knarr.app.config import Cluster, ConfigError
from knarr.app.node_counts import by_runtime, scaled, wished

WISHES = {
    "nothing is as before": (None, None, {"nodes": None, "runtime": None}),
    "a number is of the runtime": ("5000", "simulated", {"nodes": 5000, "runtime": "simulated"}),
    "both kinds": ("sandbox=2,simulated=1000", None, {"runtime": "sandbox", "nodes": 2, "simulated": 1000}),
    "simulated ones alone": ("simulated=7", None, {"runtime": "simulated", "nodes": 7}),
    "real ones alone take the simulated ones away": (
        "containerd=1",
        "containerd",
        {"runtime": "containerd", "nodes": 1, "simulated": 0},
    ),
}


@pytest.mark.parametrize(("nodes", "runtime", "expected"), WISHES.values(), ids=WISHES)
def test_wishes(nodes, runtime, expected):
    assert wished(nodes, runtime) == expected


REFUSED = {
    "no number": ("many", None, "--nodes 'many': must be a whole number from 0 to 30000"),
    "too many real ones": ("500", "sandbox", "--nodes '500': must be a whole number from 0 to 200"),
    "an unknown runtime": ("docker=1", None, "--nodes docker=1: unknown runtime 'docker'"),
    "a runtime twice": ("simulated=1,simulated=2", None, "simulated is there twice"),
    "two real runtimes": ("sandbox=1,containerd=1", None, "real nodes of one runtime only"),
    "another runtime": ("sandbox=1", "simulated", "does not go with --runtime simulated"),
    "a negative number": ("simulated=-1", None, "must be a whole number"),
}


@pytest.mark.parametrize(("nodes", "runtime", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused(nodes, runtime, message):
    with pytest.raises(ConfigError) as refusal:
        wished(nodes, runtime)
    assert message in str(refusal.value)


@pytest.mark.parametrize("text", ["12", "simulated=12"])
def test_a_number_to_scale_to_is_of_simulated_nodes(text):
    assert scaled(text) == 12


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("many", "scale simulated 'many': must be a whole number from 0 to 30000"),
        ("-1", "must be a whole number"),
        ("sandbox=3", "scale sandbox=3: only simulated nodes can be scaled"),
        ("sandbox=1,simulated=3", "only simulated nodes can be scaled"),
    ],
)
def test_what_cannot_be_scaled_to_is_refused(text, message):
    with pytest.raises(ConfigError) as refusal:
        scaled(text)
    assert message in str(refusal.value)


def test_numbers_by_runtime():
    assert by_runtime("sandbox=2,simulated=3", "--nodes") == {"sandbox": 2, "simulated": 3}


def test_a_mixed_cluster_knows_which_node_is_which():
    cluster = Cluster(name="c", data_dir=Path("/d"), nodes=2, runtime="sandbox", simulated=2)
    assert cluster.node_names == ["c-0", "c-1", "c-sim-0", "c-sim-1"]
    assert (cluster.is_simulated("c-1"), cluster.is_simulated("c-sim-1")) == (False, True)
    assert cluster.node("c-1").pods == "10.244.1.0/24"


def test_scaling_changes_the_simulated_ones():
    mixed = Cluster(name="c", data_dir=Path("/d"), nodes=2, runtime="sandbox")
    assert mixed.with_simulated(3).node_names == ["c-0", "c-1", "c-sim-0", "c-sim-1", "c-sim-2"]
    alone = Cluster(name="c", data_dir=Path("/d"), nodes=2, runtime="simulated")
    assert alone.with_simulated(3).node_names == ["c-0", "c-1", "c-2"]


def test_a_configuration_is_found_again_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setenv("KNARR_HOME", str(tmp_path))
    cluster = Cluster(name="c", data_dir=tmp_path / "c", simulated=5, simulation=tmp_path / "stages.yaml")
    config.save(cluster)
    assert config.load(cluster.data_dir) == cluster
