"""The API server's proxies to pods and services of two real nodes: kubectl proxy, WebSocket, port-forward."""

import base64
import http.client
import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from knarr.app.config import Cluster
from tests.e2e.conftest import PATIENCE, Kubectl, kubectls, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images")]

SPACE = "proxied"
#: a web server that says who it is and what it was asked, redirects, hints before it answers, and echoes a WebSocket
SERVER = r"""
import base64, hashlib, http.server, socket
class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.headers.get("upgrade") == "websocket":
            return self.echo()
        if self.path == "/moved":
            self.send_response(302); self.send_header("Location", "/there"); self.send_header("Content-Length", "0")
            return self.end_headers()
        if self.path == "/hints":
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        size = int(self.headers.get("Content-Length") or 0)
        body = f"{socket.gethostname()} {self.command} {self.path} {self.rfile.read(size).decode()}".encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    do_POST = do_PUT = do_DELETE = do_GET
    def echo(self):
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101); self.send_header("Upgrade", "websocket"); self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        while data := self.connection.recv(65536):
            self.connection.sendall(data)
        self.close_connection = True
http.server.ThreadingHTTPServer(("", 8080), Web).serve_forever()
"""


def a_pod(name: str, node: str) -> dict[str, object]:
    container = {
        "name": "web",
        "image": "busybox:1.28.4",
        "command": ["python3", "-c", SERVER],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "timeoutSeconds": 30},
    }
    spec = {
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "nodeSelector": {"kubernetes.io/hostname": node},
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}}, "spec": spec}


OBJECTS = [
    a_pod("web-0", "e2e-0"),
    a_pod("web-1", "e2e-1"),
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "main", "port": 80, "targetPort": "http"}]},
    },
]


@pytest.fixture(scope="module")
def web(cluster: Cluster, images: None) -> Iterator[str]:
    """A pod on each node and a service of both; the path of their namespace."""
    kubectl = Kubectl()
    kubectl("create", "namespace", SPACE)
    kubectl("apply", "-n", SPACE, "-f", "-", stdin=json.dumps({"kind": "List", "apiVersion": "v1", "items": OBJECTS}))
    kubectl("wait", "-n", SPACE, "pod/web-0", "pod/web-1", "--for=condition=Ready", "--timeout=120s")
    ready = ("get", "endpoints", "-n", SPACE, "web", "-o", "jsonpath={.subsets[*].addresses[*].targetRef.name}")
    wait_for(["web-0", "web-1"], lambda: sorted(kubectl(*ready).split()))
    yield f"/api/v1/namespaces/{SPACE}"
    kubectl("delete", "namespace", SPACE)


@contextmanager
def running(*command: str, says: str) -> Iterator[int]:
    """A kubectl that listens on a port of its own choice; the port, from what it says."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = re.search(says, process.stdout.readline())
        assert found
        yield int(found[1])
    finally:
        process.terminate()  # what is started in a shell's background does not hear SIGINT
        process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="module")
def proxy(web: str) -> Iterator[int]:
    with running("kubectl", "proxy", "--port=0", says=r"127\.0\.0\.1:(\d+)") as port:
        yield port


def ask(port: int, path: str, method: str = "GET", body: str | None = None) -> tuple[int, str, dict[str, str]]:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        link.request(method, path, body)
        answer = link.getresponse()
        return answer.status, answer.read().decode(), {key.lower(): value for key, value in answer.getheaders()}
    finally:
        link.close()


def test_a_pod_of_either_node_is_reached_through_kubectl_proxy(web: str, proxy: int) -> None:
    for name in ("web-0", "web-1"):
        assert ask(proxy, f"{web}/pods/{name}/proxy/some/path?a=b")[:2] == (200, f"{name} GET /some/path?a=b ")
        assert ask(proxy, f"{web}/pods/{name}:8080/proxy/", "POST", "this")[:2] == (200, f"{name} POST / this")
        assert ask(proxy, f"{web}/pods/http:{name}:http/proxy/x", "PUT", "that")[:2] == (200, f"{name} PUT /x that")


def test_a_service_leads_to_pods_of_both_nodes(web: str, proxy: int) -> None:
    for name in ("web", "web:80", "web:main"):
        path = f"{web}/services/{name}/proxy/x"
        wait_for({"web-0 GET /x ", "web-1 GET /x "}, lambda: {ask(proxy, path)[1] for _ in range(24)})  # noqa: B023


def test_a_path_without_its_slash_and_a_redirect_lead_back_through_the_proxy(web: str, proxy: int) -> None:
    status, _, headers = ask(proxy, f"{web}/pods/web-1/proxy?a=b")
    assert (status, headers["location"]) == (301, f"{web}/pods/web-1/proxy/?a=b")
    status, _, headers = ask(proxy, f"{web}/pods/web-1/proxy/moved")
    assert (status, headers["location"]) == (302, f"{web}/pods/web-1/proxy/there")


def test_what_a_pod_hints_before_its_answer_is_not_its_answer(web: str, proxy: int) -> None:
    assert ask(proxy, f"{web}/pods/web-1/proxy/hints")[:2] == (200, "web-1 GET /hints ")


@pytest.mark.parametrize("path", ["pods/web-0", "pods/web-1", "services/web:main"])
def test_a_websocket_goes_through(web: str, proxy: int, path: str) -> None:
    key = base64.b64encode(os.urandom(16)).decode()
    head = (
        f"GET {web}/{path}/proxy/ws HTTP/1.1\r\nHost: 127.0.0.1:{proxy}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", proxy), timeout=PATIENCE) as link, link.makefile("rb") as stream:
        link.sendall(head.encode())
        lines = [*iter(stream.readline, b"\r\n")]
        assert lines[0].startswith(b"HTTP/1.1 101 ")
        assert any(line.lower().startswith(b"sec-websocket-accept:") for line in lines)
        frame = b"\x81\x85\0\0\0\0hello"
        link.sendall(frame * 100)
        assert stream.read(len(frame) * 100) == frame * 100


def test_what_is_not_there_says_so(web: str, proxy: int) -> None:
    status, said, _ = ask(proxy, f"{web}/pods/web-9/proxy/")
    assert (status, json.loads(said)["message"]) == (404, 'pods "web-9" not found')
    status, said, _ = ask(proxy, f"{web}/pods/web-1:81/proxy/")
    assert status == 503
    assert re.fullmatch(
        r"error trying to reach service: dial tcp [\d.]+:81: connect: connection refused", json.loads(said)["message"]
    )
    for port, message in (
        ("other", 'no endpoints available for service "web"'),
        ("81", 'no service port 81 found for service "web"'),
    ):
        status, said, _ = ask(proxy, f"{web}/services/web:{port}/proxy/")
        assert (status, json.loads(said)["message"]) == (503, message)


@pytest.mark.parametrize("binary", kubectls(), ids=lambda path: os.path.basename(path))  # noqa: PTH119
def test_a_service_is_forwarded_to_one_of_its_pods(web: str, binary: str) -> None:
    command = [binary, "port-forward", "-n", SPACE, "service/web", ":80"]
    with running(*command, says=r"127\.0\.0\.1:(\d+) -> 8080") as port:
        assert re.fullmatch("web-[01] POST /x this", ask(port, "/x", "POST", "this")[1])
        big = "x" * 1_000_000
        assert ask(port, "/y", "POST", big)[1].endswith(big)
