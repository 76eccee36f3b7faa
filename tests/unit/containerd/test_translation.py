"""Specs as CRI's configurations, and CRI's states as the agent's."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from knarr.node.runtimes.containerd import messages as cri
from knarr.node.runtimes.containerd import translation
from knarr.node.runtimes.runtime import ContainerSpec, Limits, Mount, SandboxSpec, Seccomp

SANDBOX = SandboxSpec("u1", "db-0", "default", "db-0", Path("/logs/db"), labels={"app": "db"})
IMAGE = cri.Image(id="sha256:1", repo_tags=["docker.io/library/app:1"], uid=cri.Number(value=0))


def a_sandbox(**changes):
    return translation.sandbox_config(replace(SANDBOX, **changes), 0, "/knarr-x")


def a_spec(**changes):
    return ContainerSpec("main", 2, "app:1", Path("/logs/db/main/2.log"), **changes)


def a_container(**changes):
    own = {"/etc/hosts": Path("/pods/u1/hosts")}
    return translation.container_config(a_spec(**changes), a_sandbox(), IMAGE, own)


NAMESPACES = {
    "a pod has its own, and each container its own processes": ({}, (cri.POD, cri.CONTAINER, cri.POD)),
    "processes can be shared": ({"share_processes": True}, (cri.POD, cri.POD, cri.POD)),
    "everything can be the node's": (
        {"host_network": True, "host_pid": True, "host_ipc": True},
        (cri.NODE, cri.NODE, cri.NODE),
    ),
}


@pytest.mark.parametrize("changes, modes", NAMESPACES.values(), ids=NAMESPACES)
def test_namespaces(changes, modes):
    found = a_sandbox(**changes).linux.security_context.namespace_options
    assert (found.network, found.pid, found.ipc) == modes


def test_a_pod_on_the_nodes_network_has_the_nodes_name():
    assert (a_sandbox().hostname, a_sandbox(host_network=True).hostname) == ("db-0", "")


def test_a_pods_own_labels_come_back_without_those_added():
    config = a_sandbox()
    assert config.labels[translation.UID] == "u1"
    assert translation.labels(cri.PodSandbox(labels=config.labels)) == {"app": "db"}


REFUSALS = {
    "nobody asked": ({}, IMAGE, ""),
    "the user is not root": ({"non_root": True, "user": 5}, IMAGE, ""),
    "the user is root": ({"non_root": True, "user": 0}, IMAGE, "container's runAsUser breaks non-root policy"),
    "the image's user is root": (
        {"non_root": True},
        IMAGE,
        "container has runAsNonRoot and image will run as root",
    ),
    "the image says nothing": (
        {"non_root": True},
        cri.Image(),
        "container has runAsNonRoot and image will run as root",
    ),
    "the image's user is a number": ({"non_root": True}, cri.Image(uid=cri.Number(value=7)), ""),
    "the image's user is a name": (
        {"non_root": True},
        cri.Image(username="web"),
        "container has runAsNonRoot and image has non-numeric user (web), cannot verify user is non-root",
    ),
}


@pytest.mark.parametrize("changes, image, message", REFUSALS.values(), ids=REFUSALS)
def test_a_container_that_must_not_be_root(changes, image, message):
    assert translation.refusal(a_spec(**changes), image) == message


RESOURCES = {
    "nothing asked is the least share": (Limits(), (0, 0, 2, 0)),
    "half a core is half the period": (Limits(cpu=0.5, cpu_request=0.25), (100_000, 50_000, 256, 0)),
    "a limit without a request is the request": (Limits(cpu=2), (100_000, 200_000, 2048, 0)),
    "a thousandth of a core is the least quota": (Limits(cpu=0.001), (100_000, 1000, 2, 0)),
    "memory is in bytes": (Limits(memory=1 << 20), (0, 0, 2, 1 << 20)),
}


@pytest.mark.parametrize("limits, expected", RESOURCES.values(), ids=RESOURCES)
def test_resources(limits, expected):
    found = translation.resources(limits)
    assert (found.cpu_period, found.cpu_quota, found.cpu_shares, found.memory_limit_in_bytes) == expected


def test_a_group_never_comes_without_a_user():
    found = a_container(group=9).linux.security_context
    assert (found.run_as_user, found.run_as_group) == (cri.Number(value=0), cri.Number(value=9))


def test_a_file_of_the_runtimes_gives_way_to_a_mount():
    volume = Mount(Path("/volumes/hosts"), "/etc/hosts", read_only=True)
    assert [mount.host_path for mount in a_container().mounts] == ["/pods/u1/hosts"]
    assert [mount.host_path for mount in a_container(mounts=(volume,)).mounts] == ["/volumes/hosts"]


def test_the_outermost_mount_comes_first():
    mounts = (Mount(Path("/b"), "/data/inner"), Mount(Path("/a"), "/data"))
    paths = [mount.container_path for mount in a_container(mounts=mounts).mounts]
    assert paths == ["/data", "/data/inner", "/etc/hosts"]


def test_the_log_is_named_from_the_pods_directory_on():
    assert a_container().log_path == "main/2.log"


def a_status(state, **changes):
    fields = {"id": "c1", "metadata": cri.ContainerMetadata(name="main", attempt=2), "created_at": 1_000_000_000}
    return cri.ContainerStatus(**fields, state=state, **changes)


STATES = {
    "one that never started": (a_status(cri.CREATED), ("created", 0, "", "", 0.0)),
    "a running one has said nothing yet": (a_status(cri.RUNNING, started_at=2 * 10**9), ("running", 0, "", "", 0.0)),
    "one that is done": (
        a_status(cri.EXITED, finished_at=3 * 10**9, reason="Completed"),
        ("exited", 0, "Completed", "bye", 3.0),
    ),
    "one that failed, from a runtime that gives no reason": (
        a_status(cri.EXITED, finished_at=3 * 10**9, exit_code=4),
        ("exited", 4, "Error", "bye", 3.0),
    ),
    "one that took too much memory": (
        a_status(cri.EXITED, finished_at=3 * 10**9, exit_code=137, reason="OOMKilled"),
        ("exited", 137, "OOMKilled", "bye", 3.0),
    ),
    "one containerd has lost sight of": (a_status(3), ("exited", 255, "Error", "bye", 0.0)),
}


@pytest.mark.parametrize("status, expected", STATES.values(), ids=STATES)
def test_states(status, expected):
    found = translation.container_state(status, "bye")
    assert (found.state, found.exit_code, found.reason, found.message, found.finished) == expected
    assert (found.id, found.name, found.attempt, found.created) == ("c1", "main", 2, 1.0)


SECCOMP = {
    "none": (Seccomp(), cri.SecurityProfile(profile_type=1)),
    "the runtime's own": (Seccomp("RuntimeDefault"), cri.SecurityProfile(profile_type=0)),
    "a file": (Seccomp("Localhost", Path("/s/a.json")), cri.SecurityProfile(profile_type=2, localhost_ref="/s/a.json")),
}


@pytest.mark.parametrize("asked, expected", SECCOMP.values(), ids=SECCOMP)
def test_a_seccomp_profile_is_passed_on(asked, expected):
    assert a_container(seccomp=asked).linux.security_context.seccomp == expected
