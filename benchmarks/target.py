"""The cluster that is measured: a fresh one of knarr's own, or that of a kubeconfig; and the load client's process."""

import copy
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.load import context as tls
from knarr.app import config, lookup, processes
from knarr.client import kubeconfig

ROOT = Path(__file__).resolve().parent.parent
Figures = dict[str, Any]


class Target:
    """A cluster under load. `pid` is the server's, 0 when it is not a process of this machine that we know."""

    def __init__(self, entry: kubeconfig.Entry, folder: Path, pid: int = 0) -> None:
        self.pid = pid
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
        """Seconds of CPU that the server has used, all its threads together."""
        if not self.pid:
            return 0.0
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """The server's resident memory in megabytes, 0 when it is not known."""
        if not self.pid:
            return 0.0
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1000

    def close(self) -> None:
        assert self._client.stdin is not None
        self._client.stdin.close()
        self._client.wait(30)


@contextmanager
def target(file: Path | None) -> Iterator[Target]:
    """The cluster of a kubeconfig, or without one a fresh cluster without nodes, which is removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="knarr-benchmark-"))
    name, own = f"bench-{os.getpid()}", folder / "kubeconfig"
    try:
        if file is None:
            places = ["--data-dir", str(folder / "data"), "--kubeconfig", str(own), "--port", "0"]
            kind = ["--name", name, "--runtime", "simulated", "--nodes", "0", "--upstream-dns", "127.0.0.1"]
            started = [sys.executable, "-m", "knarr", "up", *kind, *places]
            subprocess.run(started, check=True, stdout=subprocess.DEVNULL)
        opened = Target(kubeconfig.load(file or own), folder, _server(name) if file is None else 0)
        try:
            yield opened
        finally:
            opened.close()
    finally:
        if file is None:
            down = [sys.executable, "-m", "knarr", "down", "--name", name, "--delete-data"]
            subprocess.run(down, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


def _server(name: str) -> int:
    cluster = config.find(name)
    assert cluster is not None
    recorded = processes.read(lookup.pid_file(cluster, lookup.SERVER))
    assert recorded is not None
    return recorded.pid
