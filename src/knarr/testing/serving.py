"""A test cluster for clients outside of it: a TLS socket on loopback, and a kubeconfig that leads to it.

The certificates are made once a process, in a folder that only its user can read and that goes with the process.
"""

import atexit
import shutil
import tempfile
import threading
from dataclasses import replace
from functools import cache
from pathlib import Path

from knarr.client import kubeconfig
from knarr.client.kubeconfig import Entry
from knarr.client.transport import Handle
from knarr.meta import clock
from knarr.node.simulation.kubelet_api import SHARED
from knarr.server import http
from knarr.server.pki import Pki
from knarr.server.server import Settings, agents_context
from knarr.testing.cluster import Cluster
from knarr.testing.fork import PLAN

HOSTS = ("127.0.0.1", "localhost")
SPARE = 250  #: nodes that one certificate is made for at once
NAME = "knarr-test"  #: of cluster, user and context

_making = threading.Lock()


def pki(nodes: int = 0) -> Pki:
    """The certificates of this process's clusters, made when first asked for; for so many nodes or more."""
    with _making:
        return _pki(-(-nodes // SPARE) or 1)


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="knarr-test-"))  # mode 0700
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _pki(spares: int) -> Pki:
    from knarr.server import issuing  # 30 ms of cryptography

    addresses = [PLAN.simulated(number, alone=True).address for number in range(spares * SPARE)]
    before = clock.use(clock.RealClock())  # clients check the dates, and they live in real time
    try:
        return issuing.ensure(_folder() / "pki", hosts=HOSTS, nodes=(), simulated=[SHARED, *addresses])
    finally:
        clock.use(before)


def prepare(cluster: Cluster) -> None:
    """Give a cluster that has not begun its keys: it signs service account tokens, and its nodes serve logs and exec.

    Not so on virtual time, where such keys would be chance, and sockets between server and nodes have no time.
    """
    if cluster.virtual_time or not cluster.whole:
        return
    own = pki(len(cluster.machines))
    client, signing, serving = own.kubelet_client, own.service_accounts, own.simulated
    cluster.settings = Settings(
        signing_key=signing.key,
        verifying_key=signing.certificate,
        agents=agents_context(own.ca, client.certificate, client.key),
    )
    for machine in cluster.machines.values():
        machine.config = replace(machine.config, ca=own.ca, serving_cert=serving.certificate, serving_key=serving.key)


class Serving:
    """A socket that answers for a cluster until `close`, and the kubeconfigs for it."""

    def __init__(self, listening: http.Listening) -> None:
        self._listening = listening
        host, port = listening.addresses[0]
        self.url = f"https://{host}:{port}"
        self._folder = Path(tempfile.mkdtemp(prefix=f"{port}-", dir=pki().folder.parent))

    @classmethod
    async def start(cls, handle: Handle) -> "Serving":
        """Listen on a free port of 127.0.0.1."""
        own = pki()
        context = http.tls(own.server.certificate, own.server.key, own.ca)
        return cls(await http.serve(handle, hosts=[HOSTS[0]], port=0, context=context))

    def kubeconfig(self, namespace: str) -> Path:
        """A kubeconfig of an administrator who works in a namespace."""
        file = self._folder / f"{namespace}.kubeconfig"
        if not file.exists():
            own = pki()
            entry = Entry(
                name=NAME,
                server=self.url,
                ca=own.ca.read_bytes(),
                certificate=own.admin.certificate.read_bytes(),
                key=own.admin.key.read_bytes(),
                namespace=namespace,
            )
            kubeconfig.merge(entry, file)
        return file

    async def close(self) -> None:
        """End every connection, and remove the kubeconfigs."""
        await self._listening.close()
        shutil.rmtree(self._folder, ignore_errors=True)  # a few small files
