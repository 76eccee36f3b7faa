"""The files of a pod's directory that the agent writes, and their removal. Blocking; called in threads."""

import json
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from knarr.node.runtimes.runtime import SandboxSpec
from knarr.node.runtimes.sandbox import etc, host


def write_files(directory: Path, spec: SandboxSpec, ips: Sequence[str]) -> None:
    lines = Path("/etc/hosts").read_text() if spec.host_network else ""
    (directory / "hosts").write_text(etc.hosts(spec, ips, lines))
    (directory / "hostname").write_text(spec.hostname + "\n")
    (directory / "resolv.conf").write_text(etc.resolver(spec))


def stop_signal(here: Path) -> int:
    name = str(json.loads((here / "config.json").read_bytes())["stop_signal"]).upper()
    number = int(name) if name.isdigit() else getattr(signal, f"SIG{name.removeprefix('SIG')}", signal.SIGTERM)
    return int(number)


def prepare(here: Path, config: dict[str, Any]) -> None:
    for name in ("upper", "work", "root", "image", "empty"):
        (here / name).mkdir(mode=0o755, parents=True)
        (here / name).chmod(0o755)
    here.chmod(0o711)
    (here / "termination-log").touch(mode=0o666)
    (here / "termination-log").chmod(0o666)
    (here / "config.json").write_text(json.dumps(config))


def save_state(here: Path, state: dict[str, Any]) -> None:
    """Write what the shim would, for a container that it does not keep."""
    draft = here / "state.new"
    draft.write_text(json.dumps(state))
    draft.replace(here / "state.json")


def remove_tree(path: Path) -> None:
    if path.exists():
        for config in (path / "config.json", *path.glob("*/config.json")):
            host.remove_groups(config)
        shutil.rmtree(path)
