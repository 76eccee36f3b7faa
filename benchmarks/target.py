"""The cluster that is measured: a fresh one of knarr's own, or that of a kubeconfig; and the load client's process."""

import copy
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from benchmarks.fresh import fresh
from benchmarks.load import context as tls
from benchmarks.process import cpu, memory
from knarr.client import kubeconfig

ROOT = Path(__file__).resolve().parent.parent
Figures = dict[str, Any]


class Target:
    """A cluster under load. `pid` is the server's, 0 when it is not a process of this machine that we know."""

    def __init__(self, file: Path, folder: Path, pid: int = 0) -> None:
        self.kubeconfig, self.pid = file, pid
        entry = kubeconfig.load(file)
        at = urlsplit(entry.server)
        host, port = at.hostname or "", at.port or 443
        files = {"ca": entry.ca, "certificate": entry.certificate, "key": entry.key}
        self._cluster: Figures = {"host": f"{host}:{port}", "port": port, "token": entry.token, "verify": entry.verify}
        self._cluster["address"] = socket.gethostbyname(host)
        for name, content in files.items():
            file = folder / name
            file.touch(mode=0o600)
            file.write_bytes(content)
            self._cluster[name] = str(file) if content else ""
        self._client = self._start()

    def _start(self) -> "subprocess.Popen[str]":
        client = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert client.stdin is not None
        client.stdin.write(json.dumps(self._cluster) + "\n")
        return client

    def run(self, job: Figures, *, lenient: bool = False) -> Figures:
        """Have the client do a job; its figures, and the server's seconds of CPU when that is known.

        A request that fails ends the benchmark; not so when it is `lenient`.
        """
        assert self._client.stdin is not None
        assert self._client.stdout is not None
        before = self.cpu()
        self._client.stdin.write(json.dumps(job) + "\n")
        self._client.stdin.flush()
        line = self._client.stdout.readline()
        if not line:
            raise SystemExit(f"the load client ended in {job}")
        figures: Figures = json.loads(line)
        if self.pid:
            figures["server_cpu"] = self.cpu() - before
        if figures["failures"] and not lenient:
            raise SystemExit(f"{figures['failures']} requests failed, the first with\n{figures['failure']}")
        return figures

    def another(self) -> "Target":
        """The same cluster with a client process of its own, for what is done meanwhile."""
        made = copy.copy(self)
        made._client = made._start()
        return made

    def one(self, method: str, path: str, body: Any = None) -> Figures:
        """A single request on a connection of its own."""
        shape = {"method": method, "path": path, "body": json.dumps(body) if body is not None else ""}
        return self.run({"connections": 1, "count": 1, "requests": [shape]})

    @property
    def headers(self) -> dict[str, str]:
        """What a request says of who sends it, when no certificate does."""
        token = self._cluster["token"]
        return {"Authorization": f"Bearer {token}"} if token else {}

    def connection(self) -> HTTPSConnection:
        """A connection of this process, for what wants to see the answers."""
        return HTTPSConnection(self._cluster["address"], self._cluster["port"], context=tls(self._cluster), timeout=300)

    def cpu(self) -> float:
        """Seconds of CPU that the server has used, 0 when that is not known."""
        return cpu(self.pid) if self.pid else 0.0

    def memory(self) -> float:
        """The server's resident memory in megabytes, 0 when it is not known."""
        return memory(self.pid) if self.pid else 0.0

    def close(self) -> None:
        assert self._client.stdin is not None
        self._client.stdin.close()
        self._client.wait(30)


@contextmanager
def target(file: Path | None, nodes: int = 0, *more: str) -> Iterator[Target]:
    """The cluster of a kubeconfig, or without one a fresh cluster with so many nodes and `more` arguments."""
    with ExitStack() as stack:
        if file is None:
            own = stack.enter_context(fresh(nodes, *more))
            found = Target(own.kubeconfig, own.folder, own.server)
        else:
            found = Target(file, Path(stack.enter_context(TemporaryDirectory(prefix="knarr-benchmark-"))))
        yield stack.enter_context(closing(found))
