"""The second note: kubia with a claim for each pod, data that outlives its pod, a rolling upgrade to v2."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from knarr.app.config import Cluster
from knarr.app.demo.observer import Observer, image, order_of_deletion, order_of_readiness, phase, ready
from knarr.app.demo.stage import curl
from knarr.meta import clock
from tests.e2e.conftest import ROOT, Kubectl, are, knarr, wait_for

pytestmark = pytest.mark.e2e

KUBIA = ROOT / "examples/kubia"


@pytest.fixture(scope="module")
def kubia_images(cluster: Cluster) -> None:
    knarr("image", "build", "--name", "e2e", "-t", "kubia-stored", str(KUBIA))
    knarr("image", "build", "--name", "e2e", "-t", "kubia-stored:v2", str(KUBIA / "v2"))


def all_ready(count: int, wanted: str = "") -> Callable[[dict[str, dict[str, object]]], bool]:
    names = {f"kubia-{n}" for n in range(count)}
    return lambda pods: pods.keys() == names and all(ready(p) and wanted in ("", image(p)) for p in pods.values())


@pytest.mark.usefixtures("kubia_images")
def test_the_whole_note(kubectl: Kubectl, cluster: Cluster, namespace: str, watch: Callable[..., Observer]) -> None:
    pods, endpoints = watch("pods"), watch("endpoints")

    # apply, and look at the creation
    said = kubectl("apply", "-f", str(KUBIA / "kubia.yaml"))
    assert said.splitlines() == ["service/kubia created", "statefulset.apps/kubia created"]
    pods.wait("three pods", all_ready(3))
    assert order_of_readiness(pods.since(0)) == ["kubia-0", "kubia-1", "kubia-2"]
    assert any(phase(seen.object) == "Pending" for seen in pods.since(0) if seen.name == "kubia-0")
    columns, rows = kubectl.table("get", "po")
    assert columns == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [(r["NAME"], r["READY"], r["STATUS"]) for r in rows] == [(f"kubia-{n}", "1/1", "Running") for n in range(3)]
    columns, rows = kubectl.table("get", "statefulset")
    assert (columns, rows[0]["NAME"]) == (["NAME", "READY", "AGE"], "kubia")
    wait_for("3/3", lambda: kubectl.table("get", "statefulset")[1][0]["READY"])

    # volumes, claims, services
    columns, rows = kubectl.table("get", "pv")
    assert columns[:7] == ["NAME", "CAPACITY", "ACCESS MODES", "RECLAIM POLICY", "STATUS", "CLAIM", "STORAGECLASS"]
    mine = {r["CLAIM"]: r for r in rows if r["CLAIM"].startswith(f"{namespace}/")}
    assert set(mine) == {f"{namespace}/datapvc-kubia-{n}" for n in range(3)}
    for row in mine.values():
        assert re.fullmatch(r"pvc-[0-9a-f-]{36}", row["NAME"])
        shown = [row[c] for c in columns[1:5]] + [row["STORAGECLASS"]]
        assert shown == ["1Mi", "RWO", "Delete", "Bound", "local-path"]
    columns, rows = kubectl.table("get", "pvc")
    assert columns[:6] == ["NAME", "STATUS", "VOLUME", "CAPACITY", "ACCESS MODES", "STORAGECLASS"]
    assert [(r["NAME"], r["STATUS"], r["CAPACITY"], r["ACCESS MODES"], r["STORAGECLASS"]) for r in rows] == [
        (f"datapvc-kubia-{n}", "Bound", "1Mi", "RWO", "local-path") for n in range(3)
    ]
    volume_of = {r["NAME"]: r["VOLUME"] for r in rows}
    columns, rows = kubectl.table("get", "svc")
    assert columns == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert [rows[0][c] for c in columns[:5]] == ["kubia", "ClusterIP", "None", "<none>", "80/TCP"]
    columns, rows = kubectl.table("get", "svc", "-n", "default")
    assert [rows[0][c] for c in columns[:5]] == ["kubernetes", "ClusterIP", cluster.network.api, "<none>", "443/TCP"]

    # ask each pod by its address
    addresses = {name: pod["status"]["podIP"] for name, pod in pods.objects.items()}
    endpoints.wait(
        "all of them", lambda e: "kubia" in e and all(f'"{ip}"' in json.dumps(e["kubia"]) for ip in addresses.values())
    )
    columns, rows = kubectl.table("get", "endpoints")
    assert columns == ["NAME", "ENDPOINTS", "AGE"]
    assert sorted(rows[0]["ENDPOINTS"].split(",")) == sorted(f"{ip}:8080" for ip in addresses.values())
    assert curl(addresses["kubia-1"]) == "You've hit kubia-1\nData stored on this Pod: No data posted yet\n"
    assert curl(addresses["kubia-1"], "hello kubia.") == "Data stored on kubia-1\n"
    assert curl(addresses["kubia-1"]) == "You've hit kubia-1\nData stored on this Pod: hello kubia.\n"
    assert curl(addresses["kubia-0"]) == "You've hit kubia-0\nData stored on this Pod: No data posted yet\n"

    # the volume's directory on its node
    node = pods.objects["kubia-1"]["spec"]["nodeName"]
    folder = json.loads(kubectl("get", "node", node, "-o", "json"))["metadata"]["annotations"][
        "knarr.dev/volume-folder"
    ]
    directory = Path(folder) / f"{volume_of['datapvc-kubia-1']}_{namespace}_datapvc-kubia-1"
    assert [entry.name for entry in directory.iterdir()] == ["kubia.txt"]

    # delete a pod: same name, another address, the same data
    back = are(kubectl.replace("kubia-1"))
    pods.wait("a new kubia-1", lambda p: back(p) and all_ready(3)(p))
    address = pods.objects["kubia-1"]["status"]["podIP"]
    assert address != addresses["kubia-1"]
    endpoints.wait("endpoints follow", lambda e: "kubia" in e and f'"{address}"' in json.dumps(e["kubia"]))
    assert curl(address) == "You've hit kubia-1\nData stored on this Pod: hello kubia.\n"

    # upgrade to v2
    assert "updateStrategy" in kubectl("explain", "statefulset.spec.updateStrategy")
    moment = clock.unix()
    said = kubectl("set", "image", "statefulset", "kubia", "kubia=kubia-stored:v2")
    assert said == "statefulset.apps/kubia image updated\n"
    pods.wait("v2 everywhere", all_ready(3, "kubia-stored:v2"))
    assert order_of_deletion(pods.since(moment)) == ["kubia-2", "kubia-1", "kubia-0"]
    said = curl(pods.objects["kubia-1"]["status"]["podIP"])
    assert said == "You've hit kubia-1\nv2, Data stored on this Pod: hello kubia.\n"
    assert f"IP:{' ':>1}" in re.sub(r" +", " ", kubectl("describe", "pod", "kubia-1"))
