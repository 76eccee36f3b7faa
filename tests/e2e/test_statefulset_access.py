"""The fifth note: a StatefulSet of an old version, reached through the API server, and its peers found by SRV."""

import http.client
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from knarr.app.config import Cluster
from knarr.app.demo.observer import Observer, ready
from knarr.meta import clock
from tests.e2e.conftest import PATIENCE, ROOT, Kubectl, are, build, resolved, wait_for

pytestmark = pytest.mark.e2e

MANIFEST = """\
kind: List
apiVersion: v1
items:
- apiVersion: v1
  kind: Service
  metadata:
    name: kubia
  spec:
    clusterIP: None
    selector:
      app: kubia
    ports:
    - name: http
      port: 80
      targetPort: http
- apiVersion: v1
  kind: Service
  metadata:
    name: kubia-public
  spec:
    selector:
      app: kubia
    ports:
    - port: 80
      targetPort: 8080
- apiVersion: apps/v1beta1
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
          image: luksa/kubia-pet
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
        resources:
          requests:
            storage: 1Mi
        accessModes:
        - ReadWriteOnce
"""


@contextmanager
def kubectl_proxy() -> Iterator[http.client.HTTPConnection]:
    """What the note does with curl: requests to the port where `kubectl proxy` listens."""
    process = subprocess.Popen(["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert found
        yield http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=PATIENCE)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def test_the_whole_note(kubectl: Kubectl, cluster: Cluster, namespace: str, watch: Callable[..., Observer]) -> None:
    pods = watch("pods")
    build(ROOT / "examples/kubia", "luksa/kubia-pet")
    said = kubectl("create", "-f", "-", stdin=MANIFEST)
    created = ["service/kubia created", "service/kubia-public created", "statefulset.apps/kubia created"]
    assert said.splitlines() == created
    pods.wait("two pods", lambda p: len(p) == 2 and all(map(ready, p.values())))

    # reached through the API server: each pod by its name, any of them by the service's
    with kubectl_proxy() as link:

        def ask(path: str, body: str | None = None) -> str:
            """What is answered, once the program in the pod listens: without a probe, its pod is ready before. And a
            service leads to a pod when its endpoints say so, a moment after the pod came or went."""
            deadline = clock.unix() + PATIENCE
            while True:
                link.request("POST" if body else "GET", f"/api/v1/namespaces/{namespace}/{path}", body)
                answer = link.getresponse()
                text = answer.read().decode()
                if answer.status != 503:
                    assert answer.status == 200, text
                    return text
                assert clock.unix() < deadline, text

        assert ask("pods/kubia-0/proxy/") == "You've hit kubia-0\nData stored on this Pod: No data posted yet\n"
        said = ask("pods/kubia-0/proxy/", "Hey there! This greeting was submitted to kubia-0.")
        assert said == "Data stored on kubia-0\n"
        back = are(kubectl.replace("kubia-0"))
        pods.wait("two pods again", lambda p: back(p) and len(p) == 2 and all(map(ready, p.values())))
        assert "Hey there!" in ask("pods/kubia-0/proxy/")
        assert "No data posted yet" in ask("pods/kubia-1/proxy/")
        for service in ("kubia", "kubia-public"):
            hits = lambda: {ask(f"services/{service}/proxy/").splitlines()[0] for _ in range(20)}  # noqa: B023, E731
            wait_for({"You've hit kubia-0", "You've hit kubia-1"}, hits)

    # the peers, by SRV, as each of them can find them
    shown = "jsonpath={range .items[*]}{.metadata.name} {.status.podIP}{'\\n'}{end}"
    addresses = dict(line.split() for line in kubectl("get", "pods", "-o", shown).splitlines())
    zone = f"kubia.{namespace}.svc.cluster.local"
    wait_for(sorted(addresses.values()), lambda: resolved(cluster, zone))
    said = subprocess.run(
        ["dig", "SRV", zone, f"@{cluster.network.dns}"], capture_output=True, text=True, timeout=PATIENCE, check=True
    ).stdout
    for name in ("kubia-0", "kubia-1"):
        assert re.search(rf"^{zone}\.\s+30\s+IN\s+SRV\s+0 50 8080 {name}\.{zone}\.$", said, re.MULTILINE), said
        assert re.search(rf"^{name}\.{zone}\.\s+30\s+IN\s+A\s+{addresses[name]}$", said, re.MULTILINE), said
    script = f"import socket; print(socket.gethostbyname('kubia-1.kubia'), socket.gethostbyname('kubia-0.{zone}'))"
    assert kubectl("exec", "kubia-0", "--", "python3", "-c", script).split() == [
        addresses["kubia-1"],
        addresses["kubia-0"],
    ]
    claims = json.loads(kubectl("get", "pvc", "-o", "json"))["items"]
    assert {claim["metadata"]["name"] for claim in claims} == {"data-kubia-0", "data-kubia-1"}
