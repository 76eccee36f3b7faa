"""The volumes of a pod: what they hold, how contents are exchanged, what is refused."""

import base64
import json
import os

import pytest

from knarr.client.api import Api
from knarr.kinds.types.core_v1 import HostPathVolumeSource
from knarr.node.config import NodeConfig
from knarr.node.runtimes.runtime import Mount
from knarr.node.volumes import host_path
from knarr.node.volumes.folder import Folders
from knarr.node.volumes.subpath import inside
from knarr.node.volumes.volume import File, VolumeError, checked, contents, write
from tests.unit.node.builders import a_pod
from tests.unit.node.fake_api import FakeApi
from tests.unit.node.test_agent import KINDS

DEFAULT = "/api/v1/namespaces/default"


@pytest.fixture
async def world(tmp_path):
    server = FakeApi()
    await server.put(f"{DEFAULT}/configmaps/cm", {"metadata": {}, "data": {"a.txt": "A", "b.txt": "B"}}, "ADDED")
    secret = {"metadata": {}, "data": {"key": base64.b64encode(b"s3cret").decode()}}
    await server.put(f"{DEFAULT}/secrets/sec", secret, "ADDED")
    config = NodeConfig(name="n0", node_ip="127.0.0.1", folder=tmp_path / "node")
    return server, Folders(Api(server, KINDS), config, {"cpu": "4", "memory": "1Gi"})


def a_pod_with(volume, **mount):
    return a_pod(
        meta={"labels": {"app": "x"}},
        volumes=[{"name": "v"} | volume],
        container={"volumeMounts": [{"name": "v", "mountPath": "/v"} | mount]},
    )


async def mounted(folders, pod, env=None):
    await folders.prepare(pod)
    return (await folders.mounts(pod, pod.spec.containers[0], env or {}))[0]


def seen(folder):
    return {
        each.relative_to(folder).as_posix(): each.read_bytes()
        for each in folder.rglob("*")
        if each.is_file() and ".." not in each.as_posix()
    }


CONTENTS = {
    "a config map": ({"configMap": {"name": "cm"}}, {"a.txt": b"A", "b.txt": b"B"}),
    "some keys of a config map": (
        {"configMap": {"name": "cm", "items": [{"key": "a.txt", "path": "x/y"}]}},
        {"x/y": b"A"},
    ),
    "a secret": ({"secret": {"secretName": "sec"}}, {"key": b"s3cret"}),
    "an optional map that is not there": ({"configMap": {"name": "none", "optional": True}}, {}),
    "the pod's own fields": (
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"labels": b'app="x"'},
    ),
    "several sources": (
        {"projected": {"sources": [{"configMap": {"name": "cm"}}, {"secret": {"name": "sec"}}]}},
        {"a.txt": b"A", "b.txt": b"B", "key": b"s3cret"},
    ),
}


@pytest.mark.parametrize("volume, files", CONTENTS.values(), ids=CONTENTS)
async def test_a_volume_from_objects_holds_their_keys(world, volume, files):
    mount = await mounted(world[1], a_pod_with(volume))
    assert mount.read_only
    assert contents(mount.source) == files
    assert all((mount.source / name).read_bytes() == value for name, value in files.items())


FAILURES = {
    "a config map that is not there": (
        {"configMap": {"name": "none"}},
        'MountVolume.SetUp failed for volume "v" : configmap "none" not found',
    ),
    "a secret that is not there": (
        {"secret": {"secretName": "none"}},
        'MountVolume.SetUp failed for volume "v" : secret "none" not found',
    ),
    "a key that is not there": (
        {"configMap": {"name": "cm", "items": [{"key": "c", "path": "c"}]}},
        'MountVolume.SetUp failed for volume "v" : references non-existent config key: c',
    ),
    "a claim that is not there": (
        {"persistentVolumeClaim": {"claimName": "none"}},
        'MountVolume.SetUp failed for volume "v" : persistentvolumeclaim "none" not found',
    ),
    "a type this node has not": (
        {"nfs": {"server": "x", "path": "/"}},
        'MountVolume.SetUp failed for volume "v" : this type of volume is not available on this node',
    ),
}


@pytest.mark.parametrize("volume, message", FAILURES.values(), ids=FAILURES)
async def test_a_volume_that_cannot_be_had_says_why(world, volume, message):
    with pytest.raises(VolumeError) as caught:
        await world[1].prepare(a_pod_with(volume))
    assert str(caught.value) == message


async def test_a_changed_object_changes_the_files_at_once(world):
    server, folders = world
    pod = a_pod_with({"configMap": {"name": "cm"}})
    mount = await mounted(folders, pod)
    await server.put(f"{DEFAULT}/configmaps/cm", {"metadata": {}, "data": {"a.txt": "new"}}, "MODIFIED")
    server.objects[f"{DEFAULT}/configmaps/cm"]["data"] = {"a.txt": "new"}
    await folders.refresh(pod)
    assert contents(mount.source) == {"a.txt": b"new"} and not (mount.source / "b.txt").exists()


async def test_an_empty_directory_is_everybodys_and_goes_with_the_pod(world):
    pod = a_pod_with({"emptyDir": {}})
    mount = await mounted(world[1], pod)
    assert mount.source.is_dir() and mount.source.stat().st_mode & 0o777 == 0o777 and not mount.read_only
    await world[1].tear_down(pod)
    assert not mount.source.exists()


