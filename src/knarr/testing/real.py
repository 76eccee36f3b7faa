"""A cluster of real nodes for tests: `knarr up` with a name and a home of its own, taken down with all its data.

Its verbs are those of a cluster in this process; what only virtual time or a server in this process can give is not
there.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from knarr.client import kubeconfig
from knarr.client.api import Api
from knarr.meta import clock
from knarr.testing.blocking import BlockingVerbs
from knarr.testing.thread import LoopThread
from knarr.testing.verbs import Verbs

LONGEST = 180.0  #: seconds that a command may take
REPORTED = 40  #: events in a report


class KnarrFailed(RuntimeError):
    """The command line failed; the message is what it said."""


class RealCluster(BlockingVerbs):
    """A running cluster. `up` are more flags of `knarr up`."""

    def __init__(self, nodes: int = 1, *, runtime: str = "sandbox", up: Sequence[str] = ()) -> None:
        self.name = f"test-{clock.suffix()}"
        self._home = Path(tempfile.mkdtemp(prefix="knarr-test-"))
        self._up = ["up", "--nodes", str(nodes), "--runtime", runtime, "--port", "0", "--kubeconfig"]
        self._up += [str(self._home / "made"), *up]
        self.nodes = tuple(f"{self.name}-{number}" for number in range(nodes))
        self.thread = LoopThread("knarr")

    def __enter__(self) -> "RealCluster":
        try:
            self.knarr(*self._up)
            self._entry = kubeconfig.load(self._home / "made")
            self.thread.__enter__()
            self.verbs = Verbs(Api(self._entry.transport(), user_agent="knarr-testing"))
            self.wait("serviceaccount", "default")  # no pod is admitted before
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if hasattr(self, "verbs"):
                self.thread.run(self.verbs.api.close())
                self.thread.__exit__()
        finally:
            self.knarr("down", "--delete-data", check=False)
            shutil.rmtree(self._home, ignore_errors=True)

    @property
    def url(self) -> str:
        """Where the API server is: https on loopback."""
        return self._entry.server

    @property
    def kubeconfig(self) -> Path:
        file = self._home / f"{self.namespace}.kubeconfig"
        if not file.exists():
            kubeconfig.merge(replace(self._entry, namespace=self.namespace), file)
        return file

    def knarr(self, *arguments: str, check: bool = True) -> str:
        """Run the command line on this cluster, `knarr("image", "build", "-t", "web", folder)`; raise KnarrFailed."""
        command = [sys.executable, "-m", "knarr", *arguments, "--name", self.name]
        environment = {**os.environ, "KNARR_HOME": str(self._home)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONGEST)  # noqa: S603
        if check and done.returncode:
            raise KnarrFailed(f"knarr {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start_node(self, name: str) -> None:
        """Start a node's agent."""
        self.knarr("node", "start", name)

    def stop_node(self, name: str) -> None:
        """Stop a node's agent as a crash would; its pods run on."""
        self.knarr("node", "stop", name)

    def partition_node(self, name: str) -> None:
        """Cut a node off; its agent and its pods run on."""
        self.knarr("node", "partition", name)

    def heal_node(self, name: str) -> None:
        """Reconnect a node."""
        self.knarr("node", "heal", name)

    def what_happened(self) -> str:
        from knarr.testing.waiting import told

        return "\n".join(told(self.events())[-REPORTED:])
