"""Snapshots on real nodes: what runs after a load is what the snapshot knows, as the machine's processes show."""

import contextlib
import json
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Kubectl, knarr, wait_for, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images", "namespace")]

MARK = "what-a-snapshot-knows"
#: what has a claim writes its uid there, and ends when it is let
WAIT = "while [ -d /data ] && [ ! -e /data/go ]; do sleep 0.1; done"
SCRIPT = f"trap '{WAIT}; sleep 2; exit 0' TERM; [ -d /data ] && echo $2 >> /data/lives; while :; do sleep 0.2; done"
SNAPSHOT = "between"


def a_spec(**more: Any) -> dict[str, Any]:
    command = ["sh", "-c", SCRIPT, MARK, "$(POD_NAME)", "$(POD_UID)"]
    env = [
        {"name": f"POD_{key.upper()}", "valueFrom": {"fieldRef": {"fieldPath": f"metadata.{key}"}}}
        for key in ("name", "uid")
    ]
    container = {"name": "c", "image": "busybox:1.28.4", "command": command, "env": env}
    return {"containers": [container], "terminationGracePeriodSeconds": 600, **more}


def with_data(**more: Any) -> dict[str, Any]:
    spec = a_spec(**more)
    spec["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return spec


def create(kubectl: Kubectl, kind: str, name: str, spec: dict[str, Any], version: str = "v1") -> None:
    tree = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}
    kubectl("create", "-f", "-", stdin=json.dumps(tree))


CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
SET = {
    "serviceName": "db",
    "replicas": 2,
    "podManagementPolicy": "Parallel",
    "selector": {"matchLabels": {"app": "db"}},
    "template": {"metadata": {"labels": {"app": "db"}}, "spec": with_data()},
    "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": CLAIM}],
}


def lives() -> dict[str, set[str]]:
    """The process namespaces of what runs, with the pods' uids, by the pods' names."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if MARK in words[3:4]:
                found[words[4]].add(f"{words[5]} {(folder / 'ns/pid').readlink()}")
    return found


class Guard:
    """Looks at the processes all the time; knows the names of which two ran at once."""

    def __init__(self) -> None:
        self.doubled: dict[str, set[str]] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Guard":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.01):
            self.doubled |= {name: found for name, found in lives().items() if len(found) > 1}


def get(kubectl: Kubectl, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("get", "pod", name, "-o", "json"))
    return found


def uid(kubectl: Kubectl, name: str) -> str:
    return str(get(kubectl, name)["metadata"]["uid"])


def lives_told(kubectl: Kubectl, name: str) -> list[str]:
    """The uids of all pods that wrote to the claim of this one, the oldest first."""
    return kubectl.run("exec", name, "--", "cat", "/data/lives").stdout.split()


def let_end(kubectl: Kubectl, *names: str) -> None:
    """Let what runs with the claims of these pods, now or later, end when it is told to."""
    for name in names:
        kubectl("exec", name, "--", "touch", "/data/go")


def test_nodes_run_what_a_loaded_snapshot_knows_and_end_the_rest(kubectl: Kubectl) -> None:
    create(kubectl, "PersistentVolumeClaim", "data", CLAIM)
    create(kubectl, "StatefulSet", "db", SET, "apps/v1")
    create(kubectl, "Pod", "stays", a_spec())
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    create(kubectl, "Pod", "deleted", with_data(volumes=[volume]))
    kubectl("wait", "pod/stays", "pod/deleted", "--for=condition=Ready", "--timeout=120s")
    kubectl("rollout", "status", "statefulset/db", "--timeout=120s")
    deleted, first, last = (uid(kubectl, name) for name in ("deleted", "db-0", "db-1"))
    for name, own in {"deleted": deleted, "db-0": first, "db-1": last}.items():
        wait_for([own], lambda: lives_told(kubectl, name))  # noqa: B023
    stays = wait_until(lambda: lives()["stays"])
    kubectl("set", "env", "statefulset/db", "REVISION=2")
    wait_until(lambda: "deletionTimestamp" in get(kubectl, "db-1")["metadata"])
    knarr("snapshot", "save", "--name", "e2e", SNAPSHOT)
    create(kubectl, "Pod", "late", a_spec())
    let_end(kubectl, "db-0", "db-1", "deleted")
    kubectl("delete", "pod", "deleted")
    kubectl("wait", "pod/late", "--for=condition=Ready", "--timeout=120s")
    kubectl("rollout", "status", "statefulset/db", "--timeout=120s")
    between = [uid(kubectl, name) for name in ("db-0", "db-1")]
    assert first not in between and last not in between
    wait_for([first, between[0]], lambda: lives_told(kubectl, "db-0"))
    wait_for([last, between[1]], lambda: lives_told(kubectl, "db-1"))
    with Guard() as guard:
        knarr("snapshot", "load", "--name", "e2e", SNAPSHOT)
        wait_until(lambda: "late" not in lives() and any(deleted in each for each in lives()["deleted"]))
        kubectl("wait", "pod/deleted", "--for=condition=Ready", "--timeout=90s")
        kubectl("rollout", "status", "statefulset/db", "--timeout=120s")
    knarr("snapshot", "rm", "--name", "e2e", SNAPSHOT)
    assert guard.doubled == {}
    wait_for([deleted, deleted], lambda: lives_told(kubectl, "deleted"))
    assert lives()["stays"] == stays
    assert get(kubectl, "stays")["status"]["containerStatuses"][0]["restartCount"] == 0
    for name, before in {"db-0": [first, between[0]], "db-1": [last, between[1]]}.items():
        third = uid(kubectl, name)  # the update has gone on: a third pod of the name runs
        wait_until(lambda: third in lives_told(kubectl, name))  # noqa: B023
        told = lives_told(kubectl, name)
        assert told[:2] == before
        assert third == told[-1] not in before
    assert kubectl.run("get", "pod", "late").stderr.endswith('pods "late" not found\n')
