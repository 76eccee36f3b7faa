"""What pods of real nodes find in their volumes, and what becomes of one that fills a directory."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from knarr.app.demo.observer import Observer, ready
from tests.e2e.conftest import PATIENCE, Kubectl

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images")]

GROUP, USER = 2345, 1234
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, "data": {"a": "A", "b": "B"}}
SCRATCH = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}


def a_pod(name: str, volumes: dict[str, object], script: str = ":", **mounts: dict[str, object]) -> dict[str, object]:
    """A pod whose container waits, with each volume at its name."""
    places = [{"name": volume, "mountPath": f"/{volume}"} | mounts.get(volume, {}) for volume in volumes]
    container = {
        "name": "c",
        "image": "busybox:1.28.4",
        "command": ["sh", "-c", f"{script}; trap 'exit 0' TERM; while :; do sleep 0.1; done"],
        "env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "volumeMounts": places,
    }
    spec = {
        "containers": [container],
        "securityContext": {"runAsUser": USER, "runAsGroup": USER, "fsGroup": GROUP},
        "volumes": [{"name": volume, **source} for volume, source in volumes.items()],
        "terminationGracePeriodSeconds": 1,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


@pytest.fixture
def local_volume(kubectl: Kubectl, tmp_path: Path) -> Iterator[Path]:
    """A directory of node e2e-0, with a file that is nobody's, as a volume of the class `by-hand`."""
    folder = tmp_path / "disk"
    folder.mkdir(mode=0o700)
    for each in (folder, *list(folder.parents)[:2]):
        each.chmod(0o755)
    (folder / "file").write_text("kept\n")
    (folder / "file").chmod(0o600)
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["e2e-0"]}
    spec = {
        "local": {"path": str(folder)},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        "accessModes": ["ReadWriteOncePod"],
        "capacity": {"storage": "1Gi"},
        "storageClassName": "by-hand",
    }
    kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "by-hand"}}
    class_ = kind | {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "by-hand"}, "spec": spec}
    text = json.dumps(class_) + json.dumps(volume)
    kubectl("apply", "-f", "-", stdin=text)
    yield folder
    kubectl("delete", "-f", "-", "--wait=false", stdin=text)


def failed(pod: dict[str, Any]) -> bool:
    return bool(pod) and pod["status"].get("phase") == "Failed"


def test_what_is_in_them(kubectl: Kubectl, namespace: str, watch: Callable[..., Observer], local_volume: Path) -> None:
    pods = watch("pods")
    own = {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}
    volumes: dict[str, object] = {
        "image": {"image": {"reference": "bare"}},
        "memory": {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        "config": {"configMap": {"name": "cm", "defaultMode": 0o400, "items": [{"key": "a", "path": "x/a"}]}},
        "all": {"projected": {"sources": [{"configMap": {"name": "cm"}}, {"downwardAPI": own}]}},
        "logs": {"emptyDir": {}},
        "own": {"ephemeral": {"volumeClaimTemplate": {"spec": SCRATCH}}},
        "disk": {"persistentVolumeClaim": {"claimName": "disk"}},
    }
    disk = SCRATCH | {"accessModes": ["ReadWriteOncePod"], "storageClassName": "by-hand"}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "disk"}, "spec": disk}
    greedy = a_pod("greedy", {"logs": {"emptyDir": {"sizeLimit": "1Mi"}}}, "head -c 3000000 /dev/zero > /logs/x")
    many = a_pod("many", volumes, logs={"subPathExpr": "of/$(POD)"})
    second = a_pod("second", {"disk": volumes["disk"]})
    kubectl("apply", "-f", "-", stdin="\n".join(map(json.dumps, (CONFIG, claim, greedy, many))))
    pods.wait("the pod with many volumes", lambda found: "many" in found and ready(found["many"]), PATIENCE)
    assert pods.objects["many"]["spec"]["nodeName"] == "e2e-0"

    script = """
        ls /image/bin/busybox; touch /image/x 2>&1 | grep -c 'Read-only'; stat -f -c %T /memory
        cat /config/x/a; echo; stat -L -c %a /config/x/a; ls /all; cat /all/name; echo
        echo logged > /logs/y; echo kept > /own/z && cat /own/z
        cat /disk/file; stat -c '%a %g' /disk/file; echo more > /disk/new && stat -c %g /disk/new
        stat -L -c '%a' /var/run/secrets/kubernetes.io/serviceaccount/token
    """
    said = kubectl("exec", "many", "--", "sh", "-c", script).splitlines()
    assert said == [
        *("/image/bin/busybox", "1", "tmpfs", "A", "440", "a", "b", "name", "many", "kept"),
        *("kept", f"660 {GROUP}", str(GROUP), "640"),
    ]
    assert sorted(each.name for each in local_volume.iterdir()) == ["file", "new"]
    assert kubectl.table("get", "pvc", "many-own")[1][0]["STATUS"] == "Bound"

    # a claim of one pod alone has no room for a second
    kubectl("apply", "-f", "-", stdin=json.dumps(second))
    taken = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
    pods.wait("the second to wait", lambda found: "second" in found and taken in json.dumps(found["second"]), PATIENCE)
    kubectl("delete", "pod", "second", "--wait=false")

    # a directory beyond its limit ends its pod
    pods.wait("an eviction", lambda found: failed(found.get("greedy", {})), PATIENCE)
    status = pods.objects["greedy"]["status"]
    limit = 'Usage of EmptyDir volume "logs" exceeds the limit "1Mi". '
    assert (status["reason"], status["message"]) == ("Evicted", limit)

    # the pod's own claim goes with it, what is on the disk stays
    claims = watch("persistentvolumeclaims")
    kubectl("delete", "pod", "many")
    claims.wait("only the claim that was named", lambda found: set(found) == {"disk"}, PATIENCE)
    assert (local_volume / "file").read_text() == "kept\n"
