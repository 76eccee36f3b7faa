"""A server on loopback over the memory store, with certificates of its own, for real clients."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from knarr.app import certificates
from knarr.client.transport import Request, User
from knarr.kinds.table import BUILTIN
from knarr.registry.registry import Registry
from knarr.server import http
from knarr.server.handler import Handler
from knarr.server.http import Listening
from knarr.server.pki import Pki
from knarr.server.server import Settings, agents_context, build
from knarr.store.memory import open_memory
from tests.wire.boats import serve_boats
from tests.wire.compatibility import kubectl_version
from tests.wire.kubectl_cluster import Cluster, Teller, running, telling
from tests.wire.kubectl_stories import kubectls, must_have
from tests.wire.kubectl_transcripts import Story
from tests.wire.places import Place, placing

ADMIN, BOB = "admin-token", "bob-token"
TOKENS = f'{ADMIN},admin,1,"system:masters"\n{BOB},bob,2,"devs"\n'
NAMESPACES = ("default", "kube-system")
CONFIG = """
apiVersion: v1
kind: Config
clusters: [{{name: wire, cluster: {{server: "{url}", certificate-authority: {ca}}}}}]
users:
- {{name: admin, user: {{client-certificate: {certificate}, client-key: {key}}}}}
- {{name: bob, user: {{token: {bob}}}}}
contexts:
- {{name: wire, context: {{cluster: wire, user: admin}}}}
- {{name: bob, context: {{cluster: wire, user: bob}}}}
current-context: wire
"""


@dataclass
class Server:
    """What tests know of the running server."""

    url: str
    port: int
    pki: Pki
    folder: Path
    handler: Handler
    listening: Listening

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def trust(self) -> ssl.SSLContext:
        """A client's end of TLS, without a certificate."""
        return ssl.create_default_context(cafile=self.pki.ca)

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A raw connection."""
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.trust(), server_hostname="127.0.0.1")

    async def create(self, path: str, body: str) -> None:
        """Create an object as an administrator, without the socket."""
        headers = {"content-type": "application/yaml"}
        response = await self.handler.handle(Request("POST", path, [], headers, body.encode(), User()))
        assert response.status == 201, response.body


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    folder = tmp_path_factory.mktemp("pki")
    return certificates.ensure(folder, hosts=["127.0.0.1"], nodes=[("node-1", "127.0.0.1")])


@pytest.fixture
async def server(pki: Pki, tmp_path: Path) -> AsyncIterator[Server]:
    store = await open_memory()
    registry = Registry(store, BUILTIN)
    await registry.start()
    tokens = tmp_path / "tokens.csv"
    tokens.write_text(TOKENS)
    settings = Settings(
        token_file=tokens,
        signing_key=pki.service_accounts.key,
        verifying_key=pki.service_accounts.certificate,
        agents=agents_context(pki.ca, pki.kubelet_client.certificate, pki.kubelet_client.key),
    )
    handler = build(registry, settings)
    context = http.tls(pki.server.certificate, pki.server.key, pki.ca)
    listening = await http.serve(handler.handle, hosts=["127.0.0.1"], port=0, context=context)
    host, port = listening.addresses[0]
    running = Server(f"https://{host}:{port}", port, pki, tmp_path, handler, listening)
    running.kubeconfig.write_text(
        CONFIG.format(url=running.url, ca=pki.ca, certificate=pki.admin.certificate, key=pki.admin.key, bob=BOB)
    )
    for name in NAMESPACES:
        await running.create("/api/v1/namespaces", f"metadata: {{name: {name}}}")
        await running.create(f"/api/v1/namespaces/{name}/serviceaccounts", "metadata: {name: default}")
    yield running
    await listening.close()
    await registry.stop()
    await store.close()


class Kubectl:
    """One kubectl, speaking to the server."""

    def __init__(self, binary: Path, server: Server) -> None:
        self.binary, self.server = binary, server

    async def run(self, *arguments: str, stdin: str = "", context: str = "wire") -> tuple[int, str, str]:
        """Return the exit code, stdout and stderr."""
        process = await asyncio.create_subprocess_exec(
            self.binary,
            "--kubeconfig",
            self.server.kubeconfig,
            f"--cache-dir={self.server.folder}/cache",
            "--context",
            context,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(120):
                out, err = await process.communicate(stdin.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that must succeed; return its output."""
        code, out, err = await self.run(*arguments, stdin=stdin)
        assert code == 0, f"kubectl {' '.join(arguments)}: {err}{out}"
        return out


@pytest.fixture(params=kubectls() or [None], ids=lambda path: path.name if path else "none")
def kubectl(request: pytest.FixtureRequest, server: Server) -> Kubectl:
    if request.param is None:
        pytest.skip("there is no kubectl here")
    return Kubectl(request.param, server)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that the tests of one process share."""
    with running(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
async def teller(kubectl: Path, story: Story, simulated: Cluster, tmp_path: Path) -> AsyncIterator[Teller]:
    """The test's kubectl in a namespace of its own."""
    must_have(kubectl, story)
    async with telling(kubectl, kubectl_version(kubectl), simulated, tmp_path) as teller:
        yield teller


@pytest.fixture
async def place(simulated: Cluster, tmp_path: Path) -> AsyncIterator[Place]:
    """A namespace of the test's own in the shared cluster, for clients other than kubectl."""
    async with placing(simulated, tmp_path) as place:
        yield place


@pytest.fixture
async def boats(place: Place) -> Place:
    """A place in a cluster that serves a custom resource, boats."""
    await serve_boats(place.cluster)
    return place