async def test_a_claim_is_its_volumes_directory(world, tmp_path):
    server, folders = world
    claim = {"metadata": {}, "spec": {"volumeName": "pv"}, "status": {"phase": "Bound"}}
    await server.put(f"{DEFAULT}/persistentvolumeclaims/data", claim, "ADDED")
    volume = {
        "metadata": {"name": "pv"},
        "spec": {"hostPath": {"path": str(tmp_path / "pv"), "type": "DirectoryOrCreate"}},
    }
    await server.put("/api/v1/persistentvolumes/pv", volume, "ADDED")
    pod = a_pod_with({"persistentVolumeClaim": {"claimName": "data", "readOnly": True}}, subPath="sub")
    assert await mounted(folders, pod) == Mount(tmp_path / "pv" / "sub", "/v", read_only=True, within=tmp_path / "pv")


async def test_a_sub_path_may_come_from_the_environment(world):
    pod = a_pod_with({"emptyDir": {}}, subPathExpr="logs/$(NAME)")
    mount = await mounted(world[1], pod, {"NAME": "a"})
    assert mount.source.parts[-2:] == ("logs", "a") and mount.source.is_dir()


async def test_a_pods_token_is_asked_for_once_and_renewed_before_it_ends(world):
    server, folders = world
    asked, plain = [], server.send

    async def send(request):
        if not request.path.endswith("/token"):
            return await plain(request)
        asked.append(json.loads(request.body)["spec"])
        answer = await plain(type(request)("GET", f"{DEFAULT}/configmaps/cm"))
        answer.body = json.dumps({"status": {"token": f"t{len(asked)}"}}).encode()
        return answer

    server.send = send
    source = {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}
    pod = a_pod_with({"projected": {"sources": [source]}})
    mount = await mounted(folders, pod)
    await folders.refresh(pod)
    assert contents(mount.source) == {"token": b"t1"}
    assert [(each["boundObjectRef"]["uid"], each["expirationSeconds"]) for each in asked] == [("uid-of-a", 3607)]


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", ""])
def test_a_path_that_leads_out_is_refused(path):
    with pytest.raises(VolumeError):
        checked(path)


def test_a_link_that_leads_out_is_refused(tmp_path):
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "link").symlink_to("/etc")
    with pytest.raises(VolumeError, match="leads out"):
        inside(tmp_path / "volume", checked("link/passwd"))


def test_a_link_within_is_followed_and_what_is_missing_made(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert inside(tmp_path, checked("link/a/b")) == (tmp_path, tmp_path / "real" / "a" / "b")
    assert (tmp_path / "real" / "a" / "b").is_dir()


def test_a_link_made_meanwhile_is_not_followed(tmp_path, monkeypatch):
    outside, volume = tmp_path / "outside", tmp_path / "volume"
    outside.mkdir()
    volume.mkdir()
    plain = os.path.realpath

    def swapping(path):
        found = plain(path)
        if str(path).endswith("sub/x"):
            (volume / "sub").symlink_to(outside)
        return found

    monkeypatch.setattr(os.path, "realpath", swapping)
    with pytest.raises(VolumeError, match="Not a directory"):
        inside(volume, checked("sub/x"))
    assert list(outside.iterdir()) == []


def test_writing_the_same_again_changes_nothing(tmp_path):
    assert write(tmp_path / "v", {"a": File(b"1", 0o600)}, None) is True
    before = (tmp_path / "v" / "..data").readlink()
    assert write(tmp_path / "v", {"a": File(b"1", 0o600)}, None) is False
    assert (tmp_path / "v" / "..data").readlink() == before
    assert (tmp_path / "v" / "a").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("goal", ["..", "../kept", "{kept}", "gone"])
def test_contents_elsewhere_are_neither_read_nor_removed(tmp_path, goal):
    kept, folder = tmp_path / "kept", tmp_path / "v"
    kept.mkdir()
    (kept / "a").write_bytes(b"1")
    folder.mkdir()
    (folder / "..data").symlink_to(goal.format(kept=kept))
    assert contents(folder) == {}
    assert write(folder, {"a": File(b"1")}, None) is True
    assert (kept / "a").read_bytes() == b"1"
    assert contents(folder) == {"a": b"1"}


HOST_PATHS = {
    "a directory is made": ("DirectoryOrCreate", "new", None),
    "a file is made": ("FileOrCreate", "new", None),
    "any path will do": ("", "file", None),
    "a file is no directory": ("Directory", "file", "is not a directory"),
    "a directory is no file": ("File", "folder", "is not a file"),
    "nothing is no directory": ("Directory", "new", "is not a directory"),
    "a file is no socket": ("Socket", "file", "is not a socket file"),
}


@pytest.mark.parametrize("type_, name, failure", HOST_PATHS.values(), ids=HOST_PATHS)
def test_a_host_path_is_what_its_type_says(tmp_path, type_, name, failure):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    source = HostPathVolumeSource(path=str(tmp_path / name), type=type_)
    if failure is None:
        assert host_path.make(source).exists()
    else:
        with pytest.raises(VolumeError, match=failure):
            host_path.make(source)
