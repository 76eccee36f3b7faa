"""What the demo's acts share: the cluster, kubectl, the observers and the timings."""

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from knarr.app import lookup
from knarr.app.config import Cluster, ConfigError
from knarr.app.demo.observer import BrokenPromise, Observer
from knarr.meta import clock

PATIENCE, PAUSE = 30.0, 0.02  #: seconds: how long a pod without a readiness probe may take to listen
HTTP = build_opener(ProxyHandler({}))  # pods are reached directly, whatever proxy the environment names


@dataclass
class Stage:
    """One run of the demo."""

    cluster: Cluster
    kubectl_binary: str
    example: Path
    pods: Observer
    claims: Observer
    endpoints: Observer
    timings: dict[str, float] = field(default_factory=dict)

    @property
    def real(self) -> bool:
        """Whether pods are real processes."""
        return self.cluster.runtime != "simulated"

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl as the user would; its output. BrokenPromise when it fails."""
        done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
            [self.kubectl_binary, *arguments],
            env={**os.environ, "KUBECONFIG": str(lookup.admin_kubeconfig(self.cluster))},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode != 0:
            raise BrokenPromise(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def pod_ip(self, name: str) -> str:
        return str(self.pods.objects[name]["status"]["podIP"])

    def ask(self, name: str, body: str | None = None) -> str:
        """GET from a pod's own address, or POST `body` to it."""
        try:
            return curl(self.pod_ip(name), body)
        except OSError as error:
            raise BrokenPromise(f"{name} does not answer at {self.pod_ip(name)}:8080: {error}") from error

    def timed(self, name: str, seconds: float) -> str:
        self.timings[name] = seconds
        return f"{seconds:.2f} s"


def curl(address: str, body: str | None = None) -> str:
    """GET from port 8080 of an address, or POST `body` to it. An application that is just starting gets its time."""
    url, data = f"http://{address}:8080/", body.encode() if body is not None else None
    deadline = clock.unix() + PATIENCE
    while True:
        try:
            with HTTP.open(Request(url, data=data), timeout=PATIENCE) as answer:
                return str(answer.read().decode())
        except OSError:
            if clock.unix() > deadline:
                raise
            time.sleep(PAUSE)


def check(kept: bool, promise: str) -> None:
    if not kept:
        raise BrokenPromise(promise)


def example_folder() -> Path:
    """`examples/kubia`: beside the sources, or installed with the package."""
    here = Path(__file__).resolve()
    for folder in (here.parents[4] / "examples/kubia", here.parents[2] / "examples/kubia"):
        if (folder / "kubia.yaml").is_file():
            return folder
    raise ConfigError("examples/kubia is not installed; run the demo from a clone of the repository")
