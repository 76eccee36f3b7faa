"""What the agent's side keeps of a pod: a directory with its record, its hosts file and its containers' last words.

Called by the runtime. A record is written once a pod's network stands: a sandbox without one is not ready.
"""

import shutil
from pathlib import Path

import msgspec

from knarr.node.runtimes.containerd import messages as cri
from knarr.node.runtimes.runtime import ContainerSpec, SandboxSpec
from knarr.node.runtimes.sandbox import etc

WORDS_MOST = 4096  #: bytes of a termination message


class Record(msgspec.Struct, frozen=True):
    """A pod whose network stands."""

    sandbox: str  #: its id
    config: cri.PodSandboxConfig
    network: str  #: the file of its network namespace
    ip: str
    ips: tuple[str, ...] = ()


class Pods:
    """The directories of one node's pods. Blocking, but for what is kept in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: dict[str, Record] = {}

    def load(self) -> None:
        """Find again what an earlier agent has written."""
        self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        for path in self.folder.glob("*/pod.json"):
            self.records[path.parent.name] = msgspec.json.decode(path.read_bytes(), type=Record)

    def save(self, spec: SandboxSpec, record: Record) -> None:
        directory = self.folder / spec.uid
        directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        lines = Path("/etc/hosts").read_text() if spec.host_network else ""
        (directory / "hosts").write_text(etc.hosts(spec, record.ips or (record.ip,), lines))
        (directory / "hosts").chmod(0o644)
        draft = directory / "pod.new"
        draft.write_bytes(msgspec.json.encode(record))
        draft.replace(directory / "pod.json")
        self.records[spec.uid] = record

    def remove(self, uid: str) -> None:
        self.records.pop(uid, None)
        if (self.folder / uid).exists():
            shutil.rmtree(self.folder / uid)

    def prepare(self, uid: str, spec: ContainerSpec) -> dict[str, Path]:
        """The files of our own that a container gets, by the path at which it sees them."""
        spec.log_path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        own = {"/etc/hosts": self.folder / uid / "hosts"}
        if spec.termination_log_path:
            words = self._words(uid, spec.name, spec.attempt)
            words.write_bytes(b"")
            words.chmod(0o666)
            own[spec.termination_log_path] = words
        return own

    def last_words(self, uid: str, name: str, attempt: int) -> str:
        """What a container left in its termination log."""
        try:
            with self._words(uid, name, attempt).open("rb") as file:
                return file.read(WORDS_MOST).decode(errors="replace")
        except FileNotFoundError:
            return ""

    def forget(self, uid: str, name: str, attempt: int) -> None:
        self._words(uid, name, attempt).unlink(missing_ok=True)

    def _words(self, uid: str, name: str, attempt: int) -> Path:
        return self.folder / uid / f"{name}-{attempt}.termination-log"
