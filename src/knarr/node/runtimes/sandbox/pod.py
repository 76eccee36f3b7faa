"""A pod as the agent remembers it, and how it is found again: from the files of its directory and from its shim."""

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from knarr.meta import clock
from knarr.node.runtimes.runtime import ContainerState, NoSuchContainer, PodSandbox, SandboxSpec
from knarr.node.runtimes.sandbox import leftovers
from knarr.node.runtimes.sandbox.connection import Connection, dial, wait_end

log = logging.getLogger(__name__)

PATIENCE = 5.0  #: seconds a shim has to go once its pod is over
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()  #: of the machine: its processes are of this life
LOST = 137  #: the exit code of a container whose end nobody saw: as if killed


class Pod:
    """One pod's directory, its containers' states and, while its shim lives, the connection to it."""

    def __init__(self, directory: Path, about: dict[str, Any], on_change: Callable[[], None]) -> None:
        self.directory, self.about = directory, about
        self.uid: str = about["uid"]
        self.lock = asyncio.Lock()
        self.states: dict[str, dict[str, Any]] = {}
        self.connection: Connection | None = None
        self.ended: dict[str, asyncio.Event] = {}
        self.execs: dict[int, asyncio.Future[int]] = {}
        self._on_change = on_change

    @property
    def ready(self) -> bool:
        return self.connection is not None and self.connection.open and bool(self.about.get("ready"))

    def save(self) -> None:
        write(self.directory / "pod.json", self.about)

    async def connect(self) -> bool:
        """Reach the shim; False when the pod has none (any more)."""
        try:
            sock = dial(self.directory)
        except OSError:
            self._load()
            return False
        self.connection = Connection(sock, self._event, self._closed)
        answer, _ = await self.connection.call("hello")
        self._load(answer["containers"], shim=True)
        for id_, state in answer["containers"].items():
            self._update(id_, state)
        return True

    def _load(self, known: Collection[str] = (), *, shim: bool = False) -> None:
        """Take over the recorded states. What ran and is not `known` to a shim was killed with the one that it had; as
        soon as there is another `shim`, whose word counts from then on, that is written down.
        """
        for path in self.directory.glob("*/state.json"):
            if (state := read(path)) is None:
                continue
            if state["state"] == "running" and path.parent.name not in known:
                state |= {"state": "exited", "finished": clock.unix(), "exit_code": LOST, "signal": 9}
                state["reason"] = "Error"
                if shim:
                    write(path, state)
            self._update(path.parent.name, state)

    def _event(self, message: dict[str, Any]) -> None:
        if message["event"] == "state":
            self._update(message["id"], message["state"])
        elif (future := self.execs.pop(message["exec"], None)) and not future.done():
            future.set_result(message["code"])
        self._on_change()

    def _update(self, id_: str, state: dict[str, Any]) -> None:
        self.states[id_] = state
        if state["state"] == "exited":
            self.ended.setdefault(id_, asyncio.Event()).set()

    def note(self, id_: str, state: dict[str, Any]) -> None:
        """Take over a state that the shim does not know."""
        self._update(id_, state)
        self._on_change()

    def _closed(self) -> None:
        self.connection = None
        for future in self.execs.values():
            if not future.done():
                future.set_result(LOST)
        self.execs.clear()
        self._load()
        self._on_change()

    async def call(self, do: str, descriptors: list[int] | None = None, **fields: Any) -> tuple[Any, list[int]]:
        if self.connection is None:
            raise NoSuchContainer(f"pod {self.about['name']} has no sandbox any more")
        return await self.connection.call(do, descriptors or [], **fields)

    def state(self, container: str) -> dict[str, Any]:
        if container not in self.states:
            raise NoSuchContainer(f"container {container} of pod {self.about['name']} not found")
        return self.states[container]

    async def wait_ended(self, container: str, seconds: float | None) -> bool:
        """Whether the container has ended within that time."""
        event = self.ended.setdefault(container, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
        return event.is_set()

    def shim(self) -> dict[str, Any] | None:
        """The recorded processes, or None when there never was a shim, or none since the machine was booted."""
        return shim_of(self.directory)

    async def kill(self) -> None:
        """End every process of the pod, and return when they are gone."""
        if (shim := self.shim()) is not None:
            await self._kill_shim(shim)
        if self.about["host_pid"] and self.directory.is_dir():
            await asyncio.to_thread(leftovers.end, self.directory)

    async def _kill_shim(self, shim: dict[str, Any]) -> None:
        if started(shim["pause"]) == shim["pause_born"]:  # PID 1: the kernel ends all others with it
            await _kill(shim["pause"])
        if started(shim["pid"]) == shim["born"]:  # it writes down how they ended, and goes by itself
            try:
                async with asyncio.timeout(PATIENCE):
                    await wait_end(shim["pid"])
            except TimeoutError:
                await _kill(shim["pid"])

    def sandbox(self) -> PodSandbox:
        about = self.about
        containers = tuple(
            ContainerState(id=id_, **{key: value for key, value in state.items() if key != "id"})
            for id_, state in sorted(self.states.items(), key=lambda item: item[1]["created"])
        )
        return PodSandbox(
            uid=self.uid,
            name=about["name"],
            namespace=about["namespace"],
            ip=about.get("ip", ""),
            ips=tuple(about.get("ips") or filter(None, [about.get("ip")])),
            state="ready" if self.ready else "gone",
            created=about["created"],
            containers=containers,
            attempt=about["attempt"],
            labels=about["labels"],
        )


async def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    await wait_end(pid)


def shim_of(directory: Path) -> dict[str, Any] | None:
    """The processes that a pod's directory names, if they may still be there: not those of an earlier boot."""
    found = read(directory / "shim.json")
    if found is None or found.get("boot", BOOT) != BOOT:
        return None
    return found


def started(pid: int) -> int:
    """When a process started, in ticks; 0 when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(text.rpartition(b")")[2].split()[19])


def read(path: Path) -> dict[str, Any] | None:
    """A record; None when there is none, or none that can be read: a power cut may leave half of one."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        log.warning("%s: not readable: %s", path, error)
        return None
    return found


def write(path: Path, tree: Mapping[str, Any]) -> None:
    """Write a record: wholly or not at all."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(tree))
    draft.replace(path)


def unknown(uid: str) -> dict[str, Any]:
    """What is known of a pod whose `pod.json` cannot be read: enough to run it anew, or to remove what is left."""
    nowhere = Path("/nowhere")
    # it may have had processes outside of its own namespace: they are looked for at its end
    return record(SandboxSpec(uid=uid, name="", namespace="", hostname="", log_directory=nowhere, host_pid=True))


def record(spec: SandboxSpec) -> dict[str, Any]:
    """What `pod.json` keeps of a spec."""
    return {**msgspec.to_builtins(spec, enc_hook=str), "created": clock.unix(), "ready": False}
