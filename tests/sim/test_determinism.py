"""The same seed makes the same history, byte for byte, whatever else differs between two processes."""

import os
import subprocess
import sys
from pathlib import Path

from knarr.testing.history import first_difference
from tests.sim.determinism_story import told

SEEDS = 50
ROOT = Path(__file__).parents[2]
STORY = "tests.sim.determinism_story"


def begin(hashing, *arguments):
    """The story in a process of its own, with its own order of sets."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hashing)}
    command = [sys.executable, "-m", STORY, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def outputs(*arguments):
    """What two processes tell, line by line."""
    for process in [begin(hashing, *arguments) for hashing in (1, 2)]:
        lines, _ = process.communicate()
        assert process.returncode == 0
        yield lines.splitlines()


def test_every_stored_revision_is_the_same_in_two_processes():
    one, other = outputs(0, SEEDS, "-q")
    assert len(one) == SEEDS
    seeds = [seed for seed, (mine, theirs) in enumerate(zip(one, other, strict=True)) if mine != theirs]
    if seeds:
        mine, theirs = first_difference(*outputs(seeds[0])) or ("", "another run of it was the same")
        again = f"PYTHONHASHSEED=1 python -m {STORY} {seeds[0]}"
        raise AssertionError(f"seeds {seeds} differ; {again} writes first\n{mine}\nand with PYTHONHASHSEED=2\n{theirs}")


def test_another_seed_tells_another():
    assert told(1).digest != told(2).digest


def test_the_second_story_of_a_process_is_as_the_first():
    first, second = told(3, lines=True), told(3, lines=True)
    assert first_difference(first.lines, second.lines) is None
