"""The third note: identity by name and by DNS, claims by identity, JSON patch, and the partition canary."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from knarr.app.config import Cluster
from knarr.app.demo.observer import Observer, image, order_of_deletion, ready
from knarr.meta import clock
from tests.e2e.conftest import HEADLESS_NGINX, Kubectl, are, on_terminal, resolved, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images")]


def web(image_: str = "nginx:1.9.1", claims: bool = False, name: str = "web", replicas: int = 2) -> str:
    mounts = "        volumeMounts:\n        - name: www\n          mountPath: /usr/share/nginx/html\n"
    templates = """\
  volumeClaimTemplates:
  - metadata:
      name: www
    spec:
      accessModes:
      - ReadWriteOnce
      resources:
        requests:
          storage: 1Gi
"""
    return f"""\
{HEADLESS_NGINX}apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {name}
spec:
  serviceName: "nginx"
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
{mounts if claims else ""}{templates if claims else ""}"""


def all_ready(names: set[str], wanted: str = "") -> Callable[[dict[str, dict[str, object]]], bool]:
    return lambda pods: pods.keys() == names and all(ready(p) and wanted in ("", image(p)) for p in pods.values())


WEB = {"web-0", "web-1"}


def test_a_pods_hostname_is_its_name(kubectl: Kubectl, watch: Callable[..., Observer]) -> None:
    pods = watch("pods")
    kubectl("create", "-f", "-", stdin=web())
    pods.wait("two pods", all_ready(WEB))
    for name in sorted(WEB):
        assert kubectl("exec", name, "--", "sh", "-c", "hostname") == f"{name}\n"


def test_a_shell_in_a_throw_away_pod_resolves_the_identities_before_and_after_a_replacement(
    cluster: Cluster, kubectl: Kubectl, namespace: str, watch: Callable[..., Observer]
) -> None:
    def sees(image_: str, addresses: dict[str, str]) -> None:
        wait_for(sorted(addresses.values()), lambda: resolved(cluster, f"nginx.{namespace}.svc.cluster.local"))
        _shell_sees(kubectl, image_, addresses)

    pods = watch("pods")
    kubectl("create", "-f", "-", stdin=web())
    pods.wait("two pods", all_ready(WEB))
    sees("busybox:1.28.4", {name: pods.objects[name]["status"]["podIP"] for name in WEB})
    back = are(kubectl.replace(*sorted(WEB)))
    pods.wait("new pods", lambda p: back(p) and all_ready(WEB)(p))
    sees("busybox", {name: pods.objects[name]["status"]["podIP"] for name in WEB})


def _shell_sees(kubectl: Kubectl, image_: str, addresses: dict[str, str]) -> None:
    """`kubectl run -i --tty --rm` on a terminal: type nslookup for each name, see its address, leave."""
    typed = "".join(f"nslookup {name}.nginx\n" for name in sorted(addresses)) + "exit\n"
    arguments = ["run", "-i", "--tty", "--image", image_, "dns-test", "--restart=Never", "--rm"]
    said = on_terminal([kubectl.binary, *arguments, "/bin/sh"], typed)
    assert re.search(r"Server:    10\.\d+\.0\.10\r\n", said), said
    assert re.search(r"Address 1: 10\.\d+\.0\.10 kube-dns\.kube-system\.svc\.cluster\.local\r\n", said), said
    for name, address in addresses.items():
        assert f"Name:      {name}.nginx\r\nAddress 1: {address} " in said, said
    assert 'pod "dns-test" deleted' in said


def test_each_identity_keeps_its_claim(kubectl: Kubectl, watch: Callable[..., Observer]) -> None:
    pods = watch("pods")
    kubectl("create", "-f", "-", stdin=web(claims=True))
    pods.wait("two pods", all_ready(WEB))
    columns, rows = kubectl.table("get", "pvc", "-l", "app=nginx")
    assert columns[:5] == ["NAME", "STATUS", "VOLUME", "CAPACITY", "ACCESS MODES"]
    assert [(r["NAME"], r["STATUS"], r["CAPACITY"], r["ACCESS MODES"]) for r in rows] == [
        ("www-web-0", "Bound", "1Gi", "RWO"),
        ("www-web-1", "Bound", "1Gi", "RWO"),
    ]
    for name in sorted(WEB):
        kubectl("exec", name, "--", "sh", "-c", f"echo {name} was here > /usr/share/nginx/html/index.html")
    back = are(kubectl.replace("web-0", "web-1"))
    pods.wait("new pods", lambda p: back(p) and all_ready(WEB)(p))
    for name in sorted(WEB):
        assert kubectl("exec", name, "--", "cat", "/usr/share/nginx/html/index.html") == f"{name} was here\n"
    _, again = kubectl.table("get", "pvc", "-l", "app=nginx")
    assert [r["VOLUME"] for r in again] == [r["VOLUME"] for r in rows]


def test_a_json_patch_rolls_in_reverse_and_a_partition_holds_the_lower_ordinals(
    kubectl: Kubectl, watch: Callable[..., Observer]
) -> None:
    pods = watch("pods")
    names = {f"mysql-{n}" for n in range(3)}
    kubectl("create", "-f", "-", stdin=web("mysql:5.7.2", name="mysql", replicas=3))
    pods.wait("three pods", all_ready(names))
    partition = '{"spec":{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"partition":2}}}}'
    assert kubectl("patch", "statefulset", "mysql", "-p", partition) == "statefulset.apps/mysql patched\n"
    replace = '[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value":"mysql:5.7.23"}]'
    said = kubectl("patch", "statefulset", "mysql", "--type=json", f"-p={replace}")
    assert said == "statefulset.apps/mysql patched\n"
    pods.wait("mysql-2 updated", lambda p: all_ready(names)(p) and image(p["mysql-2"]) == "mysql:5.7.23")
    back = are(kubectl.replace("mysql-0"))
    pods.wait("mysql-0 back", lambda p: back(p) and all_ready(names)(p))
    images_ = {name: image(pod) for name, pod in sorted(pods.objects.items())}
    assert images_ == {"mysql-0": "mysql:5.7.2", "mysql-1": "mysql:5.7.2", "mysql-2": "mysql:5.7.23"}
    moment = clock.unix()
    kubectl("patch", "statefulset", "mysql", "-p", partition.replace("2", "0"))
    pods.wait("all updated", all_ready(names, "mysql:5.7.23"))
    assert order_of_deletion(pods.since(moment)) == ["mysql-1", "mysql-0"]


def test_a_failing_update_stops(kubectl: Kubectl, watch: Callable[..., Observer]) -> None:
    pods = watch("pods")
    names = {f"mysql-{n}" for n in range(2)}
    kubectl("create", "-f", "-", stdin=web("mysql:5.7.2", name="mysql"))
    pods.wait("two pods", all_ready(names))
    kubectl("set", "image", "statefulset/mysql", "nginx=mysql:9.9.9-nowhere")
    pods.wait("mysql-1 stuck", lambda p: "mysql-1" in p and image(p["mysql-1"]).endswith("nowhere"))
    pods.wait("mysql-1 backs off", lambda p: _waiting(p["mysql-1"]) == "ImagePullBackOff")
    assert image(pods.objects["mysql-0"]) == "mysql:5.7.2"
    _, rows = kubectl.table("get", "pods")
    assert [(r["NAME"], r["READY"]) for r in rows] == [("mysql-0", "1/1"), ("mysql-1", "0/1")]


def _waiting(pod: dict[str, Any]) -> str:
    """Why a pod's container waits, "" when it does not."""
    statuses = pod["status"].get("containerStatuses") or [{}]
    return str(statuses[0].get("state", {}).get("waiting", {}).get("reason", ""))
