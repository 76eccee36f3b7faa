"""Clients outside of a test's own cluster, over its TLS socket, while the test itself uses it too."""

import subprocess

import kr8s
import pytest

from tests.wire.kubectl_stories import kubectls

A_POD = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: web}]}
"""
WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web"}]},
        },
    },
}


@pytest.fixture
def kubectl(tmp_path):
    if not (found := kubectls()):
        pytest.skip("there is no kubectl here")

    def run(cluster, *arguments, stdin=""):
        command = [found[0], "--kubeconfig", cluster.kubeconfig, f"--cache-dir={tmp_path}", *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done

    return run


def test_kubectl_reads_logs_runs_commands_and_gets_tokens(knarr, kubectl):
    knarr.apply(A_POD)
    knarr.wait("pod/web", condition="Ready")
    assert "no process" in kubectl(knarr, "logs", "web").stdout
    assert "no process" in kubectl(knarr, "exec", "web", "--", "ls").stdout
    assert kubectl(knarr, "create", "token", "default").stdout.count(".") == 2


def test_kubectl_works_in_the_namespace_that_the_kubeconfig_names(knarr_session, kubectl):
    kubectl(knarr_session, "apply", "-f", "-", stdin=A_POD)
    assert knarr_session.wait("pod/web", condition="Ready")["metadata"]["namespace"] == knarr_session.namespace


@pytest.mark.knarr(virtual_time=True, seed=3)
def test_on_virtual_time_kubectl_is_served_while_the_clock_stands_and_told_so(knarr, kubectl):
    said = kubectl(knarr, "apply", "-f", "-", stdin=A_POD)
    assert "virtual" in said.stderr
    assert kubectl(knarr, "get", "pod", "web", "-o", "jsonpath={.metadata.creationTimestamp}").stdout.startswith(
        "2026-01"
    )
    knarr.wait("pod/web", condition="Ready")
    assert "Running" in kubectl(knarr, "get", "pods").stdout


def test_kr8s_sees_what_the_test_applies(knarr):
    knarr.apply(WEB)
    knarr.wait("deployment/web", condition="Available")
    api = kr8s.api(kubeconfig=str(knarr.kubeconfig))
    assert len(list(api.get("pods", label_selector={"app": "web"}))) == 2
