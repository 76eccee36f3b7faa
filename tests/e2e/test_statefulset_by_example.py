"""The first note, command by command: create, names in DNS, scale, OnDelete, RollingUpdate, cascade."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from knarr.app.config import Cluster
from knarr.app.demo.observer import Observer, image, order_of_deletion, order_of_readiness, ready
from knarr.meta import clock
from tests.e2e.conftest import HEADLESS_NGINX, OUTSIDE, Kubectl, are, resolved, wait_for, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images")]

REPOSITORY = "registry.cn-beijing.aliyuncs.com/dotbalo/nginx"
ALPINE, PLAIN = f"{REPOSITORY}:1.15.12-alpine", f"{REPOSITORY}:1.15.12"


def manifest(tmp_path: Path, replicas: int, image_: str, strategy: str = "") -> str:
    """statefulset.yaml as the note writes it."""
    file = tmp_path / "statefulset.yaml"
    file.write_text(f"""{HEADLESS_NGINX}apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: web
spec:
{strategy}  serviceName: "nginx"
  replicas: {replicas}
  selector:
    matchLabels:
      app: nginx
  template:
    metadata:
      labels:
        app: nginx
    spec:
      containers:
      - name: nginx
        image: {image_}
        ports:
        - containerPort: 80
          name: web
