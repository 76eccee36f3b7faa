"""What a node's agent is told: above all, what its pods must not see."""

import json
import stat
from pathlib import Path

import pytest

from knarr.app import agents, startup
from knarr.app.config import Cluster
from knarr.node import config

SECRETS = {
    "the kubeconfig that was asked for": ({"kubeconfig": Path("/k/asked")}, "/k/env", {"/k/asked"}),
    "those of the environment": ({}, "/k/one:/k/two", {"/k/one", "/k/two"}),
    "the user's own": ({}, "", {"/root/.kube/config"}),
    "the tokens": ({"token_auth_file": Path("/t/tokens")}, "/k/env", {"/k/env", "/t/tokens"}),
}


@pytest.mark.parametrize(("changes", "variable", "expected"), SECRETS.values(), ids=SECRETS)
def test_pods_do_not_see(monkeypatch, changes, variable, expected):
    monkeypatch.setenv("KUBECONFIG", variable)
    monkeypatch.setenv("KNARR_HOME", "/knarr")
    monkeypatch.setenv("HOME", "/root")
    cluster = Cluster(name="c", data_dir=Path("/data/c"), **changes)
    told = config.from_tree(json.loads(json.dumps(agents.configuration(cluster, "c-0"))))
    assert set(map(str, told.hidden)) == expected | {"/knarr", "/data/c"}


def test_the_data_directory_is_its_owners_alone(tmp_path):
    cluster = Cluster(name="c", data_dir=tmp_path / "made" / "c")
    with startup.locked(cluster):
        modes = {folder: stat.S_IMODE(folder.stat().st_mode) for folder in (cluster.data_dir, cluster.run)}
    assert set(modes.values()) == {0o700}
