"""The note on pod controllers, on real nodes: a Deployment is updated, let out to one pod first and rolled back."""

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from knarr.app.demo.observer import Observer
from tests.e2e.conftest import Kubectl, build, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("myapp")]

APP = "ikubernetes/myapp"
SECONDS, LONG = "120s", 500
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
    """The version that each pod serves, asked of its own web server; "" of one that does not answer."""
    names = kubectl("get", "pods", "-o", "name").split()
    said = [kubectl.run("exec", name, "--", "wget", "-qO-", "127.0.0.1").stdout for name in names]
    return sorted(each.rpartition(" ")[2].strip() for each in said)


def counts(deployment: dict[str, Any]) -> tuple[int, int]:
    """How many pods are ready, and how many are new."""
    status = deployment.get("status", {})
    return status.get("readyReplicas", 0), status.get("updatedReplicas", 0)


def told(events: dict[str, dict[str, Any]]) -> list[str]:
    return [event["reason"] for event in events.values() if event["involvedObject"]["kind"] == "DaemonSet"]


def rolled_out(kubectl: Kubectl, what: str) -> list[str]:
    return kubectl("rollout", "status", what, f"--timeout={SECONDS}").splitlines()


def may_take(seconds: int) -> str:
    """A patch: one pod more at a time and none less, each available when it has been ready for so long."""
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    return json.dumps({"spec": {"strategy": strategy, "minReadySeconds": seconds}})


def test_a_deployment_is_updated_let_out_to_one_pod_first_and_rolled_back(kubectl: Kubectl, watch: Watch) -> None:
    webs = watch("deployments", "apis/apps/v1")
    web = "deployment/deploy-demo"
    applied(kubectl, "Deployment", "deploy-demo", "  replicas: 2\n")
    assert rolled_out(kubectl, web)[-1] == 'deployment "deploy-demo" successfully rolled out'
    wait_for(["v1", "v1"], lambda: versions(kubectl))
    _, pods = kubectl.table("get", "pods")
    assert all(re.fullmatch(r"deploy-demo-[a-z0-9]{6,10}-[a-z0-9]{5}", pod["NAME"]) for pod in pods)

    kubectl("set", "image", web, f"myapp={APP}:v2")
    rolled_out(kubectl, web)
    _, sets = kubectl.table("get", "rs")
    assert sorted((row["DESIRED"], row["CURRENT"], row["READY"]) for row in sets) == [("0", "0", "0"), ("2", "2", "2")]

    kubectl("patch", web, "-p", may_take(LONG))  # until it is paused, however late that is
    kubectl("set", "image", web, f"myapp={APP}:v3")
    kubectl("rollout", "pause", web)
    webs.wait("one of three is new", lambda found: counts(found.get("deploy-demo", {})) == (3, 1))
    assert kubectl("get", "deployment", "--no-headers").split()[1:3] == ["3/2", "1"]
    command = ["kubectl", "rollout", "status", web, f"--timeout={SECONDS}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert "1 out of 2 new replicas have been updated" in following.stdout.readline(), "it looks on from here"
        kubectl("patch", web, "-p", may_take(1))
        kubectl("rollout", "resume", web)
        assert "1 old replicas are pending termination" in following.stdout.read()
    assert following.returncode == 0
    wait_for(["v3", "v3"], lambda: versions(kubectl))

    assert kubectl("rollout", "undo", web, "--to-revision=1") == "deployment.apps/deploy-demo rolled back\n"
    rolled_out(kubectl, web)
    wait_for(["v1", "v1"], lambda: versions(kubectl))
    assert re.findall(r"^\d+", kubectl("rollout", "history", web), re.MULTILINE) == ["2", "3", "4"]


def test_a_daemonset_has_a_pod_on_each_node_and_is_updated_node_by_node(kubectl: Kubectl, watch: Watch) -> None:
    events = watch("events")
    applied(kubectl, "DaemonSet", "daemset")
    assert rolled_out(kubectl, "ds/daemset")[-1] == 'daemon set "daemset" successfully rolled out'
    _, pods = kubectl.table("get", "pods", "-o", "wide")
    assert sorted(pod["NODE"] for pod in pods) == ["e2e-0", "e2e-1"]
    kubectl("set", "image", "ds/daemset", f"myapp={APP}:v2")
    rolled_out(kubectl, "ds/daemset")
    wait_for(["v2", "v2"], lambda: versions(kubectl))
    events.wait("all is told", lambda found: len(told(found)) == 6)
    said = kubectl("describe", "ds", "daemset")
    assert "Desired Number of Nodes Scheduled: 2" in said
    assert "Pods Status:  2 Running / 0 Waiting / 0 Succeeded / 0 Failed" in said
    reasons = re.findall(r"Normal +(Successful\w+) ", said)
    assert reasons == ["SuccessfulCreate"] * 2 + ["SuccessfulDelete", "SuccessfulCreate"] * 2
