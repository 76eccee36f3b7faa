"""The note on pod controllers, on real nodes: a Deployment is updated, let out to one pod first and rolled back."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from knarr.app.demo.observer import Observer
from tests.e2e.conftest import Kubectl, build

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("myapp")]

APP = "ikubernetes/myapp"
SECONDS = "90s"
Watch = Callable[..., Observer]
MANIFEST = """\
apiVersion: apps/v1
kind: {kind}
metadata:
  name: {name}
spec:
{size}  selector:
    matchLabels:
      app: deploy-app
      release: canary
  template:
    metadata:
      labels:
        app: deploy-app
        release: canary
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: myapp
        image: {app}:v1
        ports:
        - name: http
          containerPort: 80
"""


@pytest.fixture(scope="session")
def myapp(images: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Three versions of the note's application: a web server that says which one it is."""
    for version in ("v1", "v2", "v3"):
        folder = tmp_path_factory.mktemp("myapp")
        (folder / "index.html").write_text(f"Hello MyApp | Version: {version}\n")
        command = '["httpd", "-f", "-p", "80", "-h", "/html"]'
        (folder / "Dockerfile").write_text(f"FROM bare\nCOPY index.html /html/index.html\nEXPOSE 80\nCMD {command}\n")
        build(folder, f"{APP}:{version}")


def applied(kubectl: Kubectl, kind: str, name: str, size: str = "") -> None:
    text = MANIFEST.format(kind=kind, name=name, size=size, app=APP)
    assert kubectl("apply", "-f", "-", stdin=text) == f"{kind.lower()}.apps/{name} created\n"


def versions(kubectl: Kubectl) -> list[str]:
    """The version that each pod serves, asked of its own web server."""
    names = kubectl("get", "pods", "-o", "name").split()
    return sorted(kubectl("exec", name, "--", "wget", "-qO-", "127.0.0.1").split()[-1] for name in names)


def counts(deployment: dict[str, Any]) -> tuple[int, int]:
    """How many pods are ready, and how many are new."""
    status = deployment["status"]
    return status.get("readyReplicas", 0), status.get("updatedReplicas", 0)


def told(events: dict[str, dict[str, Any]]) -> list[str]:
    return [event["reason"] for event in events.values() if event["involvedObject"]["kind"] == "DaemonSet"]


def rolled_out(kubectl: Kubectl, what: str) -> list[str]:
    return kubectl("rollout", "status", what, f"--timeout={SECONDS}", timeout=120).splitlines()


def test_a_deployment_is_updated_let_out_to_one_pod_first_and_rolled_back(kubectl: Kubectl, watch: Watch) -> None:
    pods_seen, webs = watch("pods"), watch("deployments", "apis/apps/v1")
    web = "deployment/deploy-demo"
    applied(kubectl, "Deployment", "deploy-demo", "  replicas: 2\n")
    assert rolled_out(kubectl, web)[-1] == 'deployment "deploy-demo" successfully rolled out'
    assert versions(kubectl) == ["v1", "v1"]
    _, pods = kubectl.table("get", "pods")
    assert all(re.fullmatch(r"deploy-demo-[a-z0-9]{6,10}-[a-z0-9]{5}", pod["NAME"]) for pod in pods)

    kubectl("set", "image", web, f"myapp={APP}:v2")
    rolled_out(kubectl, web)
    _, sets = kubectl.table("get", "rs")
    assert sorted((row["DESIRED"], row["CURRENT"], row["READY"]) for row in sets) == [("0", "0", "0"), ("2", "2", "2")]

    bounds = '{"spec":{"strategy":{"rollingUpdate":{"maxSurge":1,"maxUnavailable":0}},"minReadySeconds":5}}'
    kubectl("patch", web, "-p", bounds)
    kubectl("set", "image", web, f"myapp={APP}:v3")
    kubectl("rollout", "pause", web)
    webs.wait("one of three is new", lambda found: counts(found["deploy-demo"]) == (3, 1))
    assert kubectl("get", "deployment", "--no-headers").split()[1:3] == ["3/2", "1"]
    kubectl("rollout", "resume", web)
    lines = rolled_out(kubectl, web)
    assert "1 old replicas are pending termination" in "".join(lines)
    assert versions(kubectl) == ["v3", "v3"]

    assert kubectl("rollout", "undo", web, "--to-revision=1") == "deployment.apps/deploy-demo rolled back\n"
    rolled_out(kubectl, web)
    pods_seen.wait("two pods", lambda found: len(found) == 2)
    assert versions(kubectl) == ["v1", "v1"]
    assert re.findall(r"^\d+", kubectl("rollout", "history", web), re.MULTILINE) == ["2", "3", "4"]


def test_a_daemonset_has_a_pod_on_each_node_and_is_updated_node_by_node(kubectl: Kubectl, watch: Watch) -> None:
    events = watch("events")
    applied(kubectl, "DaemonSet", "daemset")
    assert rolled_out(kubectl, "ds/daemset")[-1] == 'daemon set "daemset" successfully rolled out'
    _, pods = kubectl.table("get", "pods", "-o", "wide")
    assert sorted(pod["NODE"] for pod in pods) == ["e2e-0", "e2e-1"]
    kubectl("set", "image", "ds/daemset", f"myapp={APP}:v2")
    rolled_out(kubectl, "ds/daemset")
    assert versions(kubectl) == ["v2", "v2"]
    events.wait("all is told", lambda found: len(told(found)) == 6)
    said = kubectl("describe", "ds", "daemset")
    assert "Desired Number of Nodes Scheduled: 2" in said
    assert "Pods Status:  2 Running / 0 Waiting / 0 Succeeded / 0 Failed" in said
    reasons = re.findall(r"Normal +(Successful\w+) ", said)
    assert reasons == ["SuccessfulCreate"] * 2 + ["SuccessfulDelete", "SuccessfulCreate"] * 2
