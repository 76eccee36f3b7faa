"""Pods that are deleted without any grace: the object goes at once, and so do the processes."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from knarr.app.config import Cluster
from tests.e2e.conftest import Kubectl, knarr, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images", "namespace")]

DEAF = "trap '' TERM; while true; do sleep 86399; done"
NODE = "e2e-1"
SOON = 20.0  #: seconds, where the grace is 300 or none; it takes less than one


def a_pod(seconds: int) -> str:
    container = {"name": "c", "image": "busybox:1.28.4", "command": ["sh", "-c", DEAF]}
    spec = {"nodeName": NODE, "terminationGracePeriodSeconds": seconds, "containers": [container]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "deaf"}, "spec": spec})


def processes() -> Iterator[str]:
    """The processes of the pod, wherever they are."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if words[:2] == [b"sleep", b"86399"] or words[:3] == [b"sh", b"-c", DEAF.encode()]:
                yield folder.name


def seconds_until_none_is_left() -> float:
    began = time.perf_counter()
    while any(processes()) and time.perf_counter() - began < 60:
        time.sleep(0.02)
    return time.perf_counter() - began


DELETES = {
    "by force": (300, ["--force", "--grace-period=0"]),
    "a pod without a grace period": (0, ["--wait=false"]),
}


@pytest.mark.parametrize("seconds, options", DELETES.values(), ids=DELETES)
def test_what_does_not_listen_is_killed_soon(kubectl: Kubectl, seconds: int, options: list[str]) -> None:
    kubectl("create", "-f", "-", stdin=a_pod(seconds))
    kubectl("wait", "pod/deaf", "--for=condition=Ready", "--timeout=90s")
    wait_until(lambda: any(processes()))
    kubectl("delete", "pod", "deaf", *options)
    assert kubectl.run("get", "pod", "deaf").stderr.endswith('pods "deaf" not found\n')
    assert seconds_until_none_is_left() < SOON


def test_what_was_deleted_by_force_without_the_agent_is_killed_when_it_is_back(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    kubectl("create", "-f", "-", stdin=a_pod(300))
    kubectl("wait", "pod/deaf", "--for=condition=Ready", "--timeout=90s")
    wait_until(lambda: any(processes()))
    knarr("node", "stop", "--name", "e2e", NODE)
    kubectl("delete", "pod", "deaf", "--force", "--grace-period=0")
    assert any(processes())
    knarr("node", "start", "--name", "e2e", NODE)
    assert seconds_until_none_is_left() < SOON
