"""Volumes that an administrator made: the third note's NFS volumes and the fourth's disks, command by command.

The kernel of a machine that runs this may know no NFS. So `mount -t nfs` is answered by a stand-in that shows the
directory of "the server" where the real one would; what the real one says here is a test of its own.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from knarr.app.demo.observer import Observer, ready
from tests.e2e.conftest import Kubectl, build, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images")]

SECONDS = 120
SERVER = "127.0.0.1"  #: no packet leaves the machine, should it know NFS
STAND_IN = """#!/bin/sh
test "$1 $2" = "-t nfs" || exec /bin/mount "$@"
while [ $# -gt 2 ]; do shift; done
exec /bin/mount --bind "{exports}${{1#*:}}" "$2"
"""
DEFAULT = "storageclass.kubernetes.io/is-default-class"
SIZES = {1: ("2Gi", "RWO,RWX"), 2: ("5Gi", "RWO"), 3: ("5Gi", "RWO,RWX"), 4: ("5Gi", "RWO,RWX"), 5: ("5Gi", "RWO,RWX")}
NAMES = {"RWO": ["ReadWriteOnce"], "RWO,RWX": ["ReadWriteOnce", "ReadWriteMany"]}
SET = """\
apiVersion: v1
kind: Service
metadata:
  name: nginx-svc
  labels:
    app: nginx-svc
spec:
  ports:
  - name: http
    port: 80
  clusterIP: None
  selector:
    app: nginx-pod
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: nginx-statefulset
spec:
  serviceName: nginx-svc
  replicas: 3
  selector:
    matchLabels:
      app: nginx-pod
  template:
    metadata:
      labels:
        app: nginx-pod
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: nginx
        image: nginx:1.12
        imagePullPolicy: IfNotPresent
        ports:
        - name: http
          containerPort: 80
        volumeMounts:
        - name: nginxdata
          mountPath: /usr/share/nginx/html
  volumeClaimTemplates:
  - metadata:
      name: nginxdata
    spec:
      accessModes: ["ReadWriteOnce"]
      resources:
        requests:
          storage: 5Gi
"""


@pytest.fixture
def no_default_class(kubectl: Kubectl) -> Iterator[None]:
    """The notes' clusters have no default class: what names none takes a volume that somebody made."""
    kubectl("annotate", "storageclass", "local-path", f"{DEFAULT}=false", "--overwrite")
    yield
    kubectl("annotate", "storageclass", "local-path", f"{DEFAULT}=true", "--overwrite")


@pytest.fixture
def storage(commands: Path, tmp_path: Path) -> Iterator[Path]:
    """The directories of "the server", and a `mount` that shows them."""
    for number in SIZES:
        folder = tmp_path / f"data/volumes/v{number}"
        folder.mkdir(parents=True)
        (folder / "index.html").write_text(f"volume {number}\n")
    (commands / "mount").write_text(STAND_IN.format(exports=tmp_path))
    (commands / "mount").chmod(0o755)
    yield tmp_path
    (commands / "mount").unlink()


@pytest.fixture
def nginx(tmp_path: Path, images: None) -> None:
    folder = tmp_path / "nginx"
    folder.mkdir()
    command = '["httpd", "-f", "-p", "80", "-h", "/usr/share/nginx/html"]'
    (folder / "Dockerfile").write_text(f"FROM bare\nEXPOSE 80\nCMD {command}\n")
    build(folder, "nginx:1.12")


def a_volume(number: int) -> dict[str, object]:
    size, modes = SIZES[number]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pv-nfs-00{number}", "labels": {"name": f"pv00{number}"}},
        "spec": {
            "nfs": {"path": f"/data/volumes/v{number}", "server": SERVER, "readOnly": False},
            "accessModes": NAMES[modes],
            "capacity": {"storage": size},
            "persistentVolumeReclaimPolicy": "Retain",
        },
    }


@pytest.fixture
def volumes(kubectl: Kubectl, namespace: str) -> Iterator[str]:
    """What the note's `kubectl apply -f pv-nfs.yaml` says; they are gone afterwards."""
    text = "\n".join(json.dumps(a_volume(number)) for number in SIZES)
    yield kubectl("apply", "-f", "-", stdin=text)
    kubectl("delete", "statefulset,pvc", "--all", "-n", namespace)
    kubectl("delete", "-f", "-", stdin=text)


def shown(kubectl: Kubectl) -> list[tuple[str, ...]]:
    """The note's columns of `kubectl get pv`, for its volumes."""
    columns, rows = kubectl.table("get", "pv")
    wanted = ("NAME", "CAPACITY", "ACCESS MODES", "RECLAIM POLICY", "STATUS", "CLAIM", "STORAGECLASS")
    assert (*columns[:7], *columns[-2:]) == (*wanted, "REASON", "AGE")
    return [tuple(row[column] for column in wanted) for row in rows if row["NAME"].startswith("pv-nfs-")]


