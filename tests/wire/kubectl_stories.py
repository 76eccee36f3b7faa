"""Which kubectl tells which story: the oldest, the newest and the default one tell all, the others the chief ones."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.wire.compatibility import kubectl_version, lacks
from tests.wire.kubectl_transcripts import FEATURES, Story, load, parsed

HERE = Path(__file__).parent


def kubectls() -> list[Path]:
    """Every kubectl here: on the PATH, its versioned siblings, and those that KNARR_KUBECTLS lists."""
    found = [Path(path) for path in os.environ.get("KNARR_KUBECTLS", "").split(os.pathsep) if path]
    if installed := shutil.which("kubectl"):
        first = Path(installed).resolve()
        found += sorted(first.parent.glob("kubectl.[0-9]*")) or [first]
    return list(dict.fromkeys(found))


def told_by_every_kubectl(name: str) -> Any:
    """Parametrize a test by `story` and `kubectl`, its binary."""
    found = {path: parsed(kubectl_version(path)) for path in kubectls()}
    thorough = {min(found.values(), default=None), max(found.values(), default=None), default_version()}
    cases = [
        pytest.param(story, path, marks=marks(story), id=f"{story.sentence}-{path.name}")
        for story in load(HERE / name)
        for path, version in found.items()
        if story.chief or version in thorough
    ]
    return pytest.mark.parametrize("story, kubectl", cases)


def default_version() -> tuple[int, int] | None:
    """The version of the kubectl that people get by typing its name."""
    path = shutil.which("kubectl")
    return parsed(kubectl_version(Path(path))) if path else None


def marks(story: Story) -> list[pytest.MarkDecorator]:
    return [pytest.mark.operation("kubectl", operation) for operation in story.operations]


def must_have(kubectl: Path, story: Story) -> None:
    """End the test where this kubectl has not yet what the story needs."""
    for need in story.needs:
        if parsed(kubectl_version(kubectl)) < FEATURES[need]:
            lacks(need)