""")
    return str(file)


def observed(sets: dict[str, Any]) -> int:
    """The generation of the set that its controller has seen."""
    return int(sets.get("web", {}).get("status", {}).get("observedGeneration", 0))


ON_DELETE = "  updateStrategy:\n    #rollingUpdate:\n    #  partition: 0\n    type: OnDelete\n"
ROLLING = "  updateStrategy:\n    rollingUpdate:\n      partition: 0\n    type: RollingUpdate\n"


def all_ready(count: int, *images: str) -> Callable[[dict[str, dict[str, object]]], bool]:
    names = {f"web-{n}" for n in range(count)}
    return lambda pods: (
        pods.keys() == names and all(ready(p) and (not images or image(p) in images) for p in pods.values())
    )


def test_create_gives_pods_in_order(kubectl: Kubectl, watch: Callable[..., Observer], tmp_path: Path) -> None:
    pods = watch("pods")
    said = kubectl("create", "-f", manifest(tmp_path, 3, ALPINE))
    assert said.splitlines() == ["service/nginx created", "statefulset.apps/web created"]
    pods.wait("three pods", all_ready(3))
    assert order_of_readiness(pods.since(0)) == ["web-0", "web-1", "web-2"]
    columns, rows = kubectl.table("get", "pod")
    assert columns == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [(r["NAME"], r["READY"], r["STATUS"], r["RESTARTS"]) for r in rows] == [
        (f"web-{n}", "1/1", "Running", "0") for n in range(3)
    ]


def test_pods_find_each_other_by_name(
    cluster: Cluster, kubectl: Kubectl, watch: Callable[..., Observer], namespace: str, tmp_path: Path
) -> None:
    pods = watch("pods")
    kubectl("create", "-f", manifest(tmp_path, 3, ALPINE))
    pods.wait("three pods", all_ready(3))
    addresses = sorted(pod["status"]["podIP"] for pod in pods.objects.values())
    wait_for(addresses, lambda: resolved(cluster, f"nginx.{namespace}.svc.cluster.local"))
    for number in range(3):
        name = f"web-{number}.nginx.{namespace}.svc.cluster.local"
        answer = kubectl("exec", "web-1", "--", "sh", "-c", f"nslookup {name}")
        assert re.search(rf"Name:\s+{re.escape(name)}", answer), answer
        assert pods.objects[f"web-{number}"]["status"]["podIP"] in answer


def test_a_pod_finds_names_outside_the_cluster(
    kubectl: Kubectl, watch: Callable[..., Observer], tmp_path: Path
) -> None:
    pods = watch("pods")
    kubectl("create", "-f", manifest(tmp_path, 2, ALPINE))
    pods.wait("two pods", all_ready(2))

    def found() -> bool:
        answer = kubectl.run("exec", "-i", "web-1", "--", "sh", "-c", "nslookup baidu.com").stdout
        return set(OUTSIDE["baidu.com"]) <= set(re.findall(r"Address: (\S+)", answer))

    wait_until(found, "the addresses of baidu.com")


def test_scale_by_scale_edit_and_patch(kubectl: Kubectl, watch: Callable[..., Observer], tmp_path: Path) -> None:
    pods = watch("pods")
    kubectl("create", "-f", manifest(tmp_path, 3, ALPINE))
    pods.wait("three pods", all_ready(3))
    assert kubectl("scale", "sts", "web", "--replicas=5") == "statefulset.apps/web scaled\n"
    pods.wait("five pods", all_ready(5))
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/replicas: 5/replicas: 4/" "$1"\n')
    editor.chmod(0o755)
    edited = Kubectl(environment={"EDITOR": str(editor)})("edit", "statefulset", "web")
    assert edited == "statefulset.apps/web edited\n"
    pods.wait("four pods", all_ready(4))
    moment = clock.unix()
    assert kubectl("patch", "sts", "web", "-p", '{"spec":{"replicas":2}}') == "statefulset.apps/web patched\n"
    pods.wait("two pods", all_ready(2))
    assert order_of_deletion(pods.since(moment)) == ["web-3", "web-2"]


def test_on_delete_changes_a_pod_only_when_it_is_deleted(
    kubectl: Kubectl, watch: Callable[..., Observer], tmp_path: Path
) -> None:
    pods, sets = watch("pods"), watch("statefulsets", "apis/apps/v1")
    kubectl("create", "-f", manifest(tmp_path, 4, ALPINE, ON_DELETE))
    pods.wait("four pods", all_ready(4))
    assert set(re.findall(r" image: (\S+)", kubectl("get", "pod", "-o", "yaml"))) == {ALPINE}
    said = kubectl("replace", "-f", manifest(tmp_path, 4, PLAIN, ON_DELETE))
    assert said.splitlines() == ["service/nginx replaced", "statefulset.apps/web replaced"]
    status = json.loads(kubectl("get", "sts", "web", "-o", "json"))
    generation = status["metadata"]["generation"]
    sets.wait("the change is observed", lambda s: observed(s) >= generation)
    assert {image(pod) for pod in pods.objects.values()} == {ALPINE}
    back = are(kubectl.replace("web-2"))
    pods.wait("web-2 back", lambda p: back(p) and all_ready(4)(p))
    assert {name: image(pod) for name, pod in sorted(pods.objects.items())} == {
        "web-0": ALPINE,
        "web-1": ALPINE,
        "web-2": PLAIN,
        "web-3": ALPINE,
    }


def test_rolling_update_replaces_every_pod_from_the_last(
    kubectl: Kubectl, watch: Callable[..., Observer], tmp_path: Path
) -> None:
    pods = watch("pods")
    kubectl("create", "-f", manifest(tmp_path, 3, ALPINE, ROLLING))
    pods.wait("three pods", all_ready(3))
    moment = clock.unix()
    kubectl("replace", "-f", manifest(tmp_path, 3, PLAIN, ROLLING))
    pods.wait("three updated pods", all_ready(3, PLAIN))
    assert order_of_deletion(pods.since(moment)) == ["web-2", "web-1", "web-0"]
    assert set(re.findall(r" image: (\S+)", kubectl("get", "pod", "-l", "app=nginx", "-o", "yaml"))) == {PLAIN}


def test_deleting_the_set_deletes_its_pods_unless_orphaned(
    kubectl: Kubectl, watch: Callable[..., Observer], tmp_path: Path
) -> None:
    pods = watch("pods")
    file = manifest(tmp_path, 2, ALPINE)
    kubectl("create", "-f", file)
    pods.wait("two pods", all_ready(2))
    assert kubectl("delete", "sts", "web", "--cascade=orphan").startswith('statefulset.apps "web" deleted')
    pods.wait("orphans", lambda p: len(p) == 2 and not any(x["metadata"].get("ownerReferences") for x in p.values()))
    kubectl("apply", "-f", file)
    pods.wait("adopted", lambda p: len(p) == 2 and all(x["metadata"].get("ownerReferences") for x in p.values()))
    kubectl("delete", "sts", "web")
    pods.wait("no pods", lambda p: not p)