def expected(namespace: str, **claims: int) -> list[tuple[str, ...]]:
    """Its rows, when the set's pods of these numbers have the volumes."""
    rows = []
    for number, (size, modes) in SIZES.items():
        pod = next((int(name[1:]) for name, has in claims.items() if has == number), None)
        claim = f"{namespace}/nginxdata-nginx-statefulset-{pod}" if pod is not None else ""
        status = "Available" if pod is None else "Bound"
        rows.append((f"pv-nfs-00{number}", size, modes, "Retain", status, claim, ""))
    return rows


def all_ready(count: int) -> Callable[[dict[str, dict[str, object]]], bool]:
    names = {f"nginx-statefulset-{n}" for n in range(count)}
    return lambda pods: pods.keys() == names and all(map(ready, pods.values()))


def page(kubectl: Kubectl, pod: int) -> str:
    """What a pod's web server has to show."""
    return kubectl("exec", f"nginx-statefulset-{pod}", "--", "cat", "/usr/share/nginx/html/index.html")


@pytest.mark.usefixtures("no_default_class", "nginx")
def test_a_set_on_static_volumes(
    kubectl: Kubectl, namespace: str, watch: Callable[..., Observer], storage: Path, volumes: str
) -> None:
    assert volumes.splitlines() == [f"persistentvolume/pv-nfs-00{number} created" for number in SIZES]
    pods = watch("pods")
    said = kubectl("apply", "-f", "-", stdin=SET)
    assert said.splitlines() == ["service/nginx-svc created", "statefulset.apps/nginx-statefulset created"]
    pods.wait("three pods", all_ready(3), SECONDS)

    # each pod has the volume that suits it best, in the order of their names
    assert shown(kubectl) == expected(namespace, p0=2, p1=3, p2=4)
    columns, rows = kubectl.table("get", "pvc")
    wanted = ["NAME", "STATUS", "VOLUME", "CAPACITY", "ACCESS MODES", "STORAGECLASS"]
    assert (columns[:6], columns[-1]) == (wanted, "AGE")
    claims = [
        (f"nginxdata-nginx-statefulset-{pod}", "Bound", f"pv-nfs-00{has}", "5Gi", SIZES[has][1], "")
        for pod, has in enumerate((2, 3, 4))
    ]
    assert [tuple(row[column] for column in wanted) for row in rows] == claims
    for pod, has in enumerate((2, 3, 4)):
        assert page(kubectl, pod) == f"volume {has}\n"

    # the set goes, the claims stay, and are found again by the same names
    kubectl("delete", "-f", "-", stdin=SET)
    pods.wait("no pods", lambda found: not found, SECONDS)
    assert [row["STATUS"] for row in kubectl.table("get", "pvc")[1]] == ["Bound"] * 3
    (storage / "data/volumes/v3/index.html").write_text("volume 3, as it was left\n")
    kubectl("apply", "-f", "-", stdin=SET)
    pods.wait("three pods again", all_ready(3), SECONDS)
    assert shown(kubectl) == expected(namespace, p0=2, p1=3, p2=4)
    assert page(kubectl, 1) == "volume 3, as it was left\n"

    # one more pod takes one more volume, and gives it back to nobody
    said = kubectl("scale", "statefulset/nginx-statefulset", "--replicas=4")
    assert said == "statefulset.apps/nginx-statefulset scaled\n"
    pods.wait("four pods", all_ready(4), SECONDS)
    assert shown(kubectl) == expected(namespace, p0=2, p1=3, p2=4, p3=5)
    said = kubectl("patch", "sts/nginx-statefulset", "-p", '{"spec":{"replicas":2}}')
    assert said == "statefulset.apps/nginx-statefulset patched\n"
    pods.wait("two pods", all_ready(2), SECONDS)
    assert shown(kubectl) == expected(namespace, p0=2, p1=3, p2=4, p3=5)

    # a claim that is deleted leaves its volume, and what is in it, as they are
    kubectl("delete", "pvc", "nginxdata-nginx-statefulset-3")
    wait_for("Released", lambda: next(row[4] for row in shown(kubectl) if row[0] == "pv-nfs-005"))
    assert (storage / "data/volumes/v5/index.html").read_text() == "volume 5\n"


