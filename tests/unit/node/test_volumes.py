"""The volumes of a pod: what they hold, how contents are exchanged, what is refused."""

import base64
import json
import os
from pathlib import Path

import pytest
from msgspec import convert
from msgspec.structs import replace

from knarr.client.api import Api
from knarr.kinds.types.core_v1 import (
    ContainerStatus,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    NFSVolumeSource,
    PersistentVolume,
    PersistentVolumeClaim,
)
from knarr.node.config import NodeConfig
from knarr.node.runtimes.runtime import Mount
from knarr.node.volumes import empty_dir, growth, host_path, mounts, nfs, ownership, projected
from knarr.node.volumes.claim import Bound
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


async def test_nobody_else_on_the_machine_gets_to_a_pods_secrets(world, tmp_path):
    mount = await mounted(world[1], a_pod_with({"secret": {"secretName": "sec"}}))
    pods = tmp_path / "node" / "pods"
    assert [each.stat().st_mode & 0o7777 for each in (pods, mount.source.parent.parent)] == [0o750, 0o750]
    assert mount.source.parent.parent.parent == pods


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
    "a type that nobody knows any more": (
        {"flocker": {"datasetName": "x"}},
        'MountVolume.SetUp failed for volume "v" : no volume plugin matched',
    ),
    "a server whose name is an option of mount": (
        {"nfs": {"server": "-obind", "path": "/etc"}},
        'MountVolume.SetUp failed for volume "v" : nfs.server: Invalid value: "-obind": must not begin with "-"',
    ),
    "a disk of a cloud": (
        {"gcePersistentDisk": {"pdName": "x"}},
        'MountVolume.MountDevice failed for volume "v" : kubernetes.io/csi: attacher.MountDevice failed to create '
        "newCsiDriverClient: driver name pd.csi.storage.gke.io not found in the list of registered CSI drivers",
    ),
    "an image that is not there": (
        {"image": {"reference": "nowhere:1"}},
        'MountVolume.SetUp failed for volume "v" : failed to resolve reference "nowhere:1": not found on this node, '
        "and there is no registry to pull from",
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


async def test_contents_that_are_gone_keep_no_others_from_being_brought_up_to_date(world):
    server, folders = world
    volumes = [{"name": name, "configMap": {"name": name}} for name in ("gone", "cm")]
    await server.put(f"{DEFAULT}/configmaps/gone", {"metadata": {}, "data": {"a": "A"}}, "ADDED")
    paths = [{"name": name, "mountPath": f"/{name}"} for name in ("gone", "cm")]
    pod = a_pod(volumes=volumes, container={"volumeMounts": paths})
    await folders.prepare(pod)
    places = [mount.source for mount in await folders.mounts(pod, pod.spec.containers[0], {})]
    del server.objects[f"{DEFAULT}/configmaps/gone"]
    server.objects[f"{DEFAULT}/configmaps/cm"]["data"] = {"a.txt": "new"}
    with pytest.raises(VolumeError, match='configmap "gone" not found'):
        await folders.refresh(pod)
    assert [contents(place) for place in places] == [{"a": b"A"}, {"a.txt": b"new"}]


async def test_an_empty_directory_is_everybodys_and_goes_with_the_pod(world):
    pod = a_pod_with({"emptyDir": {}})
    mount = await mounted(world[1], pod)
    assert mount.source.is_dir() and mount.source.stat().st_mode & 0o777 == 0o777 and not mount.read_only
    await world[1].tear_down(pod)
    assert not mount.source.exists()


def test_what_a_pod_made_of_its_empty_directory_stays_so_when_the_agent_starts_anew(tmp_path):
    folder = empty_dir.make(EmptyDirVolumeSource(), tmp_path / "volumes" / "v", None)
    assert folder.stat().st_mode & 0o7777 == 0o777
    folder.chmod(0o700)
    assert empty_dir.make(EmptyDirVolumeSource(), folder, None).stat().st_mode & 0o7777 == 0o700
    assert [each.name for each in folder.parent.iterdir()] == ["v"]


async def bind(server, *, claim=None, modes=("ReadWriteOnce",), meta=None, status=None, **spec):
    """Put the claim `data` there, bound to the volume `pv` of this spec."""
    there = {
        "metadata": {"uid": "c", **(claim or {})},
        "spec": {"volumeName": "pv", "accessModes": list(modes)},
        "status": {"phase": "Bound", **(status or {})},
    }
    await server.put(f"{DEFAULT}/persistentvolumeclaims/data", there, "ADDED")
    spec = {"claimRef": {"namespace": "default", "name": "data", "uid": "c"}} | spec
    await server.put(
        "/api/v1/persistentvolumes/pv", {"metadata": {"name": "pv", **(meta or {})}, "spec": spec}, "ADDED"
    )


def claiming(*, read_only=False, **mount):
    return a_pod_with({"persistentVolumeClaim": {"claimName": "data", "readOnly": read_only}}, **mount)


async def test_a_claim_is_its_volumes_directory(world, tmp_path):
    server, folders = world
    await bind(server, hostPath={"path": str(tmp_path / "pv"), "type": "DirectoryOrCreate"})
    pod = claiming(read_only=True, subPath="sub")
    assert await mounted(folders, pod) == Mount(tmp_path / "pv" / "sub", "/v", read_only=True, within=tmp_path / "pv")


async def test_a_directory_made_for_a_claim_is_everybodys_to_write_to(world, tmp_path):
    meta = {"annotations": {"pv.kubernetes.io/provisioned-by": "rancher.io/local-path"}}
    await bind(world[0], meta=meta, hostPath={"path": str(tmp_path / "pv"), "type": "DirectoryOrCreate"})
    mount = await mounted(world[1], claiming())
    assert mount.source.stat().st_mode & 0o777 == 0o777


UNMOUNTABLE = {
    "a disk of a cloud": (
        {"awsElasticBlockStore": {"volumeID": "x"}},
        'MountVolume.MountDevice failed for volume "pv" : kubernetes.io/csi: attacher.MountDevice failed to create '
        "newCsiDriverClient: driver name ebs.csi.aws.com not found in the list of registered CSI drivers",
    ),
    "a volume of a driver": (
        {"csi": {"driver": "x.example.com", "volumeHandle": "1"}},
        'MountVolume.MountDevice failed for volume "pv" : kubernetes.io/csi: attacher.MountDevice failed to create '
        "newCsiDriverClient: driver name x.example.com not found in the list of registered CSI drivers",
    ),
    "a sort that nobody knows any more": (
        {"glusterfs": {"endpoints": "e", "path": "p"}},
        'MountVolume.SetUp failed for volume "pv" : no volume plugin matched',
    ),
    "a block device": (
        {"volumeMode": "Block", "local": {"path": "/dev/null"}},
        'MapVolume.SetUpDevice failed for volume "pv" : block volumes are not available on this node',
    ),
    "a directory that nobody made": (
        {"local": {"path": "/nowhere"}},
        'MountVolume.SetUp failed for volume "pv" : path "/nowhere" does not exist',
    ),
    "another claim's volume": (
        {"claimRef": {"namespace": "default", "name": "data", "uid": "other"}, "local": {"path": "/"}},
        'MountVolume.SetUp failed for volume "v" : persistentvolume "pv" is bound to another claim',
    ),
}


@pytest.mark.parametrize("spec, message", UNMOUNTABLE.values(), ids=UNMOUNTABLE)
async def test_a_claims_volume_that_cannot_be_had_says_why(world, spec, message):
    await bind(world[0], **spec)
    with pytest.raises(VolumeError) as caught:
        await world[1].prepare(claiming())
    assert str(caught.value) == message


async def test_a_claim_that_is_going_is_for_pods_that_run_only(world, tmp_path):
    going = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    await bind(world[0], claim=going, hostPath={"path": str(tmp_path)})
    with pytest.raises(VolumeError, match='persistentvolumeclaim "data" is being deleted'):
        await world[1].prepare(claiming())
    running = replace(claiming().status, containerStatuses=[ContainerStatus(name="c", containerID="sandbox://1")])
    await world[1].prepare(replace(claiming(), status=running))


async def test_a_claim_of_one_pod_alone_is_given_to_no_second_until_the_first_is_gone(world, tmp_path):
    await bind(world[0], modes=["ReadWriteOncePod"], hostPath={"path": str(tmp_path)})
    first, second = claiming(), claiming()
    second = replace(second, metadata=replace(second.metadata, name="b", uid="b"))
    await world[1].prepare(first)
    await world[1].prepare(first)
    with pytest.raises(VolumeError, match="ReadWriteOncePod access mode and is already in use by another pod"):
        await world[1].prepare(second)
    await world[1].tear_down(first)
    await world[1].prepare(second)


def anew(server, tmp_path):
    """The volumes of an agent that was started again."""
    config = NodeConfig(name="n0", node_ip="127.0.0.1", folder=tmp_path / "node")
    return Folders(Api(server, KINDS), config, {})


async def test_a_claim_of_one_pod_alone_stays_its_own_when_the_agent_starts_anew(world, tmp_path):
    server, folders = world
    await bind(server, modes=["ReadWriteOncePod"], hostPath={"path": str(tmp_path)})
    first, second = claiming(), claiming()
    second = replace(second, metadata=replace(second.metadata, name="b", uid="b"))
    await folders.prepare(first)
    folders = anew(server, tmp_path)
    (left,) = await folders.recall()
    assert (left.namespace, left.name, left.uid) == ("default", "a", "uid-of-a")
    with pytest.raises(VolumeError, match="already in use by another pod"):
        await folders.prepare(second)
    await folders.prepare(first)
    await folders.tear_down(first)
    await folders.prepare(second)


async def test_a_claim_of_one_pod_alone_is_free_when_that_pod_has_no_process_left(world, tmp_path):
    server, folders = world
    await bind(server, modes=["ReadWriteOncePod"], hostPath={"path": str(tmp_path)})
    first, second = claiming(), claiming()
    second = replace(second, metadata=replace(second.metadata, name="b", uid="b"))
    await folders.prepare(first)
    await folders.give_back(first)
    folders = anew(server, tmp_path)
    await folders.recall()
    await folders.prepare(second)


@pytest.mark.parametrize("record", ["", "{", "[]", '{"name": 1}'])
async def test_a_record_that_cannot_be_read_is_a_pod_that_is_not_known(world, tmp_path, record):
    folder = tmp_path / "node" / "pods" / "u"
    folder.mkdir(parents=True)
    (folder / "pod.json").write_text(record)
    (left,) = await world[1].recall()
    assert (left.namespace, left.name, left.uid) == ("", "", "u")
    (tmp_path / "node" / "logs" / "ns_web-0_u").mkdir(parents=True)
    (left,) = await world[1].recall()
    assert (left.namespace, left.name, left.uid) == ("ns", "web-0", "u")


async def test_a_pod_that_runs_goes_on_with_what_it_has_of_an_object_that_is_gone(world, tmp_path):
    server, folders = world
    volumes = [{"name": name, "configMap": {"name": name}} for name in ("gone", "cm")]
    await server.put(f"{DEFAULT}/configmaps/gone", {"metadata": {}, "data": {"a": "A"}}, "ADDED")
    pod = a_pod(
        volumes=volumes, container={"volumeMounts": [{"name": each["name"], "mountPath": "/"} for each in volumes]}
    )
    await folders.prepare(pod)
    del server.objects[f"{DEFAULT}/configmaps/gone"]
    server.objects[f"{DEFAULT}/configmaps/cm"]["data"] = {"a.txt": "new"}
    why = 'MountVolume.SetUp failed for volume "gone" : configmap "gone" not found'
    assert await anew(server, tmp_path).prepare(pod, runs=True) == why
    again = anew(server, tmp_path)
    assert await again.prepare(pod, runs=True) == why
    places = [mount.source for mount in await again.mounts(pod, pod.spec.containers[0], {})]
    assert [contents(place) for place in places] == [{"a": b"A"}, {"a.txt": b"new"}]
    with pytest.raises(VolumeError, match='configmap "gone" not found'):
        await anew(server, tmp_path).prepare(pod)


async def test_what_cannot_be_removed_of_a_pod_is_named_and_the_rest_goes(world, tmp_path, monkeypatch):
    pod = a_pod_with({"emptyDir": {}})
    mount = await mounted(world[1], pod)
    for name in ("a", "stuck", "z"):
        (mount.source / name).touch()
    plain = os.unlink

    def unlink(path, **where):
        if path == "stuck":
            raise PermissionError(1, "Operation not permitted", path)
        plain(path, **where)

    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(VolumeError, match=r"/v/stuck is not removed: Operation not permitted"):
        await world[1].tear_down(pod)
    assert [each.name for each in mount.source.iterdir()] == ["stuck"]
    monkeypatch.undo()
    await world[1].tear_down(pod)
    assert not list((tmp_path / "node" / "pods").iterdir())


async def test_a_directory_that_grew_beyond_its_limit_is_named(world):
    pod = a_pod_with({"emptyDir": {"sizeLimit": "8Ki"}})
    mount = await mounted(world[1], pod)
    assert await world[1].excess(pod) == ""
    (mount.source / "x").write_bytes(b"x" * 20_000)
    assert await world[1].excess(pod) == 'Usage of EmptyDir volume "v" exceeds the limit "8Ki". '


GROWN = {"conditions": [{"type": "FileSystemResizePending", "status": "True"}, {"type": "x/y", "status": "True"}]}


def grown(has, asked="2Gi", status=GROWN):
    claim = {"spec": {"resources": {"requests": {"storage": asked}}}, "status": status, "metadata": {"uid": "c"}}
    volume = {"spec": {"capacity": {"storage": has}}}
    return Bound(convert(claim, PersistentVolumeClaim), convert(volume, PersistentVolume))


LEFT = {
    "a claim whose volume has grown": (grown("2Gi"), True),
    "a claim whose volume has not grown yet": (grown("1Gi"), False),
    "a claim that waits for nobody": (grown("2Gi", status={}), False),
}


@pytest.mark.parametrize("found, left", LEFT.values(), ids=LEFT)
def test_a_node_finishes(found, left):
    assert growth.is_left(found) is left


def test_what_has_grown_says_so_and_keeps_what_others_said():
    status = growth.patch(grown("3Gi"))["status"]
    assert (status["capacity"], [each["type"] for each in status["conditions"]]) == ({"storage": "3Gi"}, ["x/y"])
    assert (status["allocatedResources"], status["allocatedResourceStatuses"]) == (None, None)


def test_a_file_with_two_names_counts_once(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 8192)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert empty_dir.used(tmp_path) == (tmp_path / "a").stat().st_blocks * 512


def test_a_mount_is_found_whatever_its_name():
    assert mounts.unescaped(r"/a\040b/\134/ä") == "/a b/\\/ä"
    assert "/proc" in mounts.below(Path("/proc"))
    assert mounts.below(Path("/nowhere")) == []


def test_a_group_gets_a_volumes_files_but_not_what_links_point_at(tmp_path):
    volume, outside = tmp_path / "volume", tmp_path / "outside"
    (volume / "sub").mkdir(parents=True)
    (volume / "sub" / "file").touch(0o600)
    outside.touch(0o600)
    (volume / "link").symlink_to(outside)
    group = os.getgid() + (1 if os.geteuid() == 0 else 0)
    ownership.give(volume, group, only_if_needed=False)
    assert (volume / "sub" / "file").stat().st_mode & 0o777 == 0o660
    assert (volume / "sub").stat().st_mode & 0o7770 == 0o2770
    assert (volume / "sub" / "file").stat().st_gid == group
    assert outside.stat().st_mode & 0o777 == 0o600
    (volume / "sub" / "file").chmod(0o600)
    ownership.give(volume, group, only_if_needed=True)
    assert (volume / "sub" / "file").stat().st_mode & 0o777 == 0o600


NFS = NFSVolumeSource(server="storage", path="/data/v1")
ARGUMENTS = {
    "as it is": (NFS, (), False, "-t nfs storage:/data/v1 /f"),
    "for reading": (replace(NFS, readOnly=True), (), False, "-t nfs -o ro storage:/data/v1 /f"),
    "with the volume's options": (NFS, ("vers=4.1", "hard"), True, "-t nfs -o vers=4.1,hard,ro storage:/data/v1 /f"),
    "of an address with colons": (replace(NFS, server="fd00::1"), (), False, "-t nfs [fd00::1]:/data/v1 /f"),
}


@pytest.mark.parametrize("source, options, read_only, said", ARGUMENTS.values(), ids=ARGUMENTS)
def test_the_hosts_mount_is_asked_for_nfs(source, options, read_only, said):
    assert " ".join(nfs.mount_arguments(source, Path("/f"), options, read_only=read_only)) == said


async def test_a_mount_that_fails_says_what_mount_said(world, tmp_path, monkeypatch):
    folder = tmp_path / "commands"
    folder.mkdir()
    (folder / "mount").write_text("#!/bin/sh\necho mount: no route to storage >&2\nexit 32\n")
    (folder / "mount").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    await bind(world[0], nfs={"server": "storage", "path": "/data"}, mountOptions=["soft"])
    with pytest.raises(VolumeError) as caught:
        await world[1].prepare(claiming())
    place = tmp_path / "node/pods/uid-of-a/volumes/v"
    assert str(caught.value).startswith(
        'MountVolume.SetUp failed for volume "pv" : mount failed: exit status 32\nMounting command: mount\n'
        f"Mounting arguments: -t nfs -o soft storage:/data {place}\nOutput: mount: no route to storage\n"
    )


async def test_a_mount_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(nfs, "SECONDS", 0.05)
    assert await nfs.run("sleep", ["60"]) == (124, "sleep: no answer within 0 s\n")
    assert await nfs.run("no-such-command", []) == (127, "no-such-command: command not found\n")


TOKENS = {
    "everybody's where nobody is named": ({}, 0o644, None),
    "the group's alone": ({"fsGroup": 7}, 0o600, None),
    "the one user's alone": ({"runAsUser": 9}, 0o600, 9),
}


@pytest.mark.parametrize("context, mode, user", TOKENS.values(), ids=TOKENS)
def test_a_token_is(context, mode, user):
    pod = a_pod(securityContext=context)
    assert projected.token_file(pod, "t", None) == File(b"t", mode, user)


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


@pytest.mark.parametrize("mode", [0o777, 0o2770, 0o755])
def test_a_path_that_is_made_may_be_used_by_whoever_may_use_the_volume(tmp_path, mode):
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(mode)
    _, made = inside(volume, checked("a/b"))
    assert [each.stat().st_mode & 0o7777 for each in (made.parent, made)] == [mode, mode]


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
