"""Released local-path volumes: whose they are, what is removed, and what never is."""

import asyncio

import msgspec
import pytest

from knarr.client.api import Api
from knarr.client.informer import Informers
from knarr.kinds.types.core_v1 import PersistentVolume
from knarr.node.local_path import FINALIZER, Cleaner, directory, released_here, remove
from knarr.node.volumes import mounts
from knarr.node.volumes.volume import VolumeError
from tests.unit.node.fake_api import FakeApi
from tests.unit.node.test_agent import KINDS


def tree(path, node="n0", deleted=True, finalizers=(FINALIZER, "x/y"), policy="Delete", phase="Released"):
    rule = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "metadata": {
            "name": "pv",
            "uid": "u",
            "finalizers": list(finalizers),
            **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {}),
        },
        "spec": {
            "persistentVolumeReclaimPolicy": policy,
            "hostPath": {"path": str(path)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}},
        },
        "status": {"phase": phase},
    }


CASES = {
    "deleted and ours": ({}, True),
    "not deleted": ({"deleted": False}, False),
    "another node's": ({"node": "n1"}, False),
    "without the finalizer": ({"finalizers": ()}, False),
    "bound again": ({"phase": "Bound"}, False),
    "still in use": ({"finalizers": (FINALIZER, "kubernetes.io/pv-protection")}, False),
}


@pytest.mark.parametrize("changes, ours", CASES.values(), ids=CASES)
def test_whose_a_volume_is(changes, ours):
    assert released_here(msgspec.convert(tree("/x/pv", **changes), PersistentVolume), "n0") is ours


@pytest.mark.parametrize(
    "path, removable",
    {"pv_default_data": True, "a/b": False, "../other": False, ".": False, "..": False}.items(),
)
def test_only_a_direct_child_is_removed(tmp_path, path, removable):
    volume = msgspec.convert(tree(f"{tmp_path}/{path}"), PersistentVolume)
    assert (directory(volume, tmp_path) is not None) is removable


async def test_a_link_is_left_alone(tmp_path):
    (tmp_path / "link").symlink_to("/etc")
    assert directory(msgspec.convert(tree(tmp_path / "link"), PersistentVolume), tmp_path) is None


def test_nothing_is_removed_while_something_is_mounted_in_it(tmp_path, monkeypatch):
    (tmp_path / "pv" / "disk").mkdir(parents=True)
    monkeypatch.setattr(mounts, "below", lambda path: [f"{path}/disk"])
    with pytest.raises(VolumeError, match="is mounted"):
        remove(tmp_path / "pv")
    assert (tmp_path / "pv" / "disk").is_dir()


@pytest.mark.parametrize("policy, kept", [("Delete", False), ("Retain", True)])
async def test_a_released_volume_loses_its_directory_unless_it_is_retained_and_then_the_finalizer(
    tmp_path, policy, kept
):
    (tmp_path / "pv").mkdir()
    (tmp_path / "pv" / "data").write_text("x")
    server = FakeApi()
    api = Api(server, KINDS)
    await server.put("/api/v1/persistentvolumes/pv", tree(tmp_path / "pv", policy=policy), "ADDED")

    def left():
        return server.objects["/api/v1/persistentvolumes/pv"]["metadata"]["finalizers"]

    async with Informers(api) as informers:
        cleaning = asyncio.ensure_future(Cleaner(api, informers, "n0", tmp_path).run())
        async with asyncio.timeout(60), server.moved:
            await server.moved.wait_for(lambda: left() == ["x/y"])
        cleaning.cancel()
    assert (tmp_path / "pv").exists() is kept