@pytest.mark.skipif("nfs" in Path("/proc/filesystems").read_text(), reason="this kernel knows NFS")
def test_what_a_host_lacks_for_nfs_is_told_on_the_pod(
    kubectl: Kubectl, namespace: str, watch: Callable[..., Observer]
) -> None:
    events = watch("events")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "reader"},
        "spec": {
            "containers": [{"name": "c", "image": "bare", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
            "volumes": [{"name": "v", "nfs": {"server": SERVER, "path": "/data"}}],
        },
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    said = told(events, "FailedMount", 'volume "v"')
    assert said.startswith('MountVolume.SetUp failed for volume "v" : mount failed: exit status ')
    assert f"\nMounting arguments: -t nfs {SERVER}:/data " in said
    assert "\nThis host cannot mount nfs: its kernel has no nfs file system" in said
    kubectl("delete", "pod", "reader", "--force", "--grace-period=0")


def told(events: Observer, reason: str, about: str) -> str:
    """The message of the first event of a reason about something."""

    def messages(found: dict[str, dict[str, str]]) -> list[str]:
        return [each["message"] for each in found.values() if each["reason"] == reason and about in each["message"]]

    events.wait(f"an event {reason} about {about}", lambda found: bool(messages(found)), SECONDS)
    return messages(events.objects)[0]


DISKS = """\
kind: List
apiVersion: v1
items:
- apiVersion: v1
  kind: {kind}
  metadata:
    name: pv-a
  spec:
    capacity:
      storage: 1Mi
    accessModes:
      - ReadWriteOnce
    {policy}: Recycle
    gcePersistentDisk:
      pdName: pv-a
      fsType: nfs4
- apiVersion: v1
  kind: {kind}
  metadata:
    name: pv-b
  spec:
    capacity:
      storage: 1Mi
    accessModes:
      - ReadWriteOnce
    {policy}: Recycle
    awsElasticBlockStore:
      volumeID: pv-b
"""
KUBIA = """\
apiVersion: apps/v1beta1
kind: StatefulSet
metadata:
  name: kubia
spec:
  serviceName: kubia
  replicas: 2
  template:
    metadata:
      labels:
        app: kubia
    spec:
      containers:
      - name: kubia
        image: bare
        ports:
        - name: http
          containerPort: 8080
        volumeMounts:
        - name: data
          mountPath: /var/data
  volumeClaimTemplates:
  - metadata:
      name: data
    spec:
      {modes}resources:
        requests:
          storage: 1Mi
{misplaced}"""
MODES = "accessModes:\n      - ReadWriteOnce\n      "
MISPLACED = "        accessModes:\n        - ReadWriteOnce\n"


@pytest.mark.usefixtures("no_default_class")
def test_disks_in_a_list_are_bound_and_what_no_node_can_mount_is_told(
    kubectl: Kubectl, namespace: str, watch: Callable[..., Observer]
) -> None:
    # as the note writes it: a kind and a field that are none
    refused = kubectl.run("apply", "-f", "-", stdin=DISKS.format(kind="PersistenVolum", policy="x"))
    assert refused.returncode == 1
    assert 'no matches for kind "PersistenVolum" in version "v1"' in refused.stderr
    wrong = DISKS.format(kind="PersistentVolume", policy="PersistenVolumeReclaimPolicy")
    refused = kubectl.run("apply", "-f", "-", stdin=wrong)
    assert refused.returncode == 1
    assert 'unknown field "PersistenVolumeReclaimPolicy" in io.k8s.api.core.v1.PersistentVolumeSpec' in refused.stderr
    misplaced = KUBIA.format(modes="", misplaced=MISPLACED)
    refused = kubectl.run("apply", "-f", "-", stdin=misplaced)
    assert refused.returncode == 1
    assert 'unknown field "spec.volumeClaimTemplates[0].spec.resources.accessModes"' in refused.stderr

    # as it is meant
    disks = DISKS.format(kind="PersistentVolume", policy="persistentVolumeReclaimPolicy")
    said = kubectl("apply", "-f", "-", stdin=disks)
    assert said.splitlines() == ["persistentvolume/pv-a created", "persistentvolume/pv-b created"]
    try:
        events, volumes = watch("events"), {}
        kubectl("apply", "-f", "-", stdin=KUBIA.format(modes=MODES, misplaced=""))
        missing = "driver name pd.csi.storage.gke.io not found in the list of registered CSI drivers"
        assert told(events, "FailedMount", "driver").endswith(missing)
        volumes = {row["NAME"]: row for row in kubectl.table("get", "pv")[1]}
        assert (volumes["pv-a"]["STATUS"], volumes["pv-a"]["RECLAIM POLICY"]) == ("Bound", "Recycle")
        assert volumes["pv-a"]["CLAIM"] == f"{namespace}/data-kubia-0"
        wait_for("Available", lambda: kubectl.table("get", "pv", "pv-b")[1][0]["STATUS"])
        wait_for("ContainerCreating", lambda: kubectl.table("get", "pods")[1][0]["STATUS"])
    finally:
        kubectl("delete", "statefulset,pvc", "--all", "--wait=false")
        kubectl("delete", "-f", "-", "--wait=false", stdin=disks)


def test_the_hosts_mount_is_the_one_on_the_path(commands: Path) -> None:
    assert os.environ["PATH"].startswith(f"{commands}:")
