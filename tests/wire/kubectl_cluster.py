"""A whole cluster of simulated nodes in a process of its own, and the telling of stories in a namespace of it."""

import asyncio
import base64
import itertools
import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import yaml

from tests.wire.kubectl_transcripts import Command, Story, begins, difference, parsed

TOKENS = 'admin-token,admin,1,"system:masters"\nbob-token,bob,2,"devs"\n'
NODES = 2
PATIENCE = 60.0  #: seconds for what comes by itself
ENDLESS = 120.0  #: seconds after which a command hangs
PAUSE = 0.1


@dataclass
class Cluster:
    """A running cluster, and the folder of its clients."""

    home: Path

    def __post_init__(self) -> None:
        self._numbers = itertools.count()

    @property
    def made(self) -> Path:
        """The kubeconfig that `knarr up` wrote."""
        return self.home / "made"

    @cached_property
    def _where(self) -> dict[str, str]:
        return yaml.safe_load(self.made.read_text())["clusters"][0]["cluster"]

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        authority = base64.b64decode(self._where["certificate-authority-data"])
        return ssl.create_default_context(cadata=authority.decode())

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """The server's answer to an administrator; HTTPError when it refuses."""
        headers = {"authorization": "Bearer admin-token", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._where["server"] + path, data, headers, method=method)
        with urllib.request.urlopen(request, context=self._trust, timeout=PATIENCE) as answer:
            return json.load(answer)

    @asynccontextmanager
    async def namespace(self) -> AsyncIterator[str]:
        """A namespace with all that controllers put into a new one, deleted behind the block without waiting."""
        name = f"story-{next(self._numbers)}"
        self.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        for given in ("serviceaccounts/default", "configmaps/kube-root-ca.crt"):
            await until(partial(self.has, f"/api/v1/namespaces/{name}/{given}"))
        yield name
        self.request("DELETE", f"/api/v1/namespaces/{name}")

    def has(self, path: str) -> bool:
        """Whether there is an object."""
        try:
            self.request("GET", path)
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return False
        return True

    def write_kubeconfig(self, path: Path, namespace: str) -> None:
        """Contexts of the administrator, in a namespace, and of `bob`, who may nothing."""
        config = yaml.safe_load(self.made.read_text())
        (context,) = config["contexts"]
        context["context"]["namespace"] = namespace
        config["users"].append({"name": "bob", "user": {"token": "bob-token"}})
        config["contexts"].append({"name": "bob", "context": {**context["context"], "user": "bob"}})
        path.write_text(yaml.safe_dump(config))


def knarr(home: Path, *arguments: str) -> None:
    environment = {**os.environ, "KNARR_HOME": str(home)}
    subprocess.run([sys.executable, "-m", "knarr", *arguments], env=environment, check=True, timeout=ENDLESS)


@contextmanager
def running(home: Path) -> Iterator[Cluster]:
    """A cluster of simulated nodes that ends with the block."""
    (home / "tokens.csv").write_text(TOKENS)
    cluster = Cluster(home)
    flags = ["--runtime", "simulated", "--store", "memory", "--nodes", str(NODES), "--port", "0"]
    where = ["--kubeconfig", str(cluster.made), "--token-auth-file", str(home / "tokens.csv")]
    knarr(home, "up", "--name", "wire", *flags, *where)
    try:
        yield cluster
    finally:
        knarr(home, "down", "--name", "wire", "--delete-data")


@dataclass
class Teller:
    """One kubectl in a folder and a namespace of its own."""

    binary: Path
    version: tuple[int, int]
    cluster: Cluster
    folder: Path
    namespace: str

    async def tell(self, story: Story) -> None:
        """Type what the story says; AssertionError where something else is printed."""
        for name, text in story.files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("$NS", self.namespace))
        async with AsyncExitStack() as running:
            beside = []
            for number, command in enumerate(story.commands(self.version, self.namespace)):
                if command.how in "&>":
                    said = self.folder / f"said-{number}"
                    await running.enter_async_context(self.started(command, said))
                    beside.append((command, said))
                else:
                    await self.type(command)
            for command, said in beside:
                await wait_for(command, said)

    async def type(self, command: Command) -> None:
        """Run a command; with `~`, until it prints what it must."""
        wrong = ""
        try:
            async with asyncio.timeout(PATIENCE if command.how == "~" else None):
                while wrong := difference(command, *await self.run(command)):
                    assert command.how == "~", wrong
                    await asyncio.sleep(PAUSE)
        except TimeoutError:
            raise AssertionError(wrong) from None

    async def run(self, command: Command) -> tuple[int, str]:
        """The exit code, and what was printed to stdout and stderr."""
        async with self.process(command, PIPE) as process, asyncio.timeout(ENDLESS):
            output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    @asynccontextmanager
    async def started(self, command: Command, said: Path) -> AsyncIterator[None]:
        """A command that runs on until the block ends, and has begun to speak before it."""
        with said.open("w") as out:
            async with self.process(command, out):
                if command.how == "&":
                    await wait_for(replace(command, prints=command.prints[:1]), said)
                yield

    @asynccontextmanager
    async def process(self, command: Command, out: Any) -> AsyncIterator[Process]:
        environment = {
            "PATH": os.environ["PATH"],
            "GOGC": os.environ["GOGC"],
            "HOME": str(self.folder),
            "KUBECONFIG": str(self.folder / "config"),
            **command.environment,
        }
        stdin = self.folder / command.stdin if command.stdin else Path(os.devnull)
        with stdin.open() as given:
            process = await asyncio.create_subprocess_exec(
                self.binary, *command.words, stdin=given, stdout=out, stderr=STDOUT, cwd=self.folder, env=environment
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


async def wait_for(command: Command, said: Path) -> None:
    """Return when a command that runs on has printed what it must; AssertionError when it does not."""
    try:
        await until(lambda: begins(command, said.read_text()))
    except TimeoutError:
        raise AssertionError(unmet(command, said)) from None


def unmet(command: Command, said: Path) -> str:
    return difference(command, 0, said.read_text())


async def until(condition: Callable[[], bool]) -> None:
    """Return when it holds; TimeoutError when it does not soon."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if condition():
                return
            await asyncio.sleep(PAUSE / 4)


@asynccontextmanager
async def telling(binary: Path, version: str, cluster: Cluster, folder: Path) -> AsyncIterator[Teller]:
    """A kubectl in a namespace of its own; what it learns of the API it keeps for the others of its version."""
    cache = cluster.home / f"cache-{version}"
    cache.mkdir(exist_ok=True)
    (folder / ".kube").mkdir()
    (folder / ".kube/cache").symlink_to(cache)
    async with cluster.namespace() as namespace:
        cluster.write_kubeconfig(folder / "config", namespace)
        yield Teller(binary, parsed(version), cluster, folder, namespace)
